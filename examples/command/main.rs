//! Tunes any command line: `{name}` in it stands for a value, and a line that it prints says how good that was.
//!
//! ```text
//! cargo run --release --example command -- --param lr=1e-4..1e-1:log --param layers=1,2,3 --samples 20 \
//!     --metric loss --mode min -- python3 train.py --lr {lr} --layers {layers}
//! ```

mod line;
mod param;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tryout::prelude::*;

use param::Param;

/// Tunes a command line, and prints the best one.
#[derive(Parser)]
struct Arguments {
    /// A value to look for: `lr=1e-4..1e-1:log`, `size=8..256` (whole numbers, both ends included), `kind=sgd,adam`.
    #[arg(long = "param", value_name = "NAME=VALUES", required_unless_present = "demo")]
    params: Vec<Param>,
    /// How many command lines to try.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    samples: u64,
    /// How many run at the same time [default: one a core].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
    /// What the command reports that says how good it was.
    #[arg(long, default_value = "loss")]
    metric: String,
    /// Whether less or more of it is better.
    #[arg(long, default_value = "min")]
    mode: Better,
    /// A report is a line that matches this: `loss (?P<loss>\S+)` [default: a line that is a JSON object].
    #[arg(long, value_name = "REGEX")]
    pattern: Option<String>,
    /// How many seconds one command may take; then it is killed.
    #[arg(long, value_name = "SECONDS", value_parser = param::seconds)]
    time_limit: Option<Duration>,
    /// Where randomness begins.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Tunes a command of its own.
    #[arg(long, conflicts_with_all = ["params", "pattern", "metric", "mode", "command"])]
    demo: bool,
    /// The command, with `{NAME}` where a value stands.
    #[arg(last = true, required_unless_present = "demo")]
    command: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Better {
    Min,
    Max,
}

/// A walk down a slope, in awk: with too small a rate it is slow, with too large a one it leaves.
const DEMO: &str = r#"BEGIN { x = 8; for (step = 1; step <= 5; step++) { x -= {rate} * (2 * x + {push} * sin(x));
    printf "step %d: loss %g\n", step, x * x } }"#;

fn main() -> ExitCode {
    env_logger::init();
    let mut arguments = Arguments::parse();
    if arguments.demo {
        arguments.command = ["awk", DEMO].map(str::to_owned).to_vec();
        arguments.params =
            ["rate=1e-3..1:log", "push=0,1,2"].into_iter().filter_map(|text| text.parse().ok()).collect();
        arguments.pattern = Some(r"loss (?P<loss>\S+)".to_owned());
    }
    match tune(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tune(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { params, metric, .. } = arguments;
    let (program, rest) = arguments.command.split_first().ok_or("there is no command after `--`")?;
    let plain = || command(program).args(rest);
    line::check(&plain(), params)?;
    let mut backend = plain();
    if let Some(pattern) = &arguments.pattern {
        backend = backend.metrics(MetricsFrom::Pattern(pattern.clone()));
    }
    if let Some(most) = arguments.time_limit {
        backend = backend.limits(Limits::new().trial(most, OnLimit::Kill));
    }
    let objective = match arguments.mode {
        Better::Min => Objective::min(metric),
        Better::Max => Objective::max(metric),
    };
    let space = params.iter().fold(Space::new(), |space, param| space.with(&param.name, param.values.clone()));
    let mut experiment = Experiment::new("command", backend).space(space).samples(arguments.samples);
    if let Some(workers) = arguments.workers {
        experiment = experiment.workers(workers);
    }
    let results = experiment.objective(objective).seed(arguments.seed).on_ctrl_c(Duration::from_secs(5)).run()?;

    println!("{} came to their end, {} failed", results.count(Status::Terminated), results.count(Status::Error));
    if let Some(failure) = results.errors().next().and_then(TrialRecord::error) {
        println!("the first failure: {failure}");
        failure.fault.output.iter().rev().take(5).rev().for_each(|line| println!("  | {line}"));
    }
    let best = results.best()?;
    println!("best {metric}: {}", results.value(best).unwrap_or(f64::NAN));
    println!("{}", line::shown(&plain(), &best.config)?);
    Ok(())
}
