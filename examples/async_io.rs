//! Fifty trials that await at the same time on one arbiter: tunes the size of requests to a service.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tryout::prelude::*;

/// A service elsewhere: every request costs a fixed time, and a little more for each item in it.
async fn request(items: u32) {
    sleep(Duration::from_micros(4_000 + u64::from(items) * u64::from(items) * 20)).await;
}

#[derive(serde::Deserialize)]
struct Settings {
    items: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let service = async_function("service", async |settings: Settings, trial: &mut AsyncSession| {
        let mut sent = 0;
        let began = Instant::now();
        for _ in 0..10 {
            request(settings.items).await;
            sent += settings.items;
            trial.report([("items_per_s", f64::from(sent) / began.elapsed().as_secs_f64())]).await?;
        }
        Ok(())
    });
    let results = Experiment::new("service", service)
        .space(Space::new().with("items", grid(1..=50)))
        .objective(Objective::max("items_per_s"))
        .workers(50)
        .run()?;
    let waited: f64 =
        results.trials().iter().filter_map(|trial| trial.last.as_ref()).map(|last| last.counters.time_total_s).sum();
    let best = results.best()?;
    println!("best: {} with {:.0} items per second", best.config, results.value(best).unwrap_or(0.0));
    println!("50 trials awaited {waited:.1} s in {:.1} s of wall time", results.took().as_secs_f64());
    Ok(())
}
