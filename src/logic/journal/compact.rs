//! Fewer records that say the same: a snapshot.
//!
//! Kept in their order are what was added, the reports and the copies, so that tables of a whole run can be made anew. Everything else that
//! happened to a trial becomes its record: at the place of its end, or at the end of the snapshot if it hasn't ended. What
//! happens to a trial after its first end is kept as it was, and so is who asked for what. The records are those of the ledger, changed by the same events.
//!
//! If a part that decides gave no state, nothing is left out: it is told the past again when the run is resumed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::format1::TrialFacts;
use super::record::{Entry, Opened, PartStates, Record};
use super::track::Tracks;
use super::write::Writer;
use crate::logic::engine::{Entry as Trial, History, Place, Plan, RunRecord, StoredTrial};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::{RunId, TrialId};

/// So many events at most stand in one record.
const ROWS: usize = 256;

/// Takes all records there are, in their order, and gives back fewer.
#[derive(Debug)]
pub struct Compactor {
    parts: PartStates,
    /// What an earlier snapshot that is kept said of the run, if anything follows it.
    end_of_snapshot: Option<RunRecord>,
    /// Whether a session wrote format 1, in which a trial that was revived has several records.
    is_format1: bool,
    opened: Option<Opened>,
    writer: Writer,
    /// The last report that was written of each trial that hasn't ended.
    rows: Tracks,
    first_life: BTreeMap<TrialId, Trial>,
    /// Trials that were revived: followed only to count their turns.
    later_lives: BTreeMap<TrialId, Trial>,
    pending: Vec<ExperimentEvent>,
    /// Whether one of those needs its time.
    timed: bool,
    run: RunRecord,
    finished: Option<ExperimentEvent>,
}

impl Compactor {
    /// A snapshot at whose end the parts have these states.
    pub fn new(parts: PartStates) -> Self {
        Self {
            parts,
            end_of_snapshot: None,
            is_format1: false,
            opened: None,
            writer: Writer::default(),
            rows: Tracks::default(),
            first_life: BTreeMap::new(),
            later_lives: BTreeMap::new(),
            pending: Vec::new(),
            timed: false,
            run: RunRecord::default(),
            finished: None,
        }
    }

    /// Whether nothing is left out.
    fn keeps_all(&self) -> bool {
        self.parts.searcher.is_none() || self.parts.scheduler.is_none() || self.parts.stop.is_none()
    }

    /// Takes one more record; `out` gets those that can be written already, one call each.
    pub fn take(&mut self, record: Record, out: &mut dyn FnMut(&[u8])) {
        let keeps_all = self.keeps_all();
        match record {
            Record::Opened(opened) => {
                // The snapshot has to begin with one. The last one's settings count: it ends the snapshot too.
                if self.opened.is_none() {
                    self.write(&Entry::Opened(opened.clone().into()), out);
                    if !keeps_all {
                        put(out, |text| Writer::parts(&self.parts, text));
                    }
                }
                self.is_format1 |= opened.format == 1;
                self.run.open();
                (self.opened, self.finished) = (Some(opened), None);
            }
            Record::Turn(turn) => {
                self.run.turn = self.run.turn.max(turn);
                if keeps_all {
                    self.flush(out);
                    put(out, |text| Writer::turn(turn, text));
                }
            }
            Record::Mark(mark) => {
                self.flush(out);
                self.write(&Entry::Mark(mark), out);
            }
            Record::Observer(state) => self.write(&Entry::Observer(state), out),
            Record::Run(run) => {
                // It says where the states end that were kept, and how many turns there were.
                if keeps_all {
                    self.end_of_snapshot = Some(run.clone());
                }
                self.run.join(run);
            }
            Record::Facts(facts) => self.facts(*facts, out),
            Record::Trial(stored) => {
                let id = self.id(stored.trial);
                self.load(id, *stored, out);
            }
            Record::Step(events) => {
                events.into_iter().for_each(|event| self.event(event, out));
                // A step that is kept as it was stays in one record.
                if self.pending.len() >= ROWS {
                    self.flush(out);
                }
            }
            Record::Parts(parts) if keeps_all => put(out, |text| Writer::parts(&parts, text)),
            Record::Parts(_) | Record::Fresh => {}
        }
    }

    /// Writes what is left.
    pub fn finish(mut self, out: &mut dyn FnMut(&[u8])) {
        self.flush(out);
        for (id, trial) in self.first_life.iter().filter(|_| !self.keeps_all()) {
            let stored = trial.store(self.rows.last(*id).map(|row| &**row));
            put(out, |text| Writer::trial(&stored, text));
        }
        // What holds, and how the session ended, holds of the last session: it is said after that has begun.
        if let Some(opened) = self.opened.take().filter(|opened| opened.session > 1) {
            self.write(&Entry::Opened(opened.into()), out);
        }
        put(out, |text| Writer::run(&self.run, text));
        self.pending.extend(self.finished.take());
        self.flush(out);
    }

    fn id(&self, number: u32) -> TrialId {
        TrialId::new(self.opened.as_ref().map_or(RunId::default(), |opened| opened.run), number)
    }

