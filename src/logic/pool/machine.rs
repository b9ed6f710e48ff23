//! The pool: who gets a worker, which one, and what becomes of it afterwards.
//!
//! A worker holds its slot from the order to spawn it until it is gone. It is granted in the same step: what its trial
//! says to it queues behind the spawning. The order in which waiting requests are served is that of the line: see there
//! for the rule and for why nobody starves. A worker that can be handed on goes to the oldest waiting request of
//! its kind, unless another kind's has been overtaken too often; it is kept idle if nobody of its kind waits but somebody
//! may come; and it is stopped if its resources are needed, if nobody can come any more, or if workers aren't reused.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::cache::Cache;
use super::elsewhere::Elsewhere;
use super::fleet::Fleet;
use super::gpus;
use super::io::{PoolCounts, PoolInput, PoolOutput, WaitsFor, WhyWaiting, WorkerTotals};
use super::kinds::{self, KindId, Kinds};
use super::line::Line;
use super::request::ResourceRequest;
use super::resources::Resources;
use super::settings::{Demand, Infeasible};
use super::worker::{WorkerEffect, WorkerEvent, WorkerState};
use crate::logic::event::StopCause;
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::settings::Settings;
use crate::logic::time::Moment;

/// Where a trial stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// In the line.
    Waiting { ticket: u32, kind: KindId, number: u64 },
    /// On a worker.
    Leased { ticket: u32, lease: LeaseId },
    /// Waiting for this worker to end, whose place a fresh one takes.
    Inheriting { ticket: u32, worker: WorkerId },
}

impl Standing {
    pub(super) fn ticket(self) -> u32 {
        match self {
            Standing::Waiting { ticket, .. }
            | Standing::Leased { ticket, .. }
            | Standing::Inheriting { ticket, .. } => ticket,
        }
    }
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Closing,
    Closed,
}

/// The resources of an experiment, its workers, and who waits for them.
///
/// ```
/// use std::sync::Arc;
/// use tryout::event::{RunId, TrialId};
/// use tryout::logic::pool::{Pool, PoolInput, PoolOutput, ResourceRequest, Resources};
/// use tryout::settings::Settings;
/// use tryout::event::Moment;
/// use tryout::logic::trial::PoolOrder;
///
/// let mut pool = Pool::new(Resources::cpus(1), Settings::default());
/// let mut out = Vec::new();
/// for number in 0..2 {
///     let trial = TrialId::new(RunId::new(0), number);
///     let order = PoolOrder::Acquire { trial, ticket: 1, request: Arc::new(ResourceRequest::default()) };
///     pool.on(PoolInput::Order(order), Moment::START, &mut out);
/// }
/// // The first is granted a worker that is spawned for it; the second waits.
/// assert!(matches!(out[..], [PoolOutput::Spawn { .. }, PoolOutput::Tell(..)]));
/// assert_eq!((pool.counts().leased, pool.counts().waiting), (1, 1));
/// ```
#[derive(Debug)]
pub struct Pool {
    pub(super) settings: Arc<Settings>,
    pub(super) budget: Budget,
    /// The budget as it will be when all workers that are asked to end have ended.
    pub(super) expected: Budget,
    pub(super) kinds: Kinds,
    pub(super) line: Line,
    pub(super) cache: Cache,
    /// What idle workers hold, in sum.
    pub(super) idle: Resources,
    pub(super) fleet: Fleet,
    pub(super) standings: HashMap<TrialId, Standing>,
    /// Workers that join, if they may.
    pub(super) elsewhere: Option<Elsewhere>,
    pub(super) demand: Demand,
    pub(super) phase: Phase,
    pub(super) inheriting: usize,
    /// A client doesn't want anybody to be granted a worker.
    pub(super) on_hold: bool,
    stale: u64,
    pub(super) totals: WorkerTotals,
}

