//! The simulated workers: a shell around the machine, in which every call takes its time.

use super::{Made, Message, Sim, SimError, Who, Work};
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::pool::PoolInput;
use crate::logic::trial::{TrialInput, WorkerFact, WorkerOrder};
use crate::logic::worker::{Call, WorkerInput, WorkerOutput};

impl Sim {
    pub(super) fn worker_order(&mut self, id: WorkerId, lease: LeaseId, order: WorkerOrder) -> Result<(), SimError> {
        for (lease, order) in self.order_for_machine(id, lease, order) {
            self.machine_order(id, lease, order)?;
        }
        Ok(())
    }

    fn machine_order(&mut self, id: WorkerId, lease: LeaseId, order: WorkerOrder) -> Result<(), SimError> {
        let Some(worker) = self.workers.get(&id) else { return Ok(()) };
        if worker.hangs || worker.left_behind {
            return Ok(());
        }
        let machine = worker.machine.worker();
        let answered = worker.work.is_none() || !machine.serves() || lease != machine.lease();
        match order {
            WorkerOrder::Restore { checkpoint } if self.journal.deleted.contains(&checkpoint.id) => {
                Err(self.broken(format!("{:?} is to be loaded and has been deleted", checkpoint.id)))
            }
            WorkerOrder::Yield | WorkerOrder::Release | WorkerOrder::Shutdown => {
                self.tell(id, WorkerInput::Order(lease, order));
                Ok(())
            }
            order if !answered => Err(self.broken(format!("worker {id} was told {order:?} before it answered"))),
            order => {
                self.tell(id, WorkerInput::Order(lease, order));
                Ok(())
            }
        }
    }

    /// Tells a worker's machine something, and sends on what it says.
    pub(super) fn tell(&mut self, id: WorkerId, input: WorkerInput) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        for output in worker.machine.on(input, now) {
            match output {
                WorkerOutput::Say(lease, fact) => {
                    let handed_in = matches!(fact, WorkerFact::Reported(_));
                    self.machine_says(id, lease, fact);
                    if handed_in && self.workers.get(&id).is_some_and(|worker| worker.machine.vanishes()) {
                        return self.gone(id);
                    }
                }
                WorkerOutput::Call(call) => self.call(id, call),
                // It is seen at the next report.
                WorkerOutput::Hurry => {}
            }
        }
    }

    /// A call begins. What is under way ends first, though nobody wants it any more.
    fn call(&mut self, id: WorkerId, call: Call) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        match (call, &mut worker.work) {
            (call @ (Call::Rest | Call::End), Some(work)) => work.then = Some(call),
            (Call::Rest, None) => self.tell(id, WorkerInput::AtRest),
            (Call::End, None) => self.gone(id),
            (call, _) => {
                let (took, made) = worker.machine.make(call);
                if matches!(made, Made::Never) {
                    worker.hangs = true;
                    return;
                }
                let number = worker.works;
                worker.works += 1;
                worker.work = Some(Work { number, made, then: None });
                self.send(Who::Clock, Who::Worker(id), now + took, Message::Worked(number));
            }
        }
    }

    /// The call that was under way has ended.
    pub(super) fn worked(&mut self, id: WorkerId, number: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(work) = worker.work.take_if(|work| work.number == number) else { return };
        match (work.made, work.then) {
            (Made::Lost | Made::Never, _) | (_, Some(Call::End)) => self.gone(id),
            (_, Some(_)) => self.tell(id, WorkerInput::AtRest),
            (Made::Done(input), None) => self.tell(id, input),
        }
        if self.workers.get(&id).is_some_and(|worker| worker.left_behind) {
            self.gone(id);
        }
    }

    pub(super) fn say(&mut self, id: WorkerId, lease: LeaseId, fact: WorkerFact) {
        if fact == WorkerFact::Released {
            self.send(Who::Worker(id), Who::Pool, self.now, Message::Pool(PoolInput::Released(id)));
        } else if let Some((trial, _)) = self.workers.get(&id).and_then(|worker| worker.tenant) {
            let input = Message::Trial(TrialInput::Worker(lease, fact));
            self.send(Who::Worker(id), Who::Trial(trial), self.now, input);
        }
    }

    pub(super) fn gone(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.remove(&id) else { return };
        if let Some((trial, lease)) = worker.tenant {
            let input = Message::Trial(TrialInput::Worker(lease, WorkerFact::Gone));
            self.send(Who::Worker(id), Who::Trial(trial), self.now, input);
        }
        self.send(Who::Worker(id), Who::Pool, self.now, Message::Pool(PoolInput::Gone(id)));
        worker.guest.iter().for_each(|guest| self.guest_gone(guest));
    }
}
