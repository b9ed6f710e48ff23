//! The journal of a simulated run: it writes in virtual time, stalls, recovers and answers late.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::{Message, Sim, Who};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::event::ExperimentEvent;
use crate::logic::gate::{Ahead, Backlog, GateInput, GateSettings, JournalGate, JournalNotice};
use crate::logic::mix::mix;
use crate::logic::time::Moment;

/// How the journal of a simulated run behaves. [`SimJournal::prompt`] has everything durable at once.
#[derive(Clone, Debug, PartialEq)]
pub struct SimJournal {
    /// Whether the engine may be ahead of it, and how far.
    pub gate: GateSettings,
    /// A step is written after so long at most; how long, is drawn.
    pub write: Duration,
    /// To make everything so far durable takes so long at most; how long, is drawn.
    pub sync: Duration,
    /// When it can't be written, and for how long, in order.
    pub stalls: Vec<(Moment, Duration)>,
    /// After so many events it asks for a snapshot.
    pub grows_after: Option<NonZeroU64>,
    /// So long the engine stands still for a snapshot, as far as the gate is told.
    pub snapshot: Duration,
}

impl SimJournal {
    /// A journal in which everything is durable at once.
    pub fn prompt() -> Self {
        Self {
            gate: GateSettings::new(Ahead::Allowed),
            write: Duration::ZERO,
            sync: Duration::ZERO,
            stalls: Vec::new(),
            grows_after: None,
            snapshot: Duration::ZERO,
        }
    }

    /// The first moment from `at` on at which it can be written.
    fn writable(&self, at: Moment) -> Moment {
        self.stalls.iter().fold(at, |at, (begin, length)| {
            let end = *begin + *length;
            if *begin <= at && at < end { end } else { at }
        })
    }
}

/// What a simulated journal has been handed, and how far it is with it.
#[derive(Debug)]
pub(super) struct JournalState {
    pub(super) script: SimJournal,
    /// The events of each step, written or not.
    pub(super) steps: Vec<Arc<[ExperimentEvent]>>,
    /// Steps that are written: they survive.
    pub(super) written: usize,
    pub(super) published: usize,
    backlog: Backlog,
    /// When it is through with all that it was handed.
    free_at: Moment,
    noise: u64,
    since_snapshot: u64,
    /// Checkpoints that are deleted once so many steps are written.
    doomed: VecDeque<(usize, CheckpointId)>,
    /// Checkpoints that are gone.
    pub(super) deleted: BTreeSet<CheckpointId>,
}

impl JournalState {
    pub(super) fn new(script: SimJournal, now: Moment, seed: u64) -> Self {
        Self {
            script,
            steps: Vec::new(),
            written: 0,
            published: 0,
            backlog: Backlog::default(),
            free_at: now,
            noise: mix(seed),
            since_snapshot: 0,
            doomed: VecDeque::new(),
            deleted: BTreeSet::new(),
        }
    }

    pub(super) fn backlog(&self) -> Backlog {
        self.backlog
    }

    /// When something is done that takes so long at most.
    fn done_after(&mut self, most: Duration, now: Moment) -> Moment {
        self.noise = mix(self.noise);
        let part = f64::from((self.noise >> 40) as u32) / f64::from(1_u32 << 24);
        self.free_at = self.script.writable(self.free_at.max(now) + most.mul_f64(part));
        self.free_at
    }

    /// So many steps are written.
    pub(super) fn written(&mut self, steps: usize) {
        let events: usize = self.steps.get(self.written..steps).unwrap_or_default().iter().map(|step| step.len()).sum();
        self.written = self.written.max(steps);
        self.backlog.written += events as u64;
        while self.doomed.front().is_some_and(|(after, _)| *after <= self.written) {
            self.deleted.extend(self.doomed.pop_front().map(|(_, checkpoint)| checkpoint));
        }
    }

    /// A checkpoint isn't needed any more once everything so far is written.
    pub(super) fn forget(&mut self, checkpoint: CheckpointId) {
        if self.written == self.steps.len() {
            self.deleted.insert(checkpoint);
        } else {
            self.doomed.push_back((self.steps.len(), checkpoint));
        }
    }
}

impl Sim {
    /// A journal that behaves like this.
    #[must_use]
    pub fn journal(mut self, script: SimJournal) -> Self {
        self.gate = JournalGate::new(Some(script.gate), 0);
        let now = self.now;
        // One without length would be over before it is noticed.
        let stalls = script.stalls.iter().copied().filter(|(_, length)| !length.is_zero());
        for (begin, length) in stalls.filter(|(begin, length)| *begin + *length > now) {
            // A stall is noticed when something can't be written, and that is nearly at once.
            let stalled = JournalNotice::Stalled("the disk is full".to_owned());
            self.send(Who::Clock, Who::Engine, begin.max(now), Message::Gate(GateInput::Journal(stalled)));
            let recovered = Message::Gate(GateInput::Journal(JournalNotice::Recovered));
            self.send(Who::Clock, Who::Engine, begin + length, recovered);
        }
        self.journal.script = script;
        self
    }

    /// Checkpoints that an earlier session deleted.
    #[must_use]
    pub fn deleted(mut self, checkpoints: BTreeSet<CheckpointId>) -> Self {
        self.journal.deleted = checkpoints;
        self
    }

    pub(super) fn write(&mut self, events: Arc<[ExperimentEvent]>) {
        let (now, many) = (self.now, events.len() as u64);
        let journal = &mut self.journal;
        journal.steps.push(events);
        journal.backlog.handed += many;
        journal.since_snapshot += many;
        let (at, steps) = (journal.done_after(journal.script.write, now), journal.steps.len());
        if at <= now {
            journal.written(steps);
        } else {
            self.send(Who::Clock, Who::Journal, at, Message::Written(steps));
        }
        let journal = &mut self.journal;
        if journal.script.grows_after.is_some_and(|most| journal.since_snapshot >= most.get()) {
            journal.since_snapshot = 0;
            self.send(Who::Clock, Who::Engine, at, Message::Gate(GateInput::Journal(JournalNotice::Grown)));
        }
    }

    pub(super) fn sync(&mut self, through: u64) {
        let at = self.journal.done_after(self.journal.script.sync, self.now);
        self.send(Who::Journal, Who::Engine, at, Message::Gate(GateInput::Durable(through)));
    }
}