impl Pool {
    /// A pool of `total`, in which all is free. What would not pass [`Resources::check_pool`] does no harm: a part of a GPU
    /// is left out, and a pool of nothing refuses everybody.
    pub fn new(total: Resources, settings: impl Into<Arc<Settings>>) -> Self {
        let settings = settings.into();
        Self {
            budget: Budget::new(total.clone()),
            expected: Budget::new(total),
            kinds: Kinds::default(),
            line: Line::new(settings.overtaking),
            cache: Cache::default(),
            idle: Resources::new(),
            fleet: Fleet::new(settings.grace),
            standings: HashMap::new(),
            elsewhere: None,
            demand: Demand::Open,
            phase: Phase::Open,
            inheriting: 0,
            on_hold: false,
            stale: 0,
            totals: WorkerTotals::default(),
            settings,
        }
    }

    /// The same pool, whose workers and leases are numbered from these on: an earlier session has used the numbers before.
    #[must_use]
    pub fn numbered_from(mut self, workers: u64, leases: u64) -> Self {
        self.fleet.number_from(workers, leases);
        self
    }

    /// When it wants a [`PoolInput::Tick`].
    pub fn deadline(&self) -> Option<Moment> {
        self.fleet.deadline().into_iter().chain(self.expects_until()).min()
    }

    /// How long a worker may take to come to rest, or to end.
    pub fn grace(&self) -> Duration {
        self.settings.grace
    }

    /// Whether a request could be met if nothing were in use.
    ///
    /// # Errors
    /// If it could not: what was asked for, and the most there is.
    pub fn feasible(&self, request: &ResourceRequest) -> Result<(), Infeasible> {
        kinds::feasible(request, &gpus::pieces(request), &self.budget)
    }

    /// The indices of the GPUs that are granted to nobody any more.
    pub fn withdrawn_gpus(&self) -> &BTreeSet<u32> {
        self.budget.gpus().withdrawn()
    }

    /// All there is that can be granted.
    pub fn total(&self) -> &Resources {
        self.budget.total()
    }

    /// What no worker holds. Nothing is free of what is in use beyond totals that have shrunk.
    pub fn free(&self) -> &Resources {
        self.budget.free()
    }

    /// How many of what there are.
    pub fn counts(&self) -> PoolCounts {
        let count = |state| self.fleet.count(state);
        PoolCounts {
            waiting: self.line.len() + self.inheriting,
            leased: count(WorkerState::Leased),
            settling: count(WorkerState::Settling),
            idle: count(WorkerState::Idle),
            stopping: count(WorkerState::Stopping) + count(WorkerState::Killed),
            abandoned: count(WorkerState::Abandoned),
        }
    }

    /// What became of workers since the session's start.
    pub fn totals(&self) -> WorkerTotals {
        self.totals
    }

    /// How many orders and facts came too late to mean anything.
    pub fn stale(&self) -> u64 {
        self.stale
    }

    /// Why a trial has no worker yet; none if it has one, or hasn't asked.
    pub fn why_waiting(&self, trial: TrialId) -> Option<WhyWaiting> {
        let (kind, waits_for) = match *self.standings.get(&trial)? {
            Standing::Leased { .. } => return None,
            Standing::Inheriting { worker, .. } => (self.fleet.get(worker)?.kind, WaitsFor::OldWorker),
            Standing::Waiting { kind, .. } if self.on_hold => (kind, WaitsFor::Proceed),
            Standing::Waiting { kind, .. } if self.is_held() => (kind, WaitsFor::Returning),
            Standing::Waiting { kind, .. } if self.only_elsewhere(kind) => (kind, WaitsFor::Elsewhere),
            Standing::Waiting { kind, number, .. } => {
                let first = self.line.first(kind).is_some_and(|first| first.number == number);
                let next = first && self.line.may_go(number);
                (kind, if next { self.what_is_short(kind) } else { WaitsFor::EarlierRequests })
            }
        };
        let needs = self.kinds.get(kind).request().clone();
        Some(WhyWaiting { needs, has: self.free().clone(), waits_for, says: None })
    }

