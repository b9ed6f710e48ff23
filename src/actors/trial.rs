//! The actor of one trial: it carries messages between its machine and the others.

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient};

use super::clock::Clock;
use super::defect::guarded;
#[cfg(feature = "testing")]
use super::messages::Panic;
use super::messages::{FromPool, FromWorker, ToController, ToPool, ToTrial, ToWorker};
use super::send::send;
use crate::logic::trial::{Handled, PoolFact, PoolOrder, Trial, TrialInput, TrialOutput};

/// Runs one [`Trial`].
pub(super) struct TrialActor {
    pub(super) trial: Trial,
    pub(super) clock: Clock,
    pub(super) controller: Recipient<ToController>,
    pub(super) pool: Recipient<ToPool>,
    pub(super) worker: Option<Recipient<ToWorker>>,
    pub(super) out: Vec<TrialOutput>,
}

impl Actor for TrialActor {
    type Context = Context<Self>;
}

impl TrialActor {
    /// Gives the trial an input. A panic ends the run, and this actor first.
    fn feed(&mut self, input: TrialInput, ctx: &mut Context<Self>) {
        self.attempt(ctx, |actor, ctx| actor.step(input, ctx));
    }

    fn attempt(&mut self, ctx: &mut Context<Self>, call: impl FnOnce(&mut Self, &mut Context<Self>)) {
        if let Err(defect) = guarded("the actor of a trial", || call(self, ctx)) {
            send(&self.controller, ToController::Defect(defect));
            ctx.stop();
        }
    }

    fn step(&mut self, input: TrialInput, ctx: &mut Context<Self>) {
        let mut out = std::mem::take(&mut self.out);
        match self.trial.on(input, self.clock.now(), &mut out) {
            Handled::Done => {}
            Handled::Stale => send(&self.controller, ToController::Dropped),
            Handled::Refused(refusal) => {
                log::warn!("trial {}: {refusal}", self.trial.id());
                send(&self.controller, ToController::Dropped);
            }
        }
        for said in out.drain(..) {
            self.say(said, ctx);
        }
        self.out = out;
    }

    fn say(&mut self, said: TrialOutput, ctx: &mut Context<Self>) {
        match said {
            TrialOutput::Engine(fact) => send(&self.controller, ToController::Trial(self.trial.id(), fact)),
            TrialOutput::Pool(order) => {
                let wants_answer = matches!(order, PoolOrder::Acquire { .. });
                let reply = wants_answer.then(|| ctx.address().recipient());
                send(&self.pool, ToPool { order, reply });
            }
            TrialOutput::Worker(lease, order) => {
                if let Some(worker) = &self.worker {
                    send(worker, ToWorker::Order(lease, order));
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
            #[cfg(feature = "testing")]
            ToTrial::Panic(Panic::Worker(_)) => self.worker.iter().for_each(|worker| send(worker, ToWorker::Panic)),
            #[cfg(feature = "testing")]
            ToTrial::Panic(_) => self.attempt(ctx, |_, _| panic!("a test asked for it")),
        }
    }
}

impl Handler<FromPool> for TrialActor {
    type Result = ();

    fn handle(&mut self, FromPool { fact, worker }: FromPool, ctx: &mut Context<Self>) {
        // The worker learns of its lease before the first order under it.
        if let (PoolFact::Granted { lease, .. }, Some(worker)) = (&fact, worker) {
            let reply = ctx.address().recipient();
            send(&worker, ToWorker::Lease { lease: *lease, trial: self.trial.id(), reply });
            self.worker = Some(worker);
        }
        self.feed(TrialInput::Pool(fact), ctx);
    }
}

impl Handler<FromWorker> for TrialActor {
    type Result = ();

    fn handle(&mut self, FromWorker { lease, fact }: FromWorker, ctx: &mut Context<Self>) {
        self.feed(TrialInput::Worker(lease, fact), ctx);
    }
}
