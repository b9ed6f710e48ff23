//! Events, told again.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Engine, RecallError};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::decision::Decision;
use crate::logic::engine::entry::Standing;
use crate::logic::event::{AddedBy, Ending, EventKind, ExperimentEvent, PausedBy};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::pool::ResourceRequest;
use crate::logic::stop::StopRule;
use crate::logic::time::Moment;
use crate::logic::trial::{Loaded, Phase, State, Status};

/// How a trial ended.
pub(super) struct End {
    pub(super) status: Status,
    pub(super) ending: Ending,
    pub(super) at: Option<Moment>,
}

impl Engine {
    pub(super) fn recall_event(
        &mut self,
        event: &ExperimentEvent,
        later: &[ExperimentEvent],
    ) -> Result<(), RecallError> {
        self.recalled.run.follow(event);
        let untold = self.recalled.untold;
        match &event.kind {
            EventKind::Added { trial, config, by } => {
                let expected = self.ledger.next_id();
                if *trial != expected {
                    return Err(RecallError::Numbering { found: *trial, expected });
                }
                if *by == AddedBy::Searcher && !untold.searcher {
                    let replayed = self.searcher.replay(*trial, config);
                    if let Some(Err(error)) = replayed {
                        self.searcher.fail(error_chain(&error));
                    }
                }
                self.ledger.add(config.clone(), Arc::new(ResourceRequest::default()));
                if !untold.scheduler {
                    self.scheduler.call(|scheduler| scheduler.on_add(*trial, config));
                }
                return Ok(());
            }
            // A session begins with what holds for it: it isn't held, has counted no errors, and has all of its GPUs.
            EventKind::Held { .. } | EventKind::Proceeded | EventKind::Withdrawn { .. } => return Ok(()),
            EventKind::Limited { .. } | EventKind::Warning { .. } | EventKind::Started { .. } => return Ok(()),
            EventKind::Finished { outcome } => {
                self.recalled.outcome = Some(outcome.clone());
                return Ok(());
            }
            _ => {}
        }
        let Some(trial) = event.kind.trial() else { return Ok(()) };
        if self.ledger.get(trial).is_none() {
            return Err(RecallError::Unknown(trial));
        }
        self.recall_of_trial(trial, event, later);
        Ok(())
    }

