//! Orders whose effect comes later: what a client waits for, and whether it is there.

use std::sync::Arc;

use super::ledger::{Ordered, TrialRecord};
use super::{ClientOrder, Engine, EngineOutput, OrderError};
use crate::logic::checkpoint::Checkpoint;
use crate::logic::ids::TrialId;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// What a client can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// That a trial's checkpoint is written.
    Saved,
    /// That a trial has paused, and its checkpoint is written if it can save.
    Paused,
}

/// A client's wait for the effect of an order.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    trial: TrialId,
    what: WaitFor,
    /// The index that the trial's last checkpoint had, and how often it had failed.
    last: Option<u32>,
    failures: usize,
}

/// What became of it: the checkpoint, if the trial has one.
pub type Effect = Result<Option<Arc<Checkpoint>>, OrderError>;

impl Engine {
    /// Gives an order, and says what is to be waited for.
    ///
    /// # Errors
    /// If it can't be carried out; then nothing has changed.
    pub fn order_awaited(
        &mut self,
        what: WaitFor,
        trial: TrialId,
        by: Option<Arc<str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<Awaited, OrderError> {
        let record = self.ledger.get(trial).ok_or(OrderError::NoSuchTrial { trial })?;
        let last = record.checkpoints.last().map(|checkpoint| checkpoint.id.index);
        let awaited = Awaited { trial, what, last, failures: record.failures.len() };
        let order = match what {
            WaitFor::Saved => ClientOrder::Save(trial),
            WaitFor::Paused => ClientOrder::Pause(trial),
        };
        self.order_by(order, by, now, out)?;
        Ok(awaited)
    }

    /// What became of it; none as long as it is on its way.
    pub fn effect(&self, awaited: &Awaited) -> Option<Effect> {
        let trial = awaited.trial;
        let record = self.ledger.get(trial)?;
        match awaited.what {
            WaitFor::Saved => self.saved_yet(awaited, record),
            WaitFor::Paused => self.paused_yet(trial, record),
        }
    }

    fn saved_yet(&self, awaited: &Awaited, record: &TrialRecord) -> Option<Effect> {
        let missed = |why: String| Some(Err(OrderError::Missed { trial: awaited.trial, what: "saved", why }));
        if let Some(checkpoint) = record.checkpoints.last().filter(|last| Some(last.id.index) > awaited.last) {
            return Some(Ok(Some(checkpoint.clone())));
        }
        match (record.failures.get(awaited.failures), self.ledger.plan(awaited.trial)) {
            (Some(failure), _) => missed(format!("it failed before: {failure}")),
            (None, None) => missed(format!("it is {}", record.status)),
            (None, Some(plan)) if !plan.save_requested => missed("its trainable has no checkpoint to give".to_owned()),
            (None, Some(_)) => None,
        }
    }

    fn paused_yet(&self, trial: TrialId, record: &TrialRecord) -> Option<Effect> {
        let missed = |why: String| Some(Err(OrderError::Missed { trial, what: "paused", why }));
        let Some(plan) = self.ledger.plan(trial) else { return missed(format!("it is {}", record.status)) };
        match (record.status, plan.ordered) {
            (Status::Paused, Ordered::Nothing) if !plan.launched => Some(Ok(record.goes_on_from().cloned())),
            (_, Ordered::Pause { resume: false }) => None,
            (_, Ordered::End(_)) => None,
            _ if plan.paused_by.is_some() => None,
            _ => missed("it was resumed before".to_owned()),
        }
    }
}
