//! `results.csv`: all results of all trials in one table.

use std::path::Path;
use std::sync::Arc;

use super::csv::Line;
use super::disk;
use super::error::FileError;
use super::observer::{When, Writer};
use super::pace::{FULL, Pace};
use super::row::Host;
use super::subjects::Subjects;
use super::table::{Rewrite, Table};
use crate::logic::event::{EventKind, ExperimentEvent, Outcome};

/// Writes `<run>/results.csv`.
#[derive(Debug)]
pub(super) struct ExperimentCsv {
    table: Table,
    subjects: Subjects,
    host: Host,
    line: Line,
}

impl ExperimentCsv {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            table: Table::fresh(root.join("results.csv"), Rewrite::Seldom, &Arc::default()),
            subjects: Subjects::default(),
            host: Host::here(),
            line: Line::default(),
        }
    }
}

impl Writer for ExperimentCsv {
    const NAME: &'static str = "results.csv";
    const CONTINUES: bool = false;

    fn begin(&mut self) -> Result<(), FileError> {
        disk::remove(self.table.path())
    }

    fn take(&mut self, event: &ExperimentEvent, _: When, pace: &mut Pace) -> Result<(), FileError> {
        self.subjects.note(&event.kind);
        self.host.note(&event.kind);
        let EventKind::Reported { report } = &event.kind else { return Ok(()) };
        let before = self.table.pending();
        let (host, subject) = (&mut self.host, self.subjects.of(report.trial));
        self.table.add(&mut self.line, |columns, line| {
            host.cells(report, subject, |name, cell| line.set(columns, name, cell));
        })?;
        pace.add(self.table.pending().saturating_sub(before));
        if self.table.pending() > FULL { self.table.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.table.flush()
    }

    fn finish(&mut self, _: Option<&Outcome>) -> Result<(), FileError> {
        self.table.finish()
    }
}
