//! The actor that owns the engine. Its address is what an actix application holds to control a run.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler};
use futures::channel::oneshot;

use super::awaited::Waiters;
use super::clock::{Alarm, Clock};
use super::defect::{Defect, guarded};
use super::messages::{By, Drain, Order, ToController, ToSupervisor};
#[cfg(feature = "testing")]
use super::messages::{Panic, ToTrial};
use super::send::send_to;
use super::supervisor::WorkerSupervisor;
use super::trial::TrialActor;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{ClientOrder, Engine, EngineInput, EngineOutput, Ledger, OrderError, Totals, Watched};
use crate::logic::event::{EventKind, ExperimentEvent, Outcome, Process};
use crate::logic::gate::{Backlog, GateInput, GateSettings, JournalGate, StepOutput};
use crate::logic::ids::TrialId;
use crate::logic::one_line::OneLine;
use crate::logic::time::Moment;
use crate::logic::trial::TrialSettings;
use crate::ports::journal::Journal;
use crate::ports::observer::Audience;

/// Owns the [`Engine`] and its [`JournalGate`]: it routes decisions, and answers clients.
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
    pub(super) engine: Engine,
    pub(super) gate: JournalGate,
    pub(super) journal: Option<Box<dyn Journal>>,
    pub(super) clock: Clock,
    alarm: Alarm,
    snapshot_alarm: Alarm,
    pub(super) trials: HashMap<TrialId, Addr<TrialActor>>,
    pub(super) supervisor: Addr<WorkerSupervisor>,
    pub(super) settings: Arc<TrialSettings>,
    pub(super) audience: Box<dyn Audience>,
    pub(super) delete: Box<dyn FnMut(CheckpointId) + Send>,
    pub(super) done: Option<oneshot::Sender<RunEnd>>,
    /// This process, if its workers are in it.
    pub(super) here: Option<Arc<Process>>,
    /// What was known when an actor panicked. Nothing is decided any more; the end waits for the workers.
    broken: Option<RunEnd>,
    out: Vec<EngineOutput>,
    pub(super) waiters: Waiters,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Drop for Controller {
    /// The last resort: a panic that nothing guards loses no record.
    fn drop(&mut self) {
        let Some(done) = self.done.take() else { return };
        let end = self.broken.take().unwrap_or_else(|| {
            let message = "it ended without a word".to_owned();
            self.end(Err(Defect { actor: "the controller", message }))
        });
        let _ = done.send(end);
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
    pub(super) delete: Box<dyn FnMut(CheckpointId) + Send>,
    pub(super) journal: Option<Box<dyn Journal>>,
    pub(super) done: oneshot::Sender<RunEnd>,
    /// This process, if its workers are in it.
    pub(super) here: Option<Arc<Process>>,
}

/// What is left of a run.
#[derive(Debug)]
pub struct RunEnd {
    /// How it ended, or the defect that ended it.
    pub outcome: Result<Outcome, Defect>,
    /// All trials.
    pub ledger: Ledger,
    /// Numbers over the whole run.
    pub totals: Totals,
    /// How long it took.
    pub took: Moment,
}

impl Controller {
    pub(super) fn new(engine: Engine, clock: Clock, neighbours: Neighbours) -> Self {
        let Neighbours { supervisor, settings, audience, delete, journal, done, here } = neighbours;
        let gate = journal.as_ref().map(|journal| GateSettings::new(journal.ahead()));
        Self {
            gate: JournalGate::new(gate, engine.replayed().marks),
            engine,
            here,
            journal,
            clock,
            alarm: Alarm::default(),
            snapshot_alarm: Alarm::default(),
            trials: HashMap::new(),
            supervisor,
            settings,
            audience,
            delete,
            done: Some(done),
            broken: None,
            out: Vec::new(),
            waiters: Waiters::default(),
        }
    }

    /// Does something with the engine. None if the run has come to a bad end before, or does so now.
    pub(super) fn attempt<R>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut Self, &mut Context<Self>) -> R,
    ) -> Option<R> {
        if self.broken.is_some() {
            return None;
        }
        guarded("the controller", || call(self, ctx)).map_err(|defect| self.break_off(defect)).ok()
    }

    /// An actor panicked: what is known is kept, and all workers are ended.
    pub(super) fn break_off(&mut self, defect: Defect) {
        if self.broken.is_some() || self.done.is_none() {
            return;
        }
        log::error!("{}: the run ends with what is known", OneLine(&defect));
        self.broken = Some(self.end(Err(defect)));
        self.trials.clear();
        send_to(&self.supervisor, ToSupervisor::EndWorkers);
    }

    pub(super) fn end(&mut self, outcome: Result<Outcome, Defect>) -> RunEnd {
        let (ledger, totals) = (self.engine.take_ledger(), self.engine.totals());
        RunEnd { outcome, ledger, totals, took: self.clock.now() }
    }

    /// Gives the engine an input, and then all facts that have waited for the journal and needn't any more.
    fn feed(&mut self, input: EngineInput, ctx: &mut Context<Self>) {
        self.with_engine(ctx, |engine, now, out| engine.on(input, now, out));
    }

    pub(super) fn with_engine<R>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R,
    ) -> R {
        let answer = self.step(ctx, call);
        self.after(ctx);
        answer
    }

    /// What follows every input.
    fn after(&mut self, ctx: &mut Context<Self>) {
        while let Some((trial, fact)) = self.gate.next_fact() {
            self.step(ctx, |engine, now, out| engine.on(EngineInput::Trial(trial, fact), now, out));
        }
        let now = self.clock.now();
        self.alarm.set(self.engine.deadline(), now, ctx, |controller: &mut Self, ctx| {
            controller.alarm.rang();
            controller.attempt(ctx, |controller, ctx| controller.feed(EngineInput::Tick, ctx));
        });
        self.snapshot_alarm.set(self.gate.deadline(), now, ctx, |controller: &mut Self, ctx| {
            controller.snapshot_alarm.rang();
            controller.attempt(ctx, |controller, ctx| controller.feed_gate(GateInput::Tick, ctx));
        });
    }

    /// One step of the engine.
    pub(super) fn step<R>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R,
    ) -> R {
        let now = self.clock.now();
        let watched = !self.audience.is_empty() || self.journal.is_some();
        self.engine.watched(if watched { Watched::Yes } else { Watched::No });
        let mut out = std::mem::take(&mut self.out);
        let answer = call(&mut self.engine, now, &mut out);
        if watched {
            let mut step = StepOutput::sort(&mut out);
            self.add_faults(&mut step, now);
            self.gate(GateInput::Step(step), ctx);
            if !self.engine.is_open() {
                self.gate(GateInput::Ending, ctx);
            }
        } else {
            // Nobody hears of anything, and nothing is written down.
            out.drain(..).for_each(|order| self.carry_out(order, ctx));
        }
        self.out = out;
        self.answer_waiters();
        answer
    }

    /// Observers that were disabled, and who was slow, are heard of with the next events.
    fn add_faults(&mut self, step: &mut StepOutput, at: Moment) {
        if step.events.is_empty() {
            return;
        }
        let faults = self.audience.take_faults().into_iter().map(|fault| fault.to_string());
        for message in faults.chain(self.audience.take_warnings()).collect::<Vec<_>>() {
            log::warn!("{}", OneLine(&message));
            // Nothing follows the end.
            let over = matches!(step.events.last(), Some(last) if matches!(last.kind, EventKind::Finished { .. }));
            let place = step.events.len() - usize::from(over);
            step.events.insert(place, ExperimentEvent { at, kind: EventKind::Warning { message } });
        }
    }

    fn feed_gate(&mut self, input: GateInput, ctx: &mut Context<Self>) {
        self.gate(input, ctx);
        self.after(ctx);
    }

    pub(super) fn gate(&mut self, input: GateInput, ctx: &mut Context<Self>) {
        let (backlog, now) = (self.backlog().unwrap_or_default(), self.clock.now());
        let mut out = Vec::new();
        self.gate.on(input, backlog, now, &mut out);
        out.into_iter().for_each(|output| self.carry_out_gate(output, ctx));
    }

    /// How far the journal is behind.
    pub(super) fn backlog(&self) -> Option<Backlog> {
        self.journal.as_ref().map(|journal| journal.backlog())
    }

    fn on_message(&mut self, message: ToController, ctx: &mut Context<Self>) {
        let input = match message {
            ToController::Begin => EngineInput::Begin,
            ToController::Trial(trial, fact) => match self.gate.admit(trial, fact) {
                Some((trial, fact)) => EngineInput::Trial(trial, fact),
                None => return,
            },
            ToController::Durable(step) => return self.feed_gate(GateInput::Durable(step), ctx),
            ToController::Journal(notice) => return self.feed_gate(GateInput::Journal(notice), ctx),
            ToController::Suggested(task) => EngineInput::Returned(task),
            ToController::Dropped => EngineInput::StaleFact,
            ToController::Noticed(kind) => EngineInput::Notice(kind),
            ToController::Defect(defect) => return self.break_off(defect),
            ToController::PoolClosed => EngineInput::PoolClosed,
        };
        self.feed(input, ctx);
    }
}

