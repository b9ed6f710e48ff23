//! The writer without its thread: what is written, what is durable, and what to do when the file system says no.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use super::files::{Append, Files};
use super::line::{self, FORMAT, Meta};
use super::parts::Kind;
use super::reader::{End, Position};
use crate::logic::settings::{Durability, Settings};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// When what was written is made durable.
    pub durability: Durability,
    /// A snapshot is worth its while when the lines since the last one take more bytes than this, and than that one.
    pub snapshot_after: u64,
}

impl Default for LogSettings {
    /// Those of an experiment.
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl From<&Settings> for LogSettings {
    fn from(settings: &Settings) -> Self {
        Self { durability: settings.durability, snapshot_after: settings.snapshot_after }
    }
}

/// Writes lines behind each other. A call that fails can be made again: it goes on where it was.
pub struct Core {
    files: Arc<dyn Files>,
    name: String,
    file: Option<Box<dyn Append>>,
    next: u64,
    /// Lines that aren't written yet.
    pending: Vec<u8>,
    /// Lines that are written and not durable yet. If making them durable fails they have to be written again: the
    /// system may have dropped them.
    unsynced: Vec<u8>,
    /// The length of the file as far as it is written.
    written: u64,
    /// The length of the file as far as it is durable.
    synced: u64,
    /// Whether the file may be longer than what is good of it.
    ragged: bool,
    /// Whether the file's name, and what an earlier writer left in it, are durable too.
    settled: bool,
    /// Whether the next line is to be preceded by a mark of what is durable.
    mark: bool,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("name", &self.name).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Core {
    /// A writer that goes on at a position; at the beginning of a new log if there is none. Files that hold nothing any
    /// more are removed, and a torn tail is cut off.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(files: Arc<dyn Files>, position: Option<Position>) -> io::Result<Self> {
        let position = position.unwrap_or_default();
        if !position.stale.is_empty() {
            // Whoever put a snapshot in the place of these files may have died before it was certain to be there.
            files.sync_names()?;
            for name in &position.stale {
                ignore_missing(files.remove(name)).or_else(|error| leave_directory(&*files, name, error))?;
            }
        }
        let mut core = Self::segment(files, position.next);
        // A segment whose first line is torn says nothing: it is begun anew.
        if let Some(end) = position.segment.filter(|end| end.good > 0) {
            core.pending.clear();
            (core.written, core.synced) = (end.good, end.good);
            core.name.clone_from(&end.name);
            core.write()?;
            core.write_again(&end)?;
        }
        core.write()?;
        // Before a line is written whose number is in one of the removed files, none of them can come back.
        core.sync()?;
        Ok(core)
    }

    /// Writes what an earlier writer left and nobody knows to be durable: if making it durable failed, the system
    /// believes that it is, and would do nothing about it any more.
    fn write_again(&mut self, end: &End) -> io::Result<()> {
        let mut tail = Vec::new();
        let mut source = self.files.read(&end.name)?;
        io::copy(&mut source.by_ref().take(end.durable), &mut io::sink())?;
        source.take(end.good.saturating_sub(end.durable)).read_to_end(&mut tail)?;
        match &mut self.file {
            Some(file) => file.rewrite(end.durable, &tail),
            None => Ok(()),
        }
    }

    /// A new segment, of which nothing is there yet.
    fn segment(files: Arc<dyn Files>, first: u64) -> Self {
        let mut pending = Vec::new();
        Meta::Segment { format: FORMAT, first }.write(&mut pending);
        Self {
            files,
            name: Kind::Segment { first }.name(),
            file: None,
            next: first,
            pending,
            unsynced: Vec::new(),
            written: 0,
            synced: 0,
            ragged: true,
            settled: false,
            mark: false,
        }
    }

    /// The number of the next line.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// So many bytes aren't written yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether something is written and not durable.
    pub fn is_unsynced(&self) -> bool {
        !self.unsynced.is_empty() || !self.settled
    }

