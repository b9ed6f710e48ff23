//! A finished run goes on: more iterations for what was finished, from its last checkpoint, and another try for what failed.

use std::path::Path;
use std::process::ExitCode;

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
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let run = Path::new("runs/roots");
    if !Experiment::can_resume(run) {
        let first = Experiment::new("roots", stepwise::<Root>())
            .points([2.0, 10.0, 99.0].map(|of| Config::new().with("of", of)))
            .objective(Objective::min("error"))
            .stop(stop::iterations(3))
            .at_end(AtEnd::Checkpoint)
            .dir("runs")
            .run()?;
        show("three iterations", &first);
    }

    // Everything else is as it was: the run's own settings come from its directory.
    std::fs::write("runs/large-numbers-allowed", "")?;
    let most = Experiment::open(run)?.trials().iter().map(|trial| trial.reported).max().unwrap_or(0) + 3;
    let more = Experiment::resume(run, stepwise::<Root>())?
        .extend(stop::iterations(most))
        .on_resume(Resume::new().extend().retry_kind(FailureKind::SetupFailed))
        .run()?;
    show("three more, and another try", &more);
    Ok(())
}

fn show(what: &str, results: &Results) {
    println!("{what}:");
    for trial in results.trials() {
        let error = trial.error().map_or_else(String::new, |failure| failure.to_string());
        println!("  {} {} after {}: {:?} {error}", trial.config, trial.status, trial.reported, results.value(trial));
    }
}
