//! A run that survives its process: end it with Ctrl-C or `kill -9`, run it again, and it goes on where it was.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures::StreamExt;
use futures::executor::block_on;
use tryout::failure::error_chain;
use tryout::prelude::*;

#[derive(Parser)]
struct Arguments {
    /// Where the run's directory is, or is to be made.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,
}

/// Walks down a valley (Rosenbrock's) by gradient descent. Where it stands is all there is to save.
struct Walk {
    at: [f64; 2],
    rate: f64,
}

#[derive(serde::Deserialize)]
struct Settings {
    rate: f64,
    from: f64,
}

impl Trainable for Walk {
    type Config = Settings;

    fn setup(Settings { rate, from }: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { at: [from, 1.0], rate })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        let [x, y] = self.at;
        let slope = [400.0 * x * (x * x - y) + 2.0 * (x - 1.0), 200.0 * (y - x * x)];
        self.at = [x - self.rate * slope[0], y - self.rate * slope[1]];
        // Real work takes its time.
        std::thread::sleep(Duration::from_millis(100));
        Ok(Step::next([("height", 100.0 * (y - x * x).powi(2) + (1.0 - x).powi(2))]))
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
    let Arguments { dir } = Arguments::parse();
    let walk = dir.join("walk");
    let before = if Experiment::can_resume(&walk) { Some(Experiment::open(&walk)?) } else { None };
    let handle = Experiment::new("walk", stepwise::<Walk>())
        .space(Space::new().with("rate", log_uniform(1e-4, 2e-3)).with("from", uniform(-1.5, 1.5)))
        .samples(12)
        .seed(0)
        .objective(Objective::min("height"))
        .stop(stop::iterations(50))
        .checkpoint_every(10)
        .retention(Retention::last(2))
        .dir(dir)
        .existing(Existing::Resume)
        .on_ctrl_c(Duration::from_secs(5))
        .start()?;
    // Said only now: a run that somebody else is running doesn't start.
    if let Some(before) = before {
        let words = if *before.outcome() == Outcome::Completed { "was finished" } else { "goes on" };
        println!("{words} after {} iterations of {} trials", before.iterations(), before.trials().len());
    }

    let control = handle.control();
    let mut events = control.events(1_000);
    block_on(async {
        while let Some(seen) = events.next().await {
            if let Seen::Event(event) = seen
                && let EventKind::Saved { checkpoint } = &event.kind
            {
                println!("{} is saved at iteration {}", checkpoint.id.trial, checkpoint.report.iteration());
            }
        }
    });

    let results = handle.wait_blocking()?;
    match results.outcome() {
        Outcome::Drained => println!("{} of 600 iterations are done", results.iterations()),
        _ => {
            let best = results.best()?;
            println!("best: {}, height {:.6}", best.config, results.value(best).unwrap_or(f64::NAN));
        }
    }
    Ok(())
}
