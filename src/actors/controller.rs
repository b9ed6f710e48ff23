//! The actor that owns the engine. Its address is what an actix application holds to control a run.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use futures::channel::oneshot;

use super::clock::{Alarm, Clock};
use super::keeper::{Brought, Keeper};
use super::launch::RunEnd;
use super::messages::{Drain, Order, ToController, ToSupervisor, ToTrial};
use super::post::post_to;
use super::supervisor::WorkerSupervisor;
use super::trial::TrialActor;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{ClientOrder, Engine, EngineInput, EngineOutput, Errand, OrderError, Watched};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::TrialId;
use crate::logic::pool::Demand;
use crate::logic::time::Moment;
use crate::logic::trial::{Trial, TrialFact, TrialSettings};
use crate::ports::journal::{Journal, JournalNotice};
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
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    alarm: Alarm,
    trials: HashMap<TrialId, Addr<TrialActor>>,
    pub(super) supervisor: Addr<WorkerSupervisor>,
    settings: Arc<TrialSettings>,
    audience: Box<dyn Audience>,
    forget: Box<dyn FnMut(CheckpointId) + Send>,
    pub(super) keeper: Keeper,
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
    pub(super) journal: Option<Box<dyn Journal>>,
    pub(super) done: oneshot::Sender<RunEnd>,
}

impl Controller {
    pub(super) fn new(engine: Engine, clock: Clock, neighbours: Neighbours) -> Self {
        let Neighbours { supervisor, settings, audience, forget, journal, done } = neighbours;
        let marks = engine.recalled().marks;
        Self {
            engine,
            clock,
            alarm: Alarm::default(),
            trials: HashMap::new(),
            supervisor,
            settings,
            audience,
            forget,
            keeper: Keeper::new(journal, marks),
            done: Some(done),
            out: Vec::new(),
        }
    }

    fn feed(&mut self, input: EngineInput, ctx: &mut Context<Self>) {
        self.with_engine(ctx, |engine, now, out| engine.on(input, now, out));
    }

    /// A trial's fact, unless it has to wait for the journal.
    fn feed_fact(&mut self, trial: TrialId, fact: TrialFact, ctx: &mut Context<Self>) {
        if let Some((trial, fact)) = self.keeper.hold(trial, fact) {
            self.feed(EngineInput::Trial(trial, fact), ctx);
        }
    }

    fn feed_waiting(&mut self, ctx: &mut Context<Self>) {
        while let Some((trial, fact)) = self.keeper.next_result() {
            self.feed(EngineInput::Trial(trial, fact), ctx);
        }
    }

    fn on_journal(&mut self, notice: JournalNotice, ctx: &mut Context<Self>) {
        match notice {
            JournalNotice::Stalled(why) => {
                self.keeper.stalled(&why);
                let message = format!("the journal can't be written, so no results are processed: {why}");
                log::warn!("{message}");
                self.feed(EngineInput::Notice(EventKind::Warning { message }), ctx);
            }
            JournalNotice::Recovered => {
                if self.keeper.held().is_some() {
                    self.keeper.release();
                    let message = "the journal can be written again, and the run goes on".to_owned();
                    log::warn!("{message}");
                    self.feed(EngineInput::Notice(EventKind::Warning { message }), ctx);
                }
                self.feed_waiting(ctx);
            }
            JournalNotice::NotCompacted(why) => {
                let message = format!("there is no new snapshot of the journal: {why}");
                self.feed(EngineInput::Notice(EventKind::Warning { message }), ctx);
            }
            JournalNotice::Grown => {
                let wait = self.keeper.snapshot_in(self.clock.now());
                if wait.is_zero() {
                    self.snapshot();
                } else {
                    ctx.run_later(wait, |controller: &mut Self, _| controller.snapshot());
                }
            }
        }
    }

    fn snapshot(&mut self) {
        let began = self.clock.now();
        let parts = self.engine.part_states();
        let now = self.clock.now();
        if let Some(mark) = self.keeper.snapshot(parts, now, now.since(began)) {
            self.audience.save(mark);
        }
    }

