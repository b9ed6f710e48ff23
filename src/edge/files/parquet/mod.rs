//! `results.parquet`: all results of all trials in columns.

mod spill;
mod write;

use std::path::{Path, PathBuf};

use self::spill::Spill;
use super::disk;
use super::error::FileError;
use super::observer::{When, Writer};
use super::pace::Pace;
use super::row::{Cell, Host};
use super::subjects::Subjects;
use crate::edge::plain_file;
use crate::logic::event::{EventKind, ExperimentEvent, Outcome};

/// Writes `<run>/results.parquet`.
#[derive(Debug)]
pub(super) struct ParquetFile {
    path: PathBuf,
    spill: Spill,
    subjects: Subjects,
    host: Host,
}

impl ParquetFile {
    pub(super) fn new(root: &Path) -> Self {
        let path = root.join("results.parquet");
        let spill = Spill::new(plain_file::aside(&path, "rows"));
        Self { spill, path, subjects: Subjects::default(), host: Host::here() }
    }
}

impl Writer for ParquetFile {
    const NAME: &'static str = "results.parquet";
    const CONTINUES: bool = false;

    fn begin(&mut self) -> Result<(), FileError> {
        disk::remove(self.spill.path())
    }

    fn take(&mut self, event: &ExperimentEvent, _: When, _: &mut Pace) -> Result<(), FileError> {
        self.subjects.note(&event.kind);
        self.host.note(&event.kind);
        let EventKind::Reported { report } = &event.kind else { return Ok(()) };
        let (spill, subject) = (&mut self.spill, self.subjects.of(report.trial));
        spill.begin();
        self.host.cells(report, subject, |name, cell| spill.put(name, cell));
        spill.end()
    }

    fn finish(&mut self, _: Option<&Outcome>) -> Result<(), FileError> {
        if self.spill.columns().len() == 0 {
            return Ok(());
        }
        self.spill.flush()?;
        write::write(&self.spill, &self.path)?;
        disk::remove(self.spill.path())
    }
}

/// Writes rows that are in memory.
pub(super) fn write_rows<'a, R>(path: &Path, rows: impl Iterator<Item = R>) -> Result<(), FileError>
where
    R: Iterator<Item = (&'a str, Cell<'a>)>,
{
    let mut spill = Spill::new(plain_file::aside(path, "rows"));
    disk::remove(spill.path())?;
    for row in rows {
        spill.begin();
        row.for_each(|(name, cell)| spill.put(name, cell));
        spill.end()?;
    }
    if spill.columns().len() == 0 {
        let nothing = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the table has no rows");
        return Err(FileError::io("write", path)(nothing));
    }
    spill.flush()?;
    let written = write::write(&spill, path);
    disk::remove(spill.path())?;
    written
}
