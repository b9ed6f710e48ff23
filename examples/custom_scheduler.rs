//! A scheduler of one's own, in one method: it stops every trial that falls behind the best by a factor.

use std::collections::HashMap;

use tryout::extend::{Cohort, Scheduler, TrialId, Verdict};
use tryout::prelude::*;

/// Stops a trial whose loss is more than `factor` times the best that any trial had at the same iteration.
#[derive(Debug)]
struct KeepUp {
    factor: f64,
    best: HashMap<u64, f64>,
}

impl Scheduler for KeepUp {
    fn on_report(&mut self, _: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let Some(loss) = report.number("loss") else { return Verdict::CONTINUE };
        let best = self.best.entry(report.iteration()).or_insert(loss);
        *best = best.min(loss);
        if loss > *best * self.factor {
            return Verdict::stop(format!(
                "{loss:.3} at iteration {} is more than {} times the best, {best:.3}",
                report.iteration(),
                self.factor
            ));
        }
        Verdict::CONTINUE
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let descent = function("descent", |config: Config, trial| {
        let (rate, mut x) = (config.get::<f64>("rate")?, 100.0_f64);
        for _ in 0..30 {
            x -= rate * 2.0 * x;
            trial.report([("loss", x * x)])?;
        }
        Ok(())
    });
    let results = Experiment::new("descent", descent)
        .space(Space::new().with("rate", log_uniform(1e-3, 0.5)))
        .samples(12)
        .seed(1)
        .objective(Objective::min("loss"))
        .scheduler(KeepUp { factor: 10.0, best: HashMap::new() })
        .run()?;
    for trial in results.trials() {
        let iterations = trial.last.as_ref().map_or(0, |last| last.iteration());
        let why = trial.reason.as_deref().unwrap_or("ran to its end");
        println!("{} after {iterations:2} iterations: {why}", trial.config);
    }
    println!("best: {}", results.best()?.config);
    Ok(())
}
