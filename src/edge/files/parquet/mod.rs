//! `results.parquet`: all results of all trials in columns.

mod spill;
mod write;

use std::path::{Path, PathBuf};

use self::spill::Spill;
use super::error::FileError;
use super::experiment_csv::Stage;
use super::row::Host;
use super::subjects::Subjects;
use super::{disk, missed};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::metrics::Report;
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, Past};

/// Writes `<run>/results.parquet` at the end of the run: the rows and columns of `results.csv` (feature `parquet`).
///
/// A column holds 64-bit floats, 64-bit integers, truth values or texts; integers and floats together are floats, any other
/// mixture is text. What a row doesn't have is null. Until the end the rows are in a hidden file beside it: about
/// a second for a million rows is needed then, so `Experiment::patience` should be longer for tens of millions. A resumed run
/// writes it anew, the earlier results included.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    spill: Spill,
    subjects: Subjects,
    host: Host,
    stage: Stage,
}

impl ParquetFile {
    pub(super) fn new(root: &Path) -> Self {
        let path = root.join("results.parquet");
        Self {
            spill: Spill::new(disk::aside(&path, "rows")),
            path,
            subjects: Subjects::default(),
            host: Host::here(),
            stage: Stage::Idle,
        }
    }

    fn take(&mut self, event: &ExperimentEvent) -> Result<(), FileError> {
        self.subjects.note(&event.kind);
        match &event.kind {
            EventKind::Reported { report } => self.report(report),
            EventKind::Finished { .. } => self.finish(),
            _ => Ok(()),
        }
    }

    fn report(&mut self, report: &Report) -> Result<(), FileError> {
        if self.stage == Stage::Idle {
            disk::remove(self.spill.path())?;
        }
        self.stage = Stage::Growing;
        let (spill, subject) = (&mut self.spill, self.subjects.of(report.trial));
        spill.begin();
        self.host.cells(report, subject, |name, cell| spill.put(name, cell));
        spill.end()
    }

    fn finish(&mut self) -> Result<(), FileError> {
        if self.stage == Stage::Growing {
            self.stage = Stage::Over;
            self.spill.flush()?;
            write::write(&self.spill, &self.path)?;
            disk::remove(self.spill.path())?;
        }
        Ok(())
    }

    fn noted(&mut self, done: Result<(), FileError>) -> Result<(), ObserverError> {
        if done.is_err() {
            self.stage = Stage::Over;
        }
        Ok(done?)
    }
}

impl Observer for ParquetFile {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let done = self.take(event);
        self.noted(done)
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        missed(self.name(), events);
        Ok(())
    }

    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        // An earlier session's end isn't this one's.
        if matches!(event.kind, EventKind::Finished { .. }) { Ok(()) } else { self.on_event(event) }
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn name(&self) -> &str {
        "results.parquet"
    }
}

impl Drop for ParquetFile {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            log::warn!(target: "tryout", "rows are lost: {error}");
        }
    }
}
