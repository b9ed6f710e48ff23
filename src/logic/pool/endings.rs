//! How things end: workers, deadlines, the demand, the totals, and the pool itself.

use super::budget::Budget;
use super::fleet::{Origin, Worker};
use super::io::PoolOutput;
use super::kinds::KindId;
use super::line::Waiter;
use super::machine::{Phase, Pool};
use super::resources::Resources;
use super::settings::Demand;
use super::slot::Slot;
use super::worker::{WorkerEvent, WorkerState};
use crate::logic::event::StopCause;
use crate::logic::failure::Fault;
use crate::logic::ids::WorkerId;
use crate::logic::time::Moment;
use crate::logic::trial::PoolFact;

impl Pool {
    /// A worker has ended, or never began. Its trial is told: it may not know yet whom to hear it from.
    pub(super) fn gone(&mut self, id: WorkerId, unborn: Option<Fault>, now: Moment, out: &mut Vec<PoolOutput>) {
        if self.fleet.get(id).is_some_and(|worker| worker.state == WorkerState::Idle) {
            self.uncache(id);
        }
        self.forget_guest(id);
        if !self.step(id, WorkerEvent::Gone, now, out) {
            return;
        }
        let (tenant, lease) = self.fleet.get(id).map_or((None, None), |worker| (worker.tenant, Some(worker.lease)));
        match (tenant, unborn) {
            (Some(tenant), Some(fault)) => self.refuse(tenant, fault, out),
            (Some(tenant), None) => {
                self.standings.remove(&tenant.trial);
                out.extend(lease.map(|lease| PoolOutput::Tell(tenant.trial, PoolFact::Lost { lease })));
            }
            (None, _) => {}
        }
        self.free_slot(id, now, out);
    }

    /// The backend can't kill a worker.
    pub(super) fn abandoned(&mut self, id: WorkerId, now: Moment, out: &mut Vec<PoolOutput>) {
        if !self.step(id, WorkerEvent::Abandoned(self.settings.abandoned), now, out) {
            return;
        }
        let Some(worker) = self.fleet.get_mut(id) else { return };
        if !worker.state.holds_slot() {
            return self.free_slot(id, now, out);
        }
        let kind = worker.kind;
        // One from elsewhere is never awaited.
        if std::mem::take(&mut worker.coming) {
            self.expected.hold(self.kinds.get(kind).total(), &worker.slot);
        }
        if let Some(heir) = self.disinherit(id) {
            self.kinds.hold(kind);
            self.come_back(kind, heir, out);
            self.serve(now, out);
        }
    }

    /// Hands the slot of a worker that is gone to its heir, or gives it back.
    fn free_slot(&mut self, id: WorkerId, now: Moment, out: &mut Vec<PoolOutput>) {
        let heir = self.disinherit(id);
        let Some(Worker { kind, slot, coming, origin, .. }) = self.fleet.remove(id) else { return };
        let here = origin == Origin::Here;
        if let Some(heir) = heir {
            let over = self.expected.is_over(self.kinds.get(kind).total(), &slot);
            if here && self.phase == Phase::Open && !over && self.kinds.get(kind).infeasible().is_none() {
                return self.spawn(kind, slot, heir, out);
            }
            self.kinds.hold(kind);
            self.come_back(kind, heir, out);
        }
        let total = self.kinds.get(kind).total();
        if here {
            self.budget.give(total, &slot);
        }
        if here && !coming {
            self.expected.give(total, &slot);
        }
        self.kinds.let_go(kind);
        self.serve(now, out);
    }

    /// An heir that gets no slot goes back to its place in the line.
    fn come_back(&mut self, kind: KindId, heir: Waiter, out: &mut Vec<PoolOutput>) {
        if self.phase != Phase::Open {
            self.standings.remove(&heir.trial);
            self.kinds.let_go(kind);
        } else if self.is_hopeless(kind) {
            self.refuse_infeasible(kind, heir, out);
        } else {
            self.line_up(kind, heir);
        }
    }

