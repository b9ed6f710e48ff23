//! What each event means for the trial that it is about. This is the only place that changes a trial's record and plan: in
//! a run, when a run is resumed, and when a journal is compacted.

use std::borrow::Cow;
use std::sync::Arc;

use super::record::{Entry, Live, Open, Ordered, Place, Plan, TrialRecord};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::settings::History;
use crate::logic::event::{Ending, EventKind, ExperimentEvent, Exploit, PausedBy};
use crate::logic::failure::FailureKind;
use crate::logic::metrics::Report;
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::{Arrival, Inherited, Loaded, State, Status};

impl Entry {
    /// Applies an event about this trial. `last` is the last turn in which a paused trial was offered to the scheduler; answers
    /// the one that is the last now.
    pub(crate) fn follow(&mut self, event: &ExperimentEvent, last: u64, history: History) -> u64 {
        self.apply(event, last + 1, history);
        let parked = self.open.as_ref().is_some_and(|open| open.plan.place == Place::Parked(last + 1));
        last + u64::from(parked)
    }

    /// Applies an event about this trial, `history` says how many reports are kept.
    pub(super) fn apply(&mut self, event: &ExperimentEvent, turn: u64, history: History) {
        let at = event.at;
        match &event.kind {
            EventKind::Reported { report } => self.record.report(report, history),
            EventKind::Saved { checkpoint } => {
                self.record.saves = self.record.saves.max(checkpoint.id.index + 1);
                self.record.checkpoints.push(checkpoint.clone());
                self.record.inherited.take_if(|inherited| inherited.loaded == Loaded::Yes);
                self.plan(|plan, _| plan.save_requested = false);
            }
            EventKind::Deleted { checkpoint } => {
                // It may never have been one: it was handed in with a report that isn't a result.
                self.record.saves = self.record.saves.max(checkpoint.index + 1);
                self.record.checkpoints.retain(|kept| kept.id != *checkpoint);
            }
            EventKind::Restored { checkpoint, .. } => self.record.restore(*checkpoint),
            EventKind::Ended { status, ending, reason, last, .. } => {
                let record = &mut self.record;
                (record.status, record.ending, record.ended) = (*status, Some(*ending), Some(at));
                (record.reason, record.last) = (reason.clone(), Some(last.clone()));
                self.open = None;
            }
            EventKind::Revived { attempt, request, .. } => self.revive(*attempt, request),
            EventKind::Exploited { exploit, request, .. } => {
                self.record.exploit(exploit);
                self.plan(|plan, _| plan.request = request.clone());
                self.drop_exploit(turn);
            }
            EventKind::Disinherited { checkpoint, .. } => self.record.disinherit(*checkpoint),
            EventKind::Resized { request, .. } => {
                self.record.resized = Some(request.clone());
                self.plan(|plan, _| plan.request = request.clone());
            }
            EventKind::Failed { failure, retry_at, .. } => {
                self.record.failures.push(failure.clone());
                self.record.attempts += u32::from(retry_at.is_some());
                self.failed(failure.fault.kind, *retry_at, at);
            }
            EventKind::Status { from, to, .. } => {
                self.record.status = *to;
                if *to == Status::Running {
                    self.record.started.get_or_insert(at);
                }
                self.moved(*from, *to, turn);
            }
            EventKind::Returned { status, request, rank, .. } => {
                self.record.status = *status;
                // The worker that it had may still know the index that it was given.
                self.record.saves += u32::from(self.open.as_ref().is_some_and(|open| open.plan.launched));
                self.plan(|plan, status| plan.come_back(status, request, *rank, at, turn));
            }
            EventKind::Chosen { .. } => self.plan(|plan, _| {
                (plan.launched, plan.place, plan.paused_by) = (true, Place::Aside, None);
            }),
            EventKind::Paused { by, reason, .. } => {
                self.record.explain(reason);
                self.plan(|plan, status| plan.pause(*by, status, turn));
            }
            EventKind::Resumed { .. } => self.plan(Plan::resume),
            EventKind::Queued { .. } => self.plan(|plan, _| plan.place = Place::Line),
            EventKind::Stopping { ending, reason, .. } => {
                self.record.explain(reason);
                self.plan(|plan, _| {
                    (plan.ordered, plan.place, plan.exploit) = (Ordered::End(*ending), Place::Aside, None);
                });
            }
            EventKind::ExploitOrdered { order, .. } => self.plan(|plan, _| {
                (plan.exploit, plan.place) = (Some(order.clone()), Place::Aside);
            }),
            EventKind::ExploitDropped { .. } => self.drop_exploit(turn),
            EventKind::SaveRequested { .. } => self.plan(|plan, _| plan.save_requested = true),
            EventKind::Unsaved { .. } => self.plan(|plan, _| plan.save_requested = false),
            EventKind::Prioritised { priority, .. } => self.plan(|plan, _| plan.priority = *priority),
            EventKind::Launched { arrival, .. } => self.plan(|plan, _| plan.elsewhere = *arrival != Arrival::Spawned),
            // The first made the entry; the others say nothing of a trial's record.
            EventKind::Added { .. }
            | EventKind::Worker { .. }
            | EventKind::Abandoned { .. }
            | EventKind::Started { .. }
            | EventKind::Limited { .. }
            | EventKind::Rescaled { .. }
            | EventKind::Staged { .. }
            | EventKind::SpaceChanged { .. }
            | EventKind::SettingChanged { .. }
            | EventKind::Asked { .. }
            | EventKind::Held { .. }
            | EventKind::Proceeded
            | EventKind::Closing { .. }
            | EventKind::Withdrawn { .. }
            | EventKind::Warning { .. }
            | EventKind::Finished { .. } => {}
        }
    }

