//! What the controller keeps of the journal: what is written of each step, and what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;

use super::controller::Controller;
use super::messages::ToController;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::EngineOutput;
use crate::logic::event::ExperimentEvent;
use crate::logic::ids::TrialId;
use crate::logic::journal::PartStates;
use crate::logic::time::Moment;
use crate::logic::trial::TrialFact;
use crate::ports::journal::{Ahead, Backlog, Journal, JournalNotice};

/// So many events may be unwritten before results wait: what that takes in memory is bounded, and so is what is at risk.
const MOST_BEHIND: u64 = 200_000;
/// At the end, a journal of more bytes than this is said in fewer words.
const WORTHWHILE: u64 = 1 << 18;
/// A snapshot's parts may take at most one part in so many of the engine's time.
const SHARE: u32 = 20;

/// What a step of the engine has brought, to be carried out.
pub(super) struct Brought {
    pub(super) said: Vec<EngineOutput>,
    pub(super) events: Arc<[ExperimentEvent]>,
}

/// Whether anything waits for the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waiting {
    /// As the journal says.
    #[default]
    AsSaid,
    /// Nothing: it can't be written, and the run is ending all the same.
    GivenUp,
}

/// The journal, and what waits for it.
#[derive(Default)]
pub(super) struct Keeper {
    journal: Option<Box<dyn Journal>>,
    /// Why results wait.
    held: Option<Arc<str>>,
    /// Results that wait. Every trial has one on its way at most.
    results: VecDeque<(TrialId, TrialFact)>,
    /// Steps that nothing may follow from before they are durable.
    unacknowledged: VecDeque<Brought>,
    waiting: Waiting,
    marks: u64,
    next_snapshot: Moment,
}

impl Keeper {
    pub(super) fn new(journal: Option<Box<dyn Journal>>, marks: u64) -> Self {
        Self { journal, marks, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.journal.is_none()
    }

    /// Why results wait, if they do.
    pub(super) fn held(&self) -> Option<Arc<str>> {
        self.held.clone()
    }

    pub(super) fn backlog(&self) -> Option<Backlog> {
        self.journal.as_ref().map(|journal| journal.backlog())
    }

    /// Lets a result wait if results wait.
    pub(super) fn hold(&mut self, trial: TrialId, fact: TrialFact) -> Option<(TrialId, TrialFact)> {
        if self.held.is_none() {
            return Some((trial, fact));
        }
        self.results.push_back((trial, fact));
        None
    }

    /// The next result that has waited, once none has to any more.
    pub(super) fn next_result(&mut self) -> Option<(TrialId, TrialFact)> {
        if self.held.is_some() { None } else { self.results.pop_front() }
    }

    /// Writes a step down. What it brought comes back if it may be carried out at once.
    pub(super) fn step(&mut self, brought: Brought, controller: &Addr<Controller>) -> Option<Brought> {
        let Some(journal) = &mut self.journal else { return Some(brought) };
        if !brought.events.is_empty() {
            journal.step(brought.events.clone());
            if self.held.is_none() && journal.backlog().unwritten() > MOST_BEHIND {
                self.held = Some(format!("the journal is more than {MOST_BEHIND} events behind").into());
                let controller = controller.clone();
                journal.sync(Box::new(move || controller.do_send(ToController::Journal(JournalNotice::Recovered))));
            }
        }
        let waits = journal.ahead() == Ahead::Forbidden && self.waiting == Waiting::AsSaid;
        if !waits || (brought.events.is_empty() && self.unacknowledged.is_empty()) {
            return Some(brought);
        }
        self.unacknowledged.push_back(brought);
        let controller = controller.clone();
        journal.sync(Box::new(move || controller.do_send(ToController::Acknowledged)));
        None
    }

    /// The first of the steps that waited is durable.
    pub(super) fn acknowledged(&mut self) -> Option<Brought> {
        self.unacknowledged.pop_front()
    }

    /// Results don't wait any longer.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// Nothing waits any more: the run is ending, and its journal can't be written. Answers what has waited.
    pub(super) fn give_up(&mut self) -> VecDeque<Brought> {
        (self.waiting, self.held) = (Waiting::GivenUp, None);
        std::mem::take(&mut self.unacknowledged)
    }

    pub(super) fn stalled(&mut self, why: &str) {
        self.held = Some(format!("the journal can't be written: {why}").into());
    }

    /// Whether there is enough to be said in fewer words.
    pub(super) fn is_worth_a_snapshot(&self) -> bool {
        self.backlog().is_some_and(|backlog| backlog.segments > WORTHWHILE)
    }

    /// Whether a snapshot may be made, and if not now, how long to wait.
    pub(super) fn snapshot_in(&self, now: Moment) -> Duration {
        self.next_snapshot.since(now)
    }

    /// A snapshot with the parts in these states, which took so long to gather. Answers the mark at which observers are to
    /// be asked for theirs.
    pub(super) fn snapshot(&mut self, parts: PartStates, now: Moment, took: Duration) -> Option<u64> {
        self.next_snapshot = now + took.saturating_mul(SHARE);
        let mark = self.mark()?;
        self.journal.as_mut()?.snapshot(parts);
        Some(mark)
    }

    /// A new mark.
    pub(super) fn mark(&mut self) -> Option<u64> {
        let journal = self.journal.as_mut()?;
        self.marks += 1;
        journal.mark(self.marks);
        Some(self.marks)
    }

    /// Has a checkpoint deleted when it can't be needed any more; answers it if there is no journal to wait for.
    pub(super) fn forget(&mut self, checkpoint: CheckpointId) -> Option<CheckpointId> {
        match &mut self.journal {
            Some(journal) => {
                journal.forget(checkpoint);
                None
            }
            None => Some(checkpoint),
        }
    }

    /// Does `task` once everything so far is durable; at once if there is no journal.
    pub(super) fn sync(&mut self, task: impl FnOnce() + Send + 'static) {
        match &mut self.journal {
            Some(journal) => journal.sync(Box::new(task)),
            None => task(),
        }
    }
}
