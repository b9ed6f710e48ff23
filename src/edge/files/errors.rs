//! `error.txt`: the failures of a trial, the last one last.

use std::path::{Path, PathBuf};

use super::disk;
use super::error::FileError;
use crate::logic::failure::Failure;

pub(super) const NAME: &str = "error.txt";

/// The failures of one trial, each a block of text that an empty line ends:
///
/// ```text
/// attempt 1, after iteration 7, 12.345 s into the run: panic
///     at src/model.rs:31:9
///     index out of bounds
/// ```
///
/// A process adds the calls that led to it, and the last lines that it printed.
#[derive(Debug)]
pub(super) struct ErrorFile {
    path: PathBuf,
    /// What was there before this session; read when the first failure comes.
    found: Found,
}

#[derive(Debug)]
enum Found {
    Nothing,
    Unread,
    Text(String),
}

impl ErrorFile {
    pub(super) fn fresh(directory: &Path) -> Self {
        Self { path: directory.join(NAME), found: Found::Nothing }
    }

    /// A file that may be there.
    pub(super) fn found(directory: &Path) -> Self {
        Self { found: Found::Unread, ..Self::fresh(directory) }
    }

    /// Adds a failure, unless an earlier session has done so. Failures are rare: it is written at once.
    pub(super) fn add(&mut self, failure: &Failure) -> Result<(), FileError> {
        let block = block(failure);
        if matches!(self.found, Found::Unread) {
            let bytes = disk::read(&self.path)?.unwrap_or_default();
            let mut text = String::from_utf8_lossy(&bytes).into_owned();
            // What is torn: a block ends with an empty line, and has none inside.
            let whole = text.rfind("\n\n").map_or(0, |at| at + 2);
            text.truncate(whole);
            if !bytes.is_empty() {
                disk::cut(&self.path, whole as u64)?;
            }
            self.found = Found::Text(text);
        }
        match &self.found {
            Found::Text(text) if text.contains(&block) => Ok(()),
            _ => disk::append(&self.path, block.as_bytes()),
        }
    }
}

fn block(failure: &Failure) -> String {
    let Failure { fault, attempt, iteration, at, .. } = failure;
    let mut block = format!("attempt {attempt}, after iteration {iteration}, {at} into the run: {}\n", fault.kind);
    let place = fault.place.iter().map(|place| format!("at {place}"));
    let trace = fault.trace.iter().flat_map(|trace| trace.lines()).map(str::to_owned);
    let heading = (!fault.output.is_empty()).then(|| "its last words:".to_owned());
    let output = heading.into_iter().chain(fault.output.iter().map(|line| format!("| {line}")));
    for line in place.chain(fault.message.lines().map(str::to_owned)).chain(trace).chain(output) {
        block.push_str("    ");
        block.push_str(&line);
        block.push('\n');
    }
    block.push('\n');
    block
}