    /// The slot of this worker will be free soon, unless it has an heir.
    pub(super) fn expect(&mut self, id: WorkerId) {
        let Some(worker) = self.fleet.get_mut(id) else { return };
        if worker.heir.is_none() && !worker.coming && worker.origin == Origin::Here {
            worker.coming = true;
            self.expected.give(self.kinds.get(worker.kind).total(), &worker.slot);
        }
    }

    /// Moves the slot of a worker in or out of a budget.
    pub(super) fn move_slot(&self, id: WorkerId, budget: &mut Budget, how: fn(&mut Budget, &Resources, &Slot)) {
        if let Some(worker) = self.fleet.get(id) {
            how(budget, self.kinds.get(worker.kind).total(), &worker.slot);
        }
    }

    pub(super) fn tick(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        self.stop_expecting(now);
        while let Some(id) = self.fleet.overdue(now) {
            if let Some(worker) = self.fleet.get_mut(id).filter(|worker| worker.state == WorkerState::Idle) {
                worker.why = StopCause::IdleTooLong;
                self.uncache(id);
            }
            self.step(id, WorkerEvent::Overdue, now, out);
        }
    }

    /// Stops the idle workers that nobody waits for, if nobody can come any more.
    pub(super) fn retire_unwanted(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        if self.demand == Demand::Open {
            return;
        }
        let wanted = |id: &WorkerId| self.fleet.get(*id).is_some_and(|worker| self.line.first(worker.kind).is_some());
        let unwanted: Vec<WorkerId> = self.cache.iter().filter(|id| !wanted(id)).collect();
        for id in unwanted {
            self.evict(id, StopCause::Unneeded, now, out);
        }
        self.retire_guests(StopCause::Unneeded, now, out);
    }

    pub(super) fn resize(&mut self, total: Resources, now: Moment, out: &mut Vec<PoolOutput>) {
        self.budget.resize(total.clone());
        self.expected.resize(total);
        self.shrink(now, out);
    }

    pub(super) fn withdraw_gpu(&mut self, gpu: u32, now: Moment, out: &mut Vec<PoolOutput>) {
        self.budget.withdraw(gpu);
        self.expected.withdraw(gpu);
        self.shrink(now, out);
    }

    /// The totals have changed: who can't be served any more is refused, and idle workers that have too much end.
    fn shrink(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        let never = self.kinds.judge(&self.budget);
        let mut refused: Vec<(KindId, Waiter)> = never
            .iter()
            .filter(|&&kind| self.is_hopeless(kind))
            .flat_map(|&kind| self.line.of_kind(kind).map(move |waiter| (kind, waiter)))
            .collect();
        let here: Vec<KindId> = self.kinds.in_use().map(|(kind, _)| kind).collect();
        for kind in here {
            let aside = self.only_elsewhere(kind);
            self.line.set_aside(kind, aside);
        }
        refused.sort_by_key(|(_, waiter)| waiter.number);
        for (kind, waiter) in refused {
            self.line.remove(kind, waiter.number);
            self.refuse_infeasible(kind, waiter, out);
        }
        for id in self.cache.iter().collect::<Vec<_>>() {
            let Some(worker) = self.fleet.get(id) else { continue };
            if self.expected.is_over(self.kinds.get(worker.kind).total(), &worker.slot) {
                self.evict(id, StopCause::Evicted, now, out);
            }
        }
        self.serve(now, out);
    }

    pub(super) fn close(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        if self.phase != Phase::Open {
            return;
        }
        self.phase = Phase::Closing;
        self.expect_nobody();
        while let Some((number, kind)) = self.line.any() {
            if let Some(waiter) = self.line.remove(kind, number) {
                self.standings.remove(&waiter.trial);
                self.kinds.let_go(kind);
            }
        }
        for id in self.cache.iter().collect::<Vec<_>>() {
            self.evict(id, StopCause::RunEnds, now, out);
        }
        self.retire_guests(StopCause::RunEnds, now, out);
    }
}
