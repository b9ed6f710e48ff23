//! What is known of a trial in one record, taken in.

use std::sync::Arc;

use super::events::End;
use super::{Engine, RecallError};
use crate::logic::decision::Decision;
use crate::logic::engine::entry::Standing;
use crate::logic::event::{Ending, PausedBy};
use crate::logic::ids::TrialId;
use crate::logic::journal::TrialFacts;
use crate::logic::metrics::Report;
use crate::logic::trial::{Phase, State, Status};

impl Engine {
    pub(super) fn recall_facts(&mut self, facts: TrialFacts) -> Result<(), RecallError> {
        let trial = TrialId::new(self.settings.run, facts.trial);
        let Some(entry) = self.ledger.entry_mut(trial) else { return Err(RecallError::Unknown(trial)) };
        let record = &mut entry.record;
        record.attempts = record.attempts.max(facts.attempts);
        record.started = record.started.or(facts.started);
        record.saves = record.saves.max(facts.saves);
        record.checkpoints.retain(|kept| !facts.gone.contains(&kept.id.index));
        let has_own = !facts.checkpoints.is_empty();
        record.checkpoints.extend(facts.checkpoints);
        self.totals.failures += facts.failures.len() as u64;
        record.failures.extend(facts.failures);
        record.reason = facts.reason.or(record.reason.take());
        record.last = facts.last.or(record.last.take());
        if let Some(exploit) = facts.lineage.last() {
            record.config = exploit.config.clone();
        }
        record.lineage.extend(facts.lineage);
        // Its own checkpoints since have taken its place, if there are any.
        if facts.inherited.is_some() || has_own {
            record.inherited = facts.inherited;
        }
        record.reported = facts.counts_from.unwrap_or(record.reported);
        record.resized = facts.resized.or(record.resized.take());
        if facts.status.is_terminal() {
            let ending = facts.ending.unwrap_or(Ending::Client);
            let mut last = record.last.take().unwrap_or_else(|| Arc::new(Report::empty(trial)));
            if !last.done && ending != Ending::Error {
                Arc::make_mut(&mut last).done = true;
            }
            record.last = Some(last);
            self.recall_end(trial, End { status: facts.status, ending, at: facts.ended });
            return Ok(());
        }
        self.ledger.prioritise(trial, facts.priority);
        self.recall_standing(trial, facts.status, facts.ending, facts.paused_by);
        if let (Status::Pending, Some(at)) = (facts.status, facts.retry_at) {
            self.ledger.back_off(trial, at);
        }
        Ok(())
    }

    fn recall_standing(&mut self, trial: TrialId, status: Status, ending: Option<Ending>, by: Option<PausedBy>) {
        let state = match status {
            Status::Running => State::running(Phase::Training, Decision::Continue),
            Status::Paused => State::Paused,
            _ => State::Queued,
        };
        self.ledger.moved(trial, state);
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.paused_by = by;
        if let Some(ending) = ending {
            live.standing = Standing::Ending(ending);
        }
        match (status, by) {
            (Status::Pending, None) => self.ledger.enqueue(trial),
            // Paused by nobody any more: somebody let it go on.
            (Status::Paused, None) => self.ledger.enqueue(trial),
            (Status::Paused, Some(PausedBy::Scheduler)) => self.ledger.park(trial),
            _ => self.ledger.leave_lines(trial),
        }
    }
}
