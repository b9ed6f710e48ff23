//! The actor of one trial: it carries messages between its machine and the others.

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient};

use super::clock::Clock;
use super::messages::{PoolSaid, ToController, ToPool, ToTrial, ToWorker, WorkerSaid};
use super::post::post;
use crate::logic::trial::{Handled, PoolFact, PoolOrder, Trial, TrialInput, TrialOutput};

/// Runs one [`Trial`].
pub(super) struct TrialActor {
    pub(super) trial: Trial,
    pub(super) clock: Clock,
    pub(super) controller: Recipient<ToController>,
    pub(super) pool: Recipient<ToPool>,
    pub(super) worker: Option<Recipient<ToWorker>>,
}

impl Actor for TrialActor {
    type Context = Context<Self>;
}

impl TrialActor {
    fn feed(&mut self, input: TrialInput, ctx: &mut Context<Self>) {
        let mut out = Vec::new();
        match self.trial.on(input, self.clock.now(), &mut out) {
            Handled::Done => {}
            Handled::Stale => post(&self.controller, ToController::Dropped),
            Handled::Refused(refusal) => {
                log::warn!("trial {}: {refusal}", self.trial.id());
                post(&self.controller, ToController::Dropped);
            }
        }
        for said in out {
            self.say(said, ctx);
        }
    }

    fn say(&mut self, said: TrialOutput, ctx: &mut Context<Self>) {
        match said {
            TrialOutput::Engine(fact) => post(&self.controller, ToController::Trial(self.trial.id(), fact)),
            TrialOutput::Pool(order) => {
                let wants_answer = matches!(order, PoolOrder::Acquire { .. });
                let reply = wants_answer.then(|| ctx.address().recipient());
                post(&self.pool, ToPool { order, reply });
            }
            TrialOutput::Worker(lease, order) => {
                if let Some(worker) = &self.worker {
                    post(worker, ToWorker::Order(lease, order));
                }
            }
        }
    }
}

impl Handler<ToTrial> for TrialActor {
    type Result = ();

    fn handle(&mut self, message: ToTrial, ctx: &mut Context<Self>) {
        match message {
            ToTrial::Order(order) => self.feed(TrialInput::Order(order), ctx),
            ToTrial::Retire => ctx.stop(),
        }
    }
}

impl Handler<PoolSaid> for TrialActor {
    type Result = ();

    fn handle(&mut self, PoolSaid { fact, worker }: PoolSaid, ctx: &mut Context<Self>) {
        // The worker learns of its lease before the first order under it.
        if let (PoolFact::Granted { lease, .. }, Some(worker)) = (&fact, worker) {
            let reply = ctx.address().recipient();
            post(&worker, ToWorker::Lease { lease: *lease, trial: self.trial.id(), reply });
            self.worker = Some(worker);
        }
        self.feed(TrialInput::Pool(fact), ctx);
    }
}

impl Handler<WorkerSaid> for TrialActor {
    type Result = ();

    fn handle(&mut self, WorkerSaid { lease, fact }: WorkerSaid, ctx: &mut Context<Self>) {
        self.feed(TrialInput::Worker(lease, fact), ctx);
    }
}
