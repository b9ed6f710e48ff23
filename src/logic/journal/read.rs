//! From records' text to what happened.

use serde::Deserialize;

use super::event_record::EventRecord;
use super::format1::TrialFacts;
use super::record::{FORMAT, ObserverState, Opened, PartStates, Record};

use super::track::Tracks;
use crate::logic::engine::{RunRecord, StoredTrial};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::RunId;
use crate::logic::time::Moment;

/// A record that can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It isn't one of the known kinds, or not in their form.
    #[error("a record that isn't one: {}: {source}", beginning(text))]
    Form {
        /// The text.
        text: String,
        /// What serde said.
        source: serde_json::Error,
    },
    /// It was written by a later version.
    #[error("the journal has format {found}, and this version of tryout reads formats up to {FORMAT}: use a newer one")]
    Format {
        /// The format that was found.
        found: u32,
    },
    /// The first record doesn't say which run it is.
    #[error("the journal doesn't begin with the record that opens a run")]
    Unopened,
}

fn beginning(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("`{short}..`") } else { format!("`{short}`") }
}

#[derive(Deserialize)]
struct Step {
    at: Moment,
    events: Vec<EventRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Keyed {
    Opened(Opened),
    Mark(u64),
    Observer(ObserverState),
    Fresh(#[expect(dead_code, reason = "the key says all")] bool),
    Turn(u64),
    Run(RunRecord),
    Parts(PartStates),
    Trial(Box<StoredTrial>),
    Facts(Box<TrialFacts>),
}

/// Reads records, in their order: what one leaves out follows from those before it.
#[derive(Debug, Default)]
pub struct Reader {
    run: Option<RunId>,
    pub(super) tracks: Tracks,
}

impl Reader {
    /// Reads one record.
    ///
    /// # Errors
    /// If it has no form that this version knows.
    pub fn read(&mut self, text: &str) -> Result<Record, JournalError> {
        let form = |source| JournalError::Form { text: text.to_owned(), source };
        if text.starts_with("{\"at\"") {
            let step: Step = serde_json::from_str(text).map_err(form)?;
            let run = self.run.ok_or(JournalError::Unopened)?;
            return Ok(Record::Step(self.events(step, run)));
        }
        Ok(match serde_json::from_str(text).map_err(form)? {
            Keyed::Opened(opened) => {
                if opened.format > FORMAT {
                    return Err(JournalError::Format { found: opened.format });
                }
                self.run = Some(opened.run);
                self.tracks = Tracks::default();
                Record::Opened(opened)
            }
            Keyed::Mark(mark) => Record::Mark(mark),
            Keyed::Observer(state) => Record::Observer(state),
            Keyed::Fresh(_) => {
                self.tracks = Tracks::default();
                Record::Fresh
            }
            Keyed::Turn(turn) => Record::Turn(turn),
            Keyed::Run(run) => Record::Run(run),
            Keyed::Parts(parts) => Record::Parts(parts),
            Keyed::Trial(stored) => Record::Trial(stored),
            Keyed::Facts(facts) => Record::Facts(facts),
        })
    }

    fn events(&mut self, Step { at, events }: Step, run: RunId) -> Vec<ExperimentEvent> {
        let mut read = Vec::with_capacity(events.len());
        for record in events {
            match record {
                EventRecord::Reports(reports) => {
                    let reports = reports.reports(run, &mut self.tracks);
                    read.extend(reports.map(|report| ExperimentEvent { at, kind: EventKind::Reported { report } }));
                }
                other => {
                    let kind = other.kind(run, &self.tracks);
                    read.extend(kind.map(|kind| {
                        self.tracks.follow(&kind);
                        ExperimentEvent { at, kind }
                    }));
                }
            }
        }
        read
    }
}
