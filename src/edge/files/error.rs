//! What can go wrong with a run's files.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run's file couldn't be written or read. It disables the observer that writes it, and nothing else.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
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
    /// A file of rows that were put aside for the end doesn't read back.
    #[error("`{}` was changed by somebody else: its byte {at} begins no row", path.display())]
    Spill {
        /// Which.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// The Parquet writer said no.
    #[cfg(feature = "parquet")]
    #[error("can't write `{}`: {source}", path.display())]
    Parquet {
        /// What was written.
        path: PathBuf,
        /// What it said.
        source: parquet::errors::ParquetError,
    },
}

crate::logic::failure::debug_as_chain!(FileError);

impl FileError {
    /// An input or output error on `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
