//! The machines in the simulator: each takes a message, and what it says is sent on.

use std::time::Duration;

use super::elsewhere::WAITS_FOR_RETURNING;
use super::{Message, Sim, SimError, SimWorker, Who};
use crate::logic::engine::{Engine, EngineInput, EngineOutput};
use crate::logic::event::{Ending, EventKind, ExperimentEvent};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::gate::{GateInput, GateOutput, StepOutput};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::pool::{Demand, PoolInput, PoolOutput};
use crate::logic::time::Moment;
use crate::logic::trial::{Handled, PoolFact, PoolOrder, Trial, TrialInput, TrialOutput, WorkerOrder};
use crate::testing::worker::ScriptedWorker;

/// How long a searcher is away that is sent to think.
const THOUGHT: Duration = Duration::from_millis(150);

impl Sim {
    /// Gives the engine an input, and then all facts that have waited for the journal and needn't any more.
    pub(super) fn engine<R>(&mut self, call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R) -> R {
        let answer = self.step(call);
        self.take_facts();
        answer
    }

    pub(super) fn feed_gate(&mut self, input: GateInput) {
        if let GateInput::Durable(through) = &input {
            // The gate counts steps as the journal does.
            self.journal.written(usize::try_from(*through).unwrap_or(usize::MAX));
        }
        self.gate(input);
        self.take_facts();
    }

    fn take_facts(&mut self) {
        while let Some((trial, fact)) = self.gate.next_fact() {
            self.step(|engine, now, out| engine.on(EngineInput::Trial(trial, fact), now, out));
        }
    }

    fn step<R>(&mut self, call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R) -> R {
        let mut out = Vec::new();
        let answer = call(&mut self.engine, self.now, &mut out);
        self.gate(GateInput::Step(StepOutput::sort(&mut out)));
        if !self.engine.is_open() {
            self.gate(GateInput::Ending);
        }
        answer
    }

    fn gate(&mut self, input: GateInput) {
        let mut out = Vec::new();
        self.gate.on(input, self.journal.backlog(), self.now, &mut out);
        for output in out {
            match output {
                GateOutput::Write(events) => self.write(events),
                GateOutput::Sync(through) => self.sync(through),
                GateOutput::Publish(events) => self.publish(&events),
                GateOutput::CarryOut(orders) => orders.into_iter().for_each(|order| self.carry_out(order)),
                GateOutput::Snapshot(_) => {
                    self.gate(GateInput::SnapshotBegun { took: self.journal.script.snapshot });
                }
                GateOutput::Warn(message) => {
                    let notice = EngineInput::Notice(EventKind::Warning { message });
                    self.step(|engine, now, out| engine.on(notice, now, out));
                }
                // Observers have no states here, and a scripted journal has no defects.
                GateOutput::Mark(_) | GateOutput::BreakOff(_) => {}
            }
        }
    }

    fn publish(&mut self, events: &[ExperimentEvent]) {
        self.journal.published += 1;
        for event in events {
            self.reached.iter_mut().for_each(|reached| reached.event(&event.kind));
            match event.kind {
                // Its first end was told in an earlier session, or has been told.
                EventKind::Ended { trial, ending: Ending::Restarted, .. } => {
                    self.ended.insert(trial, 1);
                }
                EventKind::Ended { trial, .. } => *self.ended.entry(trial).or_default() += 1,
                EventKind::Revived { trial, .. } => *self.ended.entry(trial).or_default() -= 1,
                _ => {}
            }
        }
    }

    fn carry_out(&mut self, order: EngineOutput) {
        let now = self.now;
        match order {
            EngineOutput::Create { trial, past } => {
                let machine = Trial::new(trial, self.settings.clone());
                let machine = match past {
                    Some(past) => machine.with_past(*past),
                    None => machine,
                };
                self.trials.insert(trial, machine);
            }
            EngineOutput::Trial(id, order) => {
                self.send(Who::Engine, Who::Trial(id), now, Message::Trial(TrialInput::Order(order)));
            }
            EngineOutput::Ask(task) => {
                task.run();
                let back = Message::Engine(EngineInput::Returned(task));
                self.send(Who::Client, Who::Engine, now + THOUGHT, back);
            }
            EngineOutput::Forget(checkpoint) => self.journal.forget(checkpoint),
            EngineOutput::Retire(id) => self.send(Who::Engine, Who::Trial(id), now, Message::Retire),
            EngineOutput::Event(_) => {}
            EngineOutput::WithdrawGpu { gpu, .. } => self.tell_pool(PoolInput::WithdrawGpu(gpu)),
            EngineOutput::Hold(_) => self.tell_pool(PoolInput::Hold),
            EngineOutput::Resize(total) => self.tell_pool(PoolInput::Resize(total)),
            EngineOutput::Proceed => self.tell_pool(PoolInput::Proceed),
            EngineOutput::ExpectBack(trials) => {
                let until = now + WAITS_FOR_RETURNING;
                self.tell_pool(PoolInput::Expect { trials, until });
            }
            EngineOutput::DemandClosed => self.tell_pool(PoolInput::Demand(Demand::Closed)),
            EngineOutput::DemandOpened => self.tell_pool(PoolInput::Demand(Demand::Open)),
            EngineOutput::ClosePool { by } => {
                if let Some(by) = by {
                    self.tell_pool(PoolInput::Limit(by));
                }
                self.tell_pool(PoolInput::Close);
            }
            EngineOutput::Finished(outcome) => self.outcome = Some(outcome),
        }
    }

    pub(super) fn tell_pool(&mut self, input: PoolInput) {
        self.send(Who::Engine, Who::Pool, self.now, Message::Pool(input));
    }

