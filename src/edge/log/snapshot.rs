//! A snapshot: fewer lines that say what all lines through some number say. It is written aside, made durable, and only
//! then takes their place.

use std::io;
use std::sync::Arc;

use super::core::ignore_missing;
use super::error::LogError;
use super::files::{Append, Files};
use super::line::{self, FORMAT, Meta};
use super::reader::{Damage, Kind, LogReader};

/// Turns all lines there are into fewer: it is handed a reader of them, and what to write each new line's text with.
pub type Compact = Box<dyn FnOnce(&mut Lines<'_>, &mut dyn FnMut(&[u8])) -> Result<(), String> + Send>;

/// The lines that a snapshot takes the place of.
#[derive(Debug)]
pub struct Lines<'a> {
    reader: &'a mut LogReader,
    through: u64,
}

impl Lines<'_> {
    /// The text of the next line; none at the end.
    ///
    /// # Errors
    /// If the log is damaged or can't be read.
    pub fn next_line(&mut self) -> Result<Option<&str>, LogError> {
        if self.reader.is_beyond(self.through) {
            return Ok(None);
        }
        self.reader.next_line()
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error("{0}")]
    Log(#[from] LogError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Lines(String),
}

/// Writes the snapshot of all lines through `through`, and removes the files that it takes the place of. Answers its size.
pub(super) fn take(
    files: &Arc<dyn Files>,
    through: u64,
    replaced: &[String],
    compact: Compact,
) -> Result<u64, SnapshotError> {
    let name = Kind::Snapshot { through }.name();
    let aside = format!("{name}.tmp");
    let written = write(files, through, &aside, compact);
    let bytes = match written {
        Ok(bytes) => bytes,
        Err(error) => {
            // What is left of it is removed when the log is opened next, if not now.
            let _ = files.remove(&aside);
            return Err(error);
        }
    };
    files.rename(&aside, &name)?;
    files.sync_names()?;
    for old in replaced.iter().filter(|old| **old != name) {
        ignore_missing(files.remove(old))?;
    }
    files.sync_names()?;
    Ok(bytes)
}

fn write(files: &Arc<dyn Files>, through: u64, aside: &str, compact: Compact) -> Result<u64, SnapshotError> {
    let mut reader = LogReader::open(&**files, Damage::Refuse)?;
    ignore_missing(files.remove(aside))?;
    let mut out = Sink { file: files.append(aside)?, buffer: Vec::new(), bytes: 0, lines: 0, error: None };
    Meta::Snapshot { format: FORMAT, through }.write(&mut out.buffer);
    compact(&mut Lines { reader: &mut reader, through }, &mut |text| out.line(text)).map_err(SnapshotError::Lines)?;
    Meta::End { lines: out.lines }.write(&mut out.buffer);
    out.flush();
    match out.error {
        Some(error) => Err(error.into()),
        None => {
            out.file.sync()?;
            Ok(out.bytes)
        }
    }
}

struct Sink {
    file: Box<dyn Append>,
    buffer: Vec<u8>,
    bytes: u64,
    lines: u64,
    error: Option<io::Error>,
}

impl Sink {
    fn line(&mut self, text: &[u8]) {
        self.lines += 1;
        line::write(self.lines, text, &mut self.buffer);
        if self.buffer.len() >= 1 << 16 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.bytes += self.buffer.len() as u64;
            self.error = super::core::write_all(&mut *self.file, &self.buffer).err();
        }
        self.buffer.clear();
    }
}