impl Handler<ToController> for Controller {
    type Result = ();

    fn handle(&mut self, message: ToController, ctx: &mut Context<Self>) {
        let closed = matches!(message, ToController::PoolClosed);
        if let Some(end) = self.broken.take_if(|_| closed) {
            if let Some(done) = self.done.take() {
                // Nobody waits for the end if the run's thread is being torn down.
                let _ = done.send(end);
            }
        } else {
            self.attempt(ctx, |controller, ctx| controller.on_message(message, ctx));
        }
    }
}

#[cfg(feature = "testing")]
impl Handler<Panic> for Controller {
    type Result = ();

    fn handle(&mut self, target: Panic, ctx: &mut Context<Self>) {
        self.attempt(ctx, |controller, _| match target {
            Panic::Controller => panic!("a test asked for it"),
            Panic::Supervisor => send_to(&controller.supervisor, ToSupervisor::Panic),
            Panic::Trial(trial) | Panic::Worker(trial) => {
                let address = controller.trials.get(&trial);
                address.into_iter().for_each(|address| send_to(address, ToTrial::Panic(target)));
            }
        });
    }
}

impl Handler<Order> for Controller {
    type Result = Result<Option<TrialId>, OrderError>;

    fn handle(&mut self, order: Order, ctx: &mut Context<Self>) -> Self::Result {
        self.handle(By { by: None, order }, ctx)
    }
}

impl Handler<By<Order>> for Controller {
    type Result = Result<Option<TrialId>, OrderError>;

    fn handle(&mut self, By { by, order: Order(order) }: By<Order>, ctx: &mut Context<Self>) -> Self::Result {
        self.attempt(ctx, |controller, ctx| {
            controller.with_engine(ctx, |engine, now, out| engine.order_by(order, by, now, out))
        })
        .unwrap_or(Err(OrderError::Over))
    }
}

impl Handler<Drain> for Controller {
    type Result = Result<(), OrderError>;

    fn handle(&mut self, order: Drain, ctx: &mut Context<Self>) -> Self::Result {
        self.handle(By { by: None, order }, ctx)
    }
}

impl Handler<By<Drain>> for Controller {
    type Result = Result<(), OrderError>;

    fn handle(&mut self, By { by, order: Drain(within) }: By<Drain>, ctx: &mut Context<Self>) -> Self::Result {
        let order = Order(ClientOrder::Drain { by: self.clock.now() + within });
        self.handle(By { by, order }, ctx).map(|_| ())
    }
}
