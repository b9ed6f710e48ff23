//! What is done when a limit on time or another resource is reached.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::seconds;
use super::time::Moment;
use super::trial::Keep;

/// What is done when a limit is reached: by whom it reaches, a trial or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// The step that is under way comes to its end and is reported, then the trial stops.
    FinishStep,
    /// The same, and a checkpoint is written before the trial stops, if the trainable can save. (A closure saves when it
    /// reports and at no other time, so the last one it handed in is what there is.)
    SaveThenStop,
    /// The worker is ended at once, without grace. What it hasn't handed in is lost. A thread can't be ended: it is left
    /// behind.
    Kill,
}

impl OnLimit {
    /// Whether a checkpoint is written before a trial stops.
    pub fn keep(self) -> Keep {
        match self {
            OnLimit::SaveThenStop => Keep::Checkpoint,
            OnLimit::FinishStep | OnLimit::Kill => Keep::Nothing,
        }
    }
}

impl fmt::Display for OnLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnLimit::FinishStep => "finish the step",
            OnLimit::SaveThenStop => "save, then stop",
            OnLimit::Kill => "kill",
        })
    }
}

/// How long a run may take, over all its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TimeLimit {
    /// So much active time since the run's start; more than zero. Time between sessions doesn't count. In JSON a number of
    /// seconds.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    pub after: Duration,
    /// What is done then. Steps and checkpoints that take longer than the grace from then on are ended as by
    /// [`OnLimit::Kill`].
    pub then: OnLimit,
}

impl TimeLimit {
    /// The moment at which it is reached.
    pub fn at(&self) -> Moment {
        Moment::new(self.after)
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the experiment's time limit of {:?} is reached ({})", self.after, self.then)
    }
}
