//! The simulator: engine, journal gate, trials, pool, scripted journal and workers in virtual time, from a seed, in one
//! thread.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

pub use self::elsewhere::Survivors;
use self::elsewhere::{Guest, Launched};
pub use self::ends::{SimCut, SimEnd, SimError};
use self::heal::Trouble;
use self::journal::JournalState;
use self::launcher::Outside;
pub use self::launcher::SimLauncher;
pub use self::reached::{Reached, Topic};
use super::script::Script;
use super::worker::{Made, ScriptedWorker};
use crate::logic::engine::{ClientOrder, Engine, EngineInput, OrderError};
use crate::logic::event::Outcome;
use crate::logic::gate::{Ahead, GateInput, GateSettings, JournalGate};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::mix::mix;
use crate::logic::pool::shares::Cap;
use crate::logic::pool::{Pool, PoolInput};
use crate::logic::time::Moment;
use crate::logic::trial::{Status, Trial, TrialInput, TrialSettings, WorkerOrder};
use crate::logic::worker::Call;

/// Who says something, or is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Who {
    Engine,
    Pool,
    Trial(TrialId),
    Worker(WorkerId),
    Journal,
    Client,
    Clock,
    /// Whoever is asked for workers from elsewhere.
    Launcher,
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
    /// A worker that was asked for elsewhere is there, or will never be.
    Launched(Launched),
    /// The worker's machine is taken away.
    Preempted,
    /// The worker's work is done, if it is still the same work.
    Worked(u64),
    Client(ClientOrder),
    Gate(GateInput),
    /// The journal has written so many steps.
    Written(usize),
}

/// A worker and what it works on.
struct SimWorker {
    machine: ScriptedWorker,
    /// It was to be killed, and couldn't be: it comes to the end of its work, and is gone then.
    left_behind: bool,
    tenant: Option<(TrialId, LeaseId)>,
    work: Option<Work>,
    works: u64,
    hangs: bool,
    /// What there is beside one from elsewhere.
    guest: Option<Box<Guest>>,
}

/// A call that is under way.
struct Work {
    number: u64,
    made: Made,
    /// What is to be done when it ends, whatever comes of it.
    then: Option<Call>,
}

/// A run in virtual time.
///
/// Messages between the same two keep their order; all others that are under way at the same moment are delivered in an
/// order drawn from the seed. After every message the rules are checked: see [`SimError::Broken`].
pub struct Sim {
    engine: Engine,
    gate: JournalGate,
    journal: JournalState,
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
    alarms: [Option<Moment>; 3],
    ended: BTreeMap<TrialId, u32>,
    /// What an earlier session left.
    before: BTreeMap<TrialId, Status>,
    refused: Vec<OrderError>,
    outcome: Option<Outcome>,
    delivered: u64,
    most: u64,
    /// The lease that each trial has, from its grant on until it is given back.
    leases: BTreeMap<TrialId, LeaseId>,
    trouble: Trouble,
    /// Who lets workers join from elsewhere, if they may.
    outside: Option<Outside>,
    reached: Option<Box<Reached>>,
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
            gate: JournalGate::new(Some(GateSettings::new(Ahead::Allowed)), 0),
            journal: JournalState::new(SimJournal::prompt(), now, seed),
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
            alarms: [None; 3],
            ended: before.iter().filter(|(_, status)| status.is_terminal()).map(|(trial, _)| (*trial, 1)).collect(),
            before,
            refused: Vec::new(),
            outcome: None,
            delivered: 0,
            most: 10_000_000,
            leases: BTreeMap::new(),
            trouble: Trouble::Lasting,
            outside: None,
            reached: None,
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

