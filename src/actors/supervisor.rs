//! The actor that owns the pool: it spawns workers, hands them out, takes them back, and sees them end.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Recipient};

use super::clock::{Alarm, Clock};
use super::defect::guarded;
use super::messages::{FromPool, InspectPool, ToController, ToPool, ToSupervisor, ToWorker, WorkerNews};
use super::send::{send, send_to, tell_of_worker};
use super::share::{Host, Share, UNCAPPED};
use super::worker::WorkerActor;
use crate::logic::api::PoolStatus;
use crate::logic::engine::panic_message;
use crate::logic::event::WorkerChange;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::{Pool, PoolInput, PoolOutput, Slot};
use crate::logic::trial::{PoolFact, PoolOrder};
use crate::ports::backend::Backend;
use crate::ports::elsewhere::Elsewhere;
use crate::ports::store::Store;

/// Owns the [`Pool`] and the backend.
pub(super) struct WorkerSupervisor {
    pub(super) pool: Pool,
    backend: Box<dyn Backend>,
    pub(super) store: Arc<dyn Store>,
    /// Lets workers join, if they may.
    pub(super) elsewhere: Option<Box<dyn Elsewhere>>,
    pub(super) controller: Recipient<ToController>,
    clock: Clock,
    alarm: Alarm,
    pub(super) workers: HashMap<WorkerId, Addr<WorkerActor>>,
    /// Trials that wait for an answer.
    asking: HashMap<TrialId, Recipient<FromPool>>,
    /// Trials that have had theirs, for the case that they ask again under the same ticket.
    tenants: HashMap<LeaseId, (TrialId, Recipient<FromPool>)>,
    course: Course,
    /// Its part in the host that it shares with other runs.
    share: Option<Share>,
    out: Vec<PoolOutput>,
}

/// Whether the pool still decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Running,
    /// The run has come to a bad end, and all workers are being ended.
    BreakingOff,
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
            elsewhere: None,
            controller,
            clock,
            alarm: Alarm::default(),
            workers: HashMap::new(),
            asking: HashMap::new(),
            tenants: HashMap::new(),
            course: Course::Running,
            share: None,
            out: Vec::new(),
        }
    }

    /// The same, in a host that it shares with others.
    pub(super) fn sharing(mut self, host: Option<Host>, ctx: &mut Context<Self>) -> Self {
        let (share, first) = host.map(|host| Share::join(host, ctx.address())).unzip();
        if let Some(first) = first.flatten() {
            // Nobody waits yet.
            self.pool.on(first, self.clock.now(), &mut self.out);
        }
        self.share = share;
        self
    }

    /// Gives the pool an input, unless the run has come to a bad end before.
    fn feed(&mut self, input: PoolInput, ctx: &mut Context<Self>) {
        self.attempt(ctx, |supervisor, ctx| supervisor.step(input, ctx));
    }

    fn attempt(&mut self, ctx: &mut Context<Self>, call: impl FnOnce(&mut Self, &mut Context<Self>)) {
        if self.course == Course::BreakingOff {
            return;
        }
        if let Err(defect) = guarded("the supervisor", || call(self, ctx)) {
            send(&self.controller, ToController::Defect(defect));
            self.end_workers(ctx);
        }
    }

    /// Ends all workers without the pool, which may be broken.
    fn end_workers(&mut self, ctx: &mut Context<Self>) {
        if self.course == Course::BreakingOff {
            return;
        }
        self.course = Course::BreakingOff;
        self.workers.values().for_each(|worker| send_to(worker, ToWorker::Shutdown));
        ctx.run_later(self.pool.grace(), |supervisor, _| {
            supervisor.workers.values().for_each(|worker| send_to(worker, ToWorker::Kill));
        });
        self.closed_if_all_are_gone();
    }

    fn closed_if_all_are_gone(&self) {
        if self.workers.is_empty() {
            send(&self.controller, ToController::PoolClosed);
        }
    }

    fn step(&mut self, input: PoolInput, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let (mut out, mut next, mut failed) = (std::mem::take(&mut self.out), Some(input), Vec::new());
        while let Some(input) = next {
            self.pool.on(input, now, &mut out);
            for said in out.drain(..) {
                // Carrying out what the pool says can only bring spawns that failed.
                failed.extend(self.carry_out(said, ctx));
            }
            next = failed.pop();
        }
        self.out = out;
        if let Some(share) = &mut self.share {
            share.tell(&self.pool);
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
            PoolOutput::Admit { worker, join, slot } => return self.admit(worker, join, slot, ctx),
            PoolOutput::Reject(join) => self.elsewhere.iter_mut().for_each(|elsewhere| elsewhere.reject(join)),
            PoolOutput::Want { shape, workers } => {
                self.elsewhere.iter_mut().for_each(|elsewhere| elsewhere.want(shape.clone(), workers));
            }
            PoolOutput::Tell(trial, fact) => self.tell(trial, fact),
            PoolOutput::Release { worker, lease } => self.to_worker(worker, ToWorker::Release(lease)),
            PoolOutput::Shutdown(worker) => {
                if let Some(why) = self.pool.stop_cause(worker) {
                    self.say_who_follows(worker, why);
                    tell_of_worker(&self.controller, worker, WorkerChange::Stopping { why });
                }
                self.to_worker(worker, ToWorker::Shutdown);
            }
            PoolOutput::Kill(worker) => {
                if let Some(why) = self.pool.stop_cause(worker) {
                    self.say_who_follows(worker, why);
                }
                tell_of_worker(&self.controller, worker, WorkerChange::Killed);
                self.to_worker(worker, ToWorker::Kill);
            }
            PoolOutput::Closed => send(&self.controller, ToController::PoolClosed),
        }
        None
    }

    fn spawn(&mut self, worker: WorkerId, slot: Arc<Slot>, ctx: &mut Context<Self>) -> Result<(), Fault> {
        self.begin(worker, &slot, ctx, |supervisor, start| {
            catch_unwind(AssertUnwindSafe(|| supervisor.backend.spawn(start))).unwrap_or_else(|payload| {
                let message = format!("the backend panicked: {}", panic_message(payload.as_ref()));
                Err(Fault::new(FailureKind::SetupFailed, message))
            })
        })
    }

    fn tell(&mut self, trial: TrialId, fact: PoolFact) {
        if let PoolFact::Lost { lease } = fact {
            let tenant = self.tenants.remove(&lease);
            return tenant.iter().for_each(|(_, tenant)| send(tenant, FromPool { fact: fact.clone(), worker: None }));
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
                send(&asker, FromPool { fact, worker });
            }
            PoolFact::Refused { .. } | PoolFact::Lost { .. } => send(&asker, FromPool { fact, worker: None }),
        }
    }

    fn to_worker(&self, worker: WorkerId, message: ToWorker) {
        if let Some(address) = self.workers.get(&worker) {
            send_to(address, message);
        }
    }

    /// Keeps the addresses of those who wait for a word, and of nobody else.
    fn remember(&mut self, order: &PoolOrder, reply: Option<Recipient<FromPool>>) {
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
        self.attempt(ctx, |supervisor, ctx| {
            supervisor.remember(&order, reply);
            supervisor.step(PoolInput::Order(order), ctx);
        });
    }
}

