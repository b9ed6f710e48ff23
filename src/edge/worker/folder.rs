//! A checkpoint in a directory that the engine names and takes care of.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ports::store::{Draft, StoreError, Stored};

/// The directory of one checkpoint.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Draft for Folder {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.0.join(name);
        fs::write(&path, bytes).map_err(StoreError::io("write", path))
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
        match fs::read(&path) {
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
