//! Where a trial stands: five public words, and the small state behind them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::logic::decision::Decision;

/// The public status of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It waits for its turn or for a worker.
    Pending,
    /// It has a worker.
    Running,
    /// It has been put aside and has no worker.
    Paused,
    /// It ended.
    Terminated,
    /// It failed and isn't tried again.
    Error,
}

impl Status {
    /// All five, in the order of a trial's life.
    pub const ALL: [Status; 5] = [Status::Pending, Status::Running, Status::Paused, Status::Terminated, Status::Error];

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Status::Terminated | Status::Error)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Pending => "PENDING",
            Status::Running => "RUNNING",
            Status::Paused => "PAUSED",
            Status::Terminated => "TERMINATED",
            Status::Error => "ERROR",
        })
    }
}

/// What a running trial's one request in flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Its worker loads a checkpoint.
    Restoring,
    /// Its worker works on the next report.
    Training,
    /// The controller decides on a report.
    Deciding,
    /// Its worker writes a checkpoint.
    Saving,
}

/// The finite state of a trial. Whatever has a payload lives in the record around it, [`Trial`](super::Trial).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// PENDING: waits to be launched.
    Queued,
    /// PENDING: waits for resources, for a worker, and for the worker to be ready.
    Starting,
    /// RUNNING.
    Running {
        /// What it waits for.
        phase: Phase,
        /// The join of all it was told since it got its worker.
        order: Decision,
    },
    /// PAUSED.
    Paused,
    /// TERMINATED.
    Terminated,
    /// ERROR.
    Error,
}

impl State {
    pub(crate) const fn running(phase: Phase, order: Decision) -> Self {
        State::Running { phase, order }
    }

    /// The public word for it.
    pub fn status(self) -> Status {
        match self {
            State::Queued | State::Starting => Status::Pending,
            State::Running { .. } => Status::Running,
            State::Paused => Status::Paused,
            State::Terminated => Status::Terminated,
            State::Error => Status::Error,
        }
    }

    /// Whether it holds a worker, or its place in the line for one.
    pub fn holds_worker(self) -> bool {
        matches!(self, State::Starting | State::Running { .. })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Running { phase, order: Decision::Continue } => f.pad(&format!("{phase:?}")),
            State::Running { phase, order } => f.pad(&format!("{phase:?}({order:?})")),
            other => f.pad(&format!("{other:?}")),
        }
    }
}
