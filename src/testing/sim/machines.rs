//! The machines in the simulator: each takes a message, and what it says is sent on.

use std::time::Duration;

use super::{Message, Sim, SimError, SimWorker, Who};
use crate::logic::engine::{Engine, EngineInput, EngineOutput};
use crate::logic::event::{Ending, EventKind};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::pool::{Demand, PoolInput, PoolOutput};
use crate::logic::time::Moment;
use crate::logic::trial::{Handled, Trial, TrialInput, TrialOutput, WorkerOrder};
use crate::testing::worker::ScriptedWorker;

/// How long a searcher is away that is sent to think.
const THOUGHT: Duration = Duration::from_millis(150);

impl Sim {
    pub(super) fn engine<R>(&mut self, call: impl FnOnce(&mut Engine, Moment, &mut Vec<EngineOutput>) -> R) -> R {
        let mut out = Vec::new();
        let answer = call(&mut self.engine, self.now, &mut out);
        for said in out {
            let now = self.now;
            match said {
                EngineOutput::Create { trial, config, request, past } => {
                    let machine = Trial::new(trial, config, request, self.settings.clone());
                    let machine = match past {
                        Some(past) => machine.with_past(*past),
                        None => machine,
                    };
                    self.trials.insert(trial, machine);
                }
                EngineOutput::Trial(id, order) => {
                    self.send(Who::Engine, Who::Trial(id), now, Message::Trial(TrialInput::Order(order)));
                }
                EngineOutput::Ask(errand) => {
                    errand.run();
                    let back = Message::Engine(EngineInput::Returned(errand));
                    self.send(Who::Client, Who::Engine, now + THOUGHT, back);
                }
                EngineOutput::Forget(checkpoint) => {
                    self.forgotten.insert(checkpoint);
                }
                EngineOutput::Retire(id) => self.send(Who::Engine, Who::Trial(id), now, Message::Retire),
                EngineOutput::Event(event) => {
                    match event.kind {
                        // Its first end was told in an earlier session, or has been told.
                        EventKind::Ended { trial, ending: Ending::Restarted, .. } => {
                            self.ended.insert(trial, 1);
                        }
                        EventKind::Ended { trial, .. } => *self.ended.entry(trial).or_default() += 1,
                        EventKind::Revived { trial, .. } => *self.ended.entry(trial).or_default() -= 1,
                        _ => {}
                    }
                    self.events.push(event);
                }
                EngineOutput::WithdrawGpu { gpu, .. } => self.tell_pool(PoolInput::WithdrawGpu(gpu)),
                EngineOutput::Hold(_) => self.tell_pool(PoolInput::Hold),
                EngineOutput::Proceed => self.tell_pool(PoolInput::Proceed),
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
        if self.steps.last().copied().unwrap_or(0) < self.events.len() {
            self.steps.push(self.events.len());
        }
        answer
    }

    pub(super) fn tell_pool(&mut self, input: PoolInput) {
        self.send(Who::Engine, Who::Pool, self.now, Message::Pool(input));
    }

    pub(super) fn pool(&mut self, input: PoolInput) -> Result<(), SimError> {
        let mut out = Vec::new();
        self.pool.on(input, self.now, &mut out);
        let now = self.now;
        for said in out {
            match said {
                PoolOutput::Spawn { worker, .. } => {
                    let machine = ScriptedWorker::new(self.script.clone());
                    let worker_state = SimWorker {
                        machine,
                        tenant: None,
                        over: None,
                        work: None,
                        works: 0,
                        hangs: false,
                        waiting: Vec::new(),
                    };
                    if self.workers.insert(worker, worker_state).is_some() {
                        return Err(self.broken(format!("worker {worker} was spawned twice")));
                    }
                }
                PoolOutput::Tell(trial, fact) => {
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
            worker.tenant = Some((id, *lease));
        }
        let handled = trial.on(input, self.now, &mut out);
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

    pub(super) fn retire(&mut self, id: TrialId) -> Result<(), SimError> {
        match self.trials.remove(&id) {
            Some(trial) if !trial.state().status().is_terminal() => {
                Err(self.broken(format!("trial {id} was retired as {}", trial.state())))
            }
            _ => Ok(()),
        }
    }
}