    /// How long the segment is, what isn't written yet included.
    pub fn length(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// The segment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts a line behind the others, to be written.
    pub fn push(&mut self, text: &[u8]) {
        if std::mem::take(&mut self.mark) {
            Meta::Synced(self.next - 1).write(&mut self.pending);
        }
        line::write(self.next, text, &mut self.pending);
        self.next += 1;
    }

    /// Writes what is pending.
    ///
    /// # Errors
    /// What the file system says. Nothing half-written is left, or it is cut off before the next write.
    pub fn write(&mut self) -> io::Result<()> {
        let (written, pending) = (self.written, std::mem::take(&mut self.pending));
        if pending.is_empty() && !self.ragged {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => match self.files.append(&self.name) {
                Ok(file) => self.file.insert(file),
                Err(error) => {
                    self.pending = pending;
                    return Err(error);
                }
            },
        };
        let outcome = cut(&mut **file, self.ragged, written).and_then(|()| write_all(&mut **file, &pending));
        match outcome {
            Ok(()) => {
                self.ragged = false;
                self.written += pending.len() as u64;
                self.unsynced.extend_from_slice(&pending);
                Ok(())
            }
            Err(error) => {
                self.ragged = file.truncate(written).is_err();
                self.pending = pending;
                Err(error)
            }
        }
    }

    /// Makes durable what is written.
    ///
    /// # Errors
    /// What the file system says. Then it is written again with the next [`write`](Core::write).
    pub fn sync(&mut self) -> io::Result<()> {
        if self.unsynced.is_empty() && self.settled {
            return Ok(());
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if !self.settled {
            self.files.sync_names()?;
        }
        match file.sync() {
            Ok(()) => {
                self.unsynced.clear();
                self.synced = self.written;
                (self.settled, self.mark) = (true, true);
                Ok(())
            }
            Err(error) => {
                let mut again = std::mem::take(&mut self.unsynced);
                again.append(&mut self.pending);
                self.pending = again;
                (self.written, self.ragged) = (self.synced, true);
                // Whatever the handle remembers is not to be trusted any more.
                self.file = None;
                Err(error)
            }
        }
    }

    /// Closes the segment, which is durable then, and goes on in a new one, which is made with the next
    /// [`write`](Core::write). Answers the number of its last line; none if there is no line in it, and so it stays.
    ///
    /// # Errors
    /// What the file system says; then nothing has changed but that more is durable.
    pub fn rotate(&mut self) -> io::Result<Option<u64>> {
        self.write()?;
        self.sync()?;
        let next = Self::segment(self.files.clone(), self.next);
        if next.name == self.name {
            return Ok(None);
        }
        // From here on nothing can fail: a new file must not stand beside an old one that goes on.
        *self = next;
        Ok(Some(self.next - 1))
    }

    /// Writes everything, makes it durable, and says so in a last line: so damage to any line before is known for what
    /// it is.
    ///
    /// # Errors
    /// What the file system says.
    pub fn seal(&mut self) -> io::Result<()> {
        self.write()?;
        self.sync()?;
        if std::mem::take(&mut self.mark) {
            Meta::Synced(self.next - 1).write(&mut self.pending);
        }
        self.write()?;
        self.sync()
    }
}

fn cut(file: &mut dyn Append, ragged: bool, length: u64) -> io::Result<()> {
    if ragged && file.length()? != length { file.truncate(length) } else { Ok(()) }
}

pub(super) fn write_all(file: &mut dyn Append, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory isn't ours, whatever its name says, and holds nothing up.
fn leave_directory(files: &dyn Files, name: &str, error: io::Error) -> io::Result<()> {
    let path = files.path().join(name);
    if path.is_dir() {
        log::warn!("`{}` is a directory among the files of a journal, and is left alone", path.display());
        return Ok(());
    }
    Err(error)
}

pub(super) fn ignore_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