    /// Changes the plan of a trial that hasn't ended, in view of its status.
    fn plan(&mut self, change: impl FnOnce(&mut Plan, Status)) {
        if let Some(open) = &mut self.open {
            change(&mut open.plan, self.record.status);
        }
    }

    fn revive(&mut self, attempt: u32, request: &Arc<ResourceRequest>) {
        let record = &mut self.record;
        // A worker that was stopped in the middle of a step may still know the index that it was given.
        let stopped = matches!(record.ending, Some(Ending::Client | Ending::Experiment | Ending::Scheduler));
        record.saves += u32::from(stopped);
        (record.status, record.attempts) = (Status::Pending, attempt);
        (record.ending, record.ended, record.reason) = (None, None, None);
        self.open = Some(Box::new(Open { plan: Plan::queued(request.clone()), live: Live::at(State::Queued) }));
    }

    /// It is what it was to become, or won't become it.
    fn drop_exploit(&mut self, turn: u64) {
        self.plan(|plan, status| {
            plan.exploit = None;
            if plan.place == Place::Aside && plan.ordered == Ordered::Nothing {
                plan.park_if_at_rest(status, turn);
            }
        });
    }

    fn failed(&mut self, kind: FailureKind, retry_at: Option<Moment>, at: Moment) {
        let Some(plan) = self.open.as_mut().map(|open| &mut open.plan) else { return };
        self.record.saves += u32::from(plan.launched && may_still_save(kind));
        (plan.launched, plan.elsewhere) = (false, false);
        let Some(until) = retry_at else { return };
        match (plan.ordered, plan.paused_by) {
            (Ordered::Nothing, None) => {
                self.record.status = Status::Pending;
                plan.place = if until > at { Place::BackingOff(until) } else { Place::Line };
            }
            // The pause that it was told of takes effect as soon as it has heard of it.
            (Ordered::Nothing, Some(_)) => plan.ordered = Ordered::Pause { resume: false },
            (Ordered::Pause { .. } | Ordered::End(_), _) => {}
        }
    }

    fn moved(&mut self, from: Status, to: Status, turn: u64) {
        let Some(plan) = self.open.as_mut().map(|open| &mut open.plan) else { return };
        match to {
            Status::Paused => {
                let started = from == Status::Pending && plan.launched;
                self.record.saves += u32::from(started && self.record.goes_on_from().is_none());
                (plan.launched, plan.elsewhere) = (false, false);
                plan.come_to_rest(turn);
            }
            Status::Running => (plan.launched, plan.place) = (true, Place::Aside),
            Status::Terminated | Status::Error => (plan.launched, plan.place) = (false, Place::Aside),
            Status::Pending => {}
        }
    }
}

impl Plan {
    /// Somebody pauses it: when it has come to rest, if it was launched.
    fn pause(&mut self, by: PausedBy, status: Status, turn: u64) {
        (self.paused_by, self.place) = (Some(by), Place::Aside);
        if self.launched {
            self.ordered = Ordered::Pause { resume: false };
        }
        self.park_if_at_rest(status, turn);
    }

    /// It has paused.
    fn come_to_rest(&mut self, turn: u64) {
        match self.ordered {
            Ordered::Pause { resume: true } => {
                (self.ordered, self.place) = (Ordered::Nothing, Place::Line);
                if self.exploit.is_some() {
                    (self.place, self.paused_by) = (Place::Aside, Some(PausedBy::Scheduler));
                } else {
                    self.paused_by = None;
                }
            }
            Ordered::Pause { resume: false } | Ordered::Nothing => {
                (self.ordered, self.place) = (Ordered::Nothing, Place::Aside);
                self.park_if_at_rest(Status::Paused, turn);
            }
            Ordered::End(_) => self.place = Place::Aside,
        }
    }

