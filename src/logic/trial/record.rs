//! The record of one trial around its state: what it was launched with, its lease, its failures.

use std::sync::Arc;

use super::arrival::Arrival;
use super::batch_limits::BatchLimits;
use super::event::{Effect, Event, Origin, Verdict};
use super::io::{Handled, TrialInput, TrialOutput, TrialPast};
use super::settings::{Rests, TrialSettings};
use super::state::State;
use super::talk::{
    AtRest, Batch, FirstBatch, Launch, PoolFact, PoolOrder, TrialFact, TrialInfo, TrialNews, TrialOrder, WorkerFact,
    WorkerOrder,
};
use super::transition::transition;
use super::{Keep, Phase};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::decision::Decision;
use crate::logic::failure::{Failure, FailureCounts, FailureKind, Fault, Recovery};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::mix::{GOLDEN, mix};
use crate::logic::pool::Slot;
use crate::logic::time::Moment;

#[derive(Clone, Debug)]
struct Lease {
    id: LeaseId,
    worker: WorkerId,
}

/// One trial: an identity with a state, and all that is needed to run it.
#[derive(Clone, Debug)]
pub struct Trial {
    id: TrialId,
    settings: Arc<TrialSettings>,
    state: State,
    /// What it was launched with last, and what has become of that since.
    launch: Option<Launch>,
    ticket: u32,
    lease: Option<Lease>,
    attempt: u32,
    iteration: u64,
    failures: FailureCounts,
    /// Whether the worker owes an answer.
    asked: bool,
    /// Whether it was told to train together with the start.
    trains_ahead: bool,
    /// Whether its worker still has it, and was told to go on.
    kept: bool,
    keep_checkpoint: bool,
}

impl Trial {
    /// A trial that waits to be launched.
    pub fn new(id: TrialId, settings: Arc<TrialSettings>) -> Self {
        Self {
            id,
            settings,
            state: State::Queued,
            launch: None,
            ticket: 0,
            lease: None,
            attempt: 1,
            iteration: 0,
            failures: FailureCounts::default(),
            asked: false,
            trains_ahead: false,
            kept: false,
            keep_checkpoint: false,
        }
    }

    /// The same trial with what it has behind it: it is queued or paused.
    #[must_use]
    pub fn with_past(mut self, past: TrialPast) -> Self {
        self.state = if past.state == State::Paused { State::Paused } else { State::Queued };
        self.attempt = past.attempt;
        self.iteration = past.iteration;
        for (count, kind) in past.failures.into_iter().enumerate() {
            if past.restores.contains(&count) {
                self.failures.restored();
            }
            let _ = self.failures.add(kind, &self.settings.experiment.retry);
            if past.restores.contains(&(count + 1)) {
                self.failures.restored();
            }
        }
        self
    }

