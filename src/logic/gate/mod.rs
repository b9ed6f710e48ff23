//! The journal gate: between the engine and the world, it holds back what must wait for the journal, and paces snapshots.
//!
//! | what waits | for what |
//! |---|---|
//! | what a step of the engine brought, under [`Ahead::Forbidden`] | the step is durable |
//! | facts of trials, while the journal can't be written or is far behind | it can be written again, or has caught up |
//! | a snapshot | the snapshots so far took at most a twentieth of the time |
//!
//! Every trial has one request in flight at most, so what waits is bounded. A run that is ending doesn't wait for a journal
//! that can't be written.

mod io;
#[cfg(test)]
mod props;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use io::{Ahead, Backlog, GateInput, GateOutput, JournalNotice, StepOutput};

use super::engine::EngineOutput;
use super::event::{EventKind, ExperimentEvent};
use super::ids::TrialId;
use super::time::Moment;
use super::trial::TrialFact;

/// At the end of a run, a journal of more bytes than this is compacted.
const WORTH_COMPACTING: u64 = 1 << 18;
/// Snapshots may take at most one part in so many of the engine's time.
const SNAPSHOT_SHARE: u32 = 20;

/// How a run and its journal wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateSettings {
    /// Whether the engine may be ahead of the disk.
    pub ahead: Ahead,
    /// Facts of trials wait while more events than this are unwritten: it bounds the memory that they take, and what is at
    /// risk.
    pub most_unwritten: u64,
}

impl GateSettings {
    /// Settings with the default bound.
    pub fn new(ahead: Ahead) -> Self {
        Self { ahead, most_unwritten: 200_000 }
    }
}

/// Why facts of trials wait.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    /// The journal can't be written; its words.
    Stalled(Arc<str>),
    /// It is far behind, and was asked to make everything through this step durable.
    Behind(u64),
}

/// Whether the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Run {
    Open,
    Ending,
    /// It is ending, and the journal couldn't be written: nothing waits any more.
    GaveUp,
    /// Its last event is out: nothing is said after it.
    Over,
}

/// What one step brought, until it is released.
#[derive(Debug)]
struct Step {
    number: u64,
    events: Arc<[ExperimentEvent]>,
    orders: Vec<EngineOutput>,
}

/// What is held back for the journal, and when snapshots are made.
#[derive(Debug)]
pub struct JournalGate {
    /// None: the run has no journal, and nothing waits.
    settings: Option<GateSettings>,
    held: Option<Held>,
    run: Run,
    /// Facts that wait, in the order in which they came.
    facts: VecDeque<(TrialId, TrialFact)>,
    /// Steps that aren't durable yet, and that nothing may follow from before.
    steps: VecDeque<Step>,
    /// The number of the last step with events.
    last_step: u64,
    last_mark: u64,
    /// No snapshot is made before.
    next_snapshot: Moment,
    /// When the one that the journal asked for is made.
    snapshot_due: Option<Moment>,
}

impl JournalGate {
    /// The gate of a run, with settings if the run has a journal. Marks are counted on from `last_mark`.
    pub fn new(settings: Option<GateSettings>, last_mark: u64) -> Self {
        Self {
            settings,
            held: None,
            run: Run::Open,
            facts: VecDeque::new(),
            steps: VecDeque::new(),
            last_step: 0,
            last_mark,
            next_snapshot: Moment::START,
            snapshot_due: None,
        }
    }

    /// Why facts of trials wait, if they do.
    pub fn held(&self) -> Option<Arc<str>> {
        let settings = self.settings.as_ref()?;
        Some(match self.held.as_ref()? {
            Held::Stalled(why) => format!("the journal can't be written: {why}").into(),
            Held::Behind(_) => format!("the journal is more than {} events behind", settings.most_unwritten).into(),
        })
    }

