//! The actor of one worker: the engine's end of a thread, a task, a process.

use actix::{Actor, ActorContext, Context, Handler, Recipient};

use super::messages::{Heard, ToController, ToWorker, WorkerNews, WorkerSaid};
use super::post::post;
use crate::logic::event::EventKind;
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
    reply: Recipient<WorkerSaid>,
    /// Whether it still wants to hear from the worker.
    left: bool,
}

impl Actor for WorkerActor {
    type Context = Context<Self>;
}

impl WorkerActor {
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
                post(&self.supervisor, WorkerNews::Gone(self.id));
                ctx.stop();
            }
            // It is heard when it has ended.
            Killed::Soon => self.leave(),
            Killed::Abandoned => {
                let trial = self.tenant.as_ref().map(|tenant| tenant.trial);
                post(&self.controller, ToController::Noticed(EventKind::Abandoned { worker: self.id, trial }));
                post(&self.supervisor, WorkerNews::Abandoned(self.id));
                // It is heard if it ends after all: what it uses is free only then.
                self.leave();
                self.handle.send(self.last_lease(), WorkerOrder::Shutdown);
            }
        }
    }
}

impl Handler<ToWorker> for WorkerActor {
    type Result = ();

    fn handle(&mut self, message: ToWorker, ctx: &mut Context<Self>) {
        match message {
            ToWorker::Lease { lease, .. } | ToWorker::Order(lease, _) if Some(lease) <= self.over => {
                post(&self.controller, ToController::Dropped);
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
        }
    }
}

impl Handler<Heard> for WorkerActor {
    type Result = ();

    fn handle(&mut self, Heard(said): Heard, ctx: &mut Context<Self>) {
        match (said, &self.tenant) {
            (Said::Fact(_, WorkerFact::Released), _) => post(&self.supervisor, WorkerNews::Released(self.id)),
            (Said::Fact(lease, fact), Some(tenant)) if lease == tenant.lease && !tenant.left => {
                post(&tenant.reply, WorkerSaid { lease, fact });
            }
            (Said::Fact(..), _) => post(&self.controller, ToController::Dropped),
            (Said::Gone, tenant) => {
                if let Some(tenant) = tenant.as_ref().filter(|tenant| !tenant.left) {
                    post(&tenant.reply, WorkerSaid { lease: tenant.lease, fact: WorkerFact::Gone });
                }
                post(&self.supervisor, WorkerNews::Gone(self.id));
                ctx.stop();
            }
        }
    }
}
