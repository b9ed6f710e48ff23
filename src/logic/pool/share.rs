//! A pool that shares its host with others: what it says of itself, and how it keeps to its cap.
//!
//! A cap is no total: it refuses nobody, and no event tells of it. A worker at rest that is beyond it isn't handed on, an idle
//! one ends. **One trial can always run**: if no trial of this pool has a worker, one that needs cores and nothing else gets
//! them, whatever the cap says. So nobody waits for ever because others never give back what they have.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::io::{PoolOutput, WaitsFor};
use super::kinds::KindId;
use super::line::Waiter;
use super::machine::Pool;
use super::resources::{Amount, Resources};
use super::shares::{Cap, Claim, InUse, Wanted};
use super::slot::Slot;
use super::worker::WorkerState;
use crate::logic::event::StopCause;
use crate::logic::time::Moment;

impl Pool {
    /// The most that may be in use, if others share the host.
    pub fn cap(&self) -> Option<&Cap> {
        self.budget.cap().map(AsRef::as_ref)
    }

    pub(super) fn set_cap(&mut self, cap: Option<Arc<Cap>>, now: Moment, out: &mut Vec<PoolOutput>) {
        self.budget.limit(cap.clone());
        self.expected.limit(cap);
        for id in self.cache.iter().collect::<Vec<_>>() {
            let Some(worker) = self.fleet.get(id) else { continue };
            if self.expected.is_beyond_cap(self.kinds.get(worker.kind).total(), &worker.slot) {
                self.evict(id, StopCause::Evicted, now, out);
            }
        }
        self.serve(now, out);
    }

    /// Whether a worker at rest is beyond the cap, and isn't the one that can always run.
    pub(super) fn gives_way(&self, kind: KindId, next: Option<Waiter>, slot: &Slot) -> bool {
        self.expected.is_beyond_cap(self.kinds.get(kind).total(), slot)
            && !(next.is_some() && self.can_always_run(kind))
    }

    /// A slot for a worker of this kind, if there is room.
    pub(super) fn place(&mut self, kind: KindId) -> Option<Slot> {
        let beyond = self.budget.cap().is_some() && self.can_always_run(kind);
        let wanted = self.kinds.get(kind);
        if beyond { self.budget.place_beyond_cap(wanted) } else { self.budget.place(wanted) }
    }

    /// Whether this would be the only trial that has a worker, and needs nothing but cores.
    fn can_always_run(&self, kind: KindId) -> bool {
        self.fleet.count(WorkerState::Leased) == 0
            && self.inheriting == 0
            && self.kinds.get(kind).total().iter().all(|(name, _)| name == "cpu")
    }

    /// What a request waits for that would be the next one.
    pub(super) fn what_is_short(&self, kind: KindId) -> WaitsFor {
        let others = self.budget.cap().is_some() && self.budget.without_cap().fits(self.kinds.get(kind));
        if others { WaitsFor::OtherRuns } else { WaitsFor::Resources }
    }

    /// What it holds, and what it could use.
    pub fn claim(&self) -> Claim {
        let mut claim =
            Claim { may_use: self.budget.gpus().all_in_service(), grants: self.fleet.leased(), ..Claim::default() };
        let mut running: BTreeMap<KindId, usize> = BTreeMap::new();
        for worker in self.fleet.iter() {
            claim.held.add(self.kinds.get(worker.kind).total());
            let busy = worker.state == WorkerState::Leased || worker.heir.is_some();
            let how = if busy { InUse::Busy } else { InUse::Idle };
            for &gpu in worker.slot.gpus.iter().flatten() {
                let known = claim.gpus.entry(gpu).or_insert(how);
                *known = how.max(*known);
            }
            if busy {
                claim.busy.add(self.kinds.get(worker.kind).total());
                *running.entry(worker.kind).or_default() += 1;
            }
        }
        (claim.held, claim.busy) = (no_gpus(claim.held), no_gpus(claim.busy));
        let wanted =
            |kind, running, waiting| Wanted { request: self.kinds.get(kind).request().clone(), running, waiting };
        claim.wants = running.into_iter().map(|(kind, running)| wanted(kind, running, 0)).collect();
        let mut number = 0;
        while let Some((next, kind)) = self.line.next_after(number).filter(|_| !self.is_held()) {
            number = next;
            claim.wants.push(wanted(kind, 0, self.line.of_kind(kind).count()));
        }
        claim
    }
}

fn no_gpus(mut amounts: Resources) -> Resources {
    amounts.set("gpu", Amount::ZERO);
    amounts
}
