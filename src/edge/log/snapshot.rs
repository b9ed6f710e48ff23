//! A snapshot: fewer lines that say what all lines through some number say. It is written aside, made durable, and only
//! then takes their place.

use std::io;
use std::sync::Arc;

use super::core::ignore_missing;
use super::error::LogError;
use super::files::{Append, Files};
use super::line::{self, FORMAT, Meta};
use super::parts::{Kind, choose};
use super::reader::{Damage, LogReader};

/// Turns all lines there are into fewer: it is handed a reader of them, and what to write each new line's text with.
pub type Compact = Box<dyn FnOnce(&mut Lines<'_>, &mut dyn FnMut(&[u8])) -> Result<(), String> + Send>;

/// The lines that a snapshot takes the place of. All of them have to be read.
#[derive(Debug)]
pub struct Lines<'a> {
    files: &'a dyn Files,
    reader: &'a mut LogReader,
    through: u64,
}

impl Lines<'_> {
    /// The text of the next line; none at the end.
    ///
    /// # Errors
    /// If the log is damaged, can't be read, or ends too early.
    pub fn next_line(&mut self) -> Result<Option<&str>, LogError> {
        if self.reader.is_beyond(self.through) {
            return Ok(None);
        }
        let (files, from, to) = (self.files, self.reader.next(), self.through);
        let text = self.reader.next_line()?;
        // What isn't there can't be left out as if it were torn: the snapshot is to stand for all of it.
        text.map(Some).ok_or_else(|| LogError::Gap { path: files.path().to_owned(), from, to })
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The lines that it was to take the place of can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It can't be written.
    #[error("the snapshot can't be written: {0}")]
    Io(#[from] io::Error),
    /// Whoever was to turn lines into fewer says why not.
    #[error("{0}")]
    Compact(String),
    /// Not all lines were read.
    #[error("line {0} wasn't read")]
    Unread(u64),
}

/// Writes the snapshot of all lines through `through`, the last of a closed segment, and removes the files that it takes
/// the place of. Answers its size in bytes.
///
/// # Errors
/// If the lines can't be read, or the snapshot not be written. Then the older files are still there.
pub fn take_snapshot(files: &Arc<dyn Files>, through: u64, compact: Compact) -> Result<u64, SnapshotError> {
    let name = Kind::Snapshot { through }.name();
    let aside = format!("{name}.tmp");
    let placed = write(files, through, &aside, compact).and_then(|bytes| {
        files.rename(&aside, &name)?;
        Ok(bytes)
    });
    let Ok(bytes) = placed else {
        // What is left of it is removed when the log is opened next, if not now.
        let _ = files.remove(&aside);
        return placed;
    };
    // Nothing is removed before it is certain that the snapshot is there.
    files.sync_names()?;
    let stale = files.list().map(|names| choose(names).1).unwrap_or_default();
    for old in stale {
        // As above; and this is no reason to say that there is no snapshot.
        let _ = files.remove(&old);
    }
    Ok(bytes)
}

fn write(files: &Arc<dyn Files>, through: u64, aside: &str, compact: Compact) -> Result<u64, SnapshotError> {
    let mut reader = LogReader::open(&**files, Damage::Refuse)?;
    ignore_missing(files.remove(aside))?;
    let mut out = Sink { file: files.append(aside)?, buffer: Vec::new(), bytes: 0, lines: 0, error: None };
    Meta::Snapshot { format: FORMAT, through }.write(&mut out.buffer);
    let mut lines = Lines { files: &**files, reader: &mut reader, through };
    compact(&mut lines, &mut |text| out.line(text)).map_err(SnapshotError::Compact)?;
    if !reader.is_beyond(through) {
        return Err(SnapshotError::Unread(reader.next()));
    }
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
