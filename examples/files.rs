//! A run that leaves files for pandas, TensorBoard and Optuna, and says as JSON what they must hold.

use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};
use tryout::prelude::*;

/// Writes all the files there are, and prints one line of JSON: what a reader of the files must find.
#[derive(Parser)]
struct Arguments {
    /// Where the run's directory `files` is made.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { dir } = Arguments::parse();
    let curve = function("curve", |config: Config, trial| {
        let x = config.number("x").unwrap_or(0.0);
        for step in 1..=8_u32 {
            let mut metrics = Metrics::new().with("loss", x * x + 1.0 / f64::from(step)).with("step", step);
            if step >= 3 {
                // A column that comes late, and values that aren't finite.
                metrics = metrics
                    .with("note", "from, \"here\"\non")
                    .with("gap", [f64::NAN, f64::INFINITY][step as usize % 2]);
            }
            trial.report(metrics)?;
            if config.get("kind") == Some(&Value::from("b")) && step == 2 {
                return Err(TrialError::new("this kind can't\ngo on"));
            }
        }
        Ok(())
    });
    let results = Experiment::new("files", curve)
        .space(
            Space::new()
                .with("x", uniform(-3.0, 3.0))
                .with("kind", grid(["a", "b", "ä"]))
                .with("net", json!({"hidden": 32, "layers": [64, 32], "bias": true}))
                .with("size", int(1, 5)),
        )
        .samples(4)
        .objective(Objective::min("loss"))
        .scheduler(Asha::new().max_t(8).grace_period(4).reduction_factor(2.0))
        .resources(Resources::cpus(1))
        .dir(&dir)
        .files(Files::all())
        .run()?;

    let trials = results.trials().iter().map(|trial| {
        let losses: Vec<_> = trial.history.iter().map(|report| report.number("loss")).collect();
        json!({
            "id": trial.id, "status": trial.status.to_string(), "ending": trial.ending, "config": *trial.config,
            "losses": losses, "failures": trial.failures.len(),
        })
    });
    let summary = json!({"dir": results.dir(), "trials": trials.collect::<Vec<_>>()});
    println!("{summary}");
    Ok(())
}
