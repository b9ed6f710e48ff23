//! The simulator: engine, trials, pool and scripted workers in virtual time, from a seed, in one thread.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use super::script::{Script, mix};
use super::worker::{Answer, ScriptedWorker, WorkEnd};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{ClientOrder, Engine, EngineInput, Ledger, OrderError, Totals};
use crate::logic::event::{ExperimentEvent, Outcome};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::journal::PartStates;
use crate::logic::metrics::Report;
use crate::logic::pool::{Pool, PoolInput};
use crate::logic::time::Moment;
use crate::logic::trial::{BatchEnd, Status, Trial, TrialInput, TrialSettings, WorkerFact, WorkerOrder};

/// Who says something, or is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Who {
    Engine,
    Pool,
    Trial(TrialId),
    Worker(WorkerId),
    Client,
    Clock,
}

/// A message on its way.
#[derive(Clone, Debug)]
enum Message {
    Engine(EngineInput),
    Pool(PoolInput),
    Trial(TrialInput),
    Retire,
    Order(LeaseId, WorkerOrder),
    Kill,
    /// The worker's work is done, if it is still the same work.
    Worked(u64),
    Client(ClientOrder),
}

/// A worker and what it works on.
struct SimWorker {
    machine: ScriptedWorker,
    tenant: Option<(TrialId, LeaseId)>,
    /// Leases up to this one are over: their orders come too late.
    over: Option<LeaseId>,
    work: Option<Work>,
    works: u64,
    hangs: bool,
    waiting: Vec<(LeaseId, WorkerOrder)>,
}

struct Work {
    number: u64,
    lease: LeaseId,
    began: Moment,
    reports: Vec<(Duration, Report)>,
    then: Then,
}

enum Then {
    Say(WorkerFact, Option<WorkerOrder>),
    HandIn(BatchEnd),
    Fail(crate::logic::failure::Fault),
    Vanish,
}

/// Why a simulation didn't come to an end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A rule was broken.
    #[error("at {at}: {what}")]
    Broken {
        /// When.
        at: Moment,
        /// Which, and by whom.
        what: String,
    },
    /// Nothing is on its way, and the run isn't over.
    #[error("at {at} nothing moves any more: {what}")]
    Stuck {
        /// When.
        at: Moment,
        /// Who waits for what.
        what: String,
    },
    /// It goes on and on.
    #[error("after {0} messages it still goes on")]
    Endless(u64),
}

/// What is left of a simulated run.
#[derive(Debug)]
pub struct SimEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// All trials.
    pub ledger: Ledger,
    /// Numbers over the whole run.
    pub totals: Totals,
    /// When it ended, in virtual time.
    pub now: Moment,
    /// All events, if they were kept.
    pub events: Vec<ExperimentEvent>,
    /// Client orders that were refused.
    pub refused: Vec<OrderError>,
    /// Messages that were delivered.
    pub messages: u64,
}

/// What there is of a run that was cut off.
#[derive(Debug)]
pub struct SimCut {
    /// What each step of the engine brought: what a journal would hold.
    pub steps: Vec<Arc<[ExperimentEvent]>>,
    /// The states of the parts at the cut.
    pub parts: PartStates,
    /// All trials, as they were.
    pub ledger: Ledger,
    /// When it was cut, in virtual time.
    pub now: Moment,
}

/// A run in virtual time.
///
/// Messages between the same two keep their order; all others that are under way at the same moment are delivered in an
/// order drawn from the seed. After every message the rules are checked: see [`SimError::Broken`].
pub struct Sim {
    engine: Engine,
    pool: Pool,
    settings: Arc<TrialSettings>,
    script: Script,
    trials: BTreeMap<TrialId, Trial>,
    workers: BTreeMap<WorkerId, SimWorker>,
    queue: BinaryHeap<Reverse<(Moment, u64, u64)>>,
    bodies: BTreeMap<u64, (Who, Message)>,
    last_between: BTreeMap<(Who, Who), (Moment, u64)>,
    sent: u64,
    noise: Option<u64>,
    now: Moment,
    alarms: [Option<Moment>; 2],
    events: Vec<ExperimentEvent>,
    /// Where in the events each step of the engine ends.
    steps: Vec<usize>,
    ended: BTreeMap<TrialId, u32>,
    /// Checkpoints that nobody should need any more.
    forgotten: BTreeSet<CheckpointId>,
    /// What an earlier session left.
    before: BTreeMap<TrialId, Status>,
    refused: Vec<OrderError>,
    outcome: Option<Outcome>,
    delivered: u64,
    most: u64,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("now", &self.now).field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Sim {
    /// A run of this engine and pool, whose trials follow `script`; `seed` orders what happens at the same moment.
    pub fn new(seed: u64, engine: Engine, pool: Pool, trials: TrialSettings, script: Script) -> Self {
        Self::since(Moment::START, seed, engine, pool, trials, script)
    }

    /// A run that goes on at a moment where an earlier session left it; the engine has been told the past.
    pub fn since(now: Moment, seed: u64, engine: Engine, pool: Pool, trials: TrialSettings, script: Script) -> Self {
        let before: BTreeMap<TrialId, Status> =
            engine.ledger().iter().map(|record| (record.id, record.status)).collect();
        let mut sim = Self {
            engine,
            pool,
            settings: Arc::new(trials),
            script,
            trials: BTreeMap::new(),
            workers: BTreeMap::new(),
            queue: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            last_between: BTreeMap::new(),
            sent: 0,
            noise: Some(mix(seed)),
            now,
            alarms: [None, None],
            events: Vec::new(),
            steps: Vec::new(),
            ended: before.iter().filter(|(_, status)| status.is_terminal()).map(|(trial, _)| (*trial, 1)).collect(),
            forgotten: BTreeSet::new(),
            before,
            refused: Vec::new(),
            outcome: None,
            delivered: 0,
            most: 10_000_000,
        };
        sim.send(Who::Client, Who::Engine, now, Message::Engine(EngineInput::Begin));
        sim
    }

    /// A client's order at a moment.
    #[must_use]
    pub fn order(mut self, at: Moment, order: ClientOrder) -> Self {
        self.send(Who::Client, Who::Engine, at, Message::Client(order));
        self
    }

    /// Delivers what is under way at the same moment in the order in which it was sent, as the actors do as long as they
    /// share one thread.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.noise = None;
        self
    }

