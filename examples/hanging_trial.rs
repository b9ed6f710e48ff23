//! Trials that hang are ended by a limit on their steps, and the run goes on. The program is its own worker.

use std::process::ExitCode;
use std::time::Duration;

use tryout::prelude::*;

/// A simulation that never comes to an end if its grid is too coarse.
struct Simulation {
    grid: u64,
    time: u64,
}

#[derive(serde::Deserialize)]
struct Settings {
    grid: u64,
}

impl Trainable for Simulation {
    type Config = Settings;

    fn setup(Settings { grid }: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        println!("a grid of {grid} points");
        Ok(Self { grid, time: 0 })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.time += 1;
        if self.grid < 24 && self.time == 3 {
            println!("looking for a smaller residual");
            loop {
                std::thread::park();
            }
        }
        let error = [("error", 1.0 / (self.grid * self.time) as f64)];
        Ok(if self.time < 5 { Step::next(error) } else { Step::done(error) })
    }
}

fn main() -> ExitCode {
    if tryout::worker::is_worker() {
        return tryout::worker::serve::<Simulation>();
    }
    env_logger::init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    // A thread could only be left behind; a process can be killed.
    let limits = Limits::new().step(Duration::from_millis(300), OnLimit::Kill);
    let results = Experiment::new("simulations", process(std::env::current_exe()?).limits(limits))
        .space(Space::new().with("grid", grid([8, 32, 16, 64, 128])))
        .objective(Objective::min("error"))
        .workers(2)
        .run()?;
    for trial in results.trials() {
        let hung = trial.error().filter(|failure| failure.fault.kind == FailureKind::Timeout);
        let Some(failure) = hung else { continue };
        println!("{} hung: {}", trial.config, failure.fault.message);
        println!("  the last it said: {}", failure.fault.output.last().map_or("", String::as_str));
    }
    let (hung, ended) = (results.count(Status::Error), results.count(Status::Terminated));
    println!("{hung} hung, {ended} came to their end; best: {}", results.best()?.config);
    Ok(())
}
