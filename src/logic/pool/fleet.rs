//! All workers: where each stands, who has it, and until when it may stay so.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::elsewhere::Stays;
use super::kinds::KindId;
use super::line::Waiter;
use super::slot::Slot;
use super::worker::{LateWorkerEvent, WorkerEffect, WorkerEvent, WorkerState, transition};
use crate::logic::event::StopCause;
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::time::Moment;

/// Where a worker comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was spawned here, and holds a part of what there is.
    Here,
    /// It has joined, with resources of its own.
    Elsewhere,
}

/// One worker.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) state: WorkerState,
    pub(super) kind: KindId,
    pub(super) origin: Origin,
    pub(super) stays: Stays,
    /// The trial that it has brought along, until it is given one.
    pub(super) keeps: Option<TrialId>,
    pub(super) slot: Arc<Slot>,
    /// Who has it, as long as it is leased.
    pub(super) tenant: Option<Waiter>,
    /// The lease it has, or had last.
    pub(super) lease: LeaseId,
    /// Who gets its slot for a fresh worker when it has ended.
    pub(super) heir: Option<Waiter>,
    /// Whether its slot is expected to be free soon.
    pub(super) coming: bool,
    /// Its turn in the cache while it is idle.
    pub(super) turn: u64,
    /// Why it is asked to stop, if it is.
    pub(super) why: StopCause,
    deadline: Option<Moment>,
}

impl Worker {
    fn new(state: WorkerState, kind: KindId, slot: Arc<Slot>, lease: LeaseId) -> Self {
        Self {
            state,
            kind,
            origin: Origin::Here,
            stays: Stays::default(),
            keeps: None,
            slot,
            tenant: None,
            lease,
            heir: None,
            coming: false,
            turn: 0,
            why: StopCause::Discarded,
            deadline: None,
        }
    }
}

/// The workers that hold slots.
#[derive(Debug)]
pub(super) struct Fleet {
    workers: HashMap<WorkerId, Worker>,
    leases: HashMap<LeaseId, WorkerId>,
    deadlines: BTreeSet<(Moment, WorkerId)>,
    /// By state.
    counts: [usize; WorkerState::ALL.len()],
    /// How many from elsewhere a trial has or will have left soon, by kind.
    busy_guests: HashMap<KindId, usize>,
    grace: Duration,
    /// No grace goes beyond this.
    latest: Option<Moment>,
    spawned: u64,
    leased: u64,
}