    /// Takes one input, and appends to `out` what is to be said.
    pub fn on(&mut self, input: PoolInput, now: Moment, out: &mut Vec<PoolOutput>) {
        match input {
            PoolInput::Order(order) => self.on_order(order, now, out),
            PoolInput::SpawnFailed(worker, fault) => self.gone(worker, Some(fault), now, out),
            PoolInput::Gone(worker) => self.gone(worker, None, now, out),
            PoolInput::Released(worker) => {
                if self.step(worker, WorkerEvent::Rested, now, out) {
                    self.at_rest(worker, now, out);
                }
            }
            PoolInput::Abandoned(worker) => self.abandoned(worker, now, out),
            PoolInput::Demand(demand) => {
                self.demand = demand;
                self.retire_unwanted(now, out);
            }
            PoolInput::Hold => self.on_hold = true,
            PoolInput::Proceed => {
                self.on_hold = false;
                self.serve(now, out);
                self.serve_guests(now, out);
            }
            PoolInput::Joined { join, shape, slot, stays, keeps } => {
                self.join(join, &shape, (slot, stays, keeps), now, out);
            }
            PoolInput::Expect { trials, until } => self.expect_back(trials, until),
            PoolInput::Never { shape, words } => self.never(shape, words, now, out),
            PoolInput::WithdrawGpu(gpu) => self.withdraw_gpu(gpu, now, out),
            PoolInput::Resize(total) => self.resize(total, now, out),
            PoolInput::Cap(cap) => self.set_cap(cap, now, out),
            PoolInput::Tick => self.tick(now, out),
            PoolInput::Close => self.close(now, out),
            PoolInput::Limit(latest) => self.fleet.limit(latest),
        }
        self.end_expectation(now, out);
        self.restate_wants(out);
        if self.phase == Phase::Closing && self.fleet.living() == 0 {
            self.phase = Phase::Closed;
            out.push(PoolOutput::Closed);
        }
    }

    /// Moves a worker and says what follows from that. False if it came too late.
    pub(super) fn step(&mut self, id: WorkerId, event: WorkerEvent, now: Moment, out: &mut Vec<PoolOutput>) -> bool {
        let Some(Ok(effect)) = self.fleet.step(id, event, now) else {
            self.late();
            return false;
        };
        match effect {
            Some(WorkerEffect::Release) => {
                out.extend(self.fleet.get(id).map(|worker| PoolOutput::Release { worker: id, lease: worker.lease }));
            }
            Some(WorkerEffect::Shutdown) => {
                self.totals.asked_to_stop += 1;
                self.totals.evicted += u64::from(self.stop_cause(id) == Some(StopCause::Evicted));
                out.push(PoolOutput::Shutdown(id));
            }
            Some(WorkerEffect::Kill) => {
                self.totals.killed += 1;
                out.push(PoolOutput::Kill(id));
            }
            Some(WorkerEffect::Free) | None => {}
        }
        if matches!(effect, Some(WorkerEffect::Shutdown | WorkerEffect::Kill)) {
            self.expect(id);
        }
        true
    }

    /// Stops a worker that waits for a trial.
    pub(super) fn retire(&mut self, id: WorkerId, why: StopCause, now: Moment, out: &mut Vec<PoolOutput>) {
        self.fleet.get_mut(id).into_iter().for_each(|worker| worker.why = why);
        self.step(id, WorkerEvent::Retired, now, out);
    }

    /// Whether a worker holds a slot.
    pub fn knows(&self, id: WorkerId) -> bool {
        self.fleet.get(id).is_some()
    }

    /// Why a worker was asked to stop, if it was.
    pub fn stop_cause(&self, id: WorkerId) -> Option<StopCause> {
        let worker = self.fleet.get(id)?;
        matches!(worker.state, WorkerState::Stopping | WorkerState::Killed).then_some(worker.why)
    }

    pub(super) fn late(&mut self) {
        self.stale += 1;
    }
}
