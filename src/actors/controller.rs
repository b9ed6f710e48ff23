//! The actor that owns the engine. Its address is what an actix application holds to control a run.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler, MessageResult, ResponseFuture};
use futures::channel::oneshot;

use super::clock::{Alarm, Clock};
use super::launch::RunEnd;
use super::messages::{
    Drain, Inspect, InspectPool, InspectTrial, ListTrials, Order, PoolStatus, RunStatus, ToController, ToSupervisor,
    ToTrial, TrialStatus,
};
use super::post::post_to;
use super::supervisor::WorkerSupervisor;
use super::trial::TrialActor;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{ClientOrder, Engine, EngineInput, EngineOutput, OrderError, Watched};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::TrialId;
use crate::logic::pool::Demand;
use crate::logic::schedule::Cohort;
use crate::logic::time::Moment;
use crate::logic::trial::{Status, Trial, TrialSettings};
use crate::ports::observer::Audience;

/// Owns the [`Engine`]: it routes decisions, and answers clients.
///
/// ```no_run
/// # use tryout::prelude::*;
/// use tryout::actors::messages::Inspect;
///
/// # async fn example(experiment: Experiment) -> Result<(), Box<dyn std::error::Error>> {
/// let handle = experiment.start()?;
/// let controller = handle.controller(); // an `actix::Addr<Controller>`
/// let status = controller.send(Inspect).await?;
/// println!("{} running", status.counts[1]);
/// # Ok(()) }
/// ```
pub struct Controller {
    engine: Engine,
    clock: Clock,
    alarm: Alarm,
    trials: HashMap<TrialId, Addr<TrialActor>>,
    supervisor: Addr<WorkerSupervisor>,
    settings: Arc<TrialSettings>,
    audience: Box<dyn Audience>,
    forget: Box<dyn FnMut(CheckpointId) + Send>,
    done: Option<oneshot::Sender<RunEnd>>,
    out: Vec<EngineOutput>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Actor for Controller {
    type Context = Context<Self>;
}

/// What a controller needs besides its engine.
pub(super) struct Neighbours {
    pub(super) supervisor: Addr<WorkerSupervisor>,
    pub(super) settings: Arc<TrialSettings>,
    pub(super) audience: Box<dyn Audience>,
    pub(super) forget: Box<dyn FnMut(CheckpointId) + Send>,
    pub(super) done: oneshot::Sender<RunEnd>,
}

impl Controller {
    pub(super) fn new(engine: Engine, clock: Clock, neighbours: Neighbours) -> Self {
        let Neighbours { supervisor, settings, audience, forget, done } = neighbours;
        Self {
            engine,
            clock,
            alarm: Alarm::default(),
            trials: HashMap::new(),
            supervisor,
            settings,
            audience,
            forget,
            done: Some(done),
            out: Vec::new(),
        }
    }

    fn feed(&mut self, input: EngineInput, ctx: &mut Context<Self>) {
        self.with_engine(ctx, |engine, now, out| engine.on(input, now, out));
    }

    fn with_engine<R>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R,
    ) -> R {
        let now = self.clock.now();
        self.engine.watched(if self.audience.is_empty() { Watched::No } else { Watched::Yes });
        let mut out = std::mem::take(&mut self.out);
        let answer = call(&mut self.engine, now, &mut out);
        let mut events = Vec::new();
        for said in out.drain(..) {
            self.carry_out(said, &mut events, ctx);
        }
        self.out = out;
        self.publish(events, now);
        self.alarm.set(self.engine.deadline(), now, ctx, |controller: &mut Self, ctx| {
            controller.alarm.rang();
            controller.feed(EngineInput::Tick, ctx);
        });
        answer
    }