impl Fleet {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            workers: HashMap::new(),
            leases: HashMap::new(),
            deadlines: BTreeSet::new(),
            counts: [0; WorkerState::ALL.len()],
            busy_guests: HashMap::new(),
            grace,
            latest: None,
            spawned: 0,
            leased: 0,
        }
    }

    pub(super) fn number_from(&mut self, workers: u64, leases: u64) {
        (self.spawned, self.leased) = (workers, leases);
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&id)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// How many leases there were, those of earlier sessions included.
    pub(super) fn leased(&self) -> u64 {
        self.leased
    }

    pub(super) fn count(&self, state: WorkerState) -> usize {
        self.counts[state as usize]
    }

    /// Workers whose end somebody waits for.
    pub(super) fn living(&self) -> usize {
        WorkerState::ALL.into_iter().filter(|state| state.is_living()).map(|state| self.count(state)).sum()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|&(moment, _)| moment)
    }

    /// A worker whose deadline has passed.
    pub(super) fn overdue(&self, now: Moment) -> Option<WorkerId> {
        self.deadlines.first().filter(|&&(moment, _)| moment <= now).map(|&(_, id)| id)
    }

    /// A new worker, leased to `tenant` from the start.
    pub(super) fn spawn(&mut self, kind: KindId, slot: Arc<Slot>, tenant: Waiter) -> (WorkerId, LeaseId) {
        let id = self.new_worker();
        let lease = self.new_lease(id);
        let worker = Worker::new(WorkerState::Leased, kind, slot, lease);
        self.add(id, Worker { tenant: Some(tenant), ..worker });
        (id, lease)
    }

    /// A worker from elsewhere, which nobody has yet.
    pub(super) fn join(&mut self, kind: KindId, (slot, stays, keeps): (Arc<Slot>, Stays, Option<TrialId>)) -> WorkerId {
        let id = self.new_worker();
        let worker = Worker::new(WorkerState::Idle, kind, slot, LeaseId::new(0));
        self.add(id, Worker { origin: Origin::Elsewhere, stays, keeps, ..worker });
        id
    }

    fn new_worker(&mut self) -> WorkerId {
        self.spawned += 1;
        WorkerId::new(self.spawned - 1)
    }

    fn add(&mut self, id: WorkerId, worker: Worker) {
        self.counts[worker.state as usize] += 1;
        self.workers.insert(id, worker);
    }

    /// How many workers of this kind from elsewhere are of use to somebody.
    pub(super) fn busy_guests(&self, kind: KindId) -> usize {
        self.busy_guests.get(&kind).copied().unwrap_or_default()
    }

    /// A worker has left one state for another; none for one that is gone.
    fn count_guest(&mut self, kind: KindId, before: WorkerState, after: Option<WorkerState>) {
        let busy = |state| matches!(state, WorkerState::Leased | WorkerState::Settling);
        let count = self.busy_guests.entry(kind).or_default();
        *count += usize::from(after.is_some_and(busy));
        *count -= usize::from(busy(before));
        if *count == 0 {
            self.busy_guests.remove(&kind);
        }
    }

    fn new_lease(&mut self, worker: WorkerId) -> LeaseId {
        let lease = LeaseId::new(self.leased);
        self.leased += 1;
        self.leases.insert(lease, worker);
        lease
    }

    /// Hands an idle worker to `tenant`. None if it isn't idle.
    pub(super) fn hand_on(&mut self, id: WorkerId, tenant: Waiter, now: Moment) -> Option<(LeaseId, Arc<Slot>)> {
        self.step(id, WorkerEvent::Granted, now)?.ok()?;
        let lease = self.new_lease(id);
        let worker = self.workers.get_mut(&id)?;
        worker.tenant = Some(tenant);
        worker.lease = lease;
        Some((lease, worker.slot.clone()))
    }

    /// Ends a lease: the worker, and who had it. None if it is over.
    pub(super) fn end_lease(&mut self, lease: LeaseId) -> Option<(WorkerId, Waiter)> {
        let id = self.leases.remove(&lease)?;
        let tenant = self.workers.get_mut(&id)?.tenant.take()?;
        Some((id, tenant))
    }

    /// Moves a worker. None if there is no such worker.
    pub(super) fn step(
        &mut self,
        id: WorkerId,
        event: WorkerEvent,
        now: Moment,
    ) -> Option<Result<Option<WorkerEffect>, LateWorkerEvent>> {
        let worker = self.workers.get_mut(&id)?;
        let (state, effect) = match transition(worker.state, event) {
            Ok(step) => step,
            Err(late) => return Some(Err(late)),
        };
        self.counts[worker.state as usize] -= 1;
        self.counts[state as usize] += 1;
        let guest = (worker.origin == Origin::Elsewhere).then_some((worker.kind, worker.state));
        worker.state = state;
        if let Some((kind, before)) = guest {
            self.count_guest(kind, before, Some(state));
        }
        let leaves = matches!(state, WorkerState::Settling | WorkerState::Stopping);
        let end = now + self.grace;
        let end = self.latest.map_or(end, |latest| end.min(latest));
        self.set_deadline(id, leaves.then_some(end));
        Some(Ok(effect))
    }

    /// Lets no deadline be later than `latest`, neither those that are set nor those to come.
    pub(super) fn limit(&mut self, latest: Moment) {
        self.latest = Some(latest);
        let later: Vec<WorkerId> = self.deadlines.range((latest, WorkerId::new(0))..).map(|&(_, id)| id).collect();
        for id in later {
            self.set_deadline(id, Some(latest));
        }
    }

    pub(super) fn set_deadline(&mut self, id: WorkerId, deadline: Option<Moment>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.deadline == deadline {
            return;
        }
        if let Some(before) = worker.deadline {
            self.deadlines.remove(&(before, id));
        }
        worker.deadline = deadline;
        self.deadlines.extend(deadline.map(|moment| (moment, id)));
    }

    /// Forgets a worker that is gone.
    pub(super) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(&id)?;
        self.counts[worker.state as usize] -= 1;
        if worker.origin == Origin::Elsewhere {
            self.count_guest(worker.kind, worker.state, None);
        }
        if worker.tenant.is_some() {
            self.leases.remove(&worker.lease);
        }
        Some(worker)
    }
}
