//! Checkpoints in memory: gone with the process, and nothing is written unless a trainable asks for a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::exports::Exports;
use super::scratch::Scratch;
use super::tree::Tree;
use crate::edge::plain_file;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Keeps checkpoints in memory. The default of an experiment without a directory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    checkpoints: Arc<Mutex<BTreeMap<CheckpointId, Arc<Files>>>>,
    exports: Exports,
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
    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.exports.begin(trial, format)
    }

    fn exported(&self, trial: TrialId, format: &str) -> Result<(), StoreError> {
        self.exports.keep(trial, format);
        Ok(())
    }

    fn export(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        self.exports.find(trial, format)
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        let mut checkpoints = Vec::new();
        self.lock().retain(|id, _| {
            let goes = id.trial.run() == run && !keep(*id);
            checkpoints.extend(goes.then_some(*id));
            !goes
        });
        Ok(Swept { checkpoints, halves: 0 })
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
        Scratch::in_slot(&mut self.scratch)
    }

    fn commit(mut self: Box<Self>) -> Result<u64, StoreError> {
        if let Some(scratch) = self.scratch.take() {
            for (name, _) in Tree::below(scratch.path())?.files {
                let path = scratch.path().join(&name);
                let bytes = plain_file::read_all(&path).map_err(StoreError::io("read the file", path))?;
                self.files.insert(name, bytes);
            }
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
                let path = scratch.path().join(name);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(StoreError::io("make the directory", parent))?;
                }
                fs::write(&path, bytes).map_err(StoreError::io("write the file", path))?;
            }
            self.scratch = Some(scratch);
        }
        Scratch::in_slot(&mut self.scratch)
    }
}
