//! What is seen of a worker, from its start to its end.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::failure::Fault;
use crate::logic::ids::TrialId;
use crate::logic::pool::Slot;

/// A process on a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The machine's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "process {} on {host}", self.pid),
            None => write!(f, "process {}", self.pid),
        }
    }
}

/// Why a worker was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Its trial left it and said that nobody is to use it again: it failed, or couldn't be reset.
    Discarded,
    /// Workers aren't handed on in this run.
    NotReused,
    /// It was idle, and its resources are needed by others, or have been taken away.
    Evicted,
    /// It was idle for longer than the experiment allows.
    IdleTooLong,
    /// It was idle, and nobody can come any more who would use it.
    Unneeded,
    /// The run is ending.
    RunEnds,
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopCause::Discarded => "its trial says that nobody is to use it again",
            StopCause::NotReused => "workers aren't handed on in this run",
            StopCause::Evicted => "its resources are needed",
            StopCause::IdleTooLong => "it was idle for too long",
            StopCause::Unneeded => "nobody can come any more who would use it",
            StopCause::RunEnds => "the run is ending",
        })
    }
}

/// What happened to a worker. That a trial got it, and how many had it before, is said by [`EventKind::Launched`]; that it
/// was left behind, by [`EventKind::Abandoned`].
///
/// [`EventKind::Launched`]: super::EventKind::Launched
/// [`EventKind::Abandoned`]: super::EventKind::Abandoned
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerChange {
    /// It was started.
    Spawned {
        /// What it holds for as long as it lives.
        slot: Arc<Slot>,
    },
    /// Its trials are in this process from now on. Not said of one in the engine's own process.
    Placed {
        /// Which.
        process: Arc<Process>,
    },
    /// It couldn't be reset for another trial. A fresh worker takes its place.
    ResetFailed {
        /// For which trial.
        trial: TrialId,
        /// How.
        fault: Fault,
    },
    /// It was asked to stop.
    Stopping {
        /// Why.
        why: StopCause,
    },
    /// It didn't stop within its grace period, and was killed.
    Killed,
    /// It has ended.
    Gone,
}

impl fmt::Display for WorkerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerChange::Spawned { slot } => {
                let all: Vec<String> = slot.bundles.iter().map(ToString::to_string).collect();
                write!(f, "was started with {}", all.join(" + "))?;
                let gpus: Vec<String> = slot.gpus.iter().flatten().map(u32::to_string).collect();
                if gpus.is_empty() { Ok(()) } else { write!(f, ", GPUs {}", gpus.join(", ")) }
            }
            WorkerChange::Placed { process } => write!(f, "is {process}"),
            WorkerChange::ResetFailed { trial, fault } => {
                write!(f, "couldn't be reset for trial {trial}, a fresh one takes its place: {fault}")
            }
            WorkerChange::Stopping { why } => write!(f, "is asked to stop: {why}"),
            WorkerChange::Killed => f.write_str("is killed: its grace period is over"),
            WorkerChange::Gone => f.write_str("is gone"),
        }
    }
}