    /// At most so many messages; ten million unless it is said.
    #[must_use]
    pub fn at_most(mut self, messages: u64) -> Self {
        self.most = messages;
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// If a rule is broken, if nothing moves any more before the run is over, or if it goes on and on.
    pub fn run(mut self) -> Result<SimEnd, SimError> {
        while self.outcome.is_none() {
            let Some(Reverse((at, _, number))) = self.queue.pop() else {
                return Err(SimError::Stuck { at: self.now, what: self.who_waits() });
            };
            let Some((to, message)) = self.bodies.remove(&number) else { continue };
            self.now = self.now.max(at);
            self.delivered += 1;
            if self.delivered > self.most {
                return Err(SimError::Endless(self.most));
            }
            self.deliver(to, message)?;
        }
        self.check_end()?;
        let outcome = self.outcome.take().unwrap_or(Outcome::Completed);
        Ok(SimEnd {
            outcome,
            totals: self.engine.totals(),
            ledger: self.engine.take_ledger(),
            now: self.now,
            events: self.events,
            refused: self.refused,
            messages: self.delivered,
        })
    }

    /// Runs for so many messages, or to the end, and stops dead. What was written of it by then is all there is.
    ///
    /// # Errors
    /// If a rule is broken, or if nothing moves any more before the run is over.
    pub fn cut_after(mut self, messages: u64) -> Result<SimCut, SimError> {
        while self.outcome.is_none() && self.delivered < messages {
            let Some(Reverse((at, _, number))) = self.queue.pop() else {
                return Err(SimError::Stuck { at: self.now, what: self.who_waits() });
            };
            let Some((to, message)) = self.bodies.remove(&number) else { continue };
            self.now = self.now.max(at);
            self.delivered += 1;
            self.deliver(to, message)?;
        }
        let mut steps = Vec::new();
        let mut begin = 0;
        for end in &self.steps {
            steps.push(self.events.get(begin..*end).unwrap_or_default().into());
            begin = *end;
        }
        Ok(SimCut { steps, parts: self.engine.part_states(), ledger: self.engine.take_ledger(), now: self.now })
    }

    fn broken(&self, what: impl Into<String>) -> SimError {
        SimError::Broken { at: self.now, what: what.into() }
    }

    /// Sends a message that arrives at `at`: behind all that the same sender told the same receiver before, and in a
    /// drawn order among the others.
    fn send(&mut self, from: Who, to: Who, at: Moment, message: Message) {
        self.noise = self.noise.map(mix);
        let turn = self.sent + self.noise.unwrap_or(0) % 8;
        let last = self.last_between.entry((from, to)).or_insert((at, 0));
        let (at, turn) = match from {
            // Alarms and the ends of work are not letters: each comes at its own time.
            Who::Clock | Who::Client => (at, turn),
            _ if *last >= (at, turn) => (last.0, last.1 + 1),
            _ => (at, turn),
        };
        *last = (*last).max((at, turn));
        self.queue.push(Reverse((at, turn, self.sent)));
        self.bodies.insert(self.sent, (to, message));
        self.sent += 1;
    }

    fn deliver(&mut self, to: Who, message: Message) -> Result<(), SimError> {
        match (to, message) {
            (_, Message::Engine(input)) => self.engine(|engine, now, out| engine.on(input, now, out)),
            (_, Message::Client(order)) => {
                let refused = self.engine(|engine, now, out| engine.order(order, now, out).err());
                self.refused.extend(refused);
            }
            (_, Message::Pool(input)) => self.pool(input)?,
            (Who::Trial(id), Message::Trial(input)) => self.trial(id, input)?,
            (Who::Trial(id), Message::Retire) => self.retire(id)?,
            (Who::Worker(id), Message::Order(lease, order)) => self.worker_order(id, lease, order)?,
            (Who::Worker(id), Message::Worked(number)) => self.worked(id, number)?,
            (Who::Worker(id), Message::Kill) => {
                if self.workers.remove(&id).is_some() {
                    self.send(Who::Worker(id), Who::Pool, self.now, Message::Pool(PoolInput::Abandoned(id)));
                }
            }
            (to, message) => return Err(self.broken(format!("{message:?} can't be told to {to:?}"))),
        }
        let deadlines = [(Who::Engine, self.engine.deadline()), (Who::Pool, self.pool.deadline())];
        for (index, (who, deadline)) in deadlines.into_iter().enumerate() {
            if deadline != self.alarms[index] {
                self.alarms[index] = deadline;
                if let Some(at) = deadline {
                    let tick = if who == Who::Engine {
                        Message::Engine(EngineInput::Tick)
                    } else {
                        Message::Pool(PoolInput::Tick)
                    };
                    self.send(Who::Clock, who, at.max(self.now), tick);
                }
            }
        }
        Ok(())
    }
}

mod check;
mod machines;
mod work;
