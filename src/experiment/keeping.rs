//! The settings about what is kept of a run, and where.

use std::path::PathBuf;
use std::sync::Arc;

use super::builder::Experiment;
use crate::edge::files::Files;
use crate::edge::log::Durability;
use crate::ports::store::Store;

impl Experiment {
    /// Keeps the run's files in a directory of its name below `parent`: its journal, from which it can be resumed, and its
    /// checkpoints. Without it everything is kept in memory, and ends with the process.
    #[must_use]
    pub fn dir(mut self, parent: impl Into<PathBuf>) -> Self {
        self.dir = Some(parent.into());
        self
    }

    /// When the journal is made durable: in groups of 50 ms, unless it is said. A process that dies loses nothing that was
    /// written, whatever is said here; this is about the machine.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.log.durability = durability;
        self
    }

    /// The journal is said in fewer words when it has grown by so many bytes since it was last, and doubled: 4 MiB, unless it
    /// is said.
    #[must_use]
    pub fn snapshot_after(mut self, bytes: u64) -> Self {
        self.log.snapshot_after = bytes;
        self
    }

    /// What the journal's files are written through, made for their directory: to put faults in its place.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn journal_files(
        mut self,
        files: impl Fn(&std::path::Path) -> Arc<dyn crate::edge::log::Files> + Send + Sync + 'static,
    ) -> Self {
        self.journal_files = Arc::new(files);
        self
    }

    /// Writes files that others can read into the run's directory, which [`dir`](Self::dir) names.
    #[must_use]
    pub fn files(mut self, files: Files) -> Self {
        self.files = Some(files);
        self
    }

    /// Keeps checkpoints in a store of your own.
    #[must_use]
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }
}
