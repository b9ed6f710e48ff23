//! What comes of a simulated run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::elsewhere::Survivors;
use super::reached::Reached;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{Ledger, OrderError, Totals};
use crate::logic::event::{ExperimentEvent, Outcome};
use crate::logic::journal::PartStates;
use crate::logic::time::Moment;

/// Why a simulation didn't come to an end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A rule was broken.
    #[error("at {at}: {what}")]
    Broken {
        /// When.
        at: Moment,
        /// Which, and by whom.
        what: String,
    },
    /// Nothing is on its way, and the run isn't over.
    #[error("at {at} nothing moves any more: {what}")]
    Stuck {
        /// When.
        at: Moment,
        /// Who waits for what.
        what: String,
    },
    /// It goes on and on.
    #[error("after {0} messages it still goes on")]
    Endless(u64),
}

/// What is left of a simulated run.
#[derive(Debug)]
pub struct SimEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// All trials.
    pub ledger: Ledger,
    /// Numbers over the whole run.
    pub totals: Totals,
    /// When it ended, in virtual time.
    pub now: Moment,
    /// All events, if they were kept.
    pub events: Vec<ExperimentEvent>,
    /// Client orders that were refused.
    pub refused: Vec<OrderError>,
    /// Messages that were delivered.
    pub messages: u64,
}

/// What there is of a run that was cut off.
#[derive(Debug)]
pub struct SimCut {
    /// What each step of the engine brought, as far as it was written.
    pub steps: Vec<Arc<[ExperimentEvent]>>,
    /// So many more weren't written by then: they are lost.
    pub unwritten: usize,
    /// The states of the parts at the cut.
    pub parts: PartStates,
    /// All trials, as they were.
    pub ledger: Ledger,
    /// Checkpoints that were deleted.
    pub deleted: BTreeSet<CheckpointId>,
    /// When it was cut, in virtual time.
    pub now: Moment,
    /// How it ended, if it did before the cut.
    pub outcome: Option<Outcome>,
    /// Messages that were delivered.
    pub messages: u64,
    /// What was reached on the way, if that was counted.
    pub reached: Option<Box<Reached>>,
    /// The workers from elsewhere that are left, which may join the next session.
    pub survivors: Survivors,
}
