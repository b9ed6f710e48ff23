//! Checkpoints in memory: gone with the process, and nothing is written unless a trainable asks for a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::TrialId;
use crate::ports::store::{Draft, Store, StoreError, Stored};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Keeps checkpoints in memory. The default of an experiment without a directory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    checkpoints: Arc<Mutex<BTreeMap<CheckpointId, Arc<Files>>>>,
    exports: Arc<Mutex<BTreeMap<TrialId, Arc<Scratch>>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many checkpoints it holds.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<CheckpointId, Arc<Files>>> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        Ok(Box::new(MemoryDraft { store: self.clone(), id, files: Files::new(), scratch: None }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        let files = self.lock().get(&id).cloned();
        let missing = || StoreError::Missing { what: format!("{} of trial {}", id.directory(), id.trial) };
        Ok(Box::new(MemoryStored { files: files.ok_or_else(missing)?, scratch: None }))
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        self.lock().remove(&id);
        Ok(())
    }

    /// A temporary directory, which is deleted with the store.
    fn export_directory(&self, trial: TrialId) -> Result<PathBuf, StoreError> {
        let mut exports = self.exports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scratch) = exports.get(&trial) {
            return Ok(scratch.0.clone());
        }
        let scratch = Arc::new(Scratch::create()?);
        exports.insert(trial, scratch.clone());
        Ok(scratch.0.clone())
    }
}

struct MemoryDraft {
    store: MemoryStore,
    id: CheckpointId,
    files: Files,
    scratch: Option<Scratch>,
}

impl Draft for MemoryDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.files.insert(PathBuf::from(name), bytes.to_vec());
        Ok(())
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        scratch(&mut self.scratch)
    }

    fn commit(mut self: Box<Self>) -> Result<u64, StoreError> {
        if let Some(scratch) = self.scratch.take() {
            take_up(&scratch.0, Path::new(""), &mut self.files)?;
        }
        let files = std::mem::take(&mut self.files);
        let bytes = files.values().map(|file| file.len() as u64).sum();
        self.store.lock().insert(self.id, Arc::new(files));
        Ok(bytes)
    }
}

struct MemoryStored {
    files: Arc<Files>,
    scratch: Option<Scratch>,
}

impl Stored for MemoryStored {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let file = self.files.get(Path::new(name)).cloned();
        file.ok_or_else(|| StoreError::Missing { what: format!("file `{name}` in this checkpoint") })
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        if self.scratch.is_none() {
            let scratch = Scratch::create()?;
            for (name, bytes) in self.files.iter() {
                let path = scratch.0.join(name);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(StoreError::io("make the directory", parent))?;
                }
                fs::write(&path, bytes).map_err(StoreError::io("write the file", path))?;
            }
            self.scratch = Some(scratch);
        }
        scratch(&mut self.scratch)
    }
}

fn scratch(slot: &mut Option<Scratch>) -> Result<&Path, StoreError> {
    if slot.is_none() {
        *slot = Some(Scratch::create()?);
    }
    Ok(slot.as_ref().map_or(Path::new(""), |scratch| &scratch.0))
}

/// Reads all files below `root` into `files`, by their paths relative to it.
fn take_up(root: &Path, below: &Path, files: &mut Files) -> Result<(), StoreError> {
    let directory = root.join(below);
    for entry in fs::read_dir(&directory).map_err(StoreError::io("list", &directory))? {
        let entry = entry.map_err(StoreError::io("list", &directory))?;
        let name = below.join(entry.file_name());
        let path = entry.path();
        if path.is_dir() {
            take_up(root, &name, files)?;
        } else {
            let bytes = fs::read(&path).map_err(StoreError::io("read the file", path))?;
            files.insert(name, bytes);
        }
    }
    Ok(())
}

/// A temporary directory of this process, deleted when it is dropped.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn create() -> Result<Self, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tryout-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).map_err(StoreError::io("make the directory", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A temporary directory that can't be deleted is the system's to clean up.
        let _ = fs::remove_dir_all(&self.0);
    }
}
