//! What goes into the journal gate, and what comes out.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::logic::engine::EngineOutput;
use crate::logic::event::ExperimentEvent;

/// How far what was written down is behind what has happened, in events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Backlog {
    /// Events handed over.
    pub handed: u64,
    /// Events written: they survive the process.
    pub written: u64,
    /// Events that are durable: they survive the machine.
    pub durable: u64,
    /// The bytes that a snapshot would take the place of.
    pub segments: u64,
}

impl Backlog {
    /// Events that would be lost if the machine died now.
    pub fn at_risk(&self) -> u64 {
        self.handed.saturating_sub(self.durable)
    }

    /// Events that would be lost if the process died now.
    pub fn unwritten(&self) -> u64 {
        self.handed.saturating_sub(self.written)
    }
}

/// Whether what follows from a step waits until the step is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// It doesn't: the engine is ahead of the disk by a bounded time.
    Allowed,
    /// It does.
    Forbidden,
}

/// What a journal has to say, whenever it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalNotice {
    /// It can't be written at the moment, and why. Nothing is lost; it is tried again and again.
    Stalled(String),
    /// It can be written again.
    Recovered,
    /// It has grown so much that a snapshot is worth making.
    Grown,
    /// A snapshot was to be made and couldn't be.
    NotCompacted(String),
    /// It can never be written again in this session, by a defect of its writer.
    Broken(String),
}

/// What one step of the engine brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOutput {
    /// What happened: for the journal and the observers.
    pub events: Vec<ExperimentEvent>,
    /// What is to be done.
    pub orders: Vec<EngineOutput>,
}

impl StepOutput {
    /// Sorts what the engine said, and leaves `out` empty.
    pub fn sort(out: &mut Vec<EngineOutput>) -> Self {
        let mut step = Self::default();
        for said in out.drain(..) {
            match said {
                EngineOutput::Event(event) => step.events.push(event),
                order => step.orders.push(order),
            }
        }
        step
    }
}

/// Something that reaches the gate.
#[derive(Clone, Debug, PartialEq)]
pub enum GateInput {
    /// The engine made a step.
    Step(StepOutput),
    /// Everything through the step of this number is durable: the answer to [`GateOutput::Sync`].
    Durable(u64),
    /// From the journal.
    Journal(JournalNotice),
    /// The snapshot that was asked for was begun. Gathering the states of the parts took so long.
    SnapshotBegun {
        /// The time that the engine stood still for it.
        took: Duration,
    },
    /// The run is ending: from now on nothing waits for a journal that can't be written.
    Ending,
    /// The moment that [`JournalGate::deadline`](super::JournalGate::deadline) named has come.
    Tick,
}

/// Something to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum GateOutput {
    /// To the journal: the events of one step.
    Write(Arc<[ExperimentEvent]>),
    /// To the journal: make everything so far durable as soon as possible, and then answer with [`GateInput::Durable`].
    Sync(u64),
    /// To the observers.
    Publish(Arc<[ExperimentEvent]>),
    /// What the engine wants done.
    CarryOut(Vec<EngineOutput>),
    /// To journal and observers: everything so far is the past of this mark; observers are asked for their states at it.
    Mark(u64),
    /// The same, and a snapshot of the journal with the present states of the engine's parts; answered by
    /// [`GateInput::SnapshotBegun`].
    Snapshot(u64),
    /// To the engine, which tells the observers, and to the log. Always the last output: the engine makes a step of it.
    Warn(String),
    /// Nothing can be written down any more, by a defect of ours: the run has to end with what is known.
    BreakOff(String),
}
