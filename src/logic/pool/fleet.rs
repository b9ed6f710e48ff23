//! All workers: where each stands, who has it, and until when it may stay so.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::kinds::KindId;
use super::line::Waiter;
use super::slot::Slot;
use super::worker::{LateWorkerEvent, WorkerEffect, WorkerEvent, WorkerState, transition};
use crate::logic::event::StopCause;
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::time::Moment;

/// One worker.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) state: WorkerState,
    pub(super) kind: KindId,
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

/// The workers that hold slots.
#[derive(Debug)]
pub(super) struct Fleet {
    workers: HashMap<WorkerId, Worker>,
    leases: HashMap<LeaseId, WorkerId>,
    deadlines: BTreeSet<(Moment, WorkerId)>,
    /// By state.
    counts: [usize; WorkerState::ALL.len()],
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
        let id = WorkerId::new(self.spawned);
        self.spawned += 1;
        let lease = self.new_lease(id);
        let worker = Worker {
            state: WorkerState::Leased,
            kind,
            slot,
            tenant: Some(tenant),
            lease,
            heir: None,
            coming: false,
            turn: 0,
            why: StopCause::Discarded,
            deadline: None,
        };
        self.workers.insert(id, worker);
        self.counts[WorkerState::Leased as usize] += 1;
        (id, lease)
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
        worker.state = state;
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
        if worker.tenant.is_some() {
            self.leases.remove(&worker.lease);
        }
        Some(worker)
    }
}