    pub(super) fn pool(&mut self, input: PoolInput) -> Result<(), SimError> {
        if let PoolInput::Order(order) = &input {
            self.gives_back(order);
        }
        let mut out = Vec::new();
        self.pool.on(input, self.now, &mut out);
        let now = self.now;
        for said in out {
            match said {
                PoolOutput::Spawn { worker, .. } if self.script.fails_to_spawn(worker) => {
                    let fault = Fault::new(FailureKind::SetupFailed, "scripted: no worker could be had");
                    self.send(Who::Pool, Who::Pool, now, Message::Pool(PoolInput::SpawnFailed(worker, fault)));
                }
                PoolOutput::Spawn { worker, .. } => {
                    let machine = ScriptedWorker::new(self.script.clone());
                    if self.workers.insert(worker, SimWorker::new(machine)).is_some() {
                        return Err(self.broken(format!("worker {worker} was spawned twice")));
                    }
                }
                PoolOutput::Admit { worker, join, .. } => self.admitted(worker, join),
                PoolOutput::Reject(join) => self.rejected(join),
                PoolOutput::Want { shape, workers } => self.want(&shape, workers),
                PoolOutput::Tell(trial, fact) => {
                    self.follow_lease(trial, &fact)?;
                    self.send(Who::Pool, Who::Trial(trial), now, Message::Trial(TrialInput::Pool(fact)));
                }
                PoolOutput::Release { worker, lease } => {
                    let order = Message::Order(lease, WorkerOrder::Release);
                    self.send(Who::Pool, Who::Worker(worker), now, order);
                }
                PoolOutput::Shutdown(worker) => {
                    let order = Message::Order(LeaseId::new(u64::MAX), WorkerOrder::Shutdown);
                    self.send(Who::Pool, Who::Worker(worker), now, order);
                }
                PoolOutput::Kill(worker) => self.send(Who::Pool, Who::Worker(worker), now, Message::Kill),
                PoolOutput::Closed => {
                    self.send(Who::Pool, Who::Engine, now, Message::Engine(EngineInput::PoolClosed));
                }
            }
        }
        if !self.pool.total().covers(self.pool.free()) {
            return Err(self.broken("the pool has more free than there is"));
        }
        Ok(())
    }

    pub(super) fn trial(&mut self, id: TrialId, input: TrialInput) -> Result<(), SimError> {
        let Some(trial) = self.trials.get_mut(&id) else { return Ok(()) };
        let mut out = Vec::new();
        // The address of a worker comes with its grant.
        if let TrialInput::Pool(crate::logic::trial::PoolFact::Granted { lease, worker, .. }) = &input
            && let Some(worker) = self.workers.get_mut(worker)
        {
            // A grant that was cancelled can come after the next one.
            let newest = worker.tenant.is_none_or(|(_, known)| known < *lease);
            worker.tenant = if newest { Some((id, *lease)) } else { worker.tenant };
        }
        let before = self.reached.is_some().then(|| (trial.state(), trial.goes_on(), input.clone()));
        let handled = trial.on(input, self.now, &mut out);
        if let (Some(reached), Some((state, goes_on, input))) = (&mut self.reached, before) {
            reached.step((state, goes_on), &input, trial.state(), &handled, &out);
        }
        let now = self.now;
        let running_without_lease =
            trial.lease().is_none() && matches!(trial.state(), crate::logic::trial::State::Running { .. });
        if running_without_lease {
            return Err(self.broken(format!("trial {id} runs without a worker")));
        }
        match handled {
            Handled::Done => {}
            Handled::Stale => self.send(Who::Trial(id), Who::Engine, now, Message::Engine(EngineInput::StaleFact)),
            Handled::Refused(refusal) => return Err(self.broken(format!("trial {id}: {refusal}"))),
        }
        for said in out {
            match said {
                TrialOutput::Engine(fact) => {
                    self.send(Who::Trial(id), Who::Engine, now, Message::Engine(EngineInput::Trial(id, fact)));
                }
                TrialOutput::Pool(order) => {
                    self.send(Who::Trial(id), Who::Pool, now, Message::Pool(PoolInput::Order(order)));
                }
                TrialOutput::Worker(lease, order) => {
                    let worker = self.workers.iter().find(|(_, worker)| worker.tenant == Some((id, lease)));
                    if let Some(worker) = worker.map(|(worker, _)| *worker) {
                        self.send(Who::Trial(id), Who::Worker(worker), now, Message::Order(lease, order));
                    }
                }
            }
        }
        Ok(())
    }

    /// A trial has one lease at a time.
    fn follow_lease(&mut self, trial: TrialId, fact: &PoolFact) -> Result<(), SimError> {
        match fact {
            PoolFact::Granted { lease, .. } => match self.leases.insert(trial, *lease) {
                Some(old) => Err(self.broken(format!("trial {trial} was granted {lease} while it has {old}"))),
                None => Ok(()),
            },
            PoolFact::Lost { .. } => {
                self.leases.remove(&trial);
                Ok(())
            }
            PoolFact::Refused { .. } => Ok(()),
        }
    }

    fn gives_back(&mut self, order: &PoolOrder) {
        match order {
            PoolOrder::Acquire { .. } => {}
            PoolOrder::Cancel { trial, .. } => drop(self.leases.remove(trial)),
            PoolOrder::Replace { lease } | PoolOrder::Release { lease, .. } | PoolOrder::Discard { lease } => {
                self.leases.retain(|_, held| held != lease);
            }
        }
    }

    pub(super) fn retire(&mut self, id: TrialId) -> Result<(), SimError> {
        match self.trials.remove(&id) {
            Some(trial) if !trial.state().status().is_terminal() => {
                Err(self.broken(format!("trial {id} was retired as {}", trial.state())))
            }
            _ => Ok(()),
        }
    }
}
