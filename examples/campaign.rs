//! Very many random runs of everything there is, in virtual time, each held to what this crate promises.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use tryout::testing::Topic;
use tryout::testing::campaign::{Campaign, Limits, Promise, Summary, Trouble};

/// Plays random runs until one breaks a promise: every scheduler, searcher and stop rule, with faults, hangs, drains, orders
/// of clients, cuts and resumes. Prints the seed that plays it again.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// At most so many runs; the seeds follow one another.
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// The seed of the first run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// At most so many minutes.
    #[arg(long, value_parser = minutes)]
    minutes: Option<Duration>,
    /// Only runs with the scheduler, searcher, wrapper, stop rule or trouble of this name.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// At most so many trials a run.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    trials: Option<u64>,
    /// At most so many iterations a trial.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// Without these troubles.
    #[arg(long, value_delimiter = ',', value_name = "TROUBLE")]
    without: Vec<Trouble>,
    /// Each session is cut off after so many messages; the trouble of the last one ends then.
    #[arg(long, value_delimiter = ',', value_name = "MESSAGES")]
    cuts: Option<Vec<u64>>,
    /// Not held to these promises.
    #[arg(long, value_delimiter = ',', value_name = "PROMISE")]
    except: Vec<Promise>,
    /// Says how often everything was reached, not only what never was.
    #[arg(long)]
    reached: bool,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("`{text}` isn't a number of minutes"))?;
    let wrong = || format!("{text} minutes can't be: give a number above 0");
    Duration::try_from_secs_f64(minutes * 60.0).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

fn campaign(arguments: &Arguments) -> Result<Campaign, String> {
    let mut limits = Limits::default();
    (limits.trials, limits.iterations, limits.cuts) = (arguments.trials, arguments.iterations, arguments.cuts.clone());
    limits.without = arguments.without.iter().copied().collect();
    let campaign = Campaign::new(arguments.seed).runs(arguments.runs).limits(limits);
    let campaign = arguments.except.iter().fold(campaign, |campaign, promise| campaign.except(*promise));
    match &arguments.only {
        Some(name) => campaign.only(name).map_err(|error| error.to_string()),
        None => Ok(campaign),
    }
}

/// What was never reached, a line a topic; and, if it is wanted, all that was.
fn print_reached(summary: &Summary, all: bool) {
    let mut never: BTreeMap<Topic, Vec<String>> = BTreeMap::new();
    for (topic, name) in summary.reached.never() {
        never.entry(topic).or_default().push(name);
    }
    for (topic, names) in never {
        println!("never reached, {topic:?}: {}", names.join(", "));
    }
    let counts = summary.reached.counts();
    for ((topic, name), count) in counts.iter().filter(|_| all) {
        println!("{topic:?} {name}: {count}");
    }
}

fn main() -> ExitCode {
    env_logger::init();
    let arguments = Arguments::parse();
    let campaign = match campaign(&arguments) {
        Ok(campaign) => campaign,
        Err(message) => {
            eprintln!("campaign: {message}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let summary = campaign.run(|_| arguments.minutes.is_none_or(|most| began.elapsed() < most));
    let Summary { runs, sessions, messages, .. } = summary;
    println!("{runs} runs, {sessions} sessions, {messages} messages");
    eprintln!("{:.0} runs a second", runs as f64 / began.elapsed().as_secs_f64());
    print_reached(&summary, arguments.reached);
    match &summary.broken {
        Some(broken) => {
            println!("{broken}");
            ExitCode::FAILURE
        }
        None => {
            println!("no promise was broken");
            ExitCode::SUCCESS
        }
    }
}