    fn recall_of_trial(&mut self, trial: TrialId, event: &ExperimentEvent, later: &[ExperimentEvent]) {
        match &event.kind {
            EventKind::Revived { attempt, .. } => self.recall_revived(trial, *attempt),
            EventKind::Chosen { .. } => self.recall_chosen(trial),
            EventKind::Status { to, .. } => self.recall_status(trial, *to, event),
            EventKind::Restored { checkpoint, .. } => self.recall_restored(trial, *checkpoint),
            EventKind::Exploited { exploit, .. } => self.recall_exploit(trial, exploit),
            EventKind::Resized { request, .. } => {
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.resized = Some(request.clone());
                }
            }
            EventKind::Reported { report } => self.recall_report(trial, report, later),
            EventKind::Saved { checkpoint } => {
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.saves = checkpoint.id.index + 1;
                    entry.record.checkpoints.push(checkpoint.clone());
                    entry.record.inherited.take_if(|inherited| inherited.loaded == Loaded::Yes);
                }
            }
            EventKind::Deleted { checkpoint } => {
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.checkpoints.retain(|kept| kept.id != *checkpoint);
                }
            }
            EventKind::Paused { by, reason, .. } => self.recall_paused(trial, *by, reason),
            EventKind::Resumed { .. } => self.recall_resumed(trial),
            EventKind::Stopping { ending, reason, .. } => {
                self.set_standing(trial, Standing::Ending(*ending), reason.clone());
            }
            EventKind::Prioritised { priority, .. } => self.ledger.prioritise(trial, *priority),
            EventKind::Failed { failure, retry_at, .. } => {
                self.totals.failures += 1;
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.failures.push(failure.clone());
                    entry.record.attempts += u32::from(retry_at.is_some());
                }
                if let Some(at) = *retry_at {
                    self.recall_retry(trial, at > event.at, at);
                }
            }
            EventKind::Ended { status, ending, reason, last, .. } => {
                let end = End { status: *status, ending: *ending, at: Some(event.at) };
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.reason = reason.clone();
                    entry.record.last = Some(last.clone());
                }
                self.recall_end(trial, end);
            }
            _ => {}
        }
    }

    fn recall_resumed(&mut self, trial: TrialId) {
        match self.ledger.live_mut(trial) {
            Some(live) if live.state == State::Paused => self.ledger.enqueue(trial),
            Some(live) => live.standing = Standing::Pause { resume: true },
            None => {}
        }
        if !self.recalled.untold.scheduler {
            self.scheduler.call(|scheduler| scheduler.on_resume(trial));
        }
    }

    fn recall_chosen(&mut self, trial: TrialId) {
        let ledger = &self.ledger;
        if !self.recalled.untold.scheduler {
            self.scheduler.call(|scheduler| scheduler.choose(ledger));
        }
        self.ledger.leave_lines(trial);
        if let Some(live) = self.ledger.live_mut(trial) {
            live.paused_by = None;
        }
        self.ledger.moved(trial, State::Starting);
    }

    fn recall_restored(&mut self, trial: TrialId, checkpoint: CheckpointId) {
        self.loaded(trial, checkpoint);
        let Some(entry) = self.ledger.entry_mut(trial) else { return };
        let inherited = entry.record.inherited.iter().map(|inherited| &inherited.checkpoint);
        let from = entry.record.checkpoints.iter().chain(inherited).find(|kept| kept.id == checkpoint);
        let report = from.map(|from| &from.report).filter(|report| report.iteration() > 0);
        if let Some(report) = report {
            entry.record.last = Some(Arc::new(Report { trial, ..report.clone() }));
        }
    }

    fn recall_paused(&mut self, trial: TrialId, by: PausedBy, reason: &Option<Cow<'static, str>>) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.paused_by = Some(by);
        let state = live.state;
        if state.holds_worker() {
            live.standing = Standing::Pause { resume: false };
        }
        self.set_reason(trial, reason.clone());
        self.ledger.leave_lines(trial);
        if state == State::Paused && by == PausedBy::Scheduler {
            self.ledger.park(trial);
        }
    }

    fn recall_retry(&mut self, trial: TrialId, waits: bool, at: Moment) {
        self.ledger.moved(trial, State::Queued);
        let Some(live) = self.ledger.live(trial) else { return };
        if !matches!(live.standing, Standing::None) || live.paused_by.is_some() {
            return;
        }
        if waits {
            self.ledger.back_off(trial, at);
        } else {
            self.ledger.enqueue(trial);
        }
        if !self.recalled.untold.scheduler {
            let ledger = &self.ledger;
            self.scheduler.call(|scheduler| scheduler.on_retry(trial, ledger));
        }
    }

    fn recall_status(&mut self, trial: TrialId, to: Status, event: &ExperimentEvent) {
        match to {
            Status::Running => {
                self.ledger.moved(trial, State::running(Phase::Training, Decision::Continue));
                if let Some(entry) = self.ledger.entry_mut(trial) {
                    entry.record.started.get_or_insert(event.at);
                }
            }
            Status::Paused => {
                self.ledger.moved(trial, State::Paused);
                let Some(live) = self.ledger.live_mut(trial) else { return };
                let resume = matches!(live.standing, Standing::Pause { resume: true });
                if !matches!(live.standing, Standing::Ending(_)) {
                    live.standing = Standing::None;
                }
                let by = live.paused_by;
                match by {
                    _ if resume => self.ledger.enqueue(trial),
                    Some(PausedBy::Scheduler) => self.ledger.park(trial),
                    _ => self.ledger.leave_lines(trial),
                }
                if by == Some(PausedBy::Scheduler) && !self.recalled.untold.searcher {
                    self.searcher_hears_pause(trial);
                }
            }
            // What made it pending, or ended it, says so itself.
            Status::Pending | Status::Terminated | Status::Error => {}
        }
    }

    fn recall_report(&mut self, trial: TrialId, report: &Arc<Report>, later: &[ExperimentEvent]) {
        let untold = self.recalled.untold;
        let ending = later.iter().find_map(|event| match &event.kind {
            EventKind::Stopping { trial: stopped, ending, .. } if report.done && *stopped == trial => Some(*ending),
            _ => None,
        });
        // As in `fold`: what a stop rule ended, or the trainable itself, isn't shown to the scheduler.
        if !untold.stop {
            self.stop.call(|rule| rule.check(trial, report));
            while self.stop.call(StopRule::warning).flatten().is_some() {}
        }
        let ledger = &self.ledger;
        if !untold.scheduler && !matches!(ending, Some(Ending::StopRule | Ending::Done)) {
            self.scheduler.call(|scheduler| scheduler.on_report(trial, report, ledger));
        }
        if !untold.searcher && !report.done {
            self.searcher.on_report(trial, report);
        }
        self.totals.reports += 1;
        self.ledger.remember(trial, report);
        if let Some(entry) = self.ledger.entry_mut(trial) {
            entry.record.reported = report.iteration();
            entry.record.stats.add(&report.metrics);
            entry.record.last = Some(report.clone());
        }
    }

    fn recall_revived(&mut self, trial: TrialId, attempt: u32) {
        self.ledger.revive(trial, attempt, Arc::new(ResourceRequest::default()));
        if !self.recalled.untold.scheduler
            && let Some(config) = self.ledger.get(trial).map(|record| record.config.clone())
        {
            self.scheduler.call(|scheduler| scheduler.on_add(trial, &config));
        }
    }

    pub(super) fn recall_end(&mut self, trial: TrialId, end: End) {
        let state = if end.status == Status::Error { State::Error } else { State::Terminated };
        self.ledger.moved(trial, state);
        let first = self.ledger.retire(trial).is_some();
        let Some(entry) = self.ledger.entry_mut(trial) else { return };
        let record = &mut entry.record;
        (record.status, record.ending, record.ended) = (end.status, Some(end.ending), end.at.or(record.ended));
        if !first {
            return;
        }
        let untold = self.recalled.untold;
        let last = record.last.clone().filter(|last| last.iteration() > 0);
        let ledger = &self.ledger;
        if !untold.scheduler {
            self.scheduler.call(|scheduler| scheduler.on_end(trial, end.ending, last.as_deref(), ledger));
        }
        if !untold.searcher {
            self.searcher.on_end(trial, end.ending, last.as_deref());
        }
        if !untold.stop {
            self.stop.call(|rule| rule.forget(trial));
        }
    }
}
