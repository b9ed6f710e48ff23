//! What trials say: started, saved, failed, moved, ended.

use std::sync::Arc;

use super::ledger::Ordered;
use super::retention::Life;
use super::settings::{AtEnd, FailFast};
use super::usage::Held;
use super::{Engine, EngineOutput};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::event::{Ending, EventKind, Outcome, PausedBy, RunFailure};
use crate::logic::failure::{Failure, Original};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::time::Moment;
use crate::logic::trial::{Phase, State, Status, TrialFact, TrialNews, TrialOrder};

impl Engine {
    pub(super) fn on_fact(&mut self, trial: TrialId, fact: TrialFact, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some((from, to)) = self.ledger.follow(trial, fact.state) else {
            self.totals.stale_facts += 1;
            return;
        };
        self.follow_usage(trial, now);
        let saved = !matches!(fact.state, State::Running { phase: Phase::Deciding | Phase::Saving, .. });
        let settled = saved && self.ledger.live_mut(trial).is_some_and(|live| std::mem::take(&mut live.saving));
        let failure = match &fact.news {
            TrialNews::Failed { failure, .. } => Some(failure.clone()),
            _ => None,
        };
        match fact.news {
            TrialNews::Moved | TrialNews::Started => {}
            TrialNews::Granted { worker, lease, attempt, slot, arrival } => {
                self.ledger.granted(trial, lease, worker);
                self.returning.remove(&trial);
                let gpus = slot.gpus.iter().flatten().copied().collect();
                let reused = self.workers.granted(worker);
                let priority = self.ledger.plan(trial).map_or(0, |plan| plan.priority);
                self.watch_slot(trial, slot);
                self.follow_usage(trial, now);
                let launched = EventKind::Launched { trial, attempt, worker, lease, gpus, priority, reused, arrival };
                self.commit(now, out, launched);
                // A budget of resources is used up faster from now on.
                if self.is_open() {
                    self.check_experiment(now, out);
                }
            }
            TrialNews::Restored { checkpoint } => {
                let iteration = checkpoint.report.iteration();
                let before = self.inherited(trial);
                self.commit(now, out, EventKind::Restored { trial, checkpoint: checkpoint.id, iteration });
                self.unpin_outgrown(trial, before, now, out);
            }
            TrialNews::CheckpointGone { lease, checkpoint } => self.checkpoint_gone(trial, lease, checkpoint, now, out),
            TrialNews::Reported { lease, batch } => self.fold(trial, lease, batch, now, out),
            TrialNews::Saved { checkpoint: Some(checkpoint) } => self.saved(trial, &checkpoint, now, out),
            TrialNews::Saved { checkpoint: None } => self.unsaved(trial, now, out),
            TrialNews::Failed { failure, retry_at } => self.failed(trial, fact.state, failure, retry_at, now, out),
        }
        self.follow_gpus(trial, failure.as_deref(), now, out);
        // What happened is told before what it led to.
        if from != to {
            self.changed(trial, from, to, now, out);
        }
        if matches!(fact.state, State::Terminated | State::Error) {
            self.ended(trial, now, out);
        }
        if settled {
            self.ending_by.retain(|(_, waited, _)| *waited != trial);
            self.donor_settled(trial, now, out);
        }
    }

    /// What a trial holds counts from its grant on until it leaves its worker.
    fn follow_usage(&mut self, trial: TrialId, now: Moment) {
        let Some(request) = self.ledger.plan(trial).map(|plan| plan.request.clone()) else { return };
        let Some(live) = self.ledger.live_mut(trial) else { return };
        match (live.lease, live.holds) {
            (Some(_), None) => {
                let held = Held::of(&request);
                live.holds = Some(held);
                self.usage.take(held, now);
            }
            (None, Some(held)) => {
                live.holds = None;
                self.usage.give_back(held, now);
            }
            _ => {}
        }
    }

    pub(super) fn saved(
        &mut self,
        trial: TrialId,
        checkpoint: &Arc<Checkpoint>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let before = self.inherited(trial);
        self.commit(now, out, EventKind::Saved { checkpoint: checkpoint.clone() });
        self.retained.add(checkpoint, Life::GoesOn);
        let kept = self.ledger.get(trial).map_or(&[][..], |record| &record.checkpoints);
        for gone in self.settings.retention.let_go(kept) {
            if !self.retained.keeps(gone) {
                self.delete(gone, now, out);
            }
        }
        self.unpin_outgrown(trial, before, now, out);
        self.make_room(now, out);
    }

