//! Granting: who is served when something has become free.

use std::sync::Arc;

use super::fleet::Origin;
use super::io::PoolOutput;
use super::kinds::KindId;
use super::line::{Waiter, Wants};
use super::machine::{Phase, Pool, Standing};
use super::settings::{Demand, Reuse};
use super::slot::Slot;
use crate::logic::event::StopCause;
use crate::logic::failure::Fault;
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::time::Moment;
use crate::logic::trial::PoolFact;

impl Pool {
    /// Serves whoever can be served, in the line's order, and makes room for the others.
    pub(super) fn serve(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        let mut number = 0;
        while let Some((next, kind)) = self.line.next_after(number).filter(|_| !self.is_held()) {
            // Asked anew each time: whoever is served may be a barrier, or make one of another.
            if !self.line.may_go(next) {
                break;
            }
            number = next;
            if self.line.first(kind).is_some_and(|first| self.grant(kind, first, now, out)) {
                self.line.remove(kind, number);
            }
        }
        self.serve_guests(now, out);
        self.retire_unwanted(now, out);
        self.make_room(now, out);
    }

    /// Grants a worker if there is one for this request, or room for one.
    pub(super) fn grant(&mut self, kind: KindId, waiter: Waiter, now: Moment, out: &mut Vec<PoolOutput>) -> bool {
        if self.give_back(kind, waiter, now, out) {
            return true;
        }
        let cached = if waiter.wants == Wants::Any { self.cache.oldest(kind) } else { None };
        if let Some(worker) = cached {
            self.uncache(worker);
            self.hand_on(worker, kind, waiter, now, out);
        } else if let Some(slot) = self.place(kind) {
            self.expected.hold(self.kinds.get(kind).total(), &slot);
            self.spawn(kind, Arc::new(slot), waiter, out);
        } else {
            return self.grant_guest(kind, waiter, now, out);
        }
        self.line.pass(waiter.number);
        true
    }

    /// Spawns a worker on a slot that is held for it. The request's use of the kind becomes the worker's.
    pub(super) fn spawn(&mut self, kind: KindId, slot: Arc<Slot>, waiter: Waiter, out: &mut Vec<PoolOutput>) {
        self.totals.spawned += 1;
        let (worker, lease) = self.fleet.spawn(kind, slot.clone(), waiter);
        out.push(PoolOutput::Spawn { worker, slot: slot.clone() });
        self.tell_granted(waiter, lease, worker, slot, out);
    }

    pub(super) fn hand_on(
        &mut self,
        id: WorkerId,
        kind: KindId,
        waiter: Waiter,
        now: Moment,
        out: &mut Vec<PoolOutput>,
    ) {
        if let Some((lease, slot)) = self.fleet.hand_on(id, waiter, now) {
            self.totals.reused += 1;
            self.kinds.let_go(kind);
            self.tell_granted(waiter, lease, id, slot, out);
        }
    }

    fn tell_granted(
        &mut self,
        waiter: Waiter,
        lease: LeaseId,
        worker: WorkerId,
        slot: Arc<Slot>,
        out: &mut Vec<PoolOutput>,
    ) {
        let Waiter { trial, ticket, .. } = waiter;
        let arrival = self.arrival(worker, trial);
        self.standings.insert(trial, Standing::Leased { ticket, lease });
        out.push(PoolOutput::Tell(trial, PoolFact::Granted { ticket, lease, worker, slot, arrival }));
    }

    /// A worker that has come to rest looks for its next trial.
    pub(super) fn at_rest(&mut self, id: WorkerId, now: Moment, out: &mut Vec<PoolOutput>) {
        match self.fleet.get(id).map(|worker| worker.origin) {
            Some(Origin::Here) => self.reusable(id, now, out),
            Some(Origin::Elsewhere) => self.guest_at_rest(id, now, out),
            None => {}
        }
    }

    /// An idle worker, not yet in the cache, looks for its next trial.
    fn reusable(&mut self, id: WorkerId, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some(worker) = self.fleet.get(id) else { return };
        let kind = worker.kind;
        let first = self.line.first(kind);
        let over = self.expected.is_over(self.kinds.get(kind).total(), &worker.slot)
            || self.gives_way(kind, first, &worker.slot);
        let unwanted = match first {
            _ if self.phase != Phase::Open => Some(StopCause::RunEnds),
            _ if self.settings.reuse == Reuse::No => Some(StopCause::NotReused),
            _ if over => Some(StopCause::Evicted),
            // One that needs a fresh worker needs the room of this one.
            Some(first) => (first.wants == Wants::Fresh).then_some(StopCause::Evicted),
            None => (self.demand == Demand::Closed).then_some(StopCause::Unneeded),
        };
        if let Some(why) = unwanted {
            return self.retire(id, why, now, out);
        }
        match first {
            Some(first) if !self.is_held() && self.line.may_go(first.number) => {
                let barrier = self.line.is_barrier(first.number);
                self.hand_on(id, kind, first, now, out);
                self.line.remove(kind, first.number);
                self.line.pass(first.number);
                if barrier {
                    self.serve(now, out);
                }
            }
            _ => {
                self.keep(id, kind, now);
                self.make_room(now, out);
            }
        }
    }

    fn keep(&mut self, id: WorkerId, kind: KindId, now: Moment) {
        let turn = self.cache.insert(kind, id);
        self.idle.add(self.kinds.get(kind).total());
        if let Some(worker) = self.fleet.get_mut(id) {
            worker.turn = turn;
        }
        if let Some(ttl) = self.settings.idle_ttl {
            self.fleet.set_deadline(id, Some(now + ttl));
        }
    }

    /// Takes a worker out of the cache, to be granted or stopped.
    pub(super) fn uncache(&mut self, id: WorkerId) {
        let Some(worker) = self.fleet.get(id) else { return };
        if worker.origin == Origin::Elsewhere {
            return self.uncache_guest(id);
        }
        self.cache.remove(worker.kind, worker.turn);
        let _all_there = self.idle.take(self.kinds.get(worker.kind).total());
    }

    /// Stops a worker that is kept.
    pub(super) fn evict(&mut self, id: WorkerId, why: StopCause, now: Moment, out: &mut Vec<PoolOutput>) {
        self.uncache(id);
        self.retire(id, why, now, out);
    }

    pub(super) fn make_room(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        if self.line.len() == 0 || self.is_held() {
            return;
        }
        for id in self.in_the_way() {
            self.evict(id, StopCause::Evicted, now, out);
        }
    }

    pub(super) fn line_up(&mut self, kind: KindId, waiter: Waiter) {
        let Waiter { ticket, number, .. } = waiter;
        self.standings.insert(waiter.trial, Standing::Waiting { ticket, kind, number });
        let aside = self.only_elsewhere(kind);
        self.line.set_aside(kind, aside);
        self.line.push(kind, waiter);
    }

    /// Answers a request that can't be met; its use of the kind ends.
    pub(super) fn refuse_infeasible(&mut self, kind: KindId, waiter: Waiter, out: &mut Vec<PoolOutput>) {
        let fault = self.hopeless_fault(kind);
        self.kinds.let_go(kind);
        self.refuse(waiter, fault, out);
    }

    pub(super) fn refuse(&mut self, waiter: Waiter, fault: Fault, out: &mut Vec<PoolOutput>) {
        self.standings.remove(&waiter.trial);
        out.push(PoolOutput::Tell(waiter.trial, PoolFact::Refused { ticket: waiter.ticket, fault }));
    }
}
