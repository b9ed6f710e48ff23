//! A finished run goes on: more iterations for what was finished, from its last checkpoint, and another try for what failed.

use std::path::Path;
use std::process::ExitCode;

use tryout::failure::error_chain;
use tryout::prelude::*;

/// Newton's way to a square root. A trial that starts below zero fails, as long as nobody allows it.
struct Root {
    of: f64,
    at: f64,
}

#[derive(serde::Deserialize)]
struct Settings {
    of: f64,
}

impl Trainable for Root {
    type Config = Settings;

    fn setup(Settings { of }: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        // The second session finds the file that the first one lacked.
        if of > 50.0 && !Path::new("runs/large-numbers-allowed").exists() {
            return Err(TrialError::new(format!("{of} is too large")));
        }
        Ok(Self { of, at: of })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.at = 0.5 * (self.at + self.of / self.at);
        Ok(Step::next([("error", (self.at * self.at - self.of).abs())]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.at)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        Ok(())
    }
}

fn main() -> ExitCode {
    env_logger::init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let run = Path::new("runs/roots");
    if !Experiment::can_resume(run) {
        Experiment::new("roots", stepwise::<Root>())
            .points([2.0, 10.0, 99.0].map(|of| Config::new().with("of", of)))
            .objective(Objective::min("error"))
            .stop(stop::iterations(3))
            .at_end(AtEnd::Checkpoint)
            .dir("runs")
            .run()?;
    }
    let before = Experiment::open(run)?;
    show("before", &before);

    // Everything else is as it was: the run's own settings come from its directory.
    std::fs::write("runs/large-numbers-allowed", "")?;
    let most = before.trials().iter().map(|trial| trial.reported).max().unwrap_or(0) + 3;
    let after = Experiment::resume(run, stepwise::<Root>())?
        .extend(stop::iterations(most))
        .on_resume(Resume::new().extend().retry_kind(FailureKind::SetupFailed))
        .run()?;
    show("after", &after);
    Ok(())
}

fn show(when: &str, results: &Results) {
    println!("{when}:");
    for trial in results.trials() {
        let error = results.value(trial).map_or_else(|| "none".to_owned(), |error| format!("{error:.1e}"));
        print!("  {} {} after {} iterations, error {error}", trial.config, trial.status, trial.reported);
        println!("{}", trial.error().map_or_else(String::new, |failure| format!("; {failure}")));
    }
}
