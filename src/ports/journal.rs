//! The socket for what a run writes down of itself, so that it can go on after its process has died.

use std::fmt;
use std::sync::Arc;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::event::ExperimentEvent;
use crate::logic::journal::PartStates;

/// How far what was written down is behind what has happened, in events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// Done once something is durable; must not wait.
pub type Task = Box<dyn FnOnce() + Send>;

/// Writes down what happens. It is handed things and never waits.
pub trait Journal: Send + fmt::Debug {
    /// What one step of the engine brought.
    fn step(&mut self, events: Arc<[ExperimentEvent]>);

    /// Everything so far is the past of this mark; observers are asked for their states at it.
    fn mark(&mut self, mark: u64);

    /// A snapshot of everything so far, at which the parts have these states.
    fn snapshot(&mut self, parts: PartStates);

    /// Deletes a checkpoint once everything so far is durable: before that, it may be needed after all.
    fn forget(&mut self, checkpoint: CheckpointId);

    /// Makes everything so far durable as soon as possible, and then does `task`.
    fn sync(&mut self, task: Task);

    /// How far it is behind.
    fn backlog(&self) -> Backlog;

    /// Whether the engine may be ahead of it.
    fn ahead(&self) -> Ahead;
}

/// What a journal has to say, whenever it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalNotice {
    /// It can't be written at the moment, and why. Nothing is lost; it is tried again and again.
    Stalled(String),
    /// It can be written again.
    Recovered,
    /// A snapshot is worth its while.
    Grown,
    /// A snapshot was to be made and couldn't be.
    NotCompacted(String),
}

/// Where a journal's notices go; may be called from any thread.
pub type NoticeSink = Box<dyn Fn(JournalNotice) + Send + Sync>;

/// Begins a journal, once it is known where its notices go.
pub type OpenJournal = Box<dyn FnOnce(NoticeSink) -> Box<dyn Journal> + Send>;
