//! A run's journal, read from its beginning.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DIRECTORY;
use crate::edge::log::{Damage, DirFiles, LogError, LogReader, Position, Tail, Tailed, Torn};
use crate::logic::engine::{Engine, ReplayError, StoredTrial};
use crate::logic::event::{Change, Ending, EventKind, ExperimentEvent};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::journal::{JournalError, Opened, Reader, Record};
use crate::logic::metrics::Report;
use crate::logic::time::Moment;

/// Why a run's journal can't be used.
#[derive(thiserror::Error)]
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
    Replay {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: ReplayError,
    },
    /// It can't be written.
    #[error("the journal in `{}` can't be written: {source}", path.display())]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
}

crate::logic::failure::debug_as_chain!(JournalFault);

/// A run's journal, record by record.
#[derive(Debug)]
pub struct Past {
    path: PathBuf,
    log: LogReader,
    reader: Reader,
}

impl Past {
    /// Opens the journal of the run in `dir`.
    ///
    /// # Errors
    /// If there is none, or it can't be read.
    pub fn open(dir: &Path, damage: Damage) -> Result<Self, JournalFault> {
        let path = dir.join(DIRECTORY);
        let log = LogReader::open(&DirFiles::new(&path), damage)?;
        Ok(Self { path, log, reader: Reader::default() })
    }

    /// The same up to a line, exclusively: what was there when that was the next.
    #[must_use]
    pub fn until(self, line: u64) -> Self {
        Self { log: self.log.until(line), ..self }
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// If the journal is damaged, or isn't one.
    pub fn next_record(&mut self) -> Result<Option<Record>, JournalFault> {
        let Some(text) = self.log.next_line()? else { return Ok(None) };
        match self.reader.read(text) {
            Ok(record) => Ok(Some(record)),
            Err(source) => Err(JournalFault::Record { path: self.path.clone(), source }),
        }
    }

    /// Whether the record that was read last stands in a snapshot.
    #[must_use]
    pub fn in_snapshot(&self) -> bool {
        self.log.in_snapshot()
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

    /// What follows what was read, now and later. Of use when everything has been read.
    pub fn follow(self) -> Following {
        let tail = Tail::new(DirFiles::new(&self.path), &self.log.position());
        Following { path: self.path, tail, reader: self.reader }
    }

    /// Tells an engine everything. Answers where the journal ends, and what was dropped there.
    ///
    /// # Errors
    /// If the journal is damaged, isn't one, or can't have happened.
    pub fn tell(mut self, engine: &mut Engine) -> Result<(Position, Option<Torn>), JournalFault> {
        while let Some(record) = self.next_record()? {
            engine.replay(record).map_err(|source| JournalFault::Replay { path: self.path.clone(), source })?;
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
        let mut last = LastReports::default();
        while let Some(record) = self.next_record().map_err(|fault| fault.to_string())? {
            match record {
                Record::Mark(mark) if Some(mark) == after => begun = true,
                Record::Opened(opened) => last.run = opened.run,
                Record::Step(events) => {
                    for event in events {
                        last.follow(&event);
                        if begun {
                            hear(&event)?;
                        }
                    }
                }
                Record::Trial(stored) => tell_end(last.end(*stored), begun, hear)?,
                Record::Facts(facts) => tell_end(last.end(facts.alone(last.run)), begun, hear)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// What follows in a journal that somebody else writes.
#[derive(Debug)]
pub struct Following {
    path: PathBuf,
    tail: Tail,
    reader: Reader,
}

/// What [`Following`] finds.
#[derive(Debug)]
pub enum Followed {
    /// The next record.
    Record(Box<Record>),
    /// There is none yet.
    Nothing,
    /// The journal has to be read from its beginning.
    Again,
}

impl Following {
    /// The number of the journal's next line.
    pub fn next_line(&self) -> u64 {
        self.tail.next()
    }

    /// The next record, if it is there.
    ///
    /// # Errors
    /// If the journal can't be read, or isn't one.
    pub fn next_record(&mut self) -> Result<Followed, JournalFault> {
        match self.tail.next_line()? {
            Tailed::Nothing => Ok(Followed::Nothing),
            Tailed::Again => Ok(Followed::Again),
            Tailed::Line(text) => match self.reader.read(text) {
                Ok(record) => Ok(Followed::Record(Box::new(record))),
                Err(source) => Err(JournalFault::Record { path: self.path.clone(), source }),
            },
        }
    }
}

fn tell_end(
    events: Vec<ExperimentEvent>,
    begun: bool,
    hear: &mut dyn FnMut(&ExperimentEvent) -> Result<(), String>,
) -> Result<(), String> {
    events.iter().filter(|_| begun).try_for_each(hear)
}

/// What is remembered to tell the end of a trial of which a snapshot has the facts.
#[derive(Default)]
struct LastReports {
    run: RunId,
    last: HashMap<TrialId, Arc<Report>>,
}

impl LastReports {
    fn follow(&mut self, event: &ExperimentEvent) {
        let change = event.kind.change();
        if let Change::Reported { report } = change {
            self.last.insert(report.trial, report.clone());
        } else if let Change::Ended { trial, .. } = change {
            self.last.remove(&trial);
        }
    }

    /// The events that a trial's record stands for: its failures, and its end.
    fn end(&mut self, stored: StoredTrial) -> Vec<ExperimentEvent> {
        let (trial, record) = (TrialId::new(self.run, stored.trial), stored.record);
        let failed = record.failures.into_iter().map(|failure| ExperimentEvent {
            at: failure.at,
            kind: EventKind::Failed { trial, failure, retry_at: None },
        });
        let mut events: Vec<_> = failed.collect();
        if record.status.is_terminal() {
            let last = stored.last.or_else(|| self.last.remove(&trial));
            let kind = EventKind::Ended {
                trial,
                status: record.status,
                ending: record.ending.unwrap_or(Ending::Client),
                reason: record.reason,
                last: last.unwrap_or_else(|| Arc::new(Report::empty(trial))),
            };
            events.push(ExperimentEvent { at: record.ended.unwrap_or(Moment::START), kind });
        }
        events
    }
}
