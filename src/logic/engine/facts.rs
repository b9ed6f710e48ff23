//! What trials say: started, saved, failed, moved, ended.

use std::sync::Arc;

use super::entry::Standing;
use super::settings::FailFast;
use super::shelves::Life;
use super::usage::Held;
use super::{Engine, EngineOutput};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::event::{Ending, EventKind, Outcome, PausedBy, RunFailure};
use crate::logic::failure::Failure;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::time::Moment;
use crate::logic::trial::{Phase, State, Status, TrialFact, TrialNews, TrialOrder};

impl Engine {
    pub(super) fn on_fact(&mut self, trial: TrialId, fact: TrialFact, now: Moment, out: &mut Vec<EngineOutput>) {
        if self.ledger.live(trial).is_none() {
            self.totals.stale_facts += 1;
            return;
        }
        let change = self.ledger.moved(trial, fact.state);
        self.follow_usage(trial, now);
        let saved = !matches!(fact.state, State::Running { phase: Phase::Deciding | Phase::Saving, .. });
        let settled = saved && self.ledger.live_mut(trial).is_some_and(|live| std::mem::take(&mut live.saving));
        let failure = match &fact.news {
            TrialNews::Failed { failure, .. } => Some(failure.clone()),
            _ => None,
        };
        match fact.news {
            TrialNews::Moved => {}
            TrialNews::Granted { worker, lease, attempt, slot } => {
                self.ledger.granted(trial, lease, worker);
                self.watch_gpus(trial, slot);
                self.follow_usage(trial, now);
                self.tell(now, out, || EventKind::Launched { trial, attempt, worker, lease });
                // A budget of resources is used up faster from now on.
                if self.is_open() {
                    self.check_experiment(now, out);
                }
            }
            TrialNews::Started => {
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.started.get_or_insert(now);
                }
            }
            TrialNews::Restored { checkpoint } => self.restored(trial, &checkpoint, now, out),
            TrialNews::Reported { lease, batch, let_go } => {
                if let Some(checkpoint) = &batch.handed_in {
                    self.saved(trial, checkpoint, &let_go, now, out);
                }
                self.fold(trial, lease, batch, now, out);
            }
            TrialNews::Saved { checkpoint: Some(checkpoint), let_go } => {
                self.saved(trial, &checkpoint, &let_go, now, out);
            }
            TrialNews::Saved { checkpoint: None, .. } => self.unsaved(trial, now, out),
            TrialNews::Failed { failure, retry_at } => self.failed(trial, fact.state, failure, retry_at, now, out),
        }
        self.follow_gpus(trial, failure.as_deref(), now, out);
        // What happened is told before what it led to.
        if let Some((from, to)) = change {
            self.tell(now, out, || EventKind::Status { trial, from, to });
        }
        match fact.state {
            State::Terminated | State::Error => self.ended(trial, now, out),
            State::Paused if change.is_some() => self.paused(trial, now, out),
            _ => {}
        }
        if settled {
            self.donor_settled(trial, now, out);
        }
    }

    /// What a trial holds counts from its grant on until it leaves its worker.
    fn follow_usage(&mut self, trial: TrialId, now: Moment) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        match (live.lease, live.holds) {
            (Some(_), None) => {
                let held = Held::of(&live.request);
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

    fn restored(&mut self, trial: TrialId, checkpoint: &Checkpoint, now: Moment, out: &mut Vec<EngineOutput>) {
        let report = &checkpoint.report;
        if let Some(entry) = self.ledger.entry_mut(trial)
            && report.iteration() > 0
        {
            entry.record.last = Some(Arc::new(Report { trial, ..report.clone() }));
        }
        self.loaded(trial, checkpoint.id);
        let iteration = report.iteration();
        self.tell(now, out, || EventKind::Restored { trial, checkpoint: checkpoint.id, iteration });
    }

    fn saved(
        &mut self,
        trial: TrialId,
        checkpoint: &Arc<Checkpoint>,
        let_go: &[CheckpointId],
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let Some(entry) = self.ledger.entry_mut(trial) else { return };
        entry.record.saves = checkpoint.id.index + 1;
        entry.record.checkpoints.push(checkpoint.clone());
        // One that the trial lets go may have gone for want of room, while its word was on the way.
        let there = entry.record.checkpoints.iter().map(|kept| kept.id).filter(|kept| let_go.contains(kept));
        let going: Vec<CheckpointId> = there.filter(|kept| !self.copies.keeps(*kept)).collect();
        self.tell(now, out, || EventKind::Saved { checkpoint: checkpoint.clone() });
        self.shelves.iter_mut().for_each(|shelves| shelves.add(checkpoint, Life::GoesOn));
        for gone in going {
            self.delete(gone, now, out);
        }
        self.outgrow(trial, now, out);
        self.make_room(now, out);
    }

    /// A save without a checkpoint: the trainable can't. That matters once it is started again.
    fn unsaved(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let has_one = self.ledger.get(trial).is_some_and(|record| !record.checkpoints.is_empty());
        if has_one || std::mem::replace(&mut self.warned_unsaved, true) {
            return;
        }
        self.warn(now, out, || {
            "the trainable has no checkpoint to give: a trial that is paused or tried again starts from the beginning"
                .to_owned()
        });
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
        self.totals.failures += 1;
        // Under a standing stop or pause a failure that could be retried isn't.
        let retry_at = retry_at.filter(|_| state == State::Queued);
        if let Some(entry) = self.ledger.entry_mut(trial) {
            entry.record.failures.push(failure.clone());
            entry.record.attempts += u32::from(retry_at.is_some());
        }
        self.tell(now, out, || EventKind::Failed { trial, failure: failure.clone(), retry_at });
        match retry_at {
            Some(at) => self.try_again(trial, at, now, out),
            None if state == State::Error => {
                self.set_standing(trial, Standing::Ending(Ending::Error), None);
                let why = format!("trial {trial} failed and fail_fast is set: {failure}");
                match self.settings.fail_fast {
                    FailFast::No => {}
                    FailFast::Stop => self.close(Outcome::Stopped(why.into()), out),
                    FailFast::Raise => {
                        let failure = RunFailure::Trial { trial, failure: Box::new(Failure::clone(&failure)) };
                        self.close(Outcome::Failed(failure), out);
                    }
                }
            }
            None => {}
        }
        self.count_error(trial, &failure, now, out);
    }

    /// A trial that is tried again keeps its place in the line, unless it is backing off.
    fn try_again(&mut self, trial: TrialId, at: Moment, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.worker = None;
        // What was ordered while it ran may have gone with its lease, so it is said again: that is harmless.
        let order = match (&live.standing, live.paused_by) {
            (Standing::Ending(_), _) => Some(TrialOrder::Stop),
            (Standing::Stop { ending, .. }, _) => {
                live.standing = Standing::Ending(*ending);
                Some(TrialOrder::Stop)
            }
            (standing, Some(_)) => {
                // Its answer is waited for: the run isn't stuck until then.
                if matches!(standing, Standing::None) {
                    live.standing = Standing::Pause { resume: false };
                }
                Some(TrialOrder::Pause)
            }
            (_, None) => None,
        };
        match order {
            Some(order) => return out.push(EngineOutput::Trial(trial, order)),
            None if self.is_draining() => return,
            None if at > now => self.ledger.back_off(trial, at),
            None => self.ledger.enqueue(trial),
        }
        let ledger = &self.ledger;
        let directives = self.scheduler.call(|scheduler| scheduler.on_retry(trial, ledger));
        self.direct(directives.unwrap_or_default(), now, out);
    }

    fn paused(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.worker = None;
        let resume = match live.standing {
            // Its end was ordered while it paused. The order may have gone with a lease that is over, so it is said
            // again: that is harmless.
            Standing::Ending(_) => return out.push(EngineOutput::Trial(trial, TrialOrder::Stop)),
            // There is no next report to stop at any more; its last checkpoint is written.
            Standing::Stop { ending, .. } => {
                live.standing = Standing::Ending(ending);
                return out.push(EngineOutput::Trial(trial, TrialOrder::Stop));
            }
            Standing::Pause { resume } => resume,
            Standing::None => false,
        };
        live.standing = Standing::None;
        let (by, waits) = (live.paused_by, live.exploit.is_some());
        match by {
            _ if waits => self.ledger.leave_lines(trial),
            Some(PausedBy::Scheduler) if !resume => self.ledger.park(trial),
            _ if resume => self.ledger.enqueue(trial),
            _ => self.ledger.leave_lines(trial),
        }
        if by == Some(PausedBy::Scheduler) {
            self.searcher_hears_pause(trial);
            self.something_changed();
        }
        if waits {
            self.settle_exploit(trial, now, out);
        }
    }

    pub(super) fn searcher_hears_pause(&mut self, trial: TrialId) {
        let last = self.ledger.get(trial).and_then(|record| record.last.as_deref());
        self.searcher.on_pause(trial, last);
    }

    /// The one way out: whatever ended a trial, everybody hears of it here, once.
    pub(super) fn ended(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        self.drop_exploit(trial);
        let Some(live) = self.ledger.retire(trial) else { return };
        let Some(entry) = self.ledger.entry_mut(trial) else { return };
        let record = &mut entry.record;
        let ending = match (record.status, live.standing) {
            (Status::Error, _) => Ending::Error,
            (_, Standing::Ending(ending)) => ending,
            _ => Ending::Client,
        };
        let on_worker = live.worker.is_some();
        record.ending = Some(ending);
        record.ended = Some(now);
        let last = match record.last.take() {
            Some(last) if last.done => last,
            Some(mut last) => {
                Arc::make_mut(&mut last).done = ending != Ending::Error;
                last
            }
            None => Arc::new(Report { done: ending != Ending::Error, ..Report::empty(trial) }),
        };
        record.last = Some(last.clone());
        let (status, reason) = (record.status, record.reason.clone());

        self.ended_well(ending, on_worker);
        let reported = (last.iteration() > 0).then_some(&*last);
        let ledger = &self.ledger;
        let directives = self.scheduler.call(|scheduler| scheduler.on_end(trial, ending, reported, ledger));
        self.searcher.on_end(trial, ending, reported);
        self.stop.call(|rule| rule.forget(trial));
        self.something_changed();
        self.tell(now, out, || EventKind::Ended { trial, status, ending, reason, last: last.clone() });
        out.push(EngineOutput::Retire(trial));
        self.shelves.iter_mut().for_each(|shelves| shelves.turned(trial, Life::Ended));
        self.make_room(now, out);
        self.direct(directives.unwrap_or_default(), now, out);
        if matches!(self.phase, super::Phase::Open) {
            self.check_experiment(now, out);
        }
    }
}
