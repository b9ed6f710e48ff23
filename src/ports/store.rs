//! The socket for what outlives a worker: checkpoints.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};

/// Why a checkpoint couldn't be written, read or deleted.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system said no.
    #[error("can't {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is no such checkpoint, or no such file in it.
    #[error("there is no {what} in the store")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// Something lies in a checkpoint's directory that can't be kept.
    #[error("`{}` is neither a file nor a directory: a checkpoint can hold nothing else", path.display())]
    Kind {
        /// Where it lies.
        path: PathBuf,
    },
    /// A checkpoint was to be made complete although one of its files couldn't be written.
    #[error("the checkpoint isn't complete: `{name}` couldn't be written")]
    Incomplete {
        /// The first such file's name.
        name: String,
    },
    /// The run keeps its checkpoints in a store that wasn't supplied.
    #[error(
        "this run keeps its checkpoints in `{name}`, a store of its own: open it with `Experiment::open_with(dir, store)`"
    )]
    Elsewhere {
        /// What it was.
        name: String,
    },
    /// A file isn't what was written.
    #[error("`{name}` in the checkpoint is damaged: {expected} were written, {found} were read")]
    Damaged {
        /// The file's name.
        name: String,
        /// What was written.
        expected: Sum,
        /// What was read.
        found: Sum,
    },
    /// A name that can't be a file's.
    #[error("`{name}` can't name a checkpoint's file: use letters, digits, `.`, `_` and `-`, without a leading dot")]
    Name {
        /// The offending name.
        name: String,
    },
    /// A file holds something else than was expected.
    #[error("`{name}` in the checkpoint isn't what was expected: {source}")]
    Content {
        /// The file's name.
        name: String,
        /// What serde said.
        source: serde_json::Error,
    },
}

crate::logic::failure::debug_as_chain!(StoreError);

impl StoreError {
    /// An input or output error on `path`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Checks that `name` can be a file's name on every system.
    ///
    /// # Errors
    /// If it can't.
    pub fn check_name(name: &str) -> Result<(), Self> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(safe) {
            Ok(())
        } else {
            Err(Self::Name { name: name.to_owned() })
        }
    }
}

/// A file's size and checksum: enough to tell whether it is the one that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Its size.
    pub bytes: u64,
    /// Its CRC-32 (that of zlib and PNG).
    pub crc32: u32,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with the checksum {:08x}", self.bytes, self.crc32)
    }
}

/// What a store has cleared away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Complete checkpoints that nobody wanted kept, in their order.
    pub checkpoints: Vec<CheckpointId>,
    /// How many checkpoints were half written, or half deleted.
    pub halves: u64,
}

/// Keeps checkpoints. Called from workers' threads, never from the engine's.
pub trait Store: Send + Sync + fmt::Debug {
    /// Begins a checkpoint. Nobody sees it before it is committed; one that is dropped instead leaves nothing behind.
    ///
    /// # Errors
    /// If there is no place for it.
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError>;

    /// Opens a complete checkpoint.
    ///
    /// # Errors
    /// If it isn't there or can't be read.
    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError>;

    /// Deletes a checkpoint. One that isn't there is no error.
    ///
    /// # Errors
    /// If it is there and can't be deleted.
    fn delete(&self, id: CheckpointId) -> Result<(), StoreError>;

    /// An empty directory that a trial may export to, in this format. What was exported before stays until this is
    /// [kept](Store::exported).
    ///
    /// # Errors
    /// If there is no such place.
    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError>;

    /// A trial has exported to its directory: from now on that is its export in this format.
    ///
    /// # Errors
    /// If it can't be kept.
    fn exported(&self, _trial: TrialId, _format: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// The directory with what a trial has exported in this format; none if it hasn't, or (the default) it isn't on this machine.
    fn export(&self, _trial: TrialId, _format: &str) -> Option<PathBuf> {
        None
    }

    /// The path or prefix below which a checkpoint lies, under its [`path`](CheckpointId::path): for people and loggers. None (the
    /// default): nowhere that can be named.
    fn root(&self) -> Option<String> {
        None
    }

    /// The journal's next sync says that a checkpoint is let go: it needn't be made durable before, and will be
    /// [deleted](Store::delete) afterwards.
    fn let_go(&self, _id: CheckpointId) {}

    /// Makes durable all checkpoints that were committed before, where a commit alone doesn't. Called before the journal is
    /// made durable that speaks of them, from its thread.
    ///
    /// # Errors
    /// If that fails; it is tried again.
    fn make_durable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Clears away what an earlier session of `run` left and nobody knows of: its complete checkpoints that `keep`
    /// refuses, and all that is half written or half deleted. What belongs to another run, or isn't a checkpoint, stays
    /// as it is. Not for a run that goes on: a draft that is being written is half written.
    ///
    /// # Errors
    /// If something can't be listed or deleted; the rest may be there still.
    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError>;
}

/// A checkpoint that is being written.
pub trait Draft {
    /// Writes one file.
    ///
    /// # Errors
    /// If the name isn't a file's, or the file can't be written.
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// An empty directory whose content becomes part of the checkpoint.
    ///
    /// # Errors
    /// If it can't be made.
    fn directory(&mut self) -> Result<&Path, StoreError>;