    /// Whose checkpoint a copy goes on from.
    pub(super) fn inherited(&self, trial: TrialId) -> Option<CheckpointId> {
        self.ledger.get(trial)?.inherited.as_ref().map(|inherited| inherited.checkpoint.id)
    }

    /// A trial that goes on from a checkpoint of its own doesn't need another's any more.
    fn unpin_outgrown(
        &mut self,
        trial: TrialId,
        before: Option<CheckpointId>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        if let Some(outgrown) = before.filter(|_| self.inherited(trial).is_none()) {
            self.unpin(outgrown, now, out);
        }
    }

    /// A save without a checkpoint: the trainable can't. That matters once it is started again.
    fn unsaved(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        if self.ledger.plan(trial).is_some_and(|plan| plan.save_requested) {
            self.commit(now, out, EventKind::Unsaved { trial });
        }
        // It has exported, and that was all.
        if self.settings.at_end == AtEnd::Nothing && self.ledger.is_ending(trial) {
            return;
        }
        let has_one = self.ledger.get(trial).is_some_and(|record| !record.checkpoints.is_empty());
        if has_one || std::mem::replace(&mut self.warned_unsaved, true) {
            return;
        }
        let message =
            "the trainable has no checkpoint to give: a trial that is paused or tried again starts from the beginning";
        self.warn(now, out, message);
    }

    fn failed(
        &mut self,
        trial: TrialId,
        state: State,
        failure: Arc<Failure>,
        retry_at: Option<Moment>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        // Under a standing stop a failure that could be retried isn't; under a pause it is, when the trial goes on.
        let retry_at = retry_at.filter(|_| matches!(state, State::Queued | State::Paused));
        // It isn't tried again if its next report was to be its last.
        if let Some((ending, _)) =
            self.ledger.live(trial).and_then(|live| live.last_step).filter(|_| retry_at.is_some())
        {
            self.order_end(trial, ending, now, out);
        }
        let recorded = self.recorded(&failure);
        self.commit(now, out, EventKind::Failed { trial, failure: recorded, retry_at });
        if state == State::Queued {
            self.try_again(trial, now, out);
        }
        if state == State::Error {
            // Whatever was decided about its end, this is it.
            if let Some(live) = self.ledger.live_mut(trial) {
                live.last_step = None;
            }
            let why = format!("trial {trial} failed and fail_fast is set: {failure}");
            match self.settings.fail_fast {
                FailFast::No => {}
                FailFast::Stop => self.close(Outcome::Stopped(why.into()), now, out),
                FailFast::Raise => {
                    let failure = RunFailure::Trial { trial, failure: Box::new(Failure::clone(&failure)) };
                    self.close(Outcome::Failed(failure), now, out);
                }
            }
        }
        self.count_error(trial, &failure, now, out);
    }

    /// A failure as it stays known: with the error itself only where the run gives it back.
    fn recorded(&self, failure: &Arc<Failure>) -> Arc<Failure> {
        let mut recorded = failure.clone();
        if self.settings.fail_fast != FailFast::Raise && failure.fault.original.get().is_some() {
            Arc::make_mut(&mut recorded).fault.original = Original::default();
        }
        recorded
    }

    /// A trial that is tried again keeps its place in the line, unless it is backing off.
    fn try_again(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.worker = None;
        // What was ordered while it ran may have gone with its lease, so it is said again: that is harmless.
        if let Some((ending, _)) = live.last_step.take() {
            return self.end_at_rest(trial, ending, now, out);
        }
        match self.ledger.plan(trial).map(|plan| plan.ordered) {
            Some(Ordered::End(_)) => return out.push(EngineOutput::Trial(trial, TrialOrder::Stop)),
            Some(Ordered::Pause { .. }) => return out.push(EngineOutput::Trial(trial, TrialOrder::Pause)),
            Some(Ordered::Nothing) | None => {}
        }
        if self.is_draining() {
            return;
        }
        let ledger = &self.ledger;
        let directives = self.scheduler.call(|scheduler| scheduler.on_retry(trial, ledger));
        self.direct(directives.unwrap_or_default(), now, out);
    }

    /// There is no next report to stop at any more; the trial's last checkpoint is written.
    fn end_at_rest(&mut self, trial: TrialId, ending: Ending, now: Moment, out: &mut Vec<EngineOutput>) {
        self.order_end(trial, ending, now, out);
        out.push(EngineOutput::Trial(trial, TrialOrder::Stop));
    }

