//! The actor that owns the pool: it spawns workers, hands them out, takes them back, and sees them end.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Recipient};

use super::clock::{Alarm, Clock};
use super::messages::{
    Heard, InspectPool, PoolSaid, PoolStatus, ToController, ToPool, ToSupervisor, ToWorker, WorkerNews,
};
use super::post::{post, post_to};
use super::worker::WorkerActor;
use crate::logic::engine::panic_message;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::{Pool, PoolInput, PoolOutput, Slot};
use crate::logic::trial::{PoolFact, PoolOrder};
use crate::ports::backend::{Backend, FactSink, WorkerStart};
use crate::ports::store::Store;

/// Owns the [`Pool`] and the backend.
pub(super) struct WorkerSupervisor {
    pool: Pool,
    backend: Box<dyn Backend>,
    store: Arc<dyn Store>,
    controller: Recipient<ToController>,
    clock: Clock,
    alarm: Alarm,
    workers: HashMap<WorkerId, Addr<WorkerActor>>,
    /// Trials that wait for an answer.
    asking: HashMap<TrialId, Recipient<PoolSaid>>,
    /// Trials that have had theirs, for the case that they ask again under the same ticket.
    tenants: HashMap<LeaseId, (TrialId, Recipient<PoolSaid>)>,
}

impl Actor for WorkerSupervisor {
    type Context = Context<Self>;
}

impl WorkerSupervisor {
    pub(super) fn new(
        pool: Pool,
        backend: Box<dyn Backend>,
        store: Arc<dyn Store>,
        controller: Recipient<ToController>,
        clock: Clock,
    ) -> Self {
        Self {
            pool,
            backend,
            store,
            controller,
            clock,
            alarm: Alarm::default(),
            workers: HashMap::new(),
            asking: HashMap::new(),
            tenants: HashMap::new(),
        }
    }

    fn feed(&mut self, input: PoolInput, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let mut inputs = vec![input];
        // Carrying out what the pool says can only bring spawns that failed.
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.pool.on(input, now, &mut out);
            for said in out {
                inputs.extend(self.carry_out(said, ctx));
            }
        }
        self.alarm.set(self.pool.deadline(), now, ctx, |supervisor: &mut Self, ctx| {
            supervisor.alarm.rang();
            supervisor.feed(PoolInput::Tick, ctx);
        });
    }

    fn carry_out(&mut self, said: PoolOutput, ctx: &mut Context<Self>) -> Option<PoolInput> {
        match said {
            PoolOutput::Spawn { worker, slot } => {
                return self.spawn(worker, slot, ctx).err().map(|fault| PoolInput::SpawnFailed(worker, fault));
            }
            PoolOutput::Tell(trial, fact) => self.tell(trial, fact),
            PoolOutput::Release { worker, lease } => self.to_worker(worker, ToWorker::Release(lease)),
            PoolOutput::Shutdown(worker) => self.to_worker(worker, ToWorker::Shutdown),
            PoolOutput::Kill(worker) => self.to_worker(worker, ToWorker::Kill),
            PoolOutput::Closed => post(&self.controller, ToController::PoolClosed),
        }
        None
    }

    fn spawn(&mut self, worker: WorkerId, slot: Arc<Slot>, ctx: &mut Context<Self>) -> Result<(), Fault> {
        let context = Context::<WorkerActor>::new();
        let address = context.address();
        let facts = FactSink::new(move |said| post_to(&address, Heard(said)));
        let start = WorkerStart { worker, slot, facts, store: self.store.clone() };
        let handle = catch_unwind(AssertUnwindSafe(|| self.backend.spawn(start))).unwrap_or_else(|payload| {
            let message = format!("the backend panicked: {}", panic_message(payload.as_ref()));
            Err(Fault::new(FailureKind::SetupFailed, message))
        })?;
        let actor = context.run(WorkerActor {
            id: worker,
            handle,
            supervisor: ctx.address().recipient(),
            controller: self.controller.clone(),
            tenant: None,
            over: None,
        });
        self.workers.insert(worker, actor);
        Ok(())
    }

    fn tell(&mut self, trial: TrialId, fact: PoolFact) {
        if let PoolFact::Lost { lease } = fact {
            let tenant = self.tenants.remove(&lease);
            return tenant.iter().for_each(|(_, tenant)| post(tenant, PoolSaid { fact: fact.clone(), worker: None }));
        }
        let Some(asker) = self.asking.remove(&trial) else { return };
        match &fact {
            PoolFact::Granted { lease, worker, .. } => {
                let Some(worker) = self.workers.get(worker) else {
                    // Its spawn failed in this very step: the refusal follows.
                    self.asking.insert(trial, asker);
                    return;
                };
                let worker = Some(worker.clone().recipient());
                self.tenants.insert(*lease, (trial, asker.clone()));
                post(&asker, PoolSaid { fact, worker });
            }
            PoolFact::Refused { .. } | PoolFact::Lost { .. } => post(&asker, PoolSaid { fact, worker: None }),
        }
    }

    fn to_worker(&self, worker: WorkerId, message: ToWorker) {
        if let Some(address) = self.workers.get(&worker) {
            post_to(address, message);
        }
    }

    /// Keeps the addresses of those who wait for a word, and of nobody else.
    fn remember(&mut self, order: &PoolOrder, reply: Option<Recipient<PoolSaid>>) {
        match order {
            PoolOrder::Acquire { trial, .. } => {
                self.asking.extend(reply.map(|reply| (*trial, reply)));
            }
            PoolOrder::Cancel { trial, .. } => {
                // Granted in the meantime, perhaps.
                if self.asking.remove(trial).is_none() {
                    self.tenants.retain(|_, (tenant, _)| tenant != trial);
                }
            }
            PoolOrder::Replace { lease } => self.asking.extend(self.tenants.remove(lease)),
            PoolOrder::Release { lease, .. } | PoolOrder::Discard { lease } => {
                self.tenants.remove(lease);
            }
        }
    }
}

