//! The record of one trial around its state: configuration, lease, checkpoints, failures.

use std::sync::Arc;

use super::event::{Effect, Event, Origin, Verdict};
use super::io::{Handled, Inherited, Loaded, TrialInput, TrialOutput, TrialPast};
use super::settings::{Export, Rests, TrialSettings};
use super::state::State;
use super::talk::{
    Adopted, AtRest, Batch, BatchLimits, FirstBatch, PoolFact, PoolOrder, TrialFact, TrialInfo, TrialNews, TrialOrder,
    WorkerFact, WorkerOrder,
};
use super::transition::transition;
use super::{Keep, Phase};
use crate::logic::checkpoint::{Checkpoint, CheckpointId, Shelf};
use crate::logic::config::Config;
use crate::logic::decision::Decision;
use crate::logic::failure::{Failure, FailureCounts, FailureKind, Fault, Recovery};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::ResourceRequest;
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
    config: Arc<Config>,
    request: Arc<ResourceRequest>,
    settings: Arc<TrialSettings>,
    state: State,
    ticket: u32,
    lease: Option<Lease>,
    limits: BatchLimits,
    attempt: u32,
    iteration: u64,
    failures: FailureCounts,
    shelf: Shelf,
    inherited: Option<Inherited>,
    /// Whether the worker owes an answer.
    asked: bool,
    /// Whether it was told to train together with the start.
    trains_ahead: bool,
    keep_checkpoint: bool,
}

impl Trial {
    /// A trial that waits to be launched.
    pub fn new(id: TrialId, config: Arc<Config>, request: Arc<ResourceRequest>, settings: Arc<TrialSettings>) -> Self {
        Self {
            id,
            config,
            request,
            shelf: Shelf::new(settings.retention.clone()),
            settings,
            state: State::Queued,
            ticket: 0,
            lease: None,
            limits: BatchLimits::SINGLE,
            attempt: 1,
            iteration: 0,
            failures: FailureCounts::default(),
            inherited: None,
            asked: false,
            trains_ahead: false,
            keep_checkpoint: false,
        }
    }