    /// The next moment at which [`GateInput::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        self.snapshot_due
    }

    /// A trial's fact on its way to the engine; none if it has to wait.
    pub fn admit(&mut self, trial: TrialId, fact: TrialFact) -> Option<(TrialId, TrialFact)> {
        // Whoever comes while others wait stands behind them.
        if self.held.is_none() && self.facts.is_empty() {
            return Some((trial, fact));
        }
        self.facts.push_back((trial, fact));
        None
    }

    /// The next fact that has waited and needn't any more. To be asked for after every input, until there is none: what the
    /// engine makes of one fact can hold the next.
    pub fn next_fact(&mut self) -> Option<(TrialId, TrialFact)> {
        if self.held.is_some() { None } else { self.facts.pop_front() }
    }

    /// Takes one input, and appends to `out` what is to be done. `backlog` is how far the journal is behind at this moment.
    pub fn on(&mut self, input: GateInput, backlog: Backlog, now: Moment, out: &mut Vec<GateOutput>) {
        match input {
            GateInput::Step(step) => self.step(step, backlog, out),
            GateInput::Durable(through) => self.durable(through, backlog, out),
            GateInput::Journal(notice) => self.on_notice(notice, backlog, now, out),
            GateInput::SnapshotBegun { took } => self.next_snapshot = now + took.saturating_mul(SNAPSHOT_SHARE),
            GateInput::Ending => {
                self.run = self.run.max(Run::Ending);
                if matches!(self.held, Some(Held::Stalled(_))) {
                    self.give_up(backlog, out);
                }
            }
            GateInput::Tick => {
                if self.snapshot_due.is_some_and(|due| due <= now) {
                    self.snapshot(out);
                }
            }
        }
    }

    fn step(&mut self, StepOutput { events, orders }: StepOutput, backlog: Backlog, out: &mut Vec<GateOutput>) {
        let Some(settings) = self.settings else {
            return Self::carry_out(events.into(), orders, out);
        };
        let news = !events.is_empty();
        self.last_step += u64::from(news);
        let unwritten = backlog.unwritten() + events.len() as u64;
        let step = Step { number: self.last_step, events: events.into(), orders };
        if news {
            out.push(GateOutput::Write(step.events.clone()));
        }
        let can_wait = self.run < Run::GaveUp;
        let falls_behind = news && can_wait && self.held.is_none() && unwritten > settings.most_unwritten;
        if falls_behind {
            self.held = Some(Held::Behind(step.number));
        }
        let waits = can_wait && settings.ahead == Ahead::Forbidden && (news || !self.steps.is_empty());
        if news && (waits || falls_behind) {
            out.push(GateOutput::Sync(step.number));
        }
        if waits {
            self.steps.push_back(step);
        } else {
            self.release(step, backlog, out);
        }
    }

    fn durable(&mut self, through: u64, backlog: Backlog, out: &mut Vec<GateOutput>) {
        while self.steps.front().is_some_and(|step| step.number <= through) {
            self.steps.pop_front().into_iter().for_each(|step| self.release(step, backlog, out));
        }
        if matches!(self.held, Some(Held::Behind(step)) if step <= through) {
            self.held = None;
        }
    }

    fn on_notice(&mut self, notice: JournalNotice, backlog: Backlog, now: Moment, out: &mut Vec<GateOutput>) {
        match notice {
            _ if self.run == Run::Over => {}
            JournalNotice::Stalled(why) => self.stalled(&why, backlog, out),
            JournalNotice::Recovered => {
                if self.held.take_if(|held| matches!(held, Held::Stalled(_))).is_some() {
                    let message = "the journal can be written again, and the run goes on";
                    out.push(GateOutput::Warn(message.to_owned()));
                }
            }
            JournalNotice::Grown if self.next_snapshot <= now => self.snapshot(out),
            JournalNotice::Grown => self.snapshot_due = Some(self.next_snapshot),
            JournalNotice::NotCompacted(why) => {
                out.push(GateOutput::Warn(format!("there is no new snapshot of the journal: {why}")));
            }
            JournalNotice::Broken(why) => out.push(GateOutput::BreakOff(why)),
        }
    }

    fn stalled(&mut self, why: &str, backlog: Backlog, out: &mut Vec<GateOutput>) {
        let known = matches!(&self.held, Some(Held::Stalled(known)) if **known == *why);
        if known || self.run == Run::GaveUp {
            return;
        }
        let mut follows = "no results are processed";
        self.held = Some(Held::Stalled(why.into()));
        if self.run == Run::Ending {
            follows = "the run ends without it";
            self.give_up(backlog, out);
        }
        if self.run != Run::Over {
            out.push(GateOutput::Warn(format!("the journal can't be written, so {follows}: {why}")));
        }
    }

    /// Nothing waits any more.
    fn give_up(&mut self, backlog: Backlog, out: &mut Vec<GateOutput>) {
        (self.run, self.held) = (Run::GaveUp, None);
        self.durable(u64::MAX, backlog, out);
    }

    /// What a step brought goes out. After the run's last event the journal is compacted, if that is worth it, and observers
    /// are asked for their states.
    fn release(&mut self, step: Step, backlog: Backlog, out: &mut Vec<GateOutput>) {
        let last = step.events.last().is_some_and(|event| matches!(event.kind, EventKind::Finished { .. }));
        if !last {
            return Self::carry_out(step.events, step.orders, out);
        }
        self.run = Run::Over;
        Self::carry_out(step.events, Vec::new(), out);
        if backlog.segments > WORTH_COMPACTING {
            self.snapshot(out);
        } else {
            out.push(GateOutput::Mark(self.next_mark()));
        }
        Self::carry_out(Arc::default(), step.orders, out);
    }

    fn carry_out(events: Arc<[ExperimentEvent]>, orders: Vec<EngineOutput>, out: &mut Vec<GateOutput>) {
        if !events.is_empty() {
            out.push(GateOutput::Publish(events));
        }
        if !orders.is_empty() {
            out.push(GateOutput::CarryOut(orders));
        }
    }

    fn snapshot(&mut self, out: &mut Vec<GateOutput>) {
        self.snapshot_due = None;
        out.push(GateOutput::Snapshot(self.next_mark()));
    }

    fn next_mark(&mut self) -> u64 {
        self.last_mark += 1;
        self.last_mark
    }
}
