//! Results of a process become a batch: stamped, held against the limits, ended for a reason.

use std::sync::Arc;
use std::time::Duration;

use super::super::desk::Desk;
use super::limits::Limits;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::trial::{BatchEnd, Over, WorkerFact};
use crate::logic::wire::{ResultsEnd, Row};

/// What there is to say of results that were taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    over: Option<Over>,
    /// Whether a checkpoint is due at the last of them.
    due: bool,
}

/// Takes results, up to the one at which the trial's time is over. `cpu` is the processor time of this attempt.
pub(super) fn take(
    desk: &mut Desk,
    rows: impl IntoIterator<Item = Row>,
    limits: &Limits,
    cpu: impl Fn() -> Option<Duration>,
) -> Taken {
    let mut taken = Taken::default();
    let every = desk.limits();
    for row in rows {
        let took = Duration::try_from_secs_f64(row.seconds).unwrap_or_default();
        let Some(report) = desk.take_made(row.metrics, took, row.at) else { continue };
        taken.due = every.checkpoint_due(report.iteration());
        taken.over = limits.over(report, &cpu);
        if taken.over.is_some() {
            break;
        }
    }
    taken
}

impl Taken {
    /// The batch that they make.
    pub(super) fn batch(
        self,
        desk: &mut Desk,
        end: Option<ResultsEnd>,
        handed_in: Option<Arc<Checkpoint>>,
    ) -> WorkerFact {
        let end = match end {
            Some(ResultsEnd::Done) => BatchEnd::Done,
            _ if self.over.is_some() => BatchEnd::Over,
            Some(ResultsEnd::Save) => BatchEnd::CheckpointDue,
            None if self.due => BatchEnd::CheckpointDue,
            None => BatchEnd::Limit,
        };
        let mut fact = desk.end_batch(end, handed_in);
        if let WorkerFact::Reported(batch) = &mut fact {
            batch.over = self.over.filter(|_| end == BatchEnd::Over);
        }
        fact
    }
}