    /// Offers it to the scheduler, if the scheduler paused it and nothing else is waited for.
    fn park_if_at_rest(&mut self, status: Status, turn: u64) {
        let at_rest = status == Status::Paused && !self.launched;
        if at_rest && self.paused_by == Some(PausedBy::Scheduler) && self.exploit.is_none() {
            self.place = Place::Parked(turn);
        }
    }

    fn resume(&mut self, status: Status) {
        match self.ordered {
            Ordered::Pause { .. } => self.ordered = Ordered::Pause { resume: true },
            Ordered::End(_) => {}
            // It goes on as soon as it is what it is to become.
            Ordered::Nothing if status == Status::Paused && self.exploit.is_some() => {
                self.paused_by = Some(PausedBy::Scheduler);
            }
            Ordered::Nothing if status == Status::Paused => (self.place, self.paused_by) = (Place::Line, None),
            // Its pause is on the way: the order is there, the answer isn't yet.
            Ordered::Nothing => self.ordered = Ordered::Pause { resume: true },
        }
    }

    /// A session begins with it.
    fn come_back(&mut self, status: Status, request: &Arc<ResourceRequest>, rank: u32, at: Moment, turn: u64) {
        self.request = request.clone();
        if self.ordered == (Ordered::Pause { resume: true }) {
            self.paused_by = None;
        }
        (self.rank, self.launched, self.ordered) = (Some(rank), false, Ordered::Nothing);
        if status != Status::Paused {
            self.paused_by = None;
        }
        match (self.place, self.paused_by) {
            (Place::BackingOff(until), _) if until > at => {}
            (_, by) if self.exploit.is_some() => {
                let by = by.filter(|by| *by == PausedBy::Client).unwrap_or(PausedBy::Scheduler);
                (self.place, self.paused_by) = (Place::Aside, Some(by));
            }
            (Place::Parked(_), Some(PausedBy::Scheduler)) => {}
            (_, Some(PausedBy::Scheduler)) => self.place = Place::Parked(turn),
            (_, Some(PausedBy::Client | PausedBy::Drain)) => self.place = Place::Aside,
            (_, None) => self.place = Place::Line,
        }
    }
}

/// Whether a worker that failed so may have begun a checkpoint, or may still write one: it was left behind, or wasn't heard of.
fn may_still_save(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Timeout
        | FailureKind::WorkerLost
        | FailureKind::HeartbeatLost
        | FailureKind::Preempted
        | FailureKind::SaveFailed
        | FailureKind::ExportFailed => true,
        FailureKind::UserError
        | FailureKind::Panic
        | FailureKind::Exited
        | FailureKind::Signalled
        | FailureKind::Protocol
        | FailureKind::OutOfMemory
        | FailureKind::RestoreFailed
        | FailureKind::SetupFailed => false,
    }
}

impl TrialRecord {
    fn explain(&mut self, reason: &Option<Cow<'static, str>>) {
        if reason.is_some() {
            self.reason.clone_from(reason);
        }
    }

    fn report(&mut self, report: &Arc<Report>, history: History) {
        self.reported = report.iteration();
        self.stats.add(&report.metrics);
        self.last = Some(report.clone());
        let History::Last(most @ 1..) = history else { return };
        if self.history.len() >= most {
            self.history.pop_front();
        }
        self.history.push_back(report.clone());
    }

    fn restore(&mut self, id: CheckpointId) {
        let trial = self.id;
        let report = self.checkpoint(id).map(|from| &from.report).filter(|report| report.iteration() > 0);
        if let Some(report) = report {
            self.last = Some(Arc::new(Report { trial, ..report.clone() }));
        }
        // If it went on from another than it was to, that one is gone.
        match self.inherited.as_mut() {
            Some(inherited) if inherited.checkpoint.id == id => inherited.loaded = Loaded::Yes,
            Some(_) => self.inherited = None,
            None => {}
        }
        let since = self.failures.get(self.restores.last().copied().unwrap_or(0)..).unwrap_or_default();
        if since.iter().any(|failure| failure.fault.kind == FailureKind::RestoreFailed) {
            self.restores.push(self.failures.len());
        }
    }

    fn disinherit(&mut self, gone: CheckpointId) {
        if self.inherited.take_if(|inherited| inherited.checkpoint.id == gone).is_some() {
            self.reported = self.checkpoints.last().map_or(0, |own| own.report.iteration());
        }
    }

    fn exploit(&mut self, exploit: &Arc<Exploit>) {
        self.config = exploit.config.clone();
        self.reported = exploit.checkpoint.report.iteration();
        self.inherited = Some(Inherited { checkpoint: exploit.checkpoint.clone(), loaded: Loaded::No });
        self.lineage.push(exploit.clone());
        self.explain(&exploit.reason);
    }
}
