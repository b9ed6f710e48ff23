//! A run that leaves files for pandas, TensorBoard and Optuna, hands its events to a tracker, and says as JSON what they must hold.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use tryout::observe::EventProgram;
use tryout::prelude::*;

/// Writes all the files there are, and prints one line of JSON: what a reader of the files must find.
#[derive(Parser)]
struct Arguments {
    /// Where the run's directory `files` is made.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,
    /// A program that gets all events, as in `-- python3 -m tryout_trackers mlflow`.
    #[arg(last = true)]
    tracker: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let Arguments { dir, tracker } = Arguments::parse();
    let curve = function("curve", |config: Config, trial| {
        let x = config.get::<f64>("x")?;
        for step in 1..=8_u32 {
            let mut metrics = Metrics::new().with("loss", x * x + 1.0 / f64::from(step)).with("step", step);
            if step >= 3 {
                // A column that comes late, and values that aren't finite.
                metrics = metrics
                    .with("note", "from, \"here\"\non")
                    .with("gap", [f64::NAN, f64::INFINITY][step as usize % 2]);
            }
            trial.report(metrics)?;
            if config.value("kind") == Some(&Value::from("b")) && step == 2 {
                return Err(TrialError::new("this kind can't\ngo on"));
            }
        }
        Ok(())
    });
    let mut experiment = Experiment::new("files", curve)
        .space(
            Space::new()
                .with("x", uniform(-3.0, 3.0))
                .with("kind", grid(["a", "b", "ä"]))
                .with("net", json!({"hidden": 32, "layers": [64, 32], "bias": true}))
                .with("size", int(1, 5)),
        )
        .passes(4)
        .seed(1)
        .objective(Objective::min("loss"))
        .scheduler(Asha::new().max_t(8).grace_period(4).reduction_factor(2.0))
        .resources(Resources::cpus(1))
        .dir(&dir)
        .files(Files::all());
    if let Some((program, arguments)) = tracker.split_first() {
        // It may take its time to start, and to send what it has.
        experiment = experiment.observer(EventProgram::new(program).args(arguments)).patience(Duration::from_secs(300));
    }
    let results = experiment.run()?;

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
