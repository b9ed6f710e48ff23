//! Workers from elsewhere in a simulated run: who is asked for them is slow, forgets, lies and takes them away; they outlive an
//! engine that is cut off, and come back to the next one with the trials that they have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::launcher::{Joining, Outside, Shape, SimLauncher, joined};
use super::{Message, Sim, SimWorker, Who};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{JoinId, LeaseId, TrialId, WorkerId};
use crate::logic::mix::mix;
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::logic::worker::{Relay, Says};
use crate::testing::worker::ScriptedWorker;

/// How long workers that had trials are waited for.
pub(super) const WAITS_FOR_RETURNING: Duration = Duration::from_secs(15);

/// The workers from elsewhere that a session has left behind.
#[derive(Default)]
pub struct Survivors(Vec<Survivor>);

impl std::fmt::Debug for Survivors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Survivors({})", self.0.len())
    }
}

pub(super) struct Survivor {
    worker: SimWorker,
    guest: Guest,
    /// When its work is done, if it works.
    until: Option<Moment>,
    keeps: TrialId,
}

/// What there is beside a worker from elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    shape: Arc<ResourceRequest>,
    relay: Relay,
}

/// What comes of asking for a worker.
#[derive(Clone, Debug)]
pub(super) enum Launched {
    /// It is there.
    Comes(Arc<ResourceRequest>),
    /// It never will be.
    Forgotten(Arc<ResourceRequest>),
    /// One that an earlier session has left behind is there.
    ComesBack(JoinId),
}

impl SimWorker {
    pub(super) fn new(machine: ScriptedWorker) -> Self {
        Self { machine, left_behind: false, tenant: None, work: None, works: 0, hangs: false, guest: None }
    }
}

impl Sim {
    /// Workers join from elsewhere, if the pool lets them; those that an earlier session has left behind come back.
    #[must_use]
    pub fn elsewhere(mut self, script: SimLauncher, seed: u64, survivors: Survivors) -> Self {
        let (noise, now) = (mix(seed), self.now);
        let mut outside = Outside { script, noise, shapes: BTreeMap::new(), joining: BTreeMap::new(), joins: 0 };
        let mut back = Vec::new();
        for survivor in survivors.0 {
            if outside.share() >= outside.script.leaves {
                let delay = outside.delay();
                back.push((delay, outside.join(Joining::Back(Box::new(survivor)))));
            }
        }
        self.outside = Some(outside);
        for (delay, join) in back {
            self.send(Who::Clock, Who::Launcher, now + delay, Message::Launched(Launched::ComesBack(join)));
        }
        self
    }

    /// So many workers of this shape are wanted.
    pub(super) fn want(&mut self, shape: &Arc<ResourceRequest>, workers: usize) {
        if let Some(outside) = &mut self.outside {
            outside.shape(shape).wanted = workers;
        }
        self.ask_for(shape);
    }

    /// Asks for as many as are missing.
    fn ask_for(&mut self, shape: &Arc<ResourceRequest>) {
        let Some(outside) = &mut self.outside else { return };
        let Shape { wanted, coming, here } = *outside.shape(shape);
        let missing = wanted.saturating_sub(coming + here);
        let asked: Vec<_> = (0..missing).map(|_| (outside.delay(), outside.share() < outside.script.forgets)).collect();
        outside.shape(shape).coming += missing;
        for (delay, forgotten) in asked {
            let shape = shape.clone();
            let launched = if forgotten { Launched::Forgotten(shape) } else { Launched::Comes(shape) };
            self.send(Who::Clock, Who::Launcher, self.now + delay, Message::Launched(launched));
        }
    }

    pub(super) fn launched(&mut self, launched: Launched) {
        let Some(outside) = &mut self.outside else { return };
        let input = match launched {
            Launched::Forgotten(shape) => {
                outside.shape(&shape).coming -= 1;
                return self.ask_for(&shape);
            }
            Launched::Comes(shape) => {
                outside.shape(&shape).coming -= 1;
                let lies = outside.share() < outside.script.lies;
                let own = if lies { Arc::new(ResourceRequest::default()) } else { shape.clone() };
                let join = outside.join(Joining::Fresh(own.clone()));
                // Whoever lied is asked again.
                if lies {
                    self.ask_for(&shape);
                }
                joined(join, own, None)
            }
            Launched::ComesBack(join) => {
                let Some(Joining::Back(survivor)) = outside.joining.get(&join) else { return };
                joined(join, survivor.guest.shape.clone(), Some(survivor.keeps))
            }
        };
        self.send(Who::Launcher, Who::Pool, self.now, Message::Pool(input));
    }

