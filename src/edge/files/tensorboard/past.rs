//! What earlier sessions have written of a trial.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::disk;
use super::super::error::FileError;
use super::{event, record};

/// What the event files of a trial hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// The last step that counts.
    pub(super) step: u64,
    /// Whether the configuration is there.
    pub(super) started: bool,
    /// Whether the trial's end is.
    pub(super) ended: bool,
    /// The least second that the next file may have in its name; 0 if there are no files.
    pub(super) next: u64,
}

/// The event files of a directory in the order of their names.
pub(super) fn files(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(FileError::io("list", directory))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::io("list", directory))?.path();
        if second_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn second_of(path: &Path) -> Option<u64> {
    let rest = path.file_name()?.to_str()?.strip_prefix("events.out.tfevents.")?;
    rest.split('.').next()?.parse().ok()
}

/// Reads the event files of a trial.
pub(super) fn find(directory: &Path) -> Result<Found, FileError> {
    let mut found = Found::default();
    for file in files(directory)? {
        found.next = found.next.max(second_of(&file).unwrap_or_default() + 1);
        let bytes = disk::read(&file)?.unwrap_or_default();
        for record in record::read(&bytes) {
            match event::read(record) {
                event::Past::Step(step) => found.step = step,
                event::Past::Restart(step) => found.step = found.step.min(step.saturating_sub(1)),
                event::Past::Start => found.started = true,
                event::Past::End => found.ended = true,
                event::Past::Other => {}
            }
        }
    }
    Ok(found)
}
