//! Tunes a small neural network on handwritten digits: a hundred configurations under ASHA, on all cores.
//!
//! `data` holds the images, `network` learns them, `trial` makes a trial of the network, and this file is the experiment.

mod data;
mod network;
mod trial;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use futures::executor::block_on;
use tryout::prelude::*;

use trial::DigitsTrial;

/// Tunes a small neural network on 1797 handwritten digits and says what the best one was.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many configurations to try.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    samples: u64,

    /// After how many epochs a configuration is at its end, if ASHA doesn't stop it before.
    #[arg(long, default_value_t = 81, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    iterations: u64,

    /// How many configurations train at the same time [default: one a core].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    workers: Option<u32>,

    /// Where randomness begins. With one worker, the same seed gives the same result, bit for bit.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Where the run's checkpoints go, in a new directory of their own.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,

    /// End with one line of JSON.
    #[arg(long)]
    json: bool,

    /// Show neither progress nor the table.
    #[arg(long)]
    quiet: bool,
}

/// What came of it; with `--json`, the last line.
#[derive(Debug, serde::Serialize)]
struct Outcome {
    best_config: Config,
    best_accuracy: f64,
    trials: usize,
    iterations: u64,
    iterations_saved: u64,
    wall_s: f64,
    dir: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let outcome = tune(&arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&outcome)?);
    } else {
        summarise(&arguments, &outcome);
    }
    Ok(())
}

fn summarise(arguments: &Arguments, outcome: &Outcome) {
    let Outcome { best_config, best_accuracy, trials, iterations, iterations_saved, wall_s, dir } = outcome;
    println!("best: {:.2} % of the held-out digits recognised with {best_config}", 100.0 * best_accuracy);
    println!("(chosen on those very digits, so a little too good for new ones)");
    let full = iterations + iterations_saved;
    println!(
        "{trials} trials took {iterations} epochs in {wall_s:.1} s; to run all of them to epoch {} would have taken \
         {full}: ASHA saved {:.0} % of the work",
        arguments.iterations,
        100.0 * *iterations_saved as f64 / full as f64,
    );
    if let Some(dir) = dir {
        println!("checkpoints are in {}", dir.display());
    }
}

/// The experiment: what to try, how to judge it, when to give up on it.
fn tune(arguments: &Arguments) -> Result<Outcome, Box<dyn Error>> {
    let accuracy = Objective::max("accuracy");
    let space = Space::new()
        .with("lr", log_uniform(1e-3, 1.0))
        .with("momentum", uniform(0.0, 0.99))
        .with("weight_decay", log_uniform(1e-6, 1e-1))
        .with("hidden", log_int(8, 257))
        .with("batch_size", choice([8, 16, 32, 64, 128]));
    let mut experiment = Experiment::new("digits", stepwise::<DigitsTrial>())
        .space(space)
        .samples(arguments.samples)
        .seed(arguments.seed)
        .objective(accuracy.clone())
        .scheduler(Asha::new().max_t(arguments.iterations).reduction_factor(3.0))
        .checkpoint_every(27)
        .retention(Retention::last(1))
        .dir(fresh(&arguments.dir)?);
    if let Some(workers) = arguments.workers {
        experiment = experiment.workers(workers);
    }
    if !arguments.quiet {
        experiment = experiment.observer(Console::new());
    }

    let run = experiment.start()?;
    let control = run.control();
    // The engine leaves signals to its host: this one ends the run and keeps what it has.
    ctrlc::set_handler(move || drop(block_on(control.stop())))?;
    let results = run.wait_blocking()?;

    let best = results.best_by(&accuracy, Scope::All)?;
    let iterations = results.iterations();
    Ok(Outcome {
        best_config: Config::clone(&best.config),
        best_accuracy: best.stats.get("accuracy").map_or(0.0, |accuracy| accuracy.max),
        trials: results.trials().len(),
        iterations,
        iterations_saved: results.trials().len() as u64 * arguments.iterations - iterations,
        wall_s: results.took().as_secs_f64(),
        dir: results.dir().map(Path::to_path_buf),
    })
}

/// A directory below `parent` that isn't there yet: `0001`, `0002` and so on.
fn fresh(parent: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(parent)?;
    for number in 1_u32.. {
        let path = parent.join(format!("{number:04}"));
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
    Err(std::io::Error::other("there are too many runs"))
}
