//! `results.csv`: all results of all trials in one table.

use std::path::Path;
use std::sync::Arc;

use super::csv::Line;
use super::error::FileError;
use super::pace::{Due, FULL, Pace};
use super::row::Host;
use super::subjects::Subjects;
use super::table::{Rewrite, Table};
use super::{disk, missed};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::metrics::Report;
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, Past};

/// Writes `<run>/results.csv`: a row for each result, in the order in which they came, with the columns of `progress.csv`.
///
/// It may be read at any time as long as no column comes late. Those that do, get their place in the header when the file has
/// doubled since, and at the end of the run at the latest. A resumed run writes it anew, the earlier results included.
#[derive(Debug)]
pub struct ExperimentCsv {
    table: Table,
    subjects: Subjects,
    host: Host,
    line: Line,
    pace: Pace,
    stage: Stage,
}

/// How far a file that is written once has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is written yet.
    Idle,
    /// It grows.
    Growing,
    /// It is done, or can't be written.
    Over,
}

impl ExperimentCsv {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            table: Table::fresh(root.join("results.csv"), Rewrite::Seldom, &Arc::default()),
            subjects: Subjects::default(),
            host: Host::here(),
            line: Line::default(),
            pace: Pace::default(),
            stage: Stage::Idle,
        }
    }

    fn take(&mut self, event: &ExperimentEvent) -> Result<(), FileError> {
        self.subjects.note(&event.kind);
        match &event.kind {
            EventKind::Reported { report } => self.report(report)?,
            EventKind::Finished { .. } => self.finish()?,
            _ => {}
        }
        if self.pace.due(event) == Due::Now { self.flush() } else { Ok(()) }
    }

    fn report(&mut self, report: &Report) -> Result<(), FileError> {
        if self.stage == Stage::Idle {
            disk::remove(self.table.path())?;
        }
        self.stage = Stage::Growing;
        let before = self.table.pending();
        let (host, subject) = (&mut self.host, self.subjects.of(report.trial));
        self.table.add(&mut self.line, |columns, line| {
            host.cells(report, subject, |name, cell| line.set(columns, name, cell));
        })?;
        self.pace.add(self.table.pending().saturating_sub(before));
        if self.table.pending() > FULL { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.pace.done();
        self.table.flush()
    }

    fn finish(&mut self) -> Result<(), FileError> {
        self.pace.done();
        self.stage = Stage::Over;
        self.table.finish()
    }

    fn noted(&mut self, done: Result<(), FileError>) -> Result<(), ObserverError> {
        if done.is_err() {
            self.stage = Stage::Over;
        }
        Ok(done?)
    }
}

impl Observer for ExperimentCsv {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let done = self.take(event);
        self.noted(done)
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        missed(self.name(), events);
        Ok(())
    }

    fn on_quiet(&mut self) -> Result<(), ObserverError> {
        let done = self.flush();
        self.noted(done)
    }

    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        // An earlier session's end isn't this one's.
        if matches!(event.kind, EventKind::Finished { .. }) { Ok(()) } else { self.on_event(event) }
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn name(&self) -> &str {
        "results.csv"
    }
}

impl Drop for ExperimentCsv {
    fn drop(&mut self) {
        if self.stage == Stage::Growing
            && let Err(error) = self.finish()
        {
            log::warn!(target: "tryout", "rows are lost: {error}");
        }
    }
}
