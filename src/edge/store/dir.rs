//! Checkpoints in a directory: `<root>/<trial>/checkpoint_000003/`, written aside, synced, then renamed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::TrialId;
use crate::ports::store::{Draft, Store, StoreError, Stored};

/// Keeps each trial's checkpoints in a directory of the trial's own.
#[derive(Clone, Debug)]
pub struct DirStore {
    root: PathBuf,
}

impl DirStore {
    /// A store below `root`, which is made if it isn't there.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(StoreError::io("make the directory", &root))?;
        Ok(Self { root })
    }

    fn trial(&self, trial: TrialId) -> PathBuf {
        self.root.join(trial.to_string())
    }

    fn path(&self, id: CheckpointId) -> PathBuf {
        self.trial(id.trial).join(id.directory())
    }
}

impl Store for DirStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        let done = self.path(id);
        let aside = self.trial(id.trial).join(format!(".{}.tmp", id.directory()));
        remove(&aside)?;
        fs::create_dir_all(&aside).map_err(StoreError::io("make the directory", &aside))?;
        Ok(Box::new(DirDraft { aside, done, committed: false }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        let path = self.path(id);
        if path.is_dir() {
            Ok(Box::new(DirStored { path }))
        } else {
            Err(StoreError::Missing { what: format!("{} of trial {}", id.directory(), id.trial) })
        }
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        remove(&self.path(id))
    }

    fn export_directory(&self, trial: TrialId) -> Result<PathBuf, StoreError> {
        let path = self.trial(trial).join("export");
        fs::create_dir_all(&path).map_err(StoreError::io("make the directory", &path))?;
        Ok(path)
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("delete", path)(error)),
        _ => Ok(()),
    }
}

struct DirDraft {
    aside: PathBuf,
    done: PathBuf,
    committed: bool,
}

impl Draft for DirDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.aside.join(name);
        let mut file = File::create(&path).map_err(StoreError::io("make the file", &path))?;
        file.write_all(bytes).map_err(StoreError::io("write the file", &path))
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Ok(&self.aside)
    }

    fn commit(mut self: Box<Self>) -> Result<u64, StoreError> {
        let bytes = sync_tree(&self.aside)?;
        remove(&self.done)?;
        fs::rename(&self.aside, &self.done).map_err(StoreError::io("put in place", &self.done))?;
        self.committed = true;
        if let Some(parent) = self.done.parent() {
            sync(parent)?;
        }
        Ok(bytes)
    }
}

impl Drop for DirDraft {
    fn drop(&mut self) {
        if !self.committed {
            // Left behind only if it can't be deleted; the next checkpoint of this name deletes it then.
            let _ = remove(&self.aside);
        }
    }
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", path))
}

/// Syncs a directory and all in it; answers the bytes in its files.
fn sync_tree(directory: &Path) -> Result<u64, StoreError> {
    let mut bytes = 0;
    let entries = fs::read_dir(directory).map_err(StoreError::io("list", directory))?;
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", directory))?;
        let path = entry.path();
        let about = fs::metadata(&path).map_err(StoreError::io("look at", &path))?;
        bytes += if about.is_dir() {
            sync_tree(&path)?
        } else {
            sync(&path)?;
            about.len()
        };
    }
    sync(directory)?;
    Ok(bytes)
}

struct DirStored {
    path: PathBuf,
}

impl Stored for DirStored {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path.join(name);
        fs::read(&path).map_err(StoreError::io("read the file", path))
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Ok(&self.path)
    }
}
