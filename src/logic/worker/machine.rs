//! The rules that every worker follows.

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::Reports;
use super::io::{Call, Wish, WorkerInput, WorkerOutput};
use super::limits::Limits;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::metrics::Report;
use crate::logic::time::Moment;
use crate::logic::trial::{BatchEnd, FirstBatch, Rests, TrialInfo, WorkerFact, WorkerOrder};

/// What is under way.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Nothing: it waits for orders.
    Waiting,
    /// The trainable becomes the trial's; this batch follows.
    Beginning(Option<FirstBatch>),
    Restoring(Arc<Checkpoint>),
    /// A batch is in the making.
    Working,
    Saving(Option<CheckpointId>),
    /// The trial has left; the worker comes to rest.
    Leaving,
    /// It has failed, and said so: it waits for its release.
    Failed,
    /// It cleans up and ends.
    Ending,
}

/// How the last batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finished {
    No,
    /// The trainable has nothing more to do.
    Yes,
}

/// One worker: what its trial is told, and what its trainable is to do.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    rests: Rests,
    limits: Limits,
    /// The worker's clock at its start, in seconds since 1970.
    unix: f64,
    state: State,
    lease: LeaseId,
    /// Leases up to this one are over.
    over: Option<LeaseId>,
    info: Option<TrialInfo>,
    reports: Reports,
    /// The trial's last report of an earlier attempt.
    before: Option<Arc<Report>>,
    finished: Finished,
    /// A failure that is said when the trial asks for more.
    fault: Option<Fault>,
    /// Whether the batch is to end with its next report.
    hurried: bool,
    /// Orders that came during a call.
    orders: VecDeque<(LeaseId, WorkerOrder)>,
}

impl Worker {
    /// A worker that has had no trial yet. `rests` says when its trainable is at rest, and `unix` what time of day it is at
    /// [`Moment::START`] on its clock, in seconds since 1970.
    pub(crate) fn new(rests: Rests, unix: f64) -> Self {
        Self {
            rests,
            limits: Limits::default(),
            unix,
            state: State::Waiting,
            lease: LeaseId::new(0),
            over: None,
            info: None,
            reports: Reports::new(),
            before: None,
            finished: Finished::No,
            fault: None,
            hurried: false,
            orders: VecDeque::new(),
        }
    }

    /// The same with limits that it watches over.
    #[must_use]
    pub(crate) fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// About its trial, or the last one that it had.
    pub(crate) fn info(&self) -> Option<&TrialInfo> {
        self.info.as_ref()
    }

    /// The lease of its trial.
    pub(crate) fn lease(&self) -> LeaseId {
        self.lease
    }

    /// How often its trial has reported, over all its attempts from the checkpoint it went on from.
    pub(crate) fn iteration(&self) -> u64 {
        self.reports.iteration()
    }

    /// Its trainable has kept its own state, and goes on after the trial's last report.
    pub(crate) fn goes_on(&mut self) {
        if let Some(last) = self.before.take() {
            self.reports.continue_after(&last);
        }
    }

    /// Seconds of work in all reports of its trial.
    pub(crate) fn worked(&self) -> f64 {
        self.reports.worked()
    }

    /// Whether reports are taken now.
    pub(crate) fn is_working(&self) -> bool {
        self.state == State::Working
    }