    /// A worker that has joined is the pool's.
    pub(super) fn admitted(&mut self, id: WorkerId, join: JoinId) {
        let Some(joining) = self.outside.as_mut().and_then(|outside| outside.joining.remove(&join)) else { return };
        let (worker, guest, until) = match joining {
            Joining::Fresh(shape) => {
                let guest = Guest { shape, relay: Relay::default() };
                (SimWorker::new(ScriptedWorker::new(self.script.clone())), guest, None)
            }
            Joining::Back(survivor) => {
                let Survivor { worker, guest, until, .. } = *survivor;
                (worker, guest, until)
            }
        };
        let Some(outside) = &mut self.outside else { return };
        outside.shape(&guest.shape).here += 1;
        let preempted = (outside.share() < outside.script.preempts).then(|| outside.delay() * 3);
        let number = worker.work.as_ref().map(|work| work.number);
        let mut worker = SimWorker { guest: Some(Box::new(guest)), ..worker };
        if self.is_healed() {
            worker.machine.heal();
        }
        self.workers.insert(id, worker);
        if let Some((until, number)) = until.zip(number) {
            self.send(Who::Clock, Who::Worker(id), until.max(self.now), Message::Worked(number));
        }
        if let Some(after) = preempted {
            self.send(Who::Clock, Who::Worker(id), self.now + after, Message::Preempted);
        }
    }

    /// Nobody needs a worker that would like to join.
    pub(super) fn rejected(&mut self, join: JoinId) {
        if let Some(outside) = &mut self.outside {
            outside.joining.remove(&join);
        }
    }

    /// The machine of a worker is taken away, unless trouble is over.
    pub(super) fn preempted(&mut self, id: WorkerId) {
        if self.is_healed() {
            return;
        }
        if let Some((_, lease)) = self.workers.get(&id).and_then(|worker| worker.tenant) {
            let fault = Fault::new(FailureKind::Preempted, "scripted: its machine is taken away");
            self.say(id, lease, WorkerFact::Failed(fault));
        }
        self.gone(id);
    }

    /// A guest is gone: another one may be needed.
    pub(super) fn guest_gone(&mut self, guest: &Guest) {
        if let Some(outside) = &mut self.outside {
            outside.shape(&guest.shape).here -= 1;
            self.ask_for(&guest.shape);
        }
    }

    /// From now on whoever is asked does all that it says.
    pub(super) fn heal_launcher(&mut self) {
        if let Some(outside) = &mut self.outside {
            outside.script = SimLauncher { delay: outside.script.delay, ..SimLauncher::default() };
        }
    }

    /// What an order comes to that a worker is given. One from elsewhere has somebody beside it.
    pub(super) fn order_for_machine(
        &mut self,
        id: WorkerId,
        lease: LeaseId,
        order: WorkerOrder,
    ) -> Vec<(LeaseId, WorkerOrder)> {
        let guest = self.workers.get_mut(&id).and_then(|worker| worker.guest.as_mut());
        let Some(guest) = guest else { return vec![(lease, order)] };
        let mut said = Vec::new();
        guest.relay.on_order(lease, order, &mut said);
        self.pass_on(id, said)
    }

    /// A worker's machine says something. One from elsewhere has somebody beside it.
    pub(super) fn machine_says(&mut self, id: WorkerId, lease: LeaseId, fact: WorkerFact) {
        let guest = self.workers.get_mut(&id).and_then(|worker| worker.guest.as_mut());
        let Some(guest) = guest else { return self.say(id, lease, fact) };
        let mut said = Vec::new();
        guest.relay.on_fact(lease, fact, &mut said);
        self.pass_on(id, said);
    }

    fn pass_on(&mut self, id: WorkerId, said: Vec<Says>) -> Vec<(LeaseId, WorkerOrder)> {
        let mut orders = Vec::new();
        for says in said {
            match says {
                Says::ToWorker(lease, order) => orders.push((lease, order)),
                Says::ToEngine(lease, fact) => self.say(id, lease, fact),
            }
        }
        orders
    }

    /// The workers from elsewhere that outlive this session.
    pub(super) fn survivors(&mut self) -> Survivors {
        let mut ends = BTreeMap::new();
        for std::cmp::Reverse((at, _, number)) in &self.queue {
            if let Some((Who::Worker(id), Message::Worked(work))) = self.bodies.get(number) {
                ends.insert((*id, *work), *at);
            }
        }
        let mut left = Vec::new();
        for (id, worker) in std::mem::take(&mut self.workers) {
            let SimWorker { machine, work, works, hangs: false, left_behind: false, guest: Some(guest), .. } = worker
            else {
                continue;
            };
            let mut guest = *guest;
            let Some(keeps) = guest.relay.lose_engine() else { continue };
            let until = work.as_ref().and_then(|work| ends.get(&(id, work.number)).copied());
            let worker = SimWorker { work, works, ..SimWorker::new(machine) };
            left.push(Survivor { worker, guest, until, keeps });
        }
        Survivors(left)
    }
}
