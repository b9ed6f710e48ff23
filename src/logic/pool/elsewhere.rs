//! Workers from elsewhere: they join from other machines with a shape of their own, and are matched to requests that equal it.
//!
//! They hold nothing of what there is here, so no budget knows them. Who waits for one is never in the way of those whom
//! this machine can serve: a request that only others can meet stands in no line but that of its kind. What is wanted in all is
//! said as a level, shape by shape: as many workers as have a trial or are waited for. Who asks for them, and for how many at
//! once, isn't decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cache::Cache;
use super::fleet::Origin;
use super::io::PoolOutput;
use super::kinds::KindId;
use super::line::{Waiter, Wants};
use super::machine::{Phase, Pool};
use super::request::ResourceRequest;
use super::settings::{Demand, Reuse};
use super::slot::Slot;
use super::worker::WorkerState;
use crate::logic::event::StopCause;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{JoinId, TrialId, WorkerId};
use crate::logic::time::Moment;

/// What a pool knows of workers from elsewhere.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Idle ones.
    pub(super) cache: Cache,
    /// What was said to be wanted.
    pub(super) wanted: BTreeMap<Arc<ResourceRequest>, usize>,
    /// Shapes that nobody can give, and why.
    never: BTreeMap<Arc<ResourceRequest>, String>,
    /// Which trials are waited for with their workers, and until when.
    pub(super) expected: Option<(BTreeSet<TrialId>, Moment)>,
    /// Trials whose workers may come back, until they are given one; none as long as nobody has said which.
    pub(super) returning: Option<BTreeSet<TrialId>>,
    /// Workers that have brought these trials along, until they are given one.
    pub(super) returned: BTreeMap<TrialId, WorkerId>,
    /// How many wait for a first trial of theirs: nobody has used them.
    fresh: BTreeSet<WorkerId>,
}

/// How long a worker from elsewhere stays that nobody uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stays {
    /// As long as there may be trials for it: another one can be asked for.
    #[default]
    WhileNeeded,
    /// To the run's end: nobody was asked for it, and a trial that fails may need it.
    ToTheEnd,
}

impl Pool {
    /// The same pool, which workers from elsewhere may join.
    #[must_use]
    pub fn with_elsewhere(mut self) -> Self {
        self.elsewhere = Some(Elsewhere::default());
        self
    }

    /// Whether workers from elsewhere may meet requests of this kind.
    pub(super) fn may_come(&self, kind: KindId) -> bool {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.is_some_and(|elsewhere| !elsewhere.never.contains_key(self.kinds.get(kind).request()))
    }

    /// Whether a request can't be met by anybody.
    pub(super) fn is_hopeless(&self, kind: KindId) -> bool {
        self.kinds.get(kind).infeasible().is_some() && !self.may_come(kind)
    }

    /// Whether only workers from elsewhere can meet it.
    pub(super) fn only_elsewhere(&self, kind: KindId) -> bool {
        self.kinds.get(kind).infeasible().is_some() && self.may_come(kind)
    }

    /// A worker has come from elsewhere: it goes to whoever waits for one like it.
    pub(super) fn join(
        &mut self,
        join: JoinId,
        shape: &Arc<ResourceRequest>,
        (slot, stays, keeps): (Arc<Slot>, Stays, Option<TrialId>),
        now: Moment,
        out: &mut Vec<PoolOutput>,
    ) {
        if self.elsewhere.is_none() || self.phase != Phase::Open {
            return out.push(PoolOutput::Reject(join));
        }
        let kind = self.kinds.intern(shape, &self.budget);
        if self.is_unneeded(kind, stays) {
            self.kinds.let_go(kind);
            return out.push(PoolOutput::Reject(join));
        }
        let keeps = keeps.filter(|trial| self.returns(*trial));
        let worker = self.fleet.join(kind, (slot.clone(), stays, keeps));
        self.totals.joined += 1;
        self.fresh(|fresh| fresh.insert(worker));
        out.push(PoolOutput::Admit { worker, join, slot });
        keeps.into_iter().for_each(|trial| self.came_back(trial, worker));
        self.guest_at_rest(worker, now, out);
    }

