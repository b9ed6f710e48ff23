//! What must hold at the end of a simulated run, and what is said when it doesn't come to one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sim, SimError, Topic};
use crate::logic::engine::Waiting;
use crate::logic::event::{Ending, EventKind, Outcome};
use crate::logic::ids::TrialId;
use crate::logic::trial::Status;

/// The changes of status that there are; written down here, and not asked of the machine that is under test.
fn may_follow(from: Status, to: Status) -> bool {
    use Status::{Error, Paused, Pending, Running, Terminated};
    matches!(
        (from, to),
        (Pending, Running | Paused | Terminated | Error)
            | (Running, Pending | Paused | Terminated | Error)
            | (Paused, Pending | Terminated)
    )
}

impl Sim {
    /// Everybody who hasn't ended, and the reason.
    pub(super) fn who_waits(&self) -> String {
        let ledger = self.engine.ledger();
        let waits: Vec<String> = ledger
            .iter()
            .filter(|record| !record.status.is_terminal())
            .map(|record| format!("{} is {}: {:?}", record.id, record.status, ledger.waiting(record.id)))
            .collect();
        if waits.is_empty() { format!("{:?}, {} workers", self.engine, self.workers.len()) } else { waits.join("; ") }
    }

    /// Looks now and then why trials aren't running.
    pub(super) fn count_waits(&mut self) {
        if !self.delivered.is_multiple_of(64) {
            return;
        }
        let Some(reached) = &mut self.reached else { return };
        if self.engine.ledger().run().hold.is_some() {
            reached.add_named(Topic::Wait, "OnHold", 1);
        }
        let ledger = self.engine.ledger();
        for record in ledger.iter().filter(|record| !record.status.is_terminal()) {
            reached.count(Topic::Wait, &ledger.waiting(record.id));
        }
    }

    pub(super) fn check_end(&self) -> Result<(), SimError> {
        let drained = self.outcome == Some(Outcome::Drained);
        let ledger = self.engine.ledger();
        for record in ledger.iter() {
            let ends = self.ended.get(&record.id).copied().unwrap_or(0);
            if ends != u32::from(record.status.is_terminal()) {
                return Err(self.broken(format!("{} is {} and was announced {ends} times", record.id, record.status)));
            }
            if !record.status.is_terminal() && (!drained || ledger.waiting(record.id) == Waiting::Not) {
                return Err(self.broken(format!("{} is {} after the end", record.id, record.status)));
            }
            if record.status == Status::Running {
                return Err(self.broken(format!("{} runs after the end", record.id)));
            }
        }
        let counts = self.pool.counts();
        if counts.leased + counts.settling + counts.idle + counts.stopping > 0 {
            return Err(self.broken(format!("the pool is closed with {counts:?}")));
        }
        self.check_edges()
    }

    /// Observers saw nothing but legal changes between the public words, each from where the one before had led.
    fn check_edges(&self) -> Result<(), SimError> {
        let mut revived = BTreeSet::new();
        let mut known: BTreeMap<TrialId, Status> = self.before.clone();
        for event in self.journal.steps.iter().flat_map(|step| step.iter()) {
            match &event.kind {
                EventKind::Added { trial, .. } => {
                    known.insert(*trial, Status::Pending);
                }
                // By somebody's explicit word; and what another trial took the place of, which isn't said as a change.
                EventKind::Revived { trial, .. } | EventKind::Ended { trial, ending: Ending::Restarted, .. } => {
                    revived.insert(*trial);
                }
                EventKind::Status { trial, to, .. } if revived.remove(trial) => {
                    known.insert(*trial, *to);
                }
                EventKind::Status { trial, from, to }
                    if known.insert(*trial, *to) != Some(*from) || !may_follow(*from, *to) =>
                {
                    return Err(self.broken(format!("{trial} went from {from} to {to}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
