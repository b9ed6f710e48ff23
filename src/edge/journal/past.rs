//! A run's journal, read from its beginning.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DIRECTORY;
use crate::edge::log::{Damage, DirFiles, LogError, LogReader, Position, Torn};
use crate::logic::engine::{Engine, RecallError};
use crate::logic::event::{Ending, EventKind, ExperimentEvent};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::journal::{JournalError, Opened, Reader, Record, TrialFacts};
use crate::logic::metrics::Report;
use crate::logic::time::Moment;

/// Why a run's journal can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalFault {
    /// Its files.
    #[error(transparent)]
    Log(#[from] LogError),
    /// One of its records.
    #[error("the journal in `{}`: {source}", path.display())]
    Record {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: JournalError,
    },
    /// Its records don't follow from each other.
    #[error("the journal in `{}`: {source}", path.display())]
    Recall {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: RecallError,
    },
    /// It can't be written.
    #[error("the journal in `{}` can't be written", path.display())]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
}

/// A run's journal, record by record.
#[derive(Debug)]
pub struct Past {
    path: PathBuf,
    log: LogReader,
    reader: Reader,
    /// Nothing behind this line is past.
    until: Option<u64>,
}

impl Past {
    /// Opens the journal of the run in `dir`.
    ///
    /// # Errors
    /// If there is none, or it can't be read.
    pub fn open(dir: &Path, damage: Damage) -> Result<Self, JournalFault> {
        let path = dir.join(DIRECTORY);
        let log = LogReader::open(&DirFiles::new(&path), damage)?;
        Ok(Self { path, log, reader: Reader::default(), until: None })
    }

    /// The same up to a line, exclusively: what was there when that was the next.
    #[must_use]
    pub fn until(mut self, line: u64) -> Self {
        self.until = Some(line);
        self
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// If the journal is damaged, or isn't one.
    pub fn next_record(&mut self) -> Result<Option<Record>, JournalFault> {
        if self.until.is_some_and(|until| self.log.is_at(until)) {
            return Ok(None);
        }
        let Some(text) = self.log.next_line()? else { return Ok(None) };
        match self.reader.read(text) {
            Ok(record) => Ok(Some(record)),
            Err(source) => Err(JournalFault::Record { path: self.path.clone(), source }),
        }
    }

    /// The next record that opens a session; everything before it is passed over.
    ///
    /// # Errors
    /// If the journal is damaged.
    pub fn next_opened(&mut self) -> Result<Option<Opened>, JournalFault> {
        while let Some(text) = self.log.next_line()? {
            if text.starts_with("{\"opened\"")
                && let Record::Opened(opened) = self.reader.read(text).map_err(|source| self.fault(source))?
            {
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    /// That the journal doesn't begin as one does.
    pub fn unopened(&self) -> JournalFault {
        self.fault(JournalError::Unopened)
    }

    fn fault(&self, source: JournalError) -> JournalFault {
        JournalFault::Record { path: self.path.clone(), source }
    }

    /// Tells an engine everything. Answers where the journal ends, and what was dropped there.
    ///
    /// # Errors
    /// If the journal is damaged, isn't one, or can't have happened.
    pub fn tell(mut self, engine: &mut Engine) -> Result<(Position, Option<Torn>), JournalFault> {
        while let Some(record) = self.next_record()? {
            engine.recall(record).map_err(|source| JournalFault::Recall { path: self.path.clone(), source })?;
        }
        let torn = self.log.torn().cloned();
        Ok((self.log.position(), torn))
    }

    /// Hands on all events after a mark; all there are, without one.
    ///
    /// # Errors
    /// If the journal is damaged or isn't one, or if whoever hears them answers an error.
    pub fn events(
        mut self,
        after: Option<u64>,
        hear: &mut dyn FnMut(&ExperimentEvent) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut begun = after.is_none();
        let mut told = Told::default();
        while let Some(record) = self.next_record().map_err(|fault| fault.to_string())? {
            match record {
                Record::Mark(mark) if Some(mark) == after => begun = true,
                Record::Opened(opened) => told.run = opened.run,
                Record::Step(events) => {
                    for event in events {
                        told.follow(&event);
                        if begun {
                            hear(&event)?;
                        }
                    }
                }
                Record::Facts(facts) => {
                    for event in told.end(*facts) {
                        if begun {
                            hear(&event)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What is remembered to tell the end of a trial of which a snapshot has the facts.
#[derive(Default)]
struct Told {
    run: RunId,
    last: HashMap<TrialId, Arc<Report>>,
}

impl Told {
    fn follow(&mut self, event: &ExperimentEvent) {
        match &event.kind {
            EventKind::Reported { report } => {
                self.last.insert(report.trial, report.clone());
            }
            EventKind::Ended { trial, .. } => {
                self.last.remove(trial);
            }
            _ => {}
        }
    }

    /// The events that a trial's facts stand for: its failures, and its end.
    fn end(&mut self, facts: TrialFacts) -> Vec<ExperimentEvent> {
        let trial = TrialId::new(self.run, facts.trial);
        let failed = facts.failures.into_iter().map(|failure| ExperimentEvent {
            at: failure.at,
            kind: EventKind::Failed { trial, failure, retry_at: None },
        });
        let mut events: Vec<_> = failed.collect();
        if facts.status.is_terminal() {
            let last = facts.last.or_else(|| self.last.remove(&trial));
            let kind = EventKind::Ended {
                trial,
                status: facts.status,
                ending: facts.ending.unwrap_or(Ending::Client),
                reason: facts.reason,
                last: last.unwrap_or_else(|| Arc::new(Report::empty(trial))),
            };
            events.push(ExperimentEvent { at: facts.ended.unwrap_or(Moment::START), kind });
        }
        events
    }
}