    fn carry_out(&mut self, said: EngineOutput, events: &mut Vec<ExperimentEvent>, ctx: &mut Context<Self>) {
        match said {
            EngineOutput::Create { trial, config, request, past } => {
                let machine = Trial::new(trial, config, request, self.settings.clone());
                let actor = TrialActor {
                    trial: match past {
                        Some(past) => machine.with_past(*past),
                        None => machine,
                    },
                    clock: self.clock,
                    controller: ctx.address().recipient(),
                    pool: self.supervisor.clone().recipient(),
                    worker: None,
                };
                self.trials.insert(trial, actor.start());
            }
            EngineOutput::Trial(trial, order) => {
                if let Some(address) = self.trials.get(&trial) {
                    post_to(address, ToTrial::Order(order));
                }
            }
            EngineOutput::Retire(trial) => {
                if let Some(address) = self.trials.remove(&trial) {
                    post_to(&address, ToTrial::Retire);
                }
            }
            EngineOutput::Event(event) => events.push(event),
            EngineOutput::DemandClosed => post_to(&self.supervisor, ToSupervisor::Demand(Demand::Closed)),
            EngineOutput::DemandOpened => post_to(&self.supervisor, ToSupervisor::Demand(Demand::Open)),
            EngineOutput::ClosePool { by } => post_to(&self.supervisor, ToSupervisor::Close { by }),
            EngineOutput::Finished(outcome) => {
                if let Some(done) = self.done.take() {
                    let (ledger, totals) = (self.engine.take_ledger(), self.engine.totals());
                    // Nobody waits for the end if the run's thread is being torn down.
                    let _ = done.send(RunEnd { outcome, ledger, totals, took: self.clock.now() });
                }
            }
        }
    }

    /// Hands events over, and with them the news of observers that were disabled.
    fn publish(&mut self, mut events: Vec<ExperimentEvent>, at: Moment) {
        if events.is_empty() {
            return;
        }
        for fault in self.audience.take_faults() {
            log::warn!("{fault}");
            events.push(ExperimentEvent { at, kind: EventKind::Warning { message: fault.to_string() } });
        }
        self.audience.publish(events.into());
    }

    fn status(&self, trial: TrialId) -> Option<TrialStatus> {
        let ledger = self.engine.ledger();
        Some(TrialStatus { record: ledger.get(trial)?.clone(), waiting: ledger.waiting(trial) })
    }
}

impl Handler<ToController> for Controller {
    type Result = ();

    fn handle(&mut self, message: ToController, ctx: &mut Context<Self>) {
        let input = match message {
            ToController::Begin => EngineInput::Begin,
            ToController::Trial(trial, fact) => EngineInput::Trial(trial, fact),
            ToController::Forgotten(checkpoint) => return (self.forget)(checkpoint),
            ToController::Dropped => EngineInput::StaleFact,
            ToController::Noticed(kind) => EngineInput::Notice(kind),
            ToController::PoolClosed => EngineInput::PoolClosed,
        };
        self.feed(input, ctx);
    }
}

impl Handler<Order> for Controller {
    type Result = Result<Option<TrialId>, OrderError>;

    fn handle(&mut self, Order(order): Order, ctx: &mut Context<Self>) -> Self::Result {
        self.with_engine(ctx, |engine, now, out| engine.order(order, now, out))
    }
}

impl Handler<Drain> for Controller {
    type Result = Result<(), OrderError>;

    fn handle(&mut self, Drain(within): Drain, ctx: &mut Context<Self>) -> Self::Result {
        self.with_engine(ctx, |engine, now, out| engine.order(ClientOrder::Drain { by: now + within }, now, out))
            .map(|_| ())
    }
}

impl Handler<Inspect> for Controller {
    type Result = MessageResult<Inspect>;

    fn handle(&mut self, _: Inspect, _: &mut Context<Self>) -> Self::Result {
        let ledger = self.engine.ledger();
        MessageResult(RunStatus {
            now: self.clock.now(),
            counts: Status::ALL.map(|status| ledger.count(status)),
            total: self.engine.expected(),
            totals: self.engine.totals(),
        })
    }
}

impl Handler<InspectTrial> for Controller {
    type Result = MessageResult<InspectTrial>;

    fn handle(&mut self, InspectTrial(trial): InspectTrial, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.status(trial))
    }
}

impl Handler<ListTrials> for Controller {
    type Result = MessageResult<ListTrials>;

    fn handle(&mut self, ListTrials { from, most }: ListTrials, _: &mut Context<Self>) -> Self::Result {
        let run = self.engine.settings().run;
        let numbers = (from..).take(most).take_while(|number| (*number as usize) < self.engine.ledger().len());
        MessageResult(numbers.filter_map(|number| self.status(TrialId::new(run, number))).collect())
    }
}

impl Handler<InspectPool> for Controller {
    type Result = ResponseFuture<PoolStatus>;

    fn handle(&mut self, question: InspectPool, _: &mut Context<Self>) -> Self::Result {
        let supervisor = self.supervisor.clone();
        Box::pin(async move { supervisor.send(question).await.unwrap_or_default() })
    }
}
