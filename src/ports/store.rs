//! The socket for what outlives a worker: checkpoints.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::logic::checkpoint::CheckpointId;

/// Why a checkpoint couldn't be written, read or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system said no.
    #[error("can't {action} `{}`", path.display())]
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
    /// A name that can't be a file's.
    #[error("`{name}` can't name a checkpoint's file: use letters, digits, `.`, `_` and `-`, without a leading dot")]
    Name {
        /// The offending name.
        name: String,
    },
    /// A file holds something else than was expected.
    #[error("`{name}` in the checkpoint isn't what was expected")]
    Content {
        /// The file's name.
        name: String,
        /// What serde said.
        source: serde_json::Error,
    },
}

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

    /// Where a trial may export to.
    ///
    /// # Errors
    /// If there is no such place.
    fn export_directory(&self, trial: crate::logic::ids::TrialId) -> Result<PathBuf, StoreError>;
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

    /// Makes it complete, durable and visible, all at once. Answers its size in bytes.
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
}

impl fmt::Debug for CheckpointWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointWriter").finish_non_exhaustive()
    }
}

impl CheckpointWriter {
    /// A writer on a draft; for authors of backends.
    pub fn new(draft: Box<dyn Draft>) -> Self {
        Self { draft }
    }

    /// Writes one file.
    ///
    /// # Errors
    /// If the name isn't a file's, or the file can't be written.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        StoreError::check_name(name)?;
        self.draft.write(name, bytes)
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
    /// If that fails; then it doesn't exist.
    pub fn commit(self) -> Result<u64, StoreError> {
        self.draft.commit()
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
