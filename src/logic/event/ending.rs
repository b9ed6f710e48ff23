//! How trials came to be, were put aside, and ended, in one word each.

use serde::{Deserialize, Serialize};

/// How a trial came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// The trainable was done.
    Done,
    /// A stop rule ended it.
    StopRule,
    /// The scheduler ended it.
    Scheduler,
    /// A client ended it.
    Client,
    /// The whole experiment was ended.
    Experiment,
    /// It failed, and wasn't tried again.
    Error,
    /// A new trial with the same configuration took its place when the run was resumed.
    Restarted,
    /// It was withdrawn before it began: the space was changed and it isn't in it any more, so that another is suggested in its
    /// place, or fewer trials are wanted.
    Withdrawn,
}

/// Who paused a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The scheduler, which is offered it again.
    Scheduler,
    /// A client: it stays paused until a client resumes it.
    Client,
    /// A drain: it waits for a resumed run.
    Drain,
}

/// Who added a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AddedBy {
    /// The searcher suggested it.
    #[default]
    Searcher,
    /// A client asked for it.
    Client,
    /// It takes the place of an earlier session's trial, which is tried afresh.
    Restart,
}

/// Why a trial that had ended goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Revival {
    /// It had failed and is tried once more.
    Retry,
    /// It was finished and is to go further.
    Extend,
}

/// Who let a paused trial go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResumedBy {
    /// A client.
    Client,
    /// The scheduler that had paused it.
    Scheduler,
}