impl Handler<ToSupervisor> for WorkerSupervisor {
    type Result = ();

    fn handle(&mut self, message: ToSupervisor, ctx: &mut Context<Self>) {
        match message {
            ToSupervisor::Demand(demand) => self.feed(PoolInput::Demand(demand), ctx),
            ToSupervisor::WithdrawGpu(gpu) => self.feed(PoolInput::WithdrawGpu(gpu), ctx),
            ToSupervisor::Resize(total) => self.attempt(ctx, |supervisor, ctx| {
                supervisor.backend.set_resources(&total);
                if supervisor.share.as_ref().is_some_and(Share::ends_with_detection) {
                    supervisor.share = None;
                    supervisor.step(UNCAPPED, ctx);
                }
                supervisor.step(PoolInput::Resize(total), ctx);
            }),
            ToSupervisor::Allowed(allowed) => {
                if let Some(input) = self.share.as_mut().and_then(|share| share.hear(allowed)) {
                    self.feed(input, ctx);
                }
            }
            ToSupervisor::Elsewhere(news) => self.feed(news.into(), ctx),
            ToSupervisor::ExpectBack(trials) => {
                if let Some(elsewhere) = &self.elsewhere {
                    let until = self.clock.now() + elsewhere.waits_for_returning();
                    self.feed(PoolInput::Expect { trials, until }, ctx);
                }
            }
            ToSupervisor::Hold => self.feed(PoolInput::Hold, ctx),
            ToSupervisor::Proceed => self.feed(PoolInput::Proceed, ctx),
            ToSupervisor::Close { by } => {
                if let Some(by) = by {
                    self.feed(PoolInput::Limit(by), ctx);
                }
                self.feed(PoolInput::Close, ctx);
            }
            ToSupervisor::EndWorkers => self.end_workers(ctx),
            #[cfg(feature = "testing")]
            ToSupervisor::Panic => self.attempt(ctx, |_, _| panic!("a test asked for it")),
        }
    }
}

impl Handler<WorkerNews> for WorkerSupervisor {
    type Result = ();

    fn handle(&mut self, news: WorkerNews, ctx: &mut Context<Self>) {
        if let (Course::BreakingOff, WorkerNews::Gone(worker) | WorkerNews::Abandoned(worker)) = (self.course, news) {
            self.workers.remove(&worker);
            return self.closed_if_all_are_gone();
        }
        let input = match news {
            WorkerNews::Released(worker) => PoolInput::Released(worker),
            WorkerNews::Gone(worker) => {
                self.workers.remove(&worker);
                // One that was given up may end when the run is over.
                if self.pool.knows(worker) {
                    tell_of_worker(&self.controller, worker, WorkerChange::Gone);
                }
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
            cap: self.pool.cap().cloned(),
            free: self.pool.free().clone(),
            counts: self.pool.counts(),
            workers: self.pool.totals(),
            why: trial.and_then(|trial| self.why_waiting(trial)),
            elsewhere: self.joined(),
        })
    }
}
