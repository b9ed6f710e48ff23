//! The actor of one worker: the engine's end of a thread, a task, a process.

use actix::{Actor, ActorContext, Context, Handler, Recipient};

use super::defect::guarded;
use super::messages::{FromBackend, FromWorker, ToController, ToWorker, WorkerNews};
use super::send::{send, tell_of_worker};
use crate::logic::event::{EventKind, WorkerChange};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::ports::backend::{Killed, Said, WorkerHandle};

/// Stands for one backend worker. Facts under another lease than the current one are dropped here, and counted.
pub(super) struct WorkerActor {
    pub(super) id: WorkerId,
    pub(super) handle: Box<dyn WorkerHandle>,
    pub(super) supervisor: Recipient<WorkerNews>,
    pub(super) controller: Recipient<ToController>,
    pub(super) tenant: Option<Tenant>,
    /// Leases up to this one are over. The pool's word of that and the trial's own orders come from two senders, so
    /// either may come first.
    pub(super) over: Option<LeaseId>,
}

/// The trial that a worker works for.
pub(super) struct Tenant {
    lease: LeaseId,
    trial: TrialId,
    reply: Recipient<FromWorker>,
    /// Whether it still wants to hear from the worker.
    left: bool,
}

impl Actor for WorkerActor {
    type Context = Context<Self>;
}

impl WorkerActor {
    /// A panic ends the run, and what this actor stands for first.
    fn attempt(&mut self, ctx: &mut Context<Self>, call: impl FnOnce(&mut Self, &mut Context<Self>)) {
        if let Err(defect) = guarded("the actor of a worker", || call(self, ctx)) {
            send(&self.controller, ToController::Defect(defect));
            if guarded("the actor of a worker", || self.kill(ctx)).is_err() {
                send(&self.supervisor, WorkerNews::Abandoned(self.id));
                ctx.stop();
            }
        }
    }

    fn leave(&mut self) {
        if let Some(tenant) = &mut self.tenant {
            tenant.left = true;
        }
    }

    fn last_lease(&self) -> LeaseId {
        self.tenant.as_ref().map_or(LeaseId::new(0), |tenant| tenant.lease)
    }

    fn kill(&mut self, ctx: &mut Context<Self>) {
        match self.handle.kill() {
            Killed::Dead => {
                send(&self.supervisor, WorkerNews::Gone(self.id));
                ctx.stop();
            }
            // It is heard when it has ended.
            Killed::Soon => self.leave(),
            Killed::Abandoned => {
                let trial = self.tenant.as_ref().map(|tenant| tenant.trial);
                send(&self.controller, ToController::Noticed(EventKind::Abandoned { worker: self.id, trial }));
                send(&self.supervisor, WorkerNews::Abandoned(self.id));
                // It is heard if it ends after all: what it uses is free only then.
                self.leave();
                self.handle.send(self.last_lease(), WorkerOrder::Shutdown);
            }
        }
    }

    fn on_order(&mut self, message: ToWorker, ctx: &mut Context<Self>) {
        match message {
            ToWorker::Lease { lease, .. } | ToWorker::Order(lease, _) if Some(lease) <= self.over => {
                send(&self.controller, ToController::Dropped);
            }
            ToWorker::Lease { lease, trial, reply } => {
                self.tenant = Some(Tenant { lease, trial, reply, left: false });
            }
            ToWorker::Order(lease, order) => self.handle.send(lease, order),
            ToWorker::Release(lease) => {
                self.over = Some(lease);
                self.leave();
                self.handle.send(lease, WorkerOrder::Release);
            }
            ToWorker::Shutdown => {
                self.leave();
                let lease = self.last_lease();
                self.handle.send(lease, WorkerOrder::Shutdown);
            }
            ToWorker::Kill => self.kill(ctx),
            #[cfg(feature = "testing")]
            ToWorker::Panic => panic!("a test asked for it"),
        }
    }

    fn on_fact(&mut self, said: Said, ctx: &mut Context<Self>) {
        match (said, &self.tenant) {
            (Said::Fact(_, WorkerFact::Released), _) => send(&self.supervisor, WorkerNews::Released(self.id)),
            (Said::Placed(process), _) => {
                tell_of_worker(&self.controller, self.id, WorkerChange::Placed { process });
            }
            (Said::Fact(lease, fact), Some(tenant)) if lease == tenant.lease && !tenant.left => {
                if let WorkerFact::ResetFailed(fault) = &fact {
                    let change = WorkerChange::ResetFailed { trial: tenant.trial, fault: fault.clone() };
                    tell_of_worker(&self.controller, self.id, change);
                }
                send(&tenant.reply, FromWorker { lease, fact });
            }
            (Said::Fact(..), _) => send(&self.controller, ToController::Dropped),
            (Said::Gone, tenant) => {
                if let Some(tenant) = tenant.as_ref().filter(|tenant| !tenant.left) {
                    send(&tenant.reply, FromWorker { lease: tenant.lease, fact: WorkerFact::Gone });
                }
                send(&self.supervisor, WorkerNews::Gone(self.id));
                ctx.stop();
            }
        }
    }
}

impl Handler<ToWorker> for WorkerActor {
    type Result = ();

    fn handle(&mut self, message: ToWorker, ctx: &mut Context<Self>) {
        self.attempt(ctx, |actor, ctx| actor.on_order(message, ctx));
    }
}

impl Handler<FromBackend> for WorkerActor {
    type Result = ();

    fn handle(&mut self, FromBackend(said): FromBackend, ctx: &mut Context<Self>) {
        self.attempt(ctx, |actor, ctx| actor.on_fact(said, ctx));
    }
}
