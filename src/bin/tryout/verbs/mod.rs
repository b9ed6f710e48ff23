//! The verbs, one a file; which there are, and what their errors are.

mod act;
mod check;
mod compare;
mod delete;
mod doctor;
mod export;
mod gc;
mod going_on;
mod labels;
mod launch;
mod list;
mod live;
mod logs;
mod on;
mod open;
mod plot;
mod python;
mod row;
mod run;
mod schema;
mod serve;
mod set;
mod show;
mod status;
mod table;
mod trials;
mod watch;
mod why;
mod worker;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use tryout::failure::error_chain;

/// Runs experiments of many trials, and looks at them.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Begin with an experiment file, for any program in any language:

  name = \"first\"
  samples = 20
  command = [\"python3\", \"train.py\", \"--lr\", \"{lr}\"]   # it prints {\"loss\": 0.1} on a line
  objective.min = \"loss\"
  [space]
  lr = { log_uniform = [1e-5, 1e-1] }

  tryout check first.toml      what would run
  tryout run first.toml        runs it, with its results in runs/first
  tryout trials --sort loss    its trials, the best first"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Check(check::Check),
    Status(status::Status),
    Watch(watch::Watch),
    Serve(serve::Serve),
    Worker(worker::Worker),
    Launch(launch::Launch),
    Trials(trials::Trials),
    Show(show::Show),
    Why(why::Why),
    Logs(logs::Logs),
    Pause(act::Pause),
    Unpause(act::Unpause),
    Stop(act::Stop),
    Save(act::Save),
    Add(act::Add),
    Retry(act::Retry),
    Extend(act::Extend),
    Proceed(act::Proceed),
    Set(set::Set),
    Export(export::Export),
    Plot(plot::Plot),
    List(list::List),
    Compare(compare::Compare),
    Tag(labels::Tag),
    Note(labels::Note),
    Archive(labels::Archive),
    Delete(delete::Delete),
    Gc(gc::Gc),
    Schema(schema::Schema),
    Doctor(doctor::Doctor),
}

/// Why a verb couldn't be carried out.
#[derive(Debug)]
pub(crate) enum Problem {
    /// What was given can't work: exit code 2.
    Given(String),
    /// Something else: exit code 1.
    Failed(String),
    /// Whoever reads the standard output has read enough.
    Unread,
}

impl Problem {
    pub(crate) fn given(error: &(dyn std::error::Error + 'static)) -> Self {
        Problem::Given(error_chain(error))
    }

    pub(crate) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        Problem::Failed(error_chain(error))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Given(why) | Problem::Failed(why) => f.write_str(why),
            Problem::Unread => f.write_str("the output was closed"),
        }
    }
}

/// Writes an answer as a line of JSON.
pub(crate) fn json_line(out: &mut impl Write, answer: &impl Serialize) -> Result<(), Problem> {
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(())
}

/// What can't be written to the standard output.
impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Problem::Unread,
            _ => Problem::failed(&error),
        }
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Problem::failed(&error)
    }
}

pub(super) fn main() -> ExitCode {
    let carried_out = match Arguments::parse().verb {
        Verb::Run(verb) => verb.carry_out(),
        Verb::Check(verb) => verb.carry_out(),
        Verb::Status(verb) => verb.carry_out(),
        Verb::Watch(verb) => verb.carry_out(),
        Verb::Serve(verb) => verb.carry_out(),
        Verb::Worker(verb) => verb.carry_out(),
        Verb::Launch(verb) => verb.carry_out(),
        Verb::Trials(verb) => verb.carry_out(),
        Verb::Show(verb) => verb.carry_out(),
        Verb::Why(verb) => verb.carry_out(),
        Verb::Logs(verb) => verb.carry_out(),
        Verb::Pause(verb) => verb.carry_out(),
        Verb::Unpause(verb) => verb.carry_out(),
        Verb::Stop(verb) => verb.carry_out(),
        Verb::Save(verb) => verb.carry_out(),
        Verb::Add(verb) => verb.carry_out(),
        Verb::Retry(verb) => verb.carry_out(),
        Verb::Extend(verb) => verb.carry_out(),
        Verb::Proceed(verb) => verb.carry_out(),
        Verb::Set(verb) => verb.carry_out(),
        Verb::Export(verb) => verb.carry_out(),
        Verb::Plot(verb) => verb.carry_out(),
        Verb::List(verb) => verb.carry_out(),
        Verb::Compare(verb) => verb.carry_out(),
        Verb::Tag(verb) => verb.carry_out(),
        Verb::Note(verb) => verb.carry_out(),
        Verb::Archive(verb) => verb.carry_out(),
        Verb::Delete(verb) => verb.carry_out(),
        Verb::Gc(verb) => verb.carry_out(),
        Verb::Schema(verb) => verb.carry_out(),
        Verb::Doctor(verb) => verb.carry_out(),
    };
    carried_out.unwrap_or_else(|problem| {
        let code = match problem {
            Problem::Unread => return ExitCode::SUCCESS,
            Problem::Given(_) => ExitCode::from(2),
            Problem::Failed(_) => ExitCode::FAILURE,
        };
        eprintln!("error: {problem}");
        code
    })
}
