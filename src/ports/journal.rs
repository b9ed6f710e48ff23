//! The socket for what a run writes down of itself, so that it can go on after its process has died.

use std::fmt;
use std::sync::Arc;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::event::ExperimentEvent;
use crate::logic::gate::{Ahead, Backlog, JournalNotice};
use crate::logic::journal::PartStates;

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

/// Where a journal's notices go; may be called from any thread.
pub type NoticeSink = Box<dyn Fn(JournalNotice) + Send + Sync>;

/// Begins a journal, once it is known where its notices go.
pub type OpenJournal = Box<dyn FnOnce(NoticeSink) -> Box<dyn Journal> + Send>;