    /// Says that a trial's end is decided, if that wasn't said when it was ordered.
    fn order_end(&mut self, trial: TrialId, ending: Ending, now: Moment, out: &mut Vec<EngineOutput>) {
        if self.ledger.plan(trial).is_some_and(|plan| !matches!(plan.ordered, Ordered::End(_))) {
            let reason = self.why_winding_down();
            self.commit(now, out, EventKind::Stopping { trial, ending, reason });
        }
    }

    /// A trial's status has changed.
    pub(super) fn changed(
        &mut self,
        trial: TrialId,
        from: Status,
        to: Status,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let by = self.ledger.plan(trial).and_then(|plan| plan.paused_by);
        self.commit(now, out, EventKind::Status { trial, from, to });
        if to == Status::Paused {
            self.paused(trial, by, now, out);
        }
    }

    fn paused(&mut self, trial: TrialId, by: Option<PausedBy>, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.worker = None;
        let last_step = live.last_step.take();
        if by == Some(PausedBy::Scheduler) {
            self.searcher_hears_pause(trial);
            self.something_changed();
        }
        if let Some((ending, _)) = last_step {
            return self.end_at_rest(trial, ending, now, out);
        }
        let Some(plan) = self.ledger.plan(trial) else { return };
        // Its end was ordered while it paused. The order may have gone with a lease that is over, so it is said again.
        if let Ordered::End(_) = plan.ordered {
            return out.push(EngineOutput::Trial(trial, TrialOrder::Stop));
        }
        if plan.exploit.is_some() {
            self.settle_exploit(trial, now, out);
        }
    }

    pub(super) fn searcher_hears_pause(&mut self, trial: TrialId) {
        let last = self.ledger.get(trial).and_then(|record| record.last.as_deref());
        self.searcher.on_pause(trial, last);
    }

    /// Puts trials back whose wait for their next attempt is over.
    pub(super) fn queue_due(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while let Some(trial) = self.ledger.due_retry(now) {
            self.commit(now, out, EventKind::Queued { trial });
        }
    }

    /// A scheduler that finds no time in a trial's reports judges none of them. That is told once, when a trial that has reported
    /// is over.
    fn warn_of_time(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(time) = &self.unseen_time else { return };
        let Some(last) = self.ledger.get(trial).and_then(|record| record.last.as_ref()) else { return };
        let stats = self.ledger.get(trial).map(|record| &record.stats);
        let known = stats.is_some_and(|stats| stats.iter().any(|(name, _)| name == time));
        if !known && last.number(time).is_none() {
            let names: Vec<&str> = last.metrics.iter().map(|(name, _)| name.as_ref()).collect();
            let message = format!(
                "{} counts time by `{time}`, which trial {trial} has never reported, so none of its reports was judged; it \
                 reported {}",
                self.scheduler.name(),
                names.join(", ")
            );
            self.warn(now, out, message);
        }
        self.unseen_time = None;
    }

    /// The one way out: whatever ended a trial, everybody hears of it here, once.
    pub(super) fn ended(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        self.copies.forget(trial);
        self.returning.remove(&trial);
        let Some((live, plan)) = self.ledger.live(trial).zip(self.ledger.plan(trial)) else { return };
        let Some(record) = self.ledger.get(trial) else { return };
        let (status, on_worker) = (record.status, live.worker.is_some());
        let ending = match (status, plan.ordered, live.last_step) {
            (Status::Error, _, _) => Ending::Error,
            (_, Ordered::End(ending), _) | (_, _, Some((ending, _))) => ending,
            _ => Ending::Client,
        };
        let last = live.ends_with.clone().or_else(|| record.last.clone());
        let last = last.unwrap_or_else(|| Arc::new(Report::empty(trial)));
        let done = ending != Ending::Error;
        let last = if last.done || !done { last } else { Arc::new(Report { done, ..Report::clone(&last) }) };
        let reason = record.reason.clone();
        self.commit(now, out, EventKind::Ended { trial, status, ending, reason, last: last.clone() });

        self.ended_well(ending, on_worker);
        self.warn_of_time(trial, now, out);
        let directives = self.parts_hear_end(trial, ending, &last);
        self.something_changed();
        if ending == Ending::Withdrawn {
            self.ask_again();
        }
        out.push(EngineOutput::Retire(trial));
        self.retained.turned(trial, Life::Ended);
        self.make_room(now, out);
        self.direct(directives, now, out);
        if self.is_open() {
            self.check_experiment(now, out);
        }
    }
}
