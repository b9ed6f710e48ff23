//! What trials ask of a pool.

use std::sync::Arc;

use super::io::PoolOutput;
use super::line::{Waiter, Wants};
use super::machine::{Phase, Pool, Standing};
use super::request::ResourceRequest;
use super::worker::WorkerEvent;
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::time::Moment;
use crate::logic::trial::{AtRest, PoolOrder};

impl Pool {
    pub(super) fn on_order(&mut self, order: PoolOrder, now: Moment, out: &mut Vec<PoolOutput>) {
        match order {
            PoolOrder::Acquire { trial, ticket, request } => self.acquire(trial, ticket, &request, now, out),
            PoolOrder::Cancel { trial, ticket } => match self.standings.get(&trial).copied() {
                Some(standing) if standing.ticket() == ticket => self.cancel(trial, standing, now, out),
                _ => self.late(),
            },
            PoolOrder::Replace { lease } => self.replace(lease, now, out),
            PoolOrder::Release { lease, at_rest: AtRest::Yes } => self.leave(lease, WorkerEvent::LeftAtRest, now, out),
            PoolOrder::Release { lease, at_rest: AtRest::No } => self.leave(lease, WorkerEvent::LeftAtWork, now, out),
            PoolOrder::Discard { lease } => self.leave(lease, WorkerEvent::Discarded, now, out),
        }
    }

    fn acquire(
        &mut self,
        trial: TrialId,
        ticket: u32,
        request: &Arc<ResourceRequest>,
        now: Moment,
        out: &mut Vec<PoolOutput>,
    ) {
        if self.phase != Phase::Open {
            return self.late();
        }
        match self.standings.get(&trial).copied() {
            Some(standing) if standing.ticket() >= ticket => return self.late(),
            // Whoever asks anew has no use for what it asked for before.
            Some(standing) => self.cancel(trial, standing, now, out),
            None => {}
        }
        let kind = self.kinds.intern(request, &self.budget);
        let number = self.line.arrive();
        let waiter = Waiter { trial, ticket, number, wants: Wants::Any };
        if self.is_hopeless(kind) {
            self.refuse_infeasible(kind, waiter, out);
        } else if self.give_back(kind, waiter, now, out) {
        } else if self.is_held()
            || self.line.first(kind).is_some()
            || !self.line.may_go(number)
            || !self.grant(kind, waiter, now, out)
        {
            self.line_up(kind, waiter);
            self.serve_guests(now, out);
            self.make_room(now, out);
        }
    }

    fn cancel(&mut self, trial: TrialId, standing: Standing, now: Moment, out: &mut Vec<PoolOutput>) {
        match standing {
            // The trial may not have heard of it, and the worker not have begun: it will come to rest soon.
            Standing::Leased { lease, .. } => self.leave(lease, WorkerEvent::LeftAtWork, now, out),
            Standing::Waiting { kind, number, .. } => {
                self.standings.remove(&trial);
                self.expect_no_more(trial);
                let was_first = self.line.first(kind).is_some_and(|first| first.number == number);
                self.line.remove(kind, number);
                self.kinds.let_go(kind);
                if was_first {
                    self.serve(now, out);
                }
            }
            Standing::Inheriting { worker, .. } => {
                self.standings.remove(&trial);
                self.disinherit(worker);
                self.expect(worker);
            }
        }
    }

    /// A trial leaves its worker.
    fn leave(&mut self, lease: LeaseId, how: WorkerEvent, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some((worker, tenant)) = self.fleet.end_lease(lease) else { return self.late() };
        self.standings.remove(&tenant.trial);
        if self.step(worker, how, now, out) && how == WorkerEvent::LeftAtRest {
            self.at_rest(worker, now, out);
        }
    }

    fn replace(&mut self, lease: LeaseId, now: Moment, out: &mut Vec<PoolOutput>) {
        if self.phase != Phase::Open {
            return self.leave(lease, WorkerEvent::Discarded, now, out);
        }
        let Some((id, tenant)) = self.fleet.end_lease(lease) else { return self.late() };
        if let Some(worker) = self.fleet.get_mut(id) {
            worker.heir = Some(Waiter { wants: Wants::Fresh, ..tenant });
            self.inheriting += 1;
            self.totals.resets_failed += 1;
        }
        self.standings.insert(tenant.trial, Standing::Inheriting { ticket: tenant.ticket, worker: id });
        self.step(id, WorkerEvent::Discarded, now, out);
    }

    /// Whoever was to get the slot of this worker.
    pub(super) fn disinherit(&mut self, worker: WorkerId) -> Option<Waiter> {
        let heir = self.fleet.get_mut(worker)?.heir.take()?;
        self.inheriting -= 1;
        Some(heir)
    }
}
