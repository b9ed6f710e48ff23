//! From entries to records' text.

use super::event_record::EventRecord;
use super::record::{Entry, Opened, PartStates};
use super::rows::{self, comma, json};
use super::track::Tracks;
use crate::logic::engine::{RunRecord, StoredTrial};
use crate::logic::event::{EventKind, ExperimentEvent};

/// Turns entries into JSON, one line each, in their order.
#[derive(Debug, Default)]
pub struct Writer {
    tracks: Tracks,
}

impl Writer {
    /// Appends an entry's record to `out`: one JSON object without a line's end. Nothing is appended for an entry that
    /// says nothing new.
    pub fn write(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        match entry {
            Entry::Opened(opened) => {
                self.tracks = Tracks::default();
                keyed("opened", &**opened as &Opened, out);
            }
            Entry::Step(events) => self.step(events, out),
            Entry::Mark(mark) => keyed("mark", mark, out),
            Entry::Observer(state) => keyed("observer", state, out),
            Entry::Fresh => {
                self.tracks = Tracks::default();
                keyed("fresh", &true, out);
            }
        }
    }

    fn step(&mut self, events: &[ExperimentEvent], out: &mut Vec<u8>) {
        let Some(first) = events.first() else { return };
        let begin = out.len();
        out.extend_from_slice(b"{\"at\":");
        json(&first.at, out);
        out.extend_from_slice(b",\"events\":[");
        let empty = out.len();
        let mut events = events.iter().peekable();
        while let Some(event) = events.next() {
            if let EventKind::Reported { report } = &event.kind {
                comma(out.len() > empty, out);
                out.extend_from_slice(b"{\"reports\":");
                rows::open(report, out);
                rows::row(report, &mut self.tracks, out);
                while let Some(EventKind::Reported { report: next }) = events.peek().map(|event| &event.kind)
                    && rows::same_keys(report, next)
                {
                    out.push(b',');
                    rows::row(next, &mut self.tracks, out);
                    events.next();
                }
                rows::close(out);
                out.push(b'}');
                continue;
            }
            if let Some(record) = EventRecord::of(&event.kind, &self.tracks) {
                comma(out.len() > empty, out);
                json(&record, out);
            }
            self.tracks.follow(&event.kind);
        }
        if out.len() == empty {
            out.truncate(begin);
            return;
        }
        out.extend_from_slice(b"]}");
    }

    /// Appends what is known of a trial.
    pub(super) fn trial(stored: &StoredTrial, out: &mut Vec<u8>) {
        keyed("trial", stored, out);
    }

    /// Appends the states of the parts.
    pub(super) fn parts(parts: &PartStates, out: &mut Vec<u8>) {
        keyed("parts", parts, out);
    }

    /// Appends the turn that paused trials have come to.
    pub(super) fn turn(turn: u64, out: &mut Vec<u8>) {
        keyed("turn", &turn, out);
    }

    /// Appends what holds for the run.
    pub(super) fn run(run: &RunRecord, out: &mut Vec<u8>) {
        keyed("run", run, out);
    }
}

fn keyed<T: serde::Serialize + ?Sized>(key: &str, value: &T, out: &mut Vec<u8>) {
    out.push(b'{');
    json(key, out);
    out.push(b':');
    json(value, out);
    out.push(b'}');
}