impl Handler<ToPool> for WorkerSupervisor {
    type Result = ();

    fn handle(&mut self, ToPool { order, reply }: ToPool, ctx: &mut Context<Self>) {
        self.remember(&order, reply);
        self.feed(PoolInput::Order(order), ctx);
    }
}

impl Handler<ToSupervisor> for WorkerSupervisor {
    type Result = ();

    fn handle(&mut self, message: ToSupervisor, ctx: &mut Context<Self>) {
        match message {
            ToSupervisor::Demand(demand) => self.feed(PoolInput::Demand(demand), ctx),
            ToSupervisor::WithdrawGpu(gpu) => self.feed(PoolInput::WithdrawGpu(gpu), ctx),
            ToSupervisor::Hold => self.feed(PoolInput::Hold, ctx),
            ToSupervisor::Proceed => self.feed(PoolInput::Proceed, ctx),
            ToSupervisor::Close { by } => {
                if let Some(by) = by {
                    self.feed(PoolInput::Limit(by), ctx);
                }
                self.feed(PoolInput::Close, ctx);
            }
        }
    }
}

impl Handler<WorkerNews> for WorkerSupervisor {
    type Result = ();

    fn handle(&mut self, news: WorkerNews, ctx: &mut Context<Self>) {
        let input = match news {
            WorkerNews::Released(worker) => PoolInput::Released(worker),
            WorkerNews::Gone(worker) => {
                self.workers.remove(&worker);
                PoolInput::Gone(worker)
            }
            WorkerNews::Abandoned(worker) => PoolInput::Abandoned(worker),
        };
        self.feed(input, ctx);
    }
}

impl Handler<InspectPool> for WorkerSupervisor {
    type Result = actix::MessageResult<InspectPool>;

    fn handle(&mut self, InspectPool { trial }: InspectPool, _: &mut Context<Self>) -> Self::Result {
        actix::MessageResult(PoolStatus {
            total: self.pool.total().clone(),
            withdrawn_gpus: self.pool.withdrawn_gpus().clone(),
            free: self.pool.free().clone(),
            counts: self.pool.counts(),
            why: trial.and_then(|trial| self.pool.why_waiting(trial)),
        })
    }
}