    /// Its name.
    pub fn id(&self) -> TrialId {
        self.id
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The lease it holds.
    pub fn lease(&self) -> Option<LeaseId> {
        self.lease.as_ref().map(|lease| lease.id)
    }

    /// Takes one input, and appends to `out` what is to be said.
    pub fn on(&mut self, input: TrialInput, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        match input {
            TrialInput::Order(order) => self.on_order(order, now, out),
            TrialInput::Pool(fact) => self.on_pool(fact, now, out),
            TrialInput::Worker(lease, _) if self.lease() != Some(lease) => Handled::Stale,
            TrialInput::Worker(_, fact) => self.on_worker(fact, now, out),
        }
    }

    fn on_order(&mut self, order: TrialOrder, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        match order {
            TrialOrder::Launch(launch) => {
                self.launch = Some(launch);
                self.step(Event::Launch, TrialNews::Moved, out)
            }
            TrialOrder::Decide { lease, .. } | TrialOrder::Fail { lease, .. } | TrialOrder::GoOnFrom { lease, .. }
                if self.lease() != Some(lease) =>
            {
                Handled::Stale
            }
            TrialOrder::GoOnFrom { from, .. } => self.go_on_from(from, out),
            TrialOrder::Decide { decision, keep, limits, .. } => {
                self.launch.iter_mut().for_each(|launch| launch.limits = limits);
                self.keep_checkpoint = keep == Keep::Checkpoint;
                let keep = if self.exports_after(decision) { Keep::Checkpoint } else { keep };
                self.step(Event::Decide(decision, keep), TrialNews::Moved, out)
            }
            TrialOrder::Fail { fault, .. } => self.fail(fault, now, out),
            TrialOrder::Hurry => {
                self.hurry(out);
                Handled::Done
            }
            TrialOrder::Pause => {
                self.hurry(out);
                self.step(Event::Pause, TrialNews::Moved, out)
            }
            TrialOrder::Stop => self.step(Event::Stop, TrialNews::Moved, out),
        }
    }

    /// Whether the worker is to export before the trial leaves it.
    fn exports_after(&self, decision: Decision) -> bool {
        let standing = match self.state {
            State::Running { order, .. } => order,
            _ => Decision::Continue,
        };
        self.settings.experiment.export.is_on() && decision.max(standing) == Decision::Stop
    }

    /// Lets a worker that is busy with a batch know that somebody waits.
    fn hurry(&self, out: &mut Vec<TrialOutput>) {
        if let (State::Running { phase: Phase::Training, .. }, Some(lease)) = (self.state, self.lease()) {
            out.push(TrialOutput::Worker(lease, WorkerOrder::Yield));
        }
    }

    /// Whether its worker had it still from an earlier session, and goes on with it.
    #[cfg(feature = "testing")]
    pub(crate) fn goes_on(&self) -> bool {
        self.kept
    }

    fn on_pool(&mut self, fact: PoolFact, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        match fact {
            PoolFact::Granted { ticket, .. } | PoolFact::Refused { ticket, .. }
                if ticket != self.ticket || self.state != State::Starting =>
            {
                Handled::Stale
            }
            PoolFact::Granted { lease, worker, slot, arrival, .. } => {
                let Some(launch) = &self.launch else { return Handled::Stale };
                let (config, limits, last) = (launch.config.clone(), launch.limits, launch.last.clone());
                self.kept = launch.goes_on && arrival == Arrival::CameBack;
                self.lease = Some(Lease { id: lease, worker });
                let info = self.info(slot.clone());
                let first = FirstBatch { limits, spare: self.next_checkpoint() };
                self.trains_ahead = self.kept || self.from().is_none();
                let order = if self.kept {
                    WorkerOrder::GoOn { info, config, first, last }
                } else {
                    WorkerOrder::Start { info, config, first: self.trains_ahead.then_some(first), last }
                };
                self.ask(order, out);
                let news = TrialNews::Granted { worker, lease, attempt: self.attempt, slot, arrival };
                out.push(TrialOutput::Engine(TrialFact { state: self.state, news }));
                Handled::Done
            }
            PoolFact::Refused { fault, .. } => self.fail(fault, now, out),
            PoolFact::Lost { lease } if self.lease() == Some(lease) => self.lost(now, out),
            PoolFact::Lost { .. } => Handled::Done,
        }
    }

    /// What its trainable may know of it.
    fn info(&self, slot: Arc<Slot>) -> TrialInfo {
        let settings = &*self.settings;
        TrialInfo {
            id: self.id,
            experiment: settings.experiment.name.clone(),
            attempt: self.attempt,
            seed: settings.experiment.seed.unwrap_or_default() ^ mix(u64::from(self.id.number()).wrapping_mul(GOLDEN)),
            slot,
            objects: settings.objects.clone(),
            iteration: self.from().map_or(0, |checkpoint| checkpoint.report.iteration()),
            restored: self.from().is_some(),
            directory: settings.directory.as_ref().map(|run| run.join(self.id.to_string())),
        }
    }

    fn lost(&mut self, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        self.fail(Fault::new(FailureKind::WorkerLost, "the worker ended without being asked"), now, out)
    }

    fn on_worker(&mut self, fact: WorkerFact, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        self.asked = false;
        match fact {
            WorkerFact::Ready => {
                let origin = match self.from() {
                    _ if self.kept => Origin::Kept,
                    Some(_) => Origin::Checkpoint,
                    None => Origin::Fresh,
                };
                self.step(Event::Ready(origin), TrialNews::Started, out)
            }
            WorkerFact::ResetFailed(_) if self.state == State::Starting => {
                if let Some(lease) = self.lease.take() {
                    out.push(TrialOutput::Pool(PoolOrder::Replace { lease: lease.id }));
                }
                Handled::Done
            }
            WorkerFact::Restored => match self.from().cloned() {
                Some(checkpoint) => {
                    self.failures.restored();
                    self.iteration = checkpoint.report.iteration();
                    self.step(Event::Restored, TrialNews::Restored { checkpoint }, out)
                }
                None => Handled::Stale,
            },
            WorkerFact::CheckpointGone => self.checkpoint_gone(out),
            WorkerFact::Reported(batch) => self.reported(batch, out),
            WorkerFact::Saved(checkpoint) => {
                self.register(checkpoint.as_ref());
                self.step(Event::Saved, TrialNews::Saved { checkpoint }, out)
            }
            WorkerFact::Failed(fault) => self.fail(fault, now, out),
            WorkerFact::Gone => self.lost(now, out),
            WorkerFact::Released | WorkerFact::ResetFailed(_) => Handled::Stale,
        }
    }

    /// The checkpoint to go on from isn't there any more: the engine says which is.
    fn checkpoint_gone(&mut self, out: &mut Vec<TrialOutput>) -> Handled {
        let restores = matches!(self.state, State::Running { phase: Phase::Restoring, .. });
        let Some((lease, checkpoint)) = self.lease().zip(self.from()).filter(|_| restores) else {
            return Handled::Stale;
        };
        let news = TrialNews::CheckpointGone { lease, checkpoint: checkpoint.id };
        out.push(TrialOutput::Engine(TrialFact { state: self.state, news }));
        Handled::Done
    }

    fn go_on_from(&mut self, from: Option<Arc<Checkpoint>>, out: &mut Vec<TrialOutput>) -> Handled {
        if !matches!(self.state, State::Running { phase: Phase::Restoring, .. }) {
            return Handled::Stale;
        }
        self.launch.iter_mut().for_each(|launch| launch.from.clone_from(&from));
        match from {
            Some(checkpoint) => {
                self.ask(WorkerOrder::Restore { checkpoint }, out);
                Handled::Done
            }
            None => {
                self.iteration = 0;
                self.step(Event::Restored, TrialNews::Moved, out)
            }
        }
    }

    fn reported(&mut self, batch: Batch, out: &mut Vec<TrialOutput>) -> Handled {
        let Some(lease) = self.lease() else { return Handled::Stale };
        if let Some(last) = batch.reports.last() {
            self.iteration = last.iteration();
        }
        self.register(batch.handed_in.as_ref());
        self.step(Event::Reported, TrialNews::Reported { lease, batch }, out)
    }

    /// Where this attempt goes on from.
    fn from(&self) -> Option<&Arc<Checkpoint>> {
        self.launch.as_ref()?.from.as_ref()
    }

    /// A checkpoint's index is spent.
    fn register(&mut self, checkpoint: Option<&Arc<Checkpoint>>) {
        if let (Some(launch), Some(checkpoint)) = (&mut self.launch, checkpoint) {
            launch.index = launch.index.max(checkpoint.id.index + 1);
        }
    }

    fn fail(&mut self, fault: Fault, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        // Only a failure that can happen in this state is counted.
        if let Err(refusal) = transition(self.state, Event::Failed(Verdict::GiveUp)) {
            return Handled::Refused(refusal);
        }
        let recovery = self.failures.add(fault.kind, &self.settings.experiment.retry);
        let failure = Arc::new(Failure {
            fault,
            attempt: self.attempt,
            iteration: self.iteration,
            worker: self.lease.as_ref().map(|lease| lease.worker),
            at: now,
        });
        let (verdict, retry_at) = match recovery {
            Recovery::Retry { wait } => (Verdict::Retry, Some(now + wait)),
            Recovery::GiveUp => (Verdict::GiveUp, None),
        };
        self.attempt += u32::from(verdict == Verdict::Retry);
        self.step(Event::Failed(verdict), TrialNews::Failed { failure, retry_at }, out)
    }

    /// One step of the machine: what it asks for goes out first, then the news.
    fn step(&mut self, event: Event, news: TrialNews, out: &mut Vec<TrialOutput>) -> Handled {
        let (state, effect) = match transition(self.state, event) {
            Ok(step) => step,
            Err(refusal) => return Handled::Refused(refusal),
        };
        let moved = state != self.state || effect.is_some();
        self.state = state;
        if let Some(effect) = effect {
            self.carry_out(effect, out);
        }
        if moved || news != TrialNews::Moved {
            out.push(TrialOutput::Engine(TrialFact { state, news }));
        }
        Handled::Done
    }

    fn carry_out(&mut self, effect: Effect, out: &mut Vec<TrialOutput>) {
        match effect {
            Effect::Acquire => {
                let Some(launch) = &self.launch else { return };
                let request = launch.request.clone();
                self.ticket += 1;
                out.push(TrialOutput::Pool(PoolOrder::Acquire { trial: self.id, ticket: self.ticket, request }));
            }
            Effect::Restore => {
                if let Some(checkpoint) = self.from().cloned() {
                    self.ask(WorkerOrder::Restore { checkpoint }, out);
                }
            }
            Effect::Train if std::mem::take(&mut self.trains_ahead) => self.asked = true,
            Effect::Train => {
                let spare = self.next_checkpoint();
                let limits = self.launch.as_ref().map_or(BatchLimits::SINGLE, |launch| launch.limits);
                self.ask(WorkerOrder::Train { limits, spare }, out);
            }
            Effect::Submit => {}
            Effect::Save => {
                let checkpoint = self.keep_checkpoint.then(|| self.next_checkpoint());
                let exports = self.exports_after(Decision::Continue);
                let export = if exports { self.settings.experiment.export.names() } else { Arc::default() };
                self.ask(WorkerOrder::Save { checkpoint, export }, out);
            }
            Effect::Release => {
                let unwinds = self.settings.rests == Rests::WhenReleased;
                let at_rest = if self.asked || unwinds { AtRest::No } else { AtRest::Yes };
                out.push(TrialOutput::Pool(match self.lease.take() {
                    Some(lease) => PoolOrder::Release { lease: lease.id, at_rest },
                    None => PoolOrder::Cancel { trial: self.id, ticket: self.ticket },
                }));
            }
            Effect::Discard => {
                out.extend(self.lease.take().map(|lease| TrialOutput::Pool(PoolOrder::Discard { lease: lease.id })));
            }
        }
    }

    fn ask(&mut self, order: WorkerOrder, out: &mut Vec<TrialOutput>) {
        if let Some(lease) = self.lease() {
            self.asked = true;
            out.push(TrialOutput::Worker(lease, order));
        }
    }

    fn next_checkpoint(&self) -> CheckpointId {
        CheckpointId { trial: self.id, index: self.launch.as_ref().map_or(0, |launch| launch.index) }
    }
}
