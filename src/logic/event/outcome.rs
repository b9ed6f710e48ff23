//! How a run ended, and why one couldn't go on.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::logic::failure::{Failure, Fault};
use crate::logic::ids::TrialId;
use crate::logic::time::Moment;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "outcome", content = "reason")]
#[non_exhaustive]
pub enum Outcome {
    /// All trials ended and the searcher has no more.
    Completed,
    /// A stop rule, a client or `fail_fast` ended it.
    Stopped(Cow<'static, str>),
    /// It was drained: what isn't finished can go on in a resumed run.
    Drained,
    /// It was cut off, or goes on at this moment: only of results that were opened from a directory.
    Unfinished,
    /// It couldn't go on.
    Failed(RunFailure),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Completed => f.write_str("completed"),
            Outcome::Stopped(why) => write!(f, "stopped: {why}"),
            Outcome::Drained => f.write_str("drained, to be resumed"),
            Outcome::Unfinished => f.write_str("cut off, to be resumed"),
            Outcome::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// A run that has begun to end: no trial begins any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Closing {
    /// How it will have ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What isn't finished by then is ended the hard way; none: workers have their grace.
    pub by: Option<Moment>,
}

/// Why a run couldn't go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunFailure {
    /// A searcher, scheduler or stop rule failed or panicked.
    #[error("the {part} {name} failed: {message}")]
    Part {
        /// Which of them.
        part: Part,
        /// Its name.
        name: String,
        /// What it said.
        message: String,
    },
    /// A trial asks for what this pool can never give.
    #[error("trial {trial} can never run: {message}")]
    Infeasible {
        /// The trial.
        trial: TrialId,
        /// What was asked, and the most there is.
        message: String,
    },
    /// Nothing could ever move again.
    #[error("the run is stuck: {message}")]
    Stuck {
        /// Who waits for what.
        message: String,
    },
    /// The same error has come from several workers, and the experiment is to end then.
    #[error("{why}")]
    SameError {
        /// Which error, and from how many.
        why: Hold,
    },
    /// A trial failed for good under `FailFast::Raise`.
    #[error("trial {trial} failed: {failure}")]
    Trial {
        /// The trial.
        trial: TrialId,
        /// Its failure.
        failure: Box<Failure>,
    },
}

/// Why a run is held: no trial is launched until a client says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "held_by")]
#[non_exhaustive]
pub enum Hold {
    /// The same error has come from several workers, and nothing shows that it can be got past: see
    /// [`SameError`](crate::logic::engine::SameError) for what is counted.
    #[error(
        "the same error ended attempts on {workers} workers, with nothing in between that went well; the last, of trial {last}: {fault}"
    )]
    SameError {
        /// On so many.
        workers: u32,
        /// The trial that had it last.
        last: TrialId,
        /// The error, in the words of the last attempt.
        fault: Box<Fault>,
    },
}

/// A part of an experiment that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The searcher.
    Searcher,
    /// The scheduler.
    Scheduler,
    /// The stop rule.
    StopRule,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Searcher => "searcher",
            Part::Scheduler => "scheduler",
            Part::StopRule => "stop rule",
        })
    }
}