    /// Makes it complete, visible, and durable (or leaves that to [`make_durable`](Store::make_durable)), all at once. Answers
    /// its size in bytes.
    ///
    /// # Errors
    /// If that fails; then it doesn't exist.
    fn commit(self: Box<Self>) -> Result<u64, StoreError>;
}

/// A complete checkpoint that is being read.
pub trait Stored {
    /// Reads one file.
    ///
    /// # Errors
    /// If it isn't there or can't be read.
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError>;

    /// A directory with all its files.
    ///
    /// # Errors
    /// If they can't be laid out.
    fn directory(&mut self) -> Result<&Path, StoreError>;
}

/// Where a trainable puts its state: files by name, or whatever it likes in a directory.
///
/// ```
/// # use tryout::prelude::*;
/// # fn save(weights: &[f64], to: &mut CheckpointWriter) -> Result<(), TrialError> {
/// to.json("weights.json", weights)?;
/// # Ok(()) }
/// ```
pub struct CheckpointWriter {
    draft: Box<dyn Draft>,
    /// The first file that couldn't be written. Without it, what there is isn't what the trainable meant to save.
    unwritten: Option<String>,
}

impl fmt::Debug for CheckpointWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointWriter").finish_non_exhaustive()
    }
}

impl CheckpointWriter {
    /// A writer on a draft; for authors of backends.
    pub fn new(draft: Box<dyn Draft>) -> Self {
        Self { draft, unwritten: None }
    }

    /// Writes one file.
    ///
    /// # Errors
    /// If the name isn't a file's, or the file can't be written.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let written = StoreError::check_name(name).and_then(|()| self.draft.write(name, bytes));
        if written.is_err() {
            self.unwritten.get_or_insert_with(|| name.to_owned());
        }
        written
    }

    /// Writes any serialisable value as JSON. Non-finite floats don't survive JSON: use [`CheckpointWriter::bytes`] for them.
    ///
    /// # Errors
    /// If it doesn't serialise, the name isn't a file's, or the file can't be written.
    pub fn json<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), StoreError> {
        let bytes =
            serde_json::to_vec(value).map_err(|source| StoreError::Content { name: name.to_owned(), source })?;
        self.bytes(name, &bytes)
    }

    /// A directory whose content becomes part of the checkpoint.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn directory(&mut self) -> Result<&Path, StoreError> {
        self.draft.directory()
    }

    /// Makes the checkpoint complete; for authors of backends.
    ///
    /// # Errors
    /// If that fails, or if a file couldn't be written and the trainable didn't mind; then it doesn't exist.
    pub fn commit(self) -> Result<u64, StoreError> {
        match self.unwritten {
            Some(name) => Err(StoreError::Incomplete { name }),
            None => self.draft.commit(),
        }
    }
}

/// Where a trainable finds the state it saved.
pub struct CheckpointReader {
    stored: Box<dyn Stored>,
}

impl fmt::Debug for CheckpointReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointReader").finish_non_exhaustive()
    }
}

impl CheckpointReader {
    /// A reader on a complete checkpoint; for authors of backends.
    pub fn new(stored: Box<dyn Stored>) -> Self {
        Self { stored }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// If it isn't there or can't be read.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        StoreError::check_name(name)?;
        self.stored.read(name)
    }

    /// Reads a value that was written with [`CheckpointWriter::json`].
    ///
    /// # Errors
    /// If the file isn't there, can't be read, or holds something else.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        let bytes = self.bytes(name)?;
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Content { name: name.to_owned(), source })
    }

    /// A directory with all its files.
    ///
    /// # Errors
    /// If they can't be laid out.
    pub fn directory(&mut self) -> Result<&Path, StoreError> {
        self.stored.directory()
    }
}
