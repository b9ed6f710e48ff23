//! What an agent may touch: the trial that it was ordered to run, and the checkpoints that it was told of.

use std::collections::BTreeSet;

use super::frame::Content;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::TrialId;
use crate::logic::trial::{WorkerFact, WorkerOrder};

/// What the orders of the trial that it has now allow.
#[derive(Debug, Default)]
pub(super) struct Rights {
    trial: Option<TrialId>,
    read: BTreeSet<CheckpointId>,
    write: BTreeSet<CheckpointId>,
}

impl Rights {
    /// Takes note of an order.
    pub(super) fn heed(&mut self, order: &WorkerOrder) {
        match order {
            WorkerOrder::Start { info, first, .. } => {
                *self = Self { trial: Some(info.id), ..Self::default() };
                self.write.extend(first.map(|first| first.spare));
            }
            WorkerOrder::GoOn { info, first, .. } => {
                *self = Self { trial: Some(info.id), ..Self::default() };
                self.write.insert(first.spare);
            }
            WorkerOrder::Restore { checkpoint } => {
                self.read.insert(checkpoint.id);
            }
            WorkerOrder::Train { spare, .. } => {
                self.write.insert(*spare);
            }
            WorkerOrder::Save { checkpoint, .. } => self.write.extend(*checkpoint),
            // What it was to write may be named by a report that is on its way; the lease doesn't count any more.
            WorkerOrder::Release | WorkerOrder::Shutdown => self.read.clear(),
            WorkerOrder::Yield => {}
        }
    }

    /// Whether it may have this.
    pub(super) fn may_read(&self, what: &Content) -> bool {
        match what {
            Content::Checkpoint(id) => self.read.contains(id),
            Content::Export { .. } => false,
        }
    }

    /// Whether it may give this. A closure exports while it works, and is asked for the format only at its end.
    pub(super) fn may_write(&self, what: &Content) -> bool {
        match what {
            Content::Checkpoint(id) => self.write.contains(id),
            Content::Export { trial, .. } => self.trial == Some(*trial),
        }
    }

    /// Whether what it says is about its own trial.
    pub(super) fn may_say(&self, fact: &WorkerFact) -> bool {
        match fact {
            WorkerFact::Reported(batch) => {
                batch.reports.iter().all(|report| self.trial == Some(report.trial))
                    && batch.handed_in.as_ref().is_none_or(|checkpoint| self.write.contains(&checkpoint.id))
            }
            WorkerFact::Saved(Some(checkpoint)) => self.write.contains(&checkpoint.id),
            WorkerFact::Saved(None)
            | WorkerFact::Ready
            | WorkerFact::ResetFailed(_)
            | WorkerFact::Restored
            | WorkerFact::CheckpointGone
            | WorkerFact::Failed(_)
            | WorkerFact::Released
            | WorkerFact::Gone => true,
        }
    }
}
