//! The simulated workers: work takes its time, and can be cut short.

use std::time::Duration;

use super::{Answer, Message, Sim, SimError, Then, Who, Work, WorkEnd};
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::pool::PoolInput;
use crate::logic::trial::{BatchEnd, TrialInput, WorkerFact, WorkerOrder};
use crate::testing::worker::ScriptedWorker;

impl Sim {
    pub(super) fn worker_order(&mut self, id: WorkerId, lease: LeaseId, order: WorkerOrder) -> Result<(), SimError> {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return Ok(()) };
        if worker.hangs {
            return Ok(());
        }
        match order {
            WorkerOrder::Release => worker.over = worker.over.max(Some(lease)),
            WorkerOrder::Shutdown => {}
            WorkerOrder::Restore { checkpoint } if self.forgotten.contains(&checkpoint.id) => {
                let what = format!("{:?} is to be loaded and has been deleted", checkpoint.id);
                return Err(self.broken(what));
            }
            _ if Some(lease) <= worker.over => return Ok(()),
            _ => {}
        }
        let Some(work) = &worker.work else { return self.begin(id, lease, order) };
        let same = work.lease == lease;
        match order {
            WorkerOrder::Yield | WorkerOrder::Release | WorkerOrder::Shutdown => {
                if order != WorkerOrder::Yield {
                    worker.waiting.push((lease, order));
                }
                self.cut_short(id, now);
                Ok(())
            }
            // A new trial's first order, while the work of the last one is coming to its end.
            order if !same => {
                worker.waiting.push((lease, order));
                Ok(())
            }
            order => Err(self.broken(format!("worker {id} was told {order:?} before it answered"))),
        }
    }

    /// A batch in the making ends with the step that is under way.
    fn cut_short(&mut self, id: WorkerId, now: crate::logic::time::Moment) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(work) = &mut worker.work else { return };
        let Then::HandIn(end) = &mut work.then else { return };
        let elapsed = now.since(work.began);
        let keep = work.reports.partition_point(|(at, _)| *at < elapsed) + 1;
        if keep >= work.reports.len() {
            return;
        }
        work.reports.truncate(keep);
        *end = BatchEnd::Limit;
        if let Some((at, last)) = work.reports.last() {
            worker.machine.back_to(last);
            let (at, number) = (work.began + *at, worker.works);
            work.number = number;
            worker.works += 1;
            self.send(Who::Clock, Who::Worker(id), at, Message::Worked(number));
        }
    }

    fn begin(&mut self, id: WorkerId, lease: LeaseId, order: WorkerOrder) -> Result<(), SimError> {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return Ok(()) };
        let first = ScriptedWorker::first(&order).map(WorkerOrder::from);
        let (took, reports, then) = match worker.machine.on(order) {
            Answer::Nothing => return Ok(()),
            Answer::Gone => {
                self.gone(id);
                return Ok(());
            }
            Answer::After(took, fact) => (took, Vec::new(), Then::Say(fact, first)),
            Answer::Working(reports, WorkEnd::Batch(end)) => {
                let took = reports.last().map_or(Duration::ZERO, |(at, _)| *at);
                (took, reports, Then::HandIn(end))
            }
            Answer::Working(reports, WorkEnd::Failed(took, fault)) => (took, reports, Then::Fail(fault)),
            Answer::Working(reports, WorkEnd::Lost(took)) => (took, reports, Then::Vanish),
            Answer::Working(_, WorkEnd::Never) => {
                worker.hangs = true;
                return Ok(());
            }
        };
        let number = worker.works;
        worker.works += 1;
        worker.work = Some(Work { number, lease, began: now, reports, then });
        self.send(Who::Clock, Who::Worker(id), now + took, Message::Worked(number));
        Ok(())
    }

    pub(super) fn worked(&mut self, id: WorkerId, number: u64) -> Result<(), SimError> {
        let Some(worker) = self.workers.get_mut(&id) else { return Ok(()) };
        let Some(work) = worker.work.take_if(|work| work.number == number) else { return Ok(()) };
        let lease = work.lease;
        let left =
            worker.waiting.iter().any(|(_, order)| matches!(order, WorkerOrder::Release | WorkerOrder::Shutdown));
        let mut next = None;
        let fact = match work.then {
            Then::Say(fact, first) => {
                next = first.filter(|_| fact == WorkerFact::Ready && !left);
                Some(fact)
            }
            // Nobody wants it any more.
            Then::HandIn(_) if left => None,
            Then::HandIn(end) => Some(worker.machine.batch(work.reports, end)),
            Then::Fail(fault) => Some(WorkerFact::Failed(fault)),
            Then::Vanish => {
                self.gone(id);
                return Ok(());
            }
        };
        if let Some(fact) = fact {
            let handed_in = matches!(fact, WorkerFact::Reported(_));
            self.say(id, lease, fact);
            if handed_in && self.workers.get(&id).is_some_and(|worker| worker.machine.vanishes()) {
                self.gone(id);
                return Ok(());
            }
        }
        if let Some(order) = next {
            return self.begin(id, lease, order);
        }
        self.take_waiting(id)
    }

    /// Takes the orders that came while it worked, in their order, until one of them takes time.
    fn take_waiting(&mut self, id: WorkerId) -> Result<(), SimError> {
        while let Some(worker) = self.workers.get_mut(&id)
            && worker.work.is_none()
            && !worker.waiting.is_empty()
        {
            let (lease, order) = worker.waiting.remove(0);
            self.begin(id, lease, order)?;
        }
        Ok(())
    }

    fn say(&mut self, id: WorkerId, lease: LeaseId, fact: WorkerFact) {
        if fact == WorkerFact::Released {
            self.send(Who::Worker(id), Who::Pool, self.now, Message::Pool(PoolInput::Released(id)));
        } else if let Some((trial, _)) = self.workers.get(&id).and_then(|worker| worker.tenant) {
            let input = Message::Trial(TrialInput::Worker(lease, fact));
            self.send(Who::Worker(id), Who::Trial(trial), self.now, input);
        }
    }

    fn gone(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.remove(&id) else { return };
        if let Some((trial, lease)) = worker.tenant {
            let input = Message::Trial(TrialInput::Worker(lease, WorkerFact::Gone));
            self.send(Who::Worker(id), Who::Trial(trial), self.now, input);
        }
        self.send(Who::Worker(id), Who::Pool, self.now, Message::Pool(PoolInput::Gone(id)));
    }
}