    /// What a snapshot of format 1 knows of a trial; of one that was revived there are several.
    fn facts(&mut self, facts: TrialFacts, out: &mut dyn FnMut(&[u8])) {
        let id = self.id(facts.trial);
        if let Some(trial) = self.first_life.get(&id) {
            let stored = facts.onto(trial.record(), trial.plan_of());
            self.load(id, stored, out);
        } else if let Some(trial) = self.later_lives.get_mut(&id) {
            let stored = facts.onto(trial.record(), trial.plan_of());
            trial.load(stored.clone());
            self.flush(out);
            put(out, |text| Writer::trial(&stored, text));
        }
    }

    /// An earlier snapshot's record of a trial.
    fn load(&mut self, id: TrialId, stored: StoredTrial, out: &mut dyn FnMut(&[u8])) {
        let keeps_all = self.keeps_all();
        let Some(trial) = self.first_life.get_mut(&id) else { return };
        let ended = stored.plan.is_none();
        if let Some(Plan { place: Place::Parked(turn), .. }) = stored.plan {
            self.run.turn = self.run.turn.max(turn);
        }
        trial.load(stored);
        if ended {
            self.end(id, out);
        } else if keeps_all {
            let stored = trial.store(self.rows.last(id).map(|row| &**row));
            self.flush(out);
            put(out, |text| Writer::trial(&stored, text));
        }
    }

    fn end(&mut self, id: TrialId, out: &mut dyn FnMut(&[u8])) {
        self.flush(out);
        if let Some(trial) = self.first_life.remove(&id) {
            let stored = trial.store(self.rows.last(id).map(|row| &**row));
            put(out, |text| Writer::trial(&stored, text));
            if self.is_format1 {
                self.later_lives.insert(id, trial);
            }
        }
        self.rows.forget(id);
    }

    fn write(&mut self, entry: &Entry, out: &mut dyn FnMut(&[u8])) {
        put(out, |text| self.writer.write(entry, text));
    }

    fn flush(&mut self, out: &mut dyn FnMut(&[u8])) {
        self.timed = false;
        if !self.pending.is_empty() {
            let events = std::mem::take(&mut self.pending);
            self.write(&Entry::Step(events.into()), out);
        }
    }

    fn event(&mut self, event: ExperimentEvent, out: &mut dyn FnMut(&[u8])) {
        self.run.apply(&event);
        if let EventKind::Finished { .. } = &event.kind {
            self.finished = Some(event);
            return;
        }
        // Who asked for what is kept for good.
        if let EventKind::Asked { .. } = &event.kind {
            return self.keep_as_it_was(event, out);
        }
        self.first_life.extend(Trial::added(&event.kind));
        let keeps_all = self.keeps_all();
        let Some(id) = event.kind.trial() else {
            if keeps_all {
                self.keep_as_it_was(event, out);
            }
            return;
        };
        let Some(trial) = self.first_life.get_mut(&id) else { return self.later_life(id, event, out) };
        self.run.turn = trial.follow(&event, self.run.turn, History::None);
        if keeps_all {
            return self.keep_as_it_was(event, out);
        }
        match &event.kind {
            EventKind::Added { .. } | EventKind::Exploited { .. } | EventKind::Disinherited { .. } => {
                self.keep_row(event, out);
            }
            EventKind::Reported { report } => {
                self.rows.remember(report);
                self.keep_row(event, out);
            }
            EventKind::Ended { .. } => self.end(id, out),
            _ => {}
        }
    }

    /// What happens to a trial after its first end.
    fn later_life(&mut self, id: TrialId, event: ExperimentEvent, out: &mut dyn FnMut(&[u8])) {
        if let EventKind::Revived { request, .. } = &event.kind {
            let new = || Trial::new(id, Arc::default(), request.clone());
            self.later_lives.entry(id).or_insert_with(new);
        }
        if let Some(trial) = self.later_lives.get_mut(&id) {
            let before = self.run.turn;
            self.run.turn = trial.follow(&event, before, History::None);
            // Whoever reads this counts on from here.
            if self.run.turn > before && !self.keeps_all() {
                self.flush(out);
                put(out, |text| Writer::turn(before, text));
            }
        }
        if matches!(&event.kind, EventKind::Ended { .. }) && !self.is_format1 {
            self.later_lives.remove(&id);
        }
        self.keep_as_it_was(event, out);
    }

    /// The events of one record have one time.
    fn keep_as_it_was(&mut self, event: ExperimentEvent, out: &mut dyn FnMut(&[u8])) {
        if self.pending.first().is_some_and(|first| first.at != event.at) {
            self.flush(out);
        }
        self.keep(event, out);
        self.timed = true;
    }

    /// Of these nobody needs the time: a report has its own.
    fn keep_row(&mut self, event: ExperimentEvent, out: &mut dyn FnMut(&[u8])) {
        if self.timed {
            self.flush(out);
        }
        self.keep(event, out);
    }

    fn keep(&mut self, event: ExperimentEvent, out: &mut dyn FnMut(&[u8])) {
        if let Some(run) = self.end_of_snapshot.take() {
            self.flush(out);
            put(out, |text| Writer::run(&run, text));
        }
        self.pending.push(event);
    }
}

/// Hands on one record.
fn put(out: &mut dyn FnMut(&[u8]), write: impl FnOnce(&mut Vec<u8>)) {
    let mut text = Vec::new();
    write(&mut text);
    if !text.is_empty() {
        out(&text);
    }
}
