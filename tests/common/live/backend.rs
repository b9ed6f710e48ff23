//! A backend that stands around another and notes what passes, and one that only says what a test tells it to.

use std::sync::{Arc, Mutex};

use tryout::extend::*;

/// A trial's number and the iterations of one of its batches.
type Handed = (u32, Vec<u64>);

/// What a spied backend has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spy {
    batches: Arc<Mutex<Vec<Handed>>>,
    spawned: Arc<Mutex<u32>>,
}

impl Spy {
    /// How many workers were spawned.
    pub(crate) fn spawned(&self) -> u32 {
        *self.spawned.lock().unwrap()
    }

    /// The iterations of each batch that was handed in by a trial.
    pub(crate) fn batches(&self, trial: u32) -> Vec<Vec<u64>> {
        let batches = self.batches.lock().unwrap();
        batches.iter().filter(|(number, _)| *number == trial).map(|(_, batch)| batch.clone()).collect()
    }
}

/// Another backend, watched.
pub(crate) struct Spied<B> {
    inner: B,
    spy: Spy,
}

impl<B> Spied<B> {
    pub(crate) fn new(inner: B) -> (Self, Spy) {
        let spy = Spy::default();
        (Self { inner, spy: spy.clone() }, spy)
    }
}

impl<B: Backend> Backend for Spied<B> {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        *self.spy.spawned.lock().unwrap() += 1;
        let (spy, facts) = (self.spy.clone(), start.facts);
        let facts = FactSink::new(move |said| match said {
            Said::Fact(lease, fact) => {
                if let WorkerFact::Reported(batch) = &fact
                    && let Some(last) = batch.reports.last()
                {
                    let iterations = batch.reports.iter().map(Report::iteration).collect();
                    spy.batches.lock().unwrap().push((last.trial.number(), iterations));
                }
                facts.fact(lease, fact);
            }
            Said::Placed(process) => facts.placed((*process).clone()),
            Said::Gone => facts.gone(),
        });
        self.inner.spawn(WorkerStart { facts, ..start })
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn rests(&self) -> Rests {
        self.inner.rests()
    }

    fn resource_rule(&self) -> ResourceRule {
        self.inner.resource_rule()
    }
}

/// What a worker of [`WordsOnly`] answers to an order; [`WorkerFact::Gone`] stands for its end.
type Answer = Arc<dyn Fn(&WorkerOrder) -> Option<WorkerFact> + Send + Sync>;

/// Workers without a thread: they answer what a test tells them to.
pub(crate) struct WordsOnly(Answer);

impl WordsOnly {
    pub(crate) fn new(answer: impl Fn(&WorkerOrder) -> Option<WorkerFact> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl Backend for WordsOnly {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        Ok(Box::new(Words { answer: self.0.clone(), facts: start.facts }))
    }

    fn name(&self) -> &str {
        "words only"
    }
}

struct Words {
    answer: Answer,
    facts: FactSink,
}

impl Words {
    fn answer(&self, lease: LeaseId, order: &WorkerOrder) {
        match (self.answer)(order) {
            Some(WorkerFact::Gone) => self.facts.gone(),
            Some(fact) => {
                let ready = fact == WorkerFact::Ready;
                self.facts.fact(lease, fact);
                // It is as if this order followed.
                if let (true, WorkerOrder::Start { first: Some(first), .. }) = (ready, order) {
                    self.answer(lease, &(*first).into());
                }
            }
            None => {}
        }
    }
}

impl WorkerHandle for Words {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        match order {
            WorkerOrder::Shutdown => self.facts.gone(),
            WorkerOrder::Release => self.facts.fact(lease, WorkerFact::Released),
            order => self.answer(lease, &order),
        }
    }

    fn kill(&mut self) -> Killed {
        Killed::Dead
    }
}
