//! What can happen to a trial, and what a step of it asks the world to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::logic::decision::Decision;

/// Whether a checkpoint (or the final export) is to be written before a decision takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Nothing is to be written.
    Nothing,
    /// The worker writes first; the decision waits for it.
    Checkpoint,
}

/// How a worker is ready: with nothing behind it, with a checkpoint to load, or with the trial itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From the beginning.
    Fresh,
    /// From a checkpoint.
    Checkpoint,
    /// Where the trial stands: the worker has it still, from before the engine was started anew.
    Kept,
}

/// What follows a failure, as far as the state is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Another attempt.
    Retry,
    /// No more.
    GiveUp,
}

/// An order of the controller, or a fact from the pool or the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Order: get a worker and run.
    Launch,
    /// Order: leave the worker at the next report.
    Pause,
    /// Order: end.
    Stop,
    /// Order: the answer to the last report.
    Decide(Decision, Keep),
    /// Fact: the worker is ready.
    Ready(Origin),
    /// Fact: the checkpoint is loaded.
    Restored,
    /// Fact: the worker reported.
    Reported,
    /// Fact: the checkpoint is written.
    Saved,
    /// Fact: it failed.
    Failed(Verdict),
}

impl Event {
    /// Every event there is.
    pub const ALL: [Event; 17] = [
        Event::Launch,
        Event::Pause,
        Event::Stop,
        Event::Decide(Decision::Continue, Keep::Nothing),
        Event::Decide(Decision::Continue, Keep::Checkpoint),
        Event::Decide(Decision::Pause, Keep::Nothing),
        Event::Decide(Decision::Pause, Keep::Checkpoint),
        Event::Decide(Decision::Stop, Keep::Nothing),
        Event::Decide(Decision::Stop, Keep::Checkpoint),
        Event::Ready(Origin::Fresh),
        Event::Ready(Origin::Checkpoint),
        Event::Ready(Origin::Kept),
        Event::Restored,
        Event::Reported,
        Event::Saved,
        Event::Failed(Verdict::Retry),
        Event::Failed(Verdict::GiveUp),
    ];
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Decide(decision, Keep::Nothing) => write!(f, "Decide({decision:?})"),
            Event::Decide(decision, Keep::Checkpoint) => write!(f, "Decide({decision:?}, keep)"),
            Event::Ready(Origin::Fresh) => f.write_str("Ready"),
            Event::Ready(Origin::Checkpoint) => f.write_str("Ready(checkpoint)"),
            Event::Ready(Origin::Kept) => f.write_str("Ready(kept)"),
            Event::Failed(verdict) => write!(f, "Failed({verdict:?})"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// What a step asks for, at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Ask the pool for a worker.
    Acquire,
    /// Have the worker load the latest checkpoint.
    Restore,
    /// Have the worker work on.
    Train,
    /// Show the report to the controller.
    Submit,
    /// Have the worker write a checkpoint.
    Save,
    /// Give the worker back, or the place in the line for one.
    Release,
    /// Give the worker back as not to be reused.
    Discard,
}
