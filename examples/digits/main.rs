//! Tunes a small neural network on handwritten digits: a hundred configurations under ASHA, on all cores.
//!
//! `data` holds the images, `network` learns them, `trial` makes a trial of the network, and this file is the experiment.

mod data;
mod network;
mod trial;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tryout::observe::LogBridge;
use tryout::prelude::*;

use trial::DigitsTrial;

/// What a shell expects of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

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

    /// Where randomness begins: with one worker, the same seed gives the same result, bit for bit.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Where the networks go, into a new directory for each run.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,

    /// Go on with the run in this directory, as in `runs/0001/digits`.
    #[arg(long)]
    resume: Option<PathBuf>,

    /// End with one line of JSON.
    #[arg(long)]
    json: bool,

    /// Show neither progress nor the table.
    #[arg(long)]
    quiet: bool,
}

/// What came of it; with `--json`, the last line.
#[derive(Debug, serde::Serialize)]
struct Summary<'a> {
    best_config: &'a Config,
    best_accuracy: f64,
    trials: usize,
    iterations: u64,
    iterations_saved: u64,
    wall_s: f64,
    dir: Option<&'a Path>,
}

fn main() -> ExitCode {
    // RUST_LOG chooses what is logged; the console's line stays whole.
    let logger = env_logger::Builder::from_default_env().build();
    let level = logger.filter();
    // No other logger is installed here.
    let _ = LogBridge::install(Box::new(logger), level);
    let arguments = Arguments::parse();
    match tune(&arguments).and_then(|results| tell(&arguments, &results)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The experiment: what to try, how to judge it, when to give up on it.
fn tune(arguments: &Arguments) -> Result<Results, Box<dyn Error>> {
    let mut experiment = match &arguments.resume {
        Some(run) => Experiment::resume(run, stepwise::<DigitsTrial>())?,
        None => new(arguments)?,
    };
    if let Some(workers) = arguments.workers {
        experiment = experiment.workers(workers);
    }
    if !arguments.quiet {
        // On the standard error: the standard output stays for the results.
        experiment = experiment.observer(Console::new());
    }
    // The networks that are in training are saved, and the run can be gone on with.
    Ok(experiment.on_ctrl_c(Duration::from_secs(10)).run()?)
}

fn new(arguments: &Arguments) -> Result<Experiment, Box<dyn Error>> {
    let space = Space::new()
        .with("lr", log_uniform(1e-3, 1.0))
        .with("momentum", uniform(0.0, 0.99))
        .with("weight_decay", log_uniform(1e-6, 1e-1))
        .with("hidden", log_int(8, 257))
        .with("batch_size", choice([8, 16, 32, 64, 128]));
    Ok(Experiment::new("digits", stepwise::<DigitsTrial>())
        .space(space)
        .samples(arguments.samples)
        .seed(arguments.seed)
        .objective(Objective::max("accuracy"))
        .scheduler(Asha::new().max_t(arguments.iterations).grace_period(1).reduction_factor(3.0))
        // An epoch takes milliseconds: deciding after each costs nothing beside it, and none is trained in vain.
        .batching(Batching::Single)
        // A trial saves its network whenever that is better than before, so the last is the best.
        .retention(Retention::last(1))
        .dir(fresh(&arguments.dir)?))
}

fn tell(arguments: &Arguments, results: &Results) -> Result<ExitCode, Box<dyn Error>> {
    let accuracy = Objective::max("accuracy");
    let best = results.best_by(&accuracy, Scope::All)?;
    let summary = Summary {
        best_config: &best.config,
        best_accuracy: best.stats.get(&accuracy.metric).map_or(f64::NAN, |accuracy| accuracy.max),
        trials: results.trials().len(),
        iterations: results.iterations(),
        iterations_saved: results.trials().iter().map(|trial| saved(trial, arguments.iterations)).sum(),
        wall_s: results.took().as_secs_f64(),
        dir: results.dir(),
    };
    let interrupted = !matches!(results.outcome(), Outcome::Completed);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    } else {
        if interrupted {
            let dir = summary.dir.unwrap_or(Path::new("")).display();
            writeln!(out, "interrupted: this is what there was by then; `--resume {dir}` goes on")?;
        }
        explain(&summary, &mut out)?;
    }
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

fn explain(summary: &Summary<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let Summary { best_config, best_accuracy, trials, iterations, iterations_saved, wall_s, dir } = summary;
    writeln!(out, "best: {:.2} % of the held-out digits recognised with {best_config}", 100.0 * best_accuracy)?;
    writeln!(out, "(chosen on those very digits, so expect a little less on new ones)")?;
    let without = iterations + iterations_saved;
    let share = 100.0 * *iterations_saved as f64 / without as f64;
    writeln!(
        out,
        "trials: {trials}; epochs: {iterations} instead of {without}, ASHA saved {share:.0} %; time: {wall_s:.1} s"
    )?;
    match dir {
        Some(dir) => writeln!(out, "the networks at their best are in {}", dir.display()),
        None => Ok(()),
    }
}

/// How many epochs ASHA spared a trial; none if it didn't end it.
fn saved(trial: &TrialRecord, iterations: u64) -> u64 {
    match (&trial.last, trial.ending) {
        (Some(last), Some(Ending::Scheduler)) => iterations.saturating_sub(last.iteration()),
        _ => 0,
    }
}

/// A directory below `parent` that isn't there yet: `0001`, `0002` and so on.
fn fresh(parent: &Path) -> Result<PathBuf, String> {
    let refused = |error: std::io::Error| format!("no directory can be made in `{}`: {error}", parent.display());
    std::fs::create_dir_all(parent).map_err(refused)?;
    for number in 1_u32.. {
        let path = parent.join(format!("{number:04}"));
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path).map_err(refused),
        }
    }
    Err(format!("`{}` is full", parent.display()))
}
