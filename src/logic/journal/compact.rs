//! Fewer records that say the same: a snapshot.
//!
//! Kept in their order are what was added, the reports, and the ends of trials, so that a part without a state of its
//! own can be told again what happened. Everything else that was said of a trial becomes one record of facts: at the
//! place of its end, or at the end of the snapshot if it hasn't ended.

use std::collections::BTreeMap;

use super::facts::TrialFacts;
use super::record::{Entry, Opened, PartStates, Record, RunFacts};
use super::write::Writer;
use crate::logic::event::{EventKind, ExperimentEvent};

/// So many events at most stand in one record.
const ROWS: usize = 256;

/// Takes all records there are, in their order, and gives back fewer.
#[derive(Debug)]
pub struct Compactor {
    parts: PartStates,
    opened: Option<Opened>,
    writer: Writer,
    live: BTreeMap<u32, TrialFacts>,
    pending: Vec<ExperimentEvent>,
    run: RunFacts,
    finished: Option<ExperimentEvent>,
}

impl Compactor {
    /// A snapshot at whose end the parts have these states.
    pub fn new(parts: PartStates) -> Self {
        Self {
            parts,
            opened: None,
            writer: Writer::default(),
            live: BTreeMap::new(),
            pending: Vec::new(),
            run: RunFacts::default(),
            finished: None,
        }
    }

    /// Takes one more record; `out` gets those that can be written already, one call each.
    pub fn take(&mut self, record: Record, out: &mut dyn FnMut(&[u8])) {
        match record {
            Record::Opened(opened) => {
                // The snapshot has to begin with one. The last one's settings count: it ends the snapshot too.
                if self.opened.is_none() {
                    self.write(&Entry::Opened(opened.clone().into()), out);
                    let mut text = Vec::new();
                    Writer::parts(&self.parts, &mut text);
                    out(&text);
                }
                (self.opened, self.finished) = (Some(opened), None);
            }
            Record::Mark(mark) => {
                self.flush(out);
                self.write(&Entry::Mark(mark), out);
            }
            Record::Observer(state) => self.write(&Entry::Observer(state), out),
            Record::Run(run) => self.run.join(run),
            Record::Facts(facts) if facts.status.is_terminal() => {
                self.flush(out);
                self.live.remove(&facts.trial);
                emit(&facts, out);
            }
            Record::Facts(facts) => {
                self.live.insert(facts.trial, *facts);
            }
            Record::Step(events) => events.into_iter().for_each(|event| self.event(event, out)),
            Record::Parts(_) | Record::Fresh => {}
        }
    }

    /// Writes what is left.
    pub fn finish(mut self, out: &mut dyn FnMut(&[u8])) {
        self.pending.extend(self.finished.take());
        self.flush(out);
        for facts in self.live.values() {
            emit(facts, out);
        }
        let mut text = Vec::new();
        Writer::run(&self.run, &mut text);
        out(&text);
        if let Some(opened) = self.opened.take().filter(|opened| opened.session > 1) {
            self.write(&Entry::Opened(opened.into()), out);
        }
    }

    fn write(&mut self, entry: &Entry, out: &mut dyn FnMut(&[u8])) {
        let mut text = Vec::new();
        self.writer.write(entry, &mut text);
        if !text.is_empty() {
            out(&text);
        }
    }

    fn flush(&mut self, out: &mut dyn FnMut(&[u8])) {
        if !self.pending.is_empty() {
            let events = std::mem::take(&mut self.pending);
            self.write(&Entry::Step(events.into()), out);
        }
    }

    fn event(&mut self, event: ExperimentEvent, out: &mut dyn FnMut(&[u8])) {
        self.run.follow(&event);
        let number = event.kind.trial().map(|trial| trial.number());
        if let (EventKind::Added { .. } | EventKind::Revived { .. }, Some(number)) = (&event.kind, number) {
            self.live.insert(number, TrialFacts::new(number));
        }
        let facts = number.and_then(|number| self.live.get_mut(&number));
        // Of a trial that has ended, only the end of a checkpoint is news.
        let ended = facts.is_none();
        if let Some(facts) = facts {
            facts.follow(&event.kind, event.at);
        }
        match &event.kind {
            EventKind::Deleted { .. } if !ended => {}
            EventKind::Added { .. }
            | EventKind::Reported { .. }
            | EventKind::Revived { .. }
            | EventKind::Deleted { .. } => {
                self.pending.push(event);
                if self.pending.len() >= ROWS {
                    self.flush(out);
                }
            }
            EventKind::Ended { trial, .. } => {
                self.flush(out);
                if let Some(facts) = self.live.remove(&trial.number()) {
                    emit(&facts, out);
                }
            }
            EventKind::Finished { .. } => self.finished = Some(event),
            _ => {}
        }
    }
}

fn emit(facts: &TrialFacts, out: &mut dyn FnMut(&[u8])) {
    let mut text = Vec::new();
    Writer::facts(facts, &mut text);
    out(&text);
}