    /// When a [`WorkerInput::Tick`] has something to say.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.reports.deadline().filter(|_| self.is_working())
    }

    /// Whether a trial has it that hasn't been told of a failure.
    pub(crate) fn serves(&self) -> bool {
        self.has_trial() && !matches!(self.state, State::Failed | State::Ending)
    }

    /// Whether its trial has been told of a failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    /// The name of a checkpoint that the trainable may hand in with a report.
    pub(crate) fn spare(&self) -> Option<CheckpointId> {
        self.reports.spare()
    }

    /// Takes one input, and appends to `out` what is to be said and done.
    pub(crate) fn on(&mut self, input: WorkerInput, now: Moment, out: &mut Vec<WorkerOutput>) {
        match (input, &self.state) {
            (WorkerInput::Order(lease, order), _) => self.on_order(lease, order, now, out),
            (WorkerInput::Reported { metrics, wish, took }, State::Working) => {
                let Some(trial) = self.info.as_ref().map(|info| info.id) else { return };
                let wall_clock = self.unix + now.since_start().as_secs_f64();
                let end = self.reports.take(trial, &self.limits, (metrics, wish, took), now, wall_clock);
                let hurried = || (self.hurried && wish != Wish::HandIn).then_some(BatchEnd::Limit);
                match end.or_else(hurried) {
                    Some(end) => self.hand_in(end, None, now, out),
                    None if wish == Wish::HandIn => {}
                    None => out.push(WorkerOutput::Call(Call::Work(self.reports.room()))),
                }
            }
            (WorkerInput::Results { rows, end, handed_in }, State::Working) => {
                let Some(trial) = self.info.as_ref().map(|info| info.id) else { return };
                let mut end = self.reports.take_rows(trial, &self.limits, rows, end);
                let bytes = handed_in.transpose().unwrap_or_else(|fault| {
                    // The reports go before it.
                    (self.fault, end) = (Some(fault), BatchEnd::Limit);
                    None
                });
                let checkpoint = bytes.and_then(|bytes| self.handed_in(bytes));
                self.hand_in(end, checkpoint, now, out);
            }
            (WorkerInput::UsedCpu(used), _) => self.reports.cpu = Some(used),
            (WorkerInput::HandedIn(bytes), State::Working) => {
                let checkpoint = self.handed_in(bytes);
                self.hand_in(BatchEnd::CheckpointDue, checkpoint, now, out);
            }
            (WorkerInput::Tick, State::Working) => {
                if self.reports.deadline().is_some_and(|at| now >= at) {
                    self.hand_in(BatchEnd::Limit, None, now, out);
                }
            }
            (WorkerInput::Ended, State::Working) => self.hand_in(BatchEnd::Done, None, now, out),
            (WorkerInput::Ready, State::Beginning(first)) => match *first {
                Some(first) => {
                    self.say(WorkerFact::Ready, out);
                    self.train(first, now, out);
                }
                None => self.answer(WorkerFact::Ready, now, out),
            },
            (WorkerInput::ResetFailed(fault), State::Beginning(_)) => {
                self.fail(WorkerFact::ResetFailed(fault), now, out);
            }
            (WorkerInput::Restored, State::Restoring(checkpoint)) => {
                self.reports.continue_from(checkpoint);
                self.answer(WorkerFact::Restored, now, out);
            }
            (WorkerInput::CheckpointGone, State::Restoring(_)) => self.answer(WorkerFact::CheckpointGone, now, out),
            (WorkerInput::Saved(bytes), State::Saving(id)) => {
                let id = *id;
                let checkpoint = id.zip(bytes).map(|(id, bytes)| self.reports.checkpoint(id, bytes));
                self.answer(WorkerFact::Saved(checkpoint), now, out);
            }
            (WorkerInput::AtRest, State::Leaving) => self.answer(WorkerFact::Released, now, out),
            (WorkerInput::Failed(fault) | WorkerInput::ResetFailed(fault), _) => self.failed(fault, now, out),
            // What comes of a call that is void, or wasn't asked for, moves nothing.
            (
                WorkerInput::Ready
                | WorkerInput::Restored
                | WorkerInput::CheckpointGone
                | WorkerInput::Reported { .. }
                | WorkerInput::Results { .. }
                | WorkerInput::HandedIn(_)
                | WorkerInput::Ended
                | WorkerInput::Saved(_)
                | WorkerInput::AtRest
                | WorkerInput::Tick,
                _,
            ) => {}
        }
    }

    fn on_order(&mut self, lease: LeaseId, order: WorkerOrder, now: Moment, out: &mut Vec<WorkerOutput>) {
        match order {
            _ if self.state == State::Ending => {}
            WorkerOrder::Shutdown => {
                self.state = State::Ending;
                self.orders.clear();
                out.push(WorkerOutput::Call(Call::End));
            }
            _ if Some(lease) <= self.over => {}
            WorkerOrder::Release => self.release(lease, out),
            WorkerOrder::Yield => {
                if self.state == State::Working && !std::mem::replace(&mut self.hurried, true) {
                    out.push(WorkerOutput::Hurry);
                }
            }
            order if matches!(self.state, State::Waiting | State::Failed) => self.begin(lease, order, now, out),
            order => {
                self.orders.push_back((lease, order));
                self.hurried = true;
            }
        }
    }

    /// The trial leaves. What is under way, or may be, comes to rest first.
    fn release(&mut self, lease: LeaseId, out: &mut Vec<WorkerOutput>) {
        let at_rest = self.rests == Rests::AtOnce || !self.has_trial();
        self.over = Some(lease);
        self.orders.retain(|(waiting, _)| *waiting > lease);
        if lease < self.lease {
            // Another trial has it already.
            return;
        }
        self.lease = lease;
        match self.state {
            State::Leaving => {}
            State::Waiting if at_rest => self.say(WorkerFact::Released, out),
            State::Failed => {
                self.state = State::Waiting;
                self.say(WorkerFact::Released, out);
            }
            _ => {
                self.state = State::Leaving;
                out.push(WorkerOutput::Call(Call::Rest));
            }
        }
    }

    /// Whether a trial has it.
    fn has_trial(&self) -> bool {
        self.info.is_some() && Some(self.lease) > self.over
    }

    /// Begins what is ordered. Nothing is under way.
    fn begin(&mut self, lease: LeaseId, order: WorkerOrder, now: Moment, out: &mut Vec<WorkerOutput>) {
        let asks_for_more = matches!(order, WorkerOrder::Train { .. } | WorkerOrder::Save { .. });
        let (state, call) = match order {
            WorkerOrder::Start { info, config, first, last } => {
                (self.lease, self.info, self.reports) = (lease, Some(info), Reports::new());
                self.before = last;
                (self.fault, self.finished) = (None, Finished::No);
                let then = first.map(|first| {
                    self.reports.begin(first, now);
                    self.reports.room()
                });
                (State::Beginning(first), Call::Begin { config, then })
            }
            // It is for whoever stands between an engine and its worker.
            WorkerOrder::GoOn { info, .. } => {
                (self.lease, self.info) = (lease, Some(info));
                let fault = Fault::new(FailureKind::WorkerLost, "the worker doesn't have this trial any more");
                return self.fail(WorkerFact::ResetFailed(fault), now, out);
            }
            _ if lease != self.lease || !self.has_trial() => {
                let fault = Fault::new(FailureKind::WorkerLost, "the worker has no trial");
                return out.push(WorkerOutput::Say(lease, WorkerFact::Failed(fault)));
            }
            _ if self.state == State::Failed => return,
            _ if asks_for_more && self.fault.is_some() => {
                let fault = self.fault.take();
                return fault.into_iter().for_each(|fault| self.fail(WorkerFact::Failed(fault), now, out));
            }
            WorkerOrder::Train { limits, spare } => return self.train(FirstBatch { limits, spare }, now, out),
            WorkerOrder::Restore { checkpoint } => (State::Restoring(checkpoint.clone()), Call::Restore(checkpoint)),
            WorkerOrder::Save { checkpoint, export } => (State::Saving(checkpoint), Call::Save { checkpoint, export }),
            WorkerOrder::Yield | WorkerOrder::Release | WorkerOrder::Shutdown => return,
        };
        self.state = state;
        out.push(WorkerOutput::Call(call));
    }

    fn train(&mut self, batch: FirstBatch, now: Moment, out: &mut Vec<WorkerOutput>) {
        self.reports.begin(batch, now);
        (self.state, self.hurried) = (State::Working, false);
        out.push(WorkerOutput::Call(Call::Work(self.reports.room())));
    }

    /// The checkpoint that was handed in with the last report.
    fn handed_in(&self, bytes: u64) -> Option<Arc<Checkpoint>> {
        self.reports.spare().map(|id| self.reports.checkpoint(id, bytes))
    }

    fn hand_in(&mut self, end: BatchEnd, handed_in: Option<Arc<Checkpoint>>, now: Moment, out: &mut Vec<WorkerOutput>) {
        self.finished = if end == BatchEnd::Done { Finished::Yes } else { Finished::No };
        let batch = self.reports.end(end, handed_in);
        self.answer(WorkerFact::Reported(batch), now, out);
    }

    /// Something went wrong.
    fn failed(&mut self, fault: Fault, now: Moment, out: &mut Vec<WorkerOutput>) {
        match self.state {
            State::Working if !self.reports.is_empty() => {
                self.fault = Some(fault);
                self.hand_in(BatchEnd::Limit, None, now, out);
            }
            // Nobody need hear of it who wants nothing more.
            State::Waiting if self.finished == Finished::Yes || self.fault.is_some() => {
                self.fault.get_or_insert(fault);
            }
            State::Waiting if !self.has_trial() => {}
            State::Waiting | State::Beginning(_) | State::Restoring(_) | State::Working | State::Saving(_) => {
                self.fail(WorkerFact::Failed(fault), now, out);
            }
            State::Leaving | State::Failed | State::Ending => {}
        }
    }

    /// The trial is told, and that is the end of its work here.
    fn fail(&mut self, fact: WorkerFact, now: Moment, out: &mut Vec<WorkerOutput>) {
        self.say(fact, out);
        self.state = State::Failed;
        self.next(now, out);
    }

    fn say(&self, fact: WorkerFact, out: &mut Vec<WorkerOutput>) {
        out.push(WorkerOutput::Say(self.lease, fact));
    }

    /// What was under way is done.
    fn answer(&mut self, fact: WorkerFact, now: Moment, out: &mut Vec<WorkerOutput>) {
        self.say(fact, out);
        self.state = State::Waiting;
        self.next(now, out);
    }

    /// Begins what waits, as long as nothing is under way.
    fn next(&mut self, now: Moment, out: &mut Vec<WorkerOutput>) {
        while matches!(self.state, State::Waiting | State::Failed)
            && let Some((lease, order)) = self.orders.pop_front()
        {
            self.begin(lease, order, now, out);
        }
    }
}