    /// The same trial with what it has behind it: it is queued or paused, and goes on from its last checkpoint.
    #[must_use]
    pub fn with_past(mut self, past: TrialPast) -> Self {
        self.state = if past.state == State::Paused { State::Paused } else { State::Queued };
        self.attempt = past.attempt;
        self.iteration = past.iteration;
        for kind in past.failures {
            let _ = self.failures.add(kind, &self.settings.retry);
        }
        self.shelf = Shelf::restored(self.settings.retention.clone(), past.checkpoints, past.saves);
        self.inherited = past.inherited;
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

    /// Its checkpoints.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
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
            TrialOrder::Launch { limits } => {
                self.limits = limits;
                self.step(Event::Launch, TrialNews::Moved, out)
            }
            TrialOrder::Decide { lease, .. } | TrialOrder::Fail { lease, .. } if self.lease() != Some(lease) => {
                Handled::Stale
            }
            TrialOrder::Decide { decision, keep, limits, .. } => {
                self.limits = limits;
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
            TrialOrder::LetGo(checkpoint) => {
                self.shelf.remove(checkpoint);
                Handled::Done
            }
            TrialOrder::Adopt(Adopted { config, request, checkpoint }) => {
                (self.config, self.request) = (config, request);
                self.inherited = Some(Inherited { checkpoint, loaded: Loaded::No });
                Handled::Done
            }
            TrialOrder::Resize(request) => {
                self.request = request;
                Handled::Done
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
        self.settings.export == Export::AtEnd && decision.max(standing) == Decision::Stop
    }

    /// Lets a worker that is busy with a batch know that somebody waits.
    fn hurry(&self, out: &mut Vec<TrialOutput>) {
        if let (State::Running { phase: Phase::Training, .. }, Some(lease)) = (self.state, self.lease()) {
            out.push(TrialOutput::Worker(lease, WorkerOrder::Yield));
        }
    }

    fn on_pool(&mut self, fact: PoolFact, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        match fact {
            PoolFact::Granted { ticket, .. } | PoolFact::Refused { ticket, .. }
                if ticket != self.ticket || self.state != State::Starting =>
            {
                Handled::Stale
            }
            PoolFact::Granted { lease, worker, slot, .. } => {
                self.lease = Some(Lease { id: lease, worker });
                let info = TrialInfo {
                    id: self.id,
                    experiment: self.settings.experiment.clone(),
                    attempt: self.attempt,
                    seed: self.settings.seed ^ spread(self.id.number()),
                    slot: slot.clone(),
                    objects: self.settings.objects.clone(),
                };
                let first = self
                    .goes_on_from()
                    .is_none()
                    .then(|| FirstBatch { limits: self.limits, spare: self.next_checkpoint() });
                self.trains_ahead = first.is_some();
                self.ask(WorkerOrder::Start { info, config: self.config.clone(), first }, out);
                let news = TrialNews::Granted { worker, lease, attempt: self.attempt, slot };
                out.push(TrialOutput::Engine(TrialFact { state: self.state, news }));
                Handled::Done
            }
            PoolFact::Refused { fault, .. } => self.fail(fault, now, out),
            PoolFact::Lost { lease } if self.lease() == Some(lease) => self.lost(now, out),
            PoolFact::Lost { .. } => Handled::Done,
        }
    }

    fn lost(&mut self, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        self.fail(Fault::new(FailureKind::WorkerLost, "the worker ended without being asked"), now, out)
    }

    fn on_worker(&mut self, fact: WorkerFact, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        self.asked = false;
        match fact {
            WorkerFact::Ready => {
                let origin = self.goes_on_from().map_or(Origin::Fresh, |_| Origin::Checkpoint);
                self.step(Event::Ready(origin), TrialNews::Started, out)
            }
            WorkerFact::ResetFailed(_) if self.state == State::Starting => {
                if let Some(lease) = self.lease.take() {
                    out.push(TrialOutput::Pool(PoolOrder::Replace { lease: lease.id }));
                }
                Handled::Done
            }
            WorkerFact::Restored => match self.goes_on_from().cloned() {
                Some(checkpoint) => {
                    self.inherited.iter_mut().for_each(|inherited| inherited.loaded = Loaded::Yes);
                    self.failures.restored();
                    self.iteration = checkpoint.report.iteration();
                    self.step(Event::Restored, TrialNews::Restored { checkpoint }, out)
                }
                None => Handled::Stale,
            },
            WorkerFact::Reported(batch) => self.reported(batch, out),
            WorkerFact::Saved(checkpoint) => {
                let let_go = checkpoint.iter().flat_map(|new| self.register(new)).collect();
                self.step(Event::Saved, TrialNews::Saved { checkpoint, let_go }, out)
            }
            WorkerFact::Failed(fault) => self.fail(fault, now, out),
            WorkerFact::Gone => self.lost(now, out),
            WorkerFact::Released | WorkerFact::ResetFailed(_) => Handled::Stale,
        }
    }

    fn reported(&mut self, batch: Batch, out: &mut Vec<TrialOutput>) -> Handled {
        let Some(lease) = self.lease() else { return Handled::Stale };
        if let Some(last) = batch.reports.last() {
            self.iteration = last.iteration();
        }
        let let_go = batch.handed_in.iter().flat_map(|new| self.register(new)).collect();
        self.step(Event::Reported, TrialNews::Reported { lease, batch, let_go }, out)
    }

    /// Where the next start goes on from.
    fn goes_on_from(&self) -> Option<&Arc<Checkpoint>> {
        self.inherited.as_ref().map(|inherited| &inherited.checkpoint).or_else(|| self.shelf.latest())
    }

    fn register(&mut self, checkpoint: &Arc<Checkpoint>) -> Vec<CheckpointId> {
        self.inherited.take_if(|inherited| inherited.loaded == Loaded::Yes);
        self.shelf.register(checkpoint.clone()).iter().map(|gone| gone.id).collect()
    }

    fn fail(&mut self, fault: Fault, now: Moment, out: &mut Vec<TrialOutput>) -> Handled {
        // Only a failure that can happen in this state is counted.
        if let Err(refusal) = transition(self.state, Event::Failed(Verdict::GiveUp)) {
            return Handled::Refused(refusal);
        }
        let recovery = self.failures.add(fault.kind, &self.settings.retry);
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
                self.ticket += 1;
                out.push(TrialOutput::Pool(PoolOrder::Acquire {
                    trial: self.id,
                    ticket: self.ticket,
                    request: self.request.clone(),
                }));
            }
            Effect::Restore => {
                if let Some(checkpoint) = self.goes_on_from().cloned() {
                    self.ask(WorkerOrder::Restore { checkpoint }, out);
                }
            }
            Effect::Train if std::mem::take(&mut self.trains_ahead) => self.asked = true,
            Effect::Train => {
                let spare = self.next_checkpoint();
                self.ask(WorkerOrder::Train { limits: self.limits, spare }, out);
            }
            Effect::Submit => {}
            Effect::Save => {
                let checkpoint = self.keep_checkpoint.then(|| self.next_checkpoint());
                let export = self.exports_after(Decision::Continue);
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
        CheckpointId { trial: self.id, index: self.shelf.next_index() }
    }
}

/// Spreads trial numbers over all 64 bits, so that neighbours get unrelated seeds (Steele et al., SplitMix64).
fn spread(number: u32) -> u64 {
    let mut bits = (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
