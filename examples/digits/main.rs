//! Tunes a small neural network on handwritten digits: a hundred configurations under ASHA, on all cores.
//!
//! `data` holds the images, `network` learns them, `trial` makes a trial of the network, and this file is the experiment.

mod data;
mod network;
mod trial;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tryout::extend::{RunId, TrialId};
use tryout::prelude::*;

/// Tunes a small neural network on 1797 handwritten digits and says what the best one was.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many configurations to try.
    #[arg(long, default_value_t = 100, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    samples: usize,

    /// After how many epochs a configuration is at its end, if ASHA doesn't stop it before.
    #[arg(long, default_value_t = 81, value_parser = RangedU64ValueParser::<u64>::new().range(1..=10_000))]
    iterations: u64,

    /// How many configurations train at the same time [default: one a core].
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    workers: Option<usize>,

    /// Where randomness begins. With one worker, the same seed gives the same result, bit for bit.
    #[arg(long, default_value_t = 1)]
    seed: u64,

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
    let workers = arguments.workers.unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get));
    let outcome = tune(&arguments, workers)?;
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
    let full = iterations + iterations_saved;
    println!(
        "{trials} trials took {iterations} epochs in {wall_s:.1} s; to run all of them to epoch {} would have taken \
         {full}: ASHA saved {:.0} %",
        arguments.iterations,
        100.0 * *iterations_saved as f64 / full as f64,
    );
    if let Some(dir) = dir {
        println!("everything about them is in {}", dir.display());
    }
}

/// A stand-in for the engine: random configurations one after another, stopped by the rule of ASHA.
fn tune(arguments: &Arguments, _workers: usize) -> Result<Outcome, Box<dyn Error>> {
    let begin = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let mut rungs: Vec<(u64, Vec<f64>)> = std::iter::successors(Some(1), |rung| Some(rung * 3))
        .take_while(|rung| *rung < arguments.iterations)
        .map(|rung| (rung, vec![]))
        .collect();
    let (mut iterations, mut best) = (0, (0.0, Config::new()));
    for number in 0..arguments.samples {
        let config = draw(&mut rng);
        let info = TrialInfo {
            id: TrialId::new(RunId::new(0), number as u32),
            experiment: Arc::from("digits"),
            attempt: 1,
            seed: rng.random(),
            slot: Arc::default(),
        };
        let mut trial = trial::DigitsTrial::setup(config.parse()?, &info).map_err(|error| error.to_string())?;
        for iteration in 1..=arguments.iterations {
            let metrics = trial.epoch();
            iterations += 1;
            let accuracy = metrics.number("accuracy").unwrap_or(0.0);
            if accuracy > best.0 {
                best = (accuracy, config.clone());
            }
            if let Some((_, seen)) = rungs.iter_mut().find(|(rung, _)| *rung == iteration) {
                seen.sort_by(f64::total_cmp);
                let cut = seen.get(seen.len() * 2 / 3).copied();
                seen.push(accuracy);
                if cut.is_some_and(|cut| accuracy < cut) {
                    break;
                }
            }
            if iteration == arguments.iterations && !arguments.quiet {
                println!("{number:3} {accuracy:.4} {config}");
            }
        }
    }
    if !arguments.quiet {
        println!("{:?}", rungs.iter().map(|(r, s)| (*r, s.len())).collect::<Vec<_>>());
    }
    let all = arguments.samples as u64 * arguments.iterations;
    Ok(Outcome {
        best_config: best.1,
        best_accuracy: best.0,
        trials: arguments.samples,
        iterations,
        iterations_saved: all - iterations,
        wall_s: begin.elapsed().as_secs_f64(),
        dir: None,
    })
}

/// The space, until the engine draws from it.
fn draw(rng: &mut ChaCha8Rng) -> Config {
    let mut log_uniform = |from: f64, to: f64| rng.random_range(from.ln()..to.ln()).exp();
    Config::new()
        .with("lr", log_uniform(1e-3, 1.0))
        .with("weight_decay", log_uniform(1e-6, 1e-1))
        .with("hidden", log_uniform(8.0, 257.0) as u64)
        .with("batch_size", 1_u64 << rng.random_range(3..8))
        .with("momentum", rng.random_range(0.0..0.99))
}
