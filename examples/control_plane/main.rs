//! What the engine costs: runs a workload of trivial trainables, and beside it the bare messages that it can't do without.

mod directory;
#[cfg(feature = "remote")]
mod far;
mod floor;
mod machine;
mod starts;

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use directory::Directory;
use tryout::prelude::*;

/// Measures the control plane: trials and results per second, memory, and the floor under them.
#[derive(Clone, Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What to run.
    #[arg(long, value_enum, default_value = "trials")]
    workload: Workload,
    /// Where the trials run.
    #[arg(long, value_enum, default_value = "thread")]
    backend: Where,
    /// How many trials.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    trials: Option<u32>,
    /// How many results each trial reports (workload `results`).
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    results: u64,
    /// How many trials run at once.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    concurrent: Option<u32>,
    /// How many results travel at once; adaptive if not said (`null` in the output).
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    buffer: Option<u32>,
    /// Reuse workers.
    #[arg(long)]
    reuse: bool,
    /// Where the run is kept: in memory, or with a journal in a new directory among the temporary ones.
    #[arg(long, value_enum, default_value = "memory")]
    store: Place,
    /// Which files for others are written (with `--store dir`).
    #[arg(long, value_enum, default_value = "none")]
    sinks: Sinks,
    /// Say also how large the journal is, and what it takes a fresh process to resume the run (with `--store dir`).
    #[arg(long)]
    reopen: bool,
    /// Only resume the finished run in this directory.
    #[arg(long)]
    resume: Option<std::path::PathBuf>,
    /// Print one JSON line and nothing else.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    /// On threads of this process.
    Thread,
    /// In worker processes, which are this program again.
    Process,
    /// In worker processes that Python runs (`python/tryout_worker.py`).
    Python,
    /// On workers that join over the port, with TLS.
    #[cfg(feature = "remote")]
    Remote,
}

impl Where {
    fn experiment(self) -> std::io::Result<Experiment> {
        Ok(match self {
            Where::Thread => Experiment::new(NAME, stepwise::<Trivial>()),
            #[cfg(feature = "remote")]
            Where::Remote => Experiment::new(NAME, stepwise::<Trivial>()),
            Where::Process => Experiment::new(NAME, process(std::env::current_exe()?)),
            Where::Python => {
                let root = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
                // Where modules are kept compiled, as they are where a package is installed.
                let compiled = std::env::temp_dir().join("tryout-control-plane-pyc");
                let python = process("python3").args(["-c", TRIVIAL]).env("PYTHONPATH", root);
                let python = python.without_env("PYTHONDONTWRITEBYTECODE").env("PYTHONPYCACHEPREFIX", compiled);
                Experiment::new(NAME, python)
            }
        })
    }
}

const NAME: &str = "control_plane";

/// [`Trivial`] in Python.
const TRIVIAL: &str = "
import tryout_worker

class Trivial(tryout_worker.Trainable):
    def setup(self, config):
        self.rate, self.left = config['rate'], config['results']

    def reset(self, config):
        self.setup(config)
        return True

    def step(self):
        self.left -= 1
        loss = self.rate / (self.left + 1)
        return {'loss': loss, 'done': True} if self.left == 0 else {'loss': loss}

tryout_worker.serve(Trivial)
";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    Memory,
    Dir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sinks {
    /// None.
    None,
    /// For each trial params.json, result.json, progress.csv, error.txt and TensorBoard's; for all results.csv and optuna.log.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Many trials of one result each.
    Trials,
    /// A few trials of many results each.
    Results,
    /// 256 trials of up to 81 iterations under ASHA.
    Asha,
    /// Trials of one result each, one after another, each in a fresh worker; beside them bare processes.
    Starts,
}

/// Does nothing, as often as it is told to.
struct Trivial {
    rate: f64,
    left: u64,
}

#[derive(serde::Deserialize)]
struct Settings {
    rate: f64,
    results: u64,
}

impl Trainable for Trivial {
    type Config = Settings;

    fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { rate: config.rate, left: config.results })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.left -= 1;
        let metrics = [("loss", self.rate / (self.left + 1) as f64)];
        Ok(if self.left == 0 { Step::done(metrics) } else { Step::next(metrics) })
    }

    fn reset(&mut self, config: Settings, _: &TrialInfo) -> Result<(), TrialError> {
        (self.rate, self.left) = (config.rate, config.results);
        Ok(())
    }
}

fn main() -> ExitCode {
    if tryout::worker::is_worker() {
        return tryout::worker::serve::<Trivial>();
    }
    env_logger::init();
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(run) = &arguments.resume {
        return directory::resume(run);
    }
    let (trials, results, concurrent) = match arguments.workload {
        Workload::Trials => (arguments.trials.unwrap_or(10_000), 1, arguments.concurrent.unwrap_or(16)),
        Workload::Results => {
            let trials = arguments.trials.unwrap_or(8);
            (trials, arguments.results, arguments.concurrent.unwrap_or(trials))
        }
        Workload::Starts => (arguments.trials.unwrap_or(200), 1, 1),
        Workload::Asha => (arguments.trials.unwrap_or(256), 81, arguments.concurrent.unwrap_or(16)),
    };
    let batching = match arguments.buffer.and_then(NonZeroU32::new) {
        Some(reports) => Batching::Fixed { reports, time: None },
        None => Batching::Adaptive,
    };
    let experiment = arguments
        .backend
        .experiment()?
        .space(Space::new().with("rate", uniform(0.0, 1.0)).with("results", results))
        .samples(u64::from(trials))
        .seed(0)
        .objective(Objective::min("loss"))
        .reuse(if arguments.reuse { Reuse::Yes } else { Reuse::No })
        .batching(batching)
        .history(History::None);
    let directory = Directory::new(arguments)?;
    let experiment = directory.place(experiment, arguments.sinks);
    let experiment = match arguments.workload {
        Workload::Asha => experiment.scheduler(Asha::new().max_t(81).reduction_factor(3.0)),
        _ => experiment,
    };

    let (rss, cpu, began) = (machine::rss_mb(), machine::cpu_s(), Instant::now());
    let (ended, began) = match arguments.backend {
        #[cfg(feature = "remote")]
        Where::Remote => {
            let far = far::Far::new(concurrent);
            far.run(far.place(experiment))?
        }
        _ => (experiment.workers(concurrent).run()?, began),
    };
    let (wall, cpu) = (began.elapsed().as_secs_f64(), machine::cpu_s() - cpu);
    let (peak, grown) = (machine::peak_rss_mb(), machine::rss_mb() - rss);
    let reports = ended.totals().reports;
    drop(ended);

    let batch = arguments.buffer.map_or(1, u64::from).min(results);
    let messages = (reports / batch).clamp(1, 200_000);
    let floor = floor::round_trips_per_second(concurrent.min(trials), messages) * batch as f64;
    let rate = reports as f64 / wall;
    let report = serde_json::json!({
        "backend": format!("{:?}", arguments.backend).to_lowercase(),
        "workload": format!("{:?}", arguments.workload).to_lowercase(),
        "trials": trials,
        "results": reports,
        "concurrent": concurrent,
        "buffered": arguments.buffer,
        "store": format!("{:?}", arguments.store).to_lowercase(),
        "sinks": format!("{:?}", arguments.sinks).to_lowercase(),
        "dir": directory.path(),
        "reuse": arguments.reuse,
        "wall_s": wall,
        "cpu_s": cpu,
        "trials_per_s": f64::from(trials) / wall,
        "results_per_s": rate,
        "peak_rss_mb": peak,
        "grown_rss_mb": grown,
        "floor_per_s": floor,
        "of_floor": rate / floor,
    });
    let mut report = report;
    if arguments.workload == Workload::Starts {
        let bare = starts::bare(arguments.backend, trials)?;
        report["start_ms"] = (wall / f64::from(trials) * 1e3).into();
        report["bare_ms"] = bare.map(|bare| bare * 1e3).into();
    }
    if arguments.reopen {
        directory.reopen(&mut report)?;
    }
    if arguments.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(())
}
