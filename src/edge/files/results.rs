//! `result.json`: one line of JSON for each result of a trial.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::disk;
use super::error::FileError;
use super::row::{Cell, Host, Subject, metrics, write_json, write_plain};
use crate::logic::metrics::Report;

pub(super) const NAME: &str = "result.json";

const ITERATION: &[u8] = b"\"training_iteration\":";

/// The lines of one trial's `result.json`: the trainable's metrics and the automatic keys flat in one object, the
/// configuration as it is under `config`.
#[derive(Debug)]
pub(super) struct ResultLines {
    path: PathBuf,
    pending: Vec<u8>,
    /// The last iteration that has a line.
    last: u64,
}

impl ResultLines {
    /// A file that isn't there yet.
    pub(super) fn fresh(directory: &Path) -> Self {
        Self { path: directory.join(NAME), pending: Vec::new(), last: 0 }
    }

    /// A file that may be there. What is torn at its end is cut off.
    pub(super) fn found(directory: &Path) -> Result<Self, FileError> {
        let mut found = Self::fresh(directory);
        found.last = shorten(&found.path, u64::MAX)?;
        Ok(found)
    }

    /// Takes the lines after `iteration` away.
    pub(super) fn keep(&mut self, iteration: u64) -> Result<(), FileError> {
        if self.last > iteration {
            self.flush()?;
            self.last = shorten(&self.path, iteration)?;
        }
        Ok(())
    }

    /// Goes on after `iteration`, which may be behind.
    pub(super) fn go_on_after(&mut self, iteration: u64) {
        self.last = iteration;
    }

    /// Adds a line, unless that iteration has one.
    pub(super) fn add(&mut self, report: &Report, subject: &Subject, host: &mut Host) {
        if report.iteration() <= self.last {
            return;
        }
        self.last = report.iteration();
        write_line(report, subject, host, &mut self.pending);
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        if !self.pending.is_empty() {
            disk::append(&self.path, &self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }
}

fn write_line(report: &Report, subject: &Subject, host: &mut Host, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut entry = |name: &str, cell: Cell<'_>| {
        write_plain(name, out);
        out.push(b':');
        write_json(cell, out);
        out.push(b',');
    };
    metrics(report).for_each(|(name, cell)| entry(name, cell));
    host.automatic(report, subject, entry);
    if report.metrics.get("config").is_none() {
        out.extend_from_slice(b"\"config\":");
        out.extend_from_slice(subject.config.as_bytes());
    } else {
        out.pop();
    }
    out.extend_from_slice(b"}\n");
}

/// Cuts off what follows the last whole line up to `iteration`, and answers that line's iteration; 0 if there is none.
fn shorten(path: &Path, iteration: u64) -> Result<u64, FileError> {
    let Some(mut file) = disk::open(path)? else { return Ok(0) };
    let (mut end, mut last, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(FileError::io("read", path))?;
        match iteration_of(&line).filter(|found| *found <= iteration) {
            Some(found) if line.ends_with(b"}\n") => (end, last) = (end + read as u64, found),
            _ => break,
        }
    }
    disk::cut(path, end)?;
    Ok(last)
}

/// The first key of that name is ours: a quotation mark within a text stands behind a backslash.
fn iteration_of(line: &[u8]) -> Option<u64> {
    let at = line.windows(ITERATION.len()).position(|window| window == ITERATION)?;
    let rest = line.get(at + ITERATION.len()..)?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}
