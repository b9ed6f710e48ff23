//! What reaches a worker, what it says, and what its trainable is to do.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::failure::Fault;
use crate::logic::ids::LeaseId;
use crate::logic::metrics::Metrics;
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::logic::wire::{ResultsEnd, Row};

/// What a trainable wants after a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To go on.
    #[default]
    GoOn,
    /// That a checkpoint is written now.
    Save,
    /// To hand a checkpoint in with this report: [`WorkerInput::HandedIn`] follows, or the next report.
    HandIn,
    /// To end: this was its last report.
    End,
}

/// Something that reaches a worker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WorkerInput {
    /// An order, under its lease.
    Order(LeaseId, WorkerOrder),
    /// [`Call::Begin`]: the trainable is the trial's.
    Ready,
    /// [`Call::Begin`]: the trainable that is there can't become this trial's.
    ResetFailed(Fault),
    /// [`Call::Restore`]: it goes on from the checkpoint.
    Restored,
    /// [`Call::Restore`]: the checkpoint isn't there any more.
    CheckpointGone,
    /// [`Call::Work`]: one report.
    Reported {
        /// What it says.
        metrics: Metrics,
        /// What the trainable wants next.
        wish: Wish,
        /// How long the work took; if none is given, it took the time since the last report or the batch's begin.
        took: Option<Duration>,
    },
    /// [`Call::Work`]: a batch that was made and ended elsewhere.
    Results {
        /// Its reports: how long each took, and when it was made.
        rows: Vec<Row>,
        /// Why it ended, if not by a limit.
        end: Option<ResultsEnd>,
        /// The bytes of a checkpoint that was handed in with the last report, or why it couldn't be taken.
        handed_in: Option<Result<u64, Fault>>,
    },
    /// How much processor time the trial has used in this attempt: said before reports, if a limit asks for it.
    UsedCpu(Duration),
    /// [`Call::Work`]: the last report has a checkpoint with so many bytes, under the name that was given for one.
    HandedIn(u64),
    /// [`Call::Work`]: the trainable has come to its end, without another report.
    Ended,
    /// [`Call::Save`]: all is done. The checkpoint has so many bytes; none if the trainable has none to give.
    Saved(Option<u64>),
    /// The call under way failed; if there is none, the worker itself did.
    Failed(Fault),
    /// [`Call::Rest`]: nothing is under way any more.
    AtRest,
    /// Time has passed: a batch that waits for its next report may be over.
    Tick,
}

/// How far a trainable may go by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// So many reports, at least 1.
    pub(crate) most: u32,
    /// Up to the first report that comes later than this after the batch's begin.
    pub(crate) time: Option<Duration>,
}

/// What a trainable is to do. It is answered by one input, and nothing else is asked until then; but [`Call::Rest`] and
/// [`Call::End`] void what is under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    /// Become a trial's: set up, or reset. Answer: `Ready`, `ResetFailed` or `Failed`.
    Begin {
        /// The trial's configuration.
        config: Arc<Config>,
        /// How far it will be let go then.
        then: Option<Room>,
    },
    /// Take up a checkpoint. Answer: `Restored`, `CheckpointGone` or `Failed`.
    Restore(Arc<Checkpoint>),
    /// Work on, to the next report. Answer: `Reported`, `Results`, `Ended` or `Failed`.
    Work(Room),
    /// Write a checkpoint, the final export, or both. Answer: `Saved` or `Failed`.
    Save {
        /// The checkpoint's name, if one is to be written.
        checkpoint: Option<CheckpointId>,
        /// The formats to export, by name.
        export: Arc<[String]>,
    },
    /// Come to rest: what is under way is void. Answer: `AtRest`.
    Rest,
    /// Clean up and end. The last call.
    End,
}

/// Something that a worker says, or wants of its trainable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WorkerOutput {
    /// To the engine, under a lease.
    Say(LeaseId, WorkerFact),
    /// To the trainable. There is at most one in answer to an input, and it comes last.
    Call(Call),
    /// The batch under way is to end with its next report: for trainables that go on for several by themselves.
    Hurry,
}