    /// Nobody can give workers of this shape.
    pub(super) fn never(&mut self, shape: Arc<ResourceRequest>, words: String, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some(elsewhere) = &mut self.elsewhere else { return };
        elsewhere.never.insert(shape.clone(), words);
        let here = |kind| self.fleet.iter().any(|worker| worker.kind == kind && worker.origin == Origin::Elsewhere);
        if let Some(kind) = self.kinds.find(&shape).filter(|&kind| self.is_hopeless(kind) && !here(kind)) {
            for waiter in self.line.of_kind(kind).collect::<Vec<_>>() {
                self.line.remove(kind, waiter.number);
                self.refuse_infeasible(kind, waiter, out);
            }
        }
        self.serve(now, out);
    }

    /// Why nobody can meet a request of this kind.
    pub(super) fn hopeless_words(&self, kind: KindId) -> String {
        let kind = self.kinds.get(kind);
        let here = kind.infeasible().map(ToString::to_string).unwrap_or_default();
        match self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.never.get(kind.request())) {
            Some(there) => format!("{there}; and on this machine: {here}"),
            None => here,
        }
    }

    /// A worker from elsewhere that nobody has, not yet in the cache, looks for its next trial.
    pub(super) fn guest_at_rest(&mut self, id: WorkerId, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some((kind, stays, keeps)) = self.fleet.get(id).map(|worker| (worker.kind, worker.stays, worker.keeps))
        else {
            return;
        };
        let fresh = self.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.fresh.contains(&id));
        let own = keeps.and_then(|trial| self.line.of_kind(kind).find(|waiter| waiter.trial == trial));
        let first = own.or_else(|| self.line.first(kind));
        let unwanted = match first {
            _ if self.phase != Phase::Open => Some(StopCause::RunEnds),
            _ if self.settings.reuse == Reuse::No && !fresh => Some(StopCause::NotReused),
            // A fresh one comes only in the place of this one.
            Some(Waiter { wants: Wants::Fresh, .. }) if !fresh => Some(StopCause::Discarded),
            Some(_) => None,
            None => self.is_unneeded(kind, stays).then_some(StopCause::Unneeded),
        };
        match (unwanted, first) {
            (Some(why), _) => {
                self.fresh(|fresh| fresh.remove(&id));
                self.retire(id, why, now, out);
            }
            (None, Some(first)) if !self.is_held() || (own.is_some() && !self.on_hold) => {
                let barrier = self.line.is_barrier(first.number);
                self.line.remove(kind, first.number);
                self.give_guest(id, kind, first, now, out);
                if barrier {
                    self.serve(now, out);
                }
            }
            (None, _) => self.keep_guest(id, kind, now),
        }
    }

    /// Grants an idle worker from elsewhere, if there is one that will do.
    pub(super) fn grant_guest(&mut self, kind: KindId, waiter: Waiter, now: Moment, out: &mut Vec<PoolOutput>) -> bool {
        let Some(elsewhere) = self.elsewhere.as_ref().filter(|_| !self.is_held()) else { return false };
        let will_do = |id: &WorkerId| waiter.wants == Wants::Any || elsewhere.fresh.contains(id);
        // One that has brought another trial along can't leave it for this one.
        let brings = |id: &WorkerId| self.fleet.get(*id).is_some_and(|worker| worker.keeps.is_some());
        let idle = || elsewhere.cache.of_kind(kind).filter(will_do);
        let Some(id) = idle().find(|id| !brings(id)).or_else(|| idle().next()) else { return false };
        self.uncache_guest(id);
        self.give_guest(id, kind, waiter, now, out);
        true
    }

    pub(super) fn give_guest(
        &mut self,
        id: WorkerId,
        kind: KindId,
        waiter: Waiter,
        now: Moment,
        out: &mut Vec<PoolOutput>,
    ) {
        let first = self.fresh(|fresh| fresh.remove(&id));
        self.hand_on(id, kind, waiter, now, out);
        self.totals.reused -= u64::from(first);
    }

    fn keep_guest(&mut self, id: WorkerId, kind: KindId, now: Moment) {
        let Some(elsewhere) = &mut self.elsewhere else { return };
        let turn = elsewhere.cache.insert(kind, id);
        if let Some(worker) = self.fleet.get_mut(id) {
            worker.turn = turn;
        }
        let stays = self.fleet.get(id).is_some_and(|worker| worker.stays == Stays::ToTheEnd);
        if let Some(ttl) = self.settings.idle_ttl.filter(|_| !stays) {
            self.fleet.set_deadline(id, Some(now + ttl));
        }
    }

    /// Takes an idle worker from elsewhere out of the cache.
    pub(super) fn uncache_guest(&mut self, id: WorkerId) {
        let Some((kind, turn)) = self.fleet.get(id).map(|worker| (worker.kind, worker.turn)) else { return };
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.cache.remove(kind, turn);
        }
    }

    /// Serves those who wait with the idle workers from elsewhere that will do.
    pub(super) fn serve_guests(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some(elsewhere) = &self.elsewhere else { return };
        for id in elsewhere.cache.iter().collect::<Vec<_>>() {
            // One that was served may have made way for others, which took this one.
            let idle = self.fleet.get(id).filter(|worker| worker.state == WorkerState::Idle);
            let Some(kind) = idle.map(|worker| worker.kind) else { continue };
            if self.line.first(kind).is_some() && !self.is_held() {
                self.uncache_guest(id);
                self.guest_at_rest(id, now, out);
            }
        }
    }

    /// Stops the idle workers from elsewhere that nobody waits for.
    pub(super) fn retire_guests(&mut self, why: StopCause, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some(elsewhere) = &self.elsewhere else { return };
        for id in elsewhere.cache.iter().collect::<Vec<_>>() {
            let Some((kind, stays)) = self.fleet.get(id).map(|worker| (worker.kind, worker.stays)) else { continue };
            if self.phase != Phase::Open || self.is_unneeded(kind, stays) {
                self.uncache_guest(id);
                self.fresh(|fresh| fresh.remove(&id));
                self.retire(id, why, now, out);
            }
        }
    }

    /// Whether nobody can come any more who would use a worker like this.
    fn is_unneeded(&self, kind: KindId, stays: Stays) -> bool {
        stays == Stays::WhileNeeded && self.demand == Demand::Closed && self.line.first(kind).is_none()
    }

    /// A worker from elsewhere is gone.
    pub(super) fn forget_guest(&mut self, id: WorkerId) {
        self.fresh(|fresh| fresh.remove(&id));
        if let Some((elsewhere, keeps)) =
            self.elsewhere.as_mut().zip(self.fleet.get(id).and_then(|worker| worker.keeps))
        {
            elsewhere.returned.remove(&keeps);
        }
    }

    fn fresh(&mut self, change: impl FnOnce(&mut BTreeSet<WorkerId>) -> bool) -> bool {
        self.elsewhere.as_mut().is_some_and(|elsewhere| change(&mut elsewhere.fresh))
    }

    /// Says anew what is wanted from elsewhere, where it has changed.
    pub(super) fn restate_wants(&mut self, out: &mut Vec<PoolOutput>) {
        if self.elsewhere.is_none() {
            return;
        }
        let mut wanted: BTreeMap<Arc<ResourceRequest>, usize> = BTreeMap::new();
        for (kind, request) in self.kinds.in_use() {
            // On hold nobody is asked for: who came would wait for a client, and be let go and asked for again.
            let asks = self.may_come(kind) && self.phase == Phase::Open && !self.on_hold;
            let waiting = if asks { self.line.waiting(kind) } else { 0 };
            let wants = waiting + self.fleet.busy_guests(kind);
            if wants > 0 {
                wanted.insert(request.clone(), wants);
            }
        }
        let Some(elsewhere) = &mut self.elsewhere else { return };
        let before = std::mem::replace(&mut elsewhere.wanted, wanted);
        let gone = before.keys().filter(|shape| !elsewhere.wanted.contains_key(*shape));
        out.extend(gone.map(|shape| PoolOutput::Want { shape: shape.clone(), workers: 0 }));
        let changed = elsewhere.wanted.iter().filter(|(shape, workers)| before.get(*shape) != Some(workers));
        out.extend(changed.map(|(shape, &workers)| PoolOutput::Want { shape: shape.clone(), workers }));
    }

    /// A fault for a trial that nobody can serve.
    pub(super) fn hopeless_fault(&self, kind: KindId) -> Fault {
        Fault::new(FailureKind::SetupFailed, self.hopeless_words(kind))
    }
}
