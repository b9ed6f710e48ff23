//! A checkpoint in a directory that the engine names and takes care of.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::work::Exchange;
use crate::edge::plain_file;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};

/// A worker's store: whatever it is asked for lies in the directory that the engine's order names.
#[derive(Debug)]
pub(super) struct FolderStore(pub(super) Arc<Exchange>);

impl Store for FolderStore {
    fn begin(&self, _: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        Ok(Box::new(Folder(self.0.dir())))
    }

    fn open(&self, _: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        Ok(Box::new(Folder(self.0.dir())))
    }

    /// That is the engine's business.
    fn delete(&self, _: CheckpointId) -> Result<(), StoreError> {
        Ok(())
    }

    fn export_directory(&self, _: TrialId, _: &str) -> Result<PathBuf, StoreError> {
        Ok(self.0.dir())
    }

    /// So is that.
    fn sweep(&self, _: RunId, _: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }
}

/// The directory of one checkpoint.
#[derive(Debug)]
struct Folder(PathBuf);

impl Draft for Folder {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.0.join(name);
        plain_file::create(&path).and_then(|mut file| file.write_all(bytes)).map_err(StoreError::io("write", path))
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Ok(&self.0)
    }

    /// Durable and visible it becomes by the engine.
    fn commit(self: Box<Self>) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl Stored for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.0.join(name);
        match plain_file::read_all(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(StoreError::Missing { what: format!("`{name}` of the checkpoint") })
            }
            read => read.map_err(StoreError::io("read", path)),
        }
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Ok(&self.0)
    }
}