    /// From a moment on, other runs of the host leave this one no more than that; none: all.
    #[must_use]
    pub fn cap(mut self, at: Moment, cap: Option<Cap>) -> Self {
        self.send(Who::Clock, Who::Pool, at, Message::Pool(PoolInput::Cap(cap.map(Arc::new))));
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

    /// Counts what is reached: see [`SimCut::reached`].
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.reached = Some(Box::default());
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// If a rule is broken, if nothing moves any more before the run is over, or if it goes on and on.
    pub fn run(mut self) -> Result<SimEnd, SimError> {
        while self.outcome.is_none() {
            self.advance()?;
        }
        self.check_end()?;
        let outcome = self.outcome.take().unwrap_or(Outcome::Completed);
        Ok(SimEnd {
            outcome,
            totals: self.engine.totals(),
            ledger: self.engine.take_ledger(),
            now: self.now,
            events: self.journal.steps.iter().flat_map(|step| step.iter().cloned()).collect(),
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
            self.advance()?;
        }
        if self.outcome.is_some() {
            self.check_end()?;
        }
        let survivors = self.survivors();
        let JournalState { script, mut steps, written, published, deleted, .. } = self.journal;
        // A run that is ending may have given up on its journal.
        if script.gate.ahead == Ahead::Forbidden && published > written && self.engine.is_open() {
            let what = format!("step {published} was heard of, and only {written} were written");
            return Err(SimError::Broken { at: self.now, what });
        }
        let unwritten = steps.len().saturating_sub(written);
        steps.truncate(written);
        let (parts, ledger) = (self.engine.part_states(), self.engine.take_ledger());
        let (now, outcome, messages, reached) = (self.now, self.outcome, self.delivered, self.reached);
        Ok(SimCut { steps, unwritten, parts, ledger, deleted, now, outcome, messages, reached, survivors })
    }

    /// Delivers the next message.
    fn advance(&mut self) -> Result<(), SimError> {
        if matches!(self.trouble, Trouble::Until(messages) if self.delivered >= messages.max(1)) {
            self.heal();
        }
        let Some(Reverse((at, _, number))) = self.queue.pop() else {
            return if self.go_on() { Ok(()) } else { Err(SimError::Stuck { at: self.now, what: self.who_waits() }) };
        };
        let Some((to, message)) = self.bodies.remove(&number) else { return Ok(()) };
        self.now = self.now.max(at);
        self.delivered += 1;
        if self.delivered > self.most {
            return Err(SimError::Endless(self.most));
        }
        self.count_waits();
        self.deliver(to, message)
    }

    fn broken(&self, what: impl Into<String>) -> SimError {
        SimError::Broken { at: self.now, what: what.into() }
    }

    /// Sends a message that arrives at `at`: behind all that the same sender told the same receiver before, and in a
    /// drawn order among the others.
    fn send(&mut self, from: Who, to: Who, at: Moment, message: Message) {
        self.noise = self.noise.map(mix);
        // The beginning comes before all else, whatever clients say at that moment.
        let turn = if self.sent == 0 { 0 } else { self.sent + self.noise.unwrap_or(0) % 8 };
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
            (_, Message::Engine(EngineInput::Trial(trial, fact))) => {
                if let Some((trial, fact)) = self.gate.admit(trial, fact) {
                    self.engine(|engine, now, out| engine.on(EngineInput::Trial(trial, fact), now, out));
                }
            }
            (_, Message::Engine(input)) => self.engine(|engine, now, out| engine.on(input, now, out)),
            (_, Message::Gate(input)) => self.feed_gate(input),
            (_, Message::Written(steps)) => self.journal.written(steps),
            (_, Message::Client(order)) if self.is_troublesome(&order) => {}
            (_, Message::Client(order)) => {
                let refused = self.engine(|engine, now, out| engine.order(order, now, out).err());
                self.refused.extend(refused);
            }
            (_, Message::Pool(input)) => self.pool(input)?,
            (Who::Trial(id), Message::Trial(input)) => self.trial(id, input)?,
            (Who::Trial(id), Message::Retire) => self.retire(id)?,
            (Who::Worker(id), Message::Order(lease, order)) => self.worker_order(id, lease, order)?,
            (Who::Worker(id), Message::Worked(number)) => self.worked(id, number),
            (Who::Worker(id), Message::Kill) => self.kill(id),
            (Who::Worker(id), Message::Preempted) => self.preempted(id),
            (Who::Launcher, Message::Launched(launched)) => self.launched(launched),
            (to, message) => return Err(self.broken(format!("{message:?} can't be told to {to:?}"))),
        }
        let deadlines = [
            (self.engine.deadline(), Who::Engine, Message::Engine(EngineInput::Tick)),
            (self.pool.deadline(), Who::Pool, Message::Pool(PoolInput::Tick)),
            (self.gate.deadline(), Who::Engine, Message::Gate(GateInput::Tick)),
        ];
        for (index, (deadline, who, tick)) in deadlines.into_iter().enumerate() {
            if deadline != self.alarms[index] {
                self.alarms[index] = deadline;
                if let Some(at) = deadline {
                    self.send(Who::Clock, who, at.max(self.now), tick);
                }
            }
        }
        Ok(())
    }
}

mod check;
mod elsewhere;
mod ends;
mod heal;
mod journal;
mod launcher;
mod machines;
mod reached;
mod work;

pub use journal::SimJournal;
