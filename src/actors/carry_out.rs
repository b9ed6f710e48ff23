//! What the controller does with what its engine and its gate say.

use actix::{Actor, AsyncContext, Context};

use super::controller::Controller;
use super::defect::Defect;
use super::messages::{ToController, ToSupervisor, ToTrial};
use super::send::send_to;
use super::trial::TrialActor;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{EngineInput, EngineOutput, SuggestTask};
use crate::logic::event::EventKind;
use crate::logic::gate::{GateInput, GateOutput};
use crate::logic::ids::TrialId;
use crate::logic::one_line::OneLine;
use crate::logic::pool::Demand;
use crate::logic::trial::{Trial, TrialPast};

impl Controller {
    pub(super) fn carry_out_gate(&mut self, output: GateOutput, ctx: &mut Context<Self>) {
        match output {
            GateOutput::Write(events) => {
                self.journal.iter_mut().for_each(|journal| journal.step(events.clone()));
            }
            GateOutput::Sync(step) => {
                let controller = ctx.address();
                self.sync(move || send_to(&controller, ToController::Durable(step)));
            }
            GateOutput::Publish(events) => self.audience.publish(events),
            GateOutput::CarryOut(orders) => orders.into_iter().for_each(|order| self.carry_out(order, ctx)),
            GateOutput::Mark(mark) => self.mark(mark),
            GateOutput::Snapshot(mark) => self.snapshot(mark, ctx),
            GateOutput::Warn(message) => {
                log::warn!("{}", OneLine(&message));
                let notice = EngineInput::Notice(EventKind::Warning { message });
                self.step(ctx, |engine, now, out| engine.on(notice, now, out));
            }
            GateOutput::BreakOff(message) => self.break_off(Defect { actor: "the writer of the journal", message }),
        }
    }

    fn mark(&mut self, mark: u64) {
        self.journal.iter_mut().for_each(|journal| journal.mark(mark));
        self.audience.save(mark);
    }

    fn snapshot(&mut self, mark: u64, ctx: &mut Context<Self>) {
        let began = self.clock.now();
        let parts = self.engine.part_states();
        let took = self.clock.now().since(began);
        self.journal.iter_mut().for_each(|journal| journal.mark(mark));
        if let Some(journal) = &mut self.journal {
            journal.snapshot(parts);
        }
        self.audience.save(mark);
        self.gate(GateInput::SnapshotBegun { took }, ctx);
    }

    /// Does `task` once everything so far is durable; at once if there is no journal.
    pub(super) fn sync(&mut self, task: impl FnOnce() + Send + 'static) {
        match &mut self.journal {
            Some(journal) => journal.sync(Box::new(task)),
            None => task(),
        }
    }

    pub(super) fn carry_out(&mut self, order: EngineOutput, ctx: &mut Context<Self>) {
        match order {
            EngineOutput::Create { trial, past } => self.create(trial, past, ctx),
            EngineOutput::Trial(trial, order) => {
                if let Some(address) = self.trials.get(&trial) {
                    send_to(address, ToTrial::Order(order));
                }
            }
            EngineOutput::Ask(task) => self.ask(task, ctx),
            EngineOutput::Retire(trial) => {
                if let Some(address) = self.trials.remove(&trial) {
                    send_to(&address, ToTrial::Retire);
                }
            }
            EngineOutput::Forget(checkpoint) => self.forget(checkpoint),
            // The gate publishes them; without one, nobody listens.
            EngineOutput::Event(_) => {}
            EngineOutput::Hold(why) => {
                log::warn!("no trial is launched any more until a client says `proceed`: {}", OneLine(&why));
                self.tell_supervisor(ToSupervisor::Hold);
            }
            EngineOutput::WithdrawGpu { gpu, trials, fault } => {
                let fault = OneLine(&fault);
                log::warn!("GPU {gpu} is out of service: {trials} trials in a row failed on it, the last with {fault}");
                self.tell_supervisor(ToSupervisor::WithdrawGpu(gpu));
            }
            EngineOutput::Resize(total) => self.tell_supervisor(ToSupervisor::Resize(total)),
            EngineOutput::Proceed => self.tell_supervisor(ToSupervisor::Proceed),
            EngineOutput::ExpectBack(trials) => self.tell_supervisor(ToSupervisor::ExpectBack(trials)),
            EngineOutput::DemandClosed => self.tell_supervisor(ToSupervisor::Demand(Demand::Closed)),
            EngineOutput::DemandOpened => self.tell_supervisor(ToSupervisor::Demand(Demand::Open)),
            EngineOutput::ClosePool { by } => self.tell_supervisor(ToSupervisor::Close { by }),
            EngineOutput::Finished(outcome) => {
                if let Some(done) = self.done.take() {
                    // Nobody waits for the end if the run's thread is being torn down.
                    let _ = done.send(self.end(Ok(outcome)));
                }
            }
        }
    }

    fn tell_supervisor(&self, message: ToSupervisor) {
        send_to(&self.supervisor, message);
    }

    fn create(&mut self, trial: TrialId, past: Option<Box<TrialPast>>, ctx: &Context<Self>) {
        let machine = Trial::new(trial, self.settings.clone());
        let actor = TrialActor {
            trial: match past {
                Some(past) => machine.with_past(*past),
                None => machine,
            },
            clock: self.clock,
            controller: ctx.address().recipient(),
            pool: self.supervisor.clone().recipient(),
            worker: None,
            out: Vec::new(),
        };
        self.trials.insert(trial, actor.start());
    }

    /// Has the searcher think on a thread of its own, which comes to its end with the suggestion.
    fn ask(&self, task: SuggestTask, ctx: &Context<Self>) {
        let (asked, controller) = (task.clone(), ctx.address());
        let think = move || {
            asked.run();
            send_to(&controller, ToController::Suggested(asked));
        };
        if let Err(error) = std::thread::Builder::new().name("tryout-searcher".to_owned()).spawn(think) {
            log::warn!("the searcher gets no thread of its own ({error}): the run waits while it thinks");
            task.run();
            send_to(&ctx.address(), ToController::Suggested(task));
        }
    }

    /// Has a checkpoint deleted: once everything so far is durable, if there is a journal.
    fn forget(&mut self, checkpoint: CheckpointId) {
        match &mut self.journal {
            Some(journal) => journal.forget(checkpoint),
            None => (self.delete)(checkpoint),
        }
    }
}
