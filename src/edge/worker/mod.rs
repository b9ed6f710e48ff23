//! The worker's end of the protocol: a program that runs a [`Trainable`] for an engine in another process.
//!
//! | file | what it does |
//! |---|---|
//! | `line` | orders in, facts out, over the socket that standard input is |
//! | `heart` | signs of life, and the end of the engine, from a thread of their own |
//! | `work` | frames as orders and facts, around the shell that threads have too |
//! | `folder` | checkpoints in a directory that the engine names |

mod folder;
mod heart;
mod line;
mod work;

use std::process::ExitCode;

use crate::logic::wire::FACTS_VARIABLE;
use crate::ports::trainable::Trainable;

use self::line::Line;

/// Why a worker ended before it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum WorkerError {
    /// It wasn't started by an engine.
    #[error(
        "this program is a worker: an experiment starts it, with `process(..)`; there is no `{FACTS_VARIABLE}` here"
    )]
    Alone,
    /// The conversation broke off.
    #[error("{action}: {source}")]
    Line {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine said something that isn't the protocol.
    #[error("the engine said something that isn't the protocol: {0}")]
    Protocol(String),
}

/// Whether this process was started as a worker. A program can so be both: an experiment that runs itself.
///
/// ```no_run
/// # use tryout::prelude::*;
/// # struct Net;
/// # impl Trainable for Net {
/// #     type Config = Config;
/// #     fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> { Ok(Net) }
/// #     fn step(&mut self) -> Result<Step, TrialError> { Ok(Step::done([("loss", 0.5)])) }
/// # }
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     if tryout::worker::is_worker() {
///         return tryout::worker::serve::<Net>();
///     }
///     let Ok(this) = std::env::current_exe() else { return ExitCode::FAILURE };
///     let run = Experiment::new("nets", process(this)).points([Config::new()]).run();
///     run.map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS)
/// }
/// ```
pub fn is_worker() -> bool {
    std::env::var_os(FACTS_VARIABLE).is_some()
}

/// Runs trials of `T` for the engine that started this process, until the engine says stop, or is gone. The trainable is the same
/// as on a thread: [`stepwise::<T>()`](crate::edge::backend::stepwise) becomes `process("./my-worker")`, where `my-worker`
/// is a program whose `main` is this one line.
///
/// Standard input is the engine's, and empty for everybody else; what is printed goes to the trial's own files. When a trial
/// begins, its directory becomes the process's working directory. To be called first of all in `main`.
///
/// ```no_run
/// # use tryout::prelude::*;
/// # struct Net;
/// # impl Trainable for Net {
/// #     type Config = Config;
/// #     fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> { Ok(Net) }
/// #     fn step(&mut self) -> Result<Step, TrialError> { Ok(Step::done([("loss", 0.5)])) }
/// # }
/// fn main() -> std::process::ExitCode {
///     tryout::worker::serve::<Net>()
/// }
/// ```
pub fn serve<T: Trainable>() -> ExitCode {
    let served = Line::open().and_then(work::run::<T>);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