    fn with_engine<R>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R,
    ) -> R {
        let now = self.clock.now();
        let watched = !self.audience.is_empty() || !self.keeper.is_empty();
        self.engine.watched(if watched { Watched::Yes } else { Watched::No });
        let mut out = std::mem::take(&mut self.out);
        let answer = call(&mut self.engine, now, &mut out);
        if watched {
            let brought = self.sort(&mut out, now);
            if let Some(brought) = self.keeper.step(brought, &ctx.address()) {
                self.carry_out(brought, ctx);
            }
            if !self.engine.is_open() {
                self.wait_no_more(ctx);
            }
        } else {
            // Nobody hears of anything, and nothing is written down.
            out.drain(..).for_each(|said| self.carry_out_one(said, ctx));
        }
        self.out = out;
        self.alarm.set(self.engine.deadline(), now, ctx, |controller: &mut Self, ctx| {
            controller.alarm.rang();
            controller.feed(EngineInput::Tick, ctx);
        });
        answer
    }

    /// Events on one side, with the news of observers that were disabled; everything else on the other.
    fn sort(&mut self, out: &mut Vec<EngineOutput>, at: Moment) -> Brought {
        let (mut events, mut said) = (Vec::new(), Vec::new());
        for output in out.drain(..) {
            match output {
                EngineOutput::Event(event) => events.push(event),
                other => said.push(other),
            }
        }
        if !events.is_empty() {
            for fault in self.audience.take_faults() {
                log::warn!("{fault}");
                events.push(ExperimentEvent { at, kind: EventKind::Warning { message: fault.to_string() } });
            }
        }
        Brought { said, events: events.into() }
    }

    fn carry_out(&mut self, Brought { said, events }: Brought, ctx: &mut Context<Self>) {
        let over = matches!(events.last().map(|event| &event.kind), Some(EventKind::Finished { .. }));
        if !events.is_empty() {
            self.audience.publish(events);
        }
        if over {
            self.last_words();
        }
        said.into_iter().for_each(|said| self.carry_out_one(said, ctx));
    }

    /// Observers are asked for their states, and a journal that is long becomes a snapshot.
    fn last_words(&mut self) {
        if self.keeper.is_worth_a_snapshot() {
            self.snapshot();
        } else if let Some(mark) = self.keeper.mark() {
            self.audience.save(mark);
        }
    }

    /// The run is ending: it doesn't wait for a journal that can't be written.
    fn wait_no_more(&mut self, ctx: &mut Context<Self>) {
        if self.keeper.held().is_none() {
            return;
        }
        for brought in self.keeper.give_up() {
            self.carry_out(brought, ctx);
        }
        // The results that have waited, as messages of their own, so that this one comes to its end.
        ctx.notify(ToController::Journal(JournalNotice::Recovered));
    }

    /// Has the searcher think on a thread of its own, which comes to its end with the suggestion.
    fn ask(&self, errand: Errand, ctx: &Context<Self>) {
        let (asked, controller) = (errand.clone(), ctx.address());
        let think = move || {
            asked.run();
            post_to(&controller, ToController::Suggested(asked));
        };
        if let Err(error) = std::thread::Builder::new().name("tryout-searcher".to_owned()).spawn(think) {
            log::warn!("the searcher gets no thread of its own ({error}): the run waits while it thinks");
            errand.run();
            post_to(&ctx.address(), ToController::Suggested(errand));
        }
    }

    fn carry_out_one(&mut self, said: EngineOutput, ctx: &mut Context<Self>) {
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
            EngineOutput::Ask(errand) => self.ask(errand, ctx),
            EngineOutput::Retire(trial) => {
                if let Some(address) = self.trials.remove(&trial) {
                    post_to(&address, ToTrial::Retire);
                }
            }
            EngineOutput::Forget(checkpoint) => self.forget(checkpoint),
            // They are sorted out before.
            EngineOutput::Event(_) => {}
            EngineOutput::Hold(why) => {
                log::warn!("no trial is launched any more until a client says `proceed`: {why}");
                post_to(&self.supervisor, ToSupervisor::Hold);
            }
            EngineOutput::WithdrawGpu { gpu, trials, fault } => {
                log::warn!("GPU {gpu} is out of service: {trials} trials in a row failed on it, the last with {fault}");
                post_to(&self.supervisor, ToSupervisor::WithdrawGpu(gpu));
            }
            EngineOutput::Proceed => post_to(&self.supervisor, ToSupervisor::Proceed),
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

    fn forget(&mut self, checkpoint: CheckpointId) {
        if let Some(checkpoint) = self.keeper.forget(checkpoint) {
            (self.forget)(checkpoint);
        }
    }
}

impl Handler<ToController> for Controller {
    type Result = ();

    fn handle(&mut self, message: ToController, ctx: &mut Context<Self>) {
        let input = match message {
            ToController::Begin => EngineInput::Begin,
            ToController::Trial(trial, fact) => return self.feed_fact(trial, fact, ctx),
            ToController::Acknowledged => {
                if let Some(brought) = self.keeper.acknowledged() {
                    self.carry_out(brought, ctx);
                }
                return;
            }
            ToController::Journal(notice) => return self.on_journal(notice, ctx),
            ToController::Suggested(errand) => EngineInput::Returned(errand),
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
