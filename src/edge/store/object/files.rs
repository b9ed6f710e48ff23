//! A checkpoint in an object store that is being written, and one that is being read.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use super::client::{Client, is_missing};
use super::manifest::{self, Manifest, Place};
use crate::edge::host;
use crate::edge::store::scratch::{Scratch, unique};
use crate::edge::store::tree::Tree;
use crate::ports::store::{Draft, StoreError, Stored};

/// How far a draft has come.
enum Stage {
    /// Nobody sees it.
    Open,
    /// Its manifest was sent, and may have arrived.
    Sent,
    Committed,
}

/// A checkpoint that is being written.
pub(super) struct ObjectDraft {
    client: Arc<Client>,
    place: Place,
    manifest: Manifest,
    /// All names that were tried: what failed may have arrived.
    tried: Vec<String>,
    scratch: Option<Scratch>,
    stage: Stage,
}

impl ObjectDraft {
    pub(super) fn new(client: Arc<Client>, place: Place) -> Self {
        // No other process on another machine may get the same name, so it says when it was made.
        let draft = format!("{:x}-{}", host::since_1970().as_nanos(), unique());
        Self { client, place, manifest: Manifest::new(draft), tried: Vec::new(), scratch: None, stage: Stage::Open }
    }

    fn take_back(&mut self) -> Result<(), StoreError> {
        if matches!(self.stage, Stage::Sent) {
            self.client.delete(vec![self.place.manifest.clone()])?;
        }
        let location = |name: &String| self.place.file(&self.manifest.draft, name);
        self.client.delete(self.tried.iter().map(location).collect())
    }
}

impl Draft for ObjectDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.tried.push(name.to_owned());
        let sum = self.client.put(&self.place.file(&self.manifest.draft, name), bytes)?;
        self.manifest.files.insert(name.to_owned(), sum);
        Ok(())
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Scratch::in_slot(&mut self.scratch)
    }

    fn commit(mut self: Box<Self>) -> Result<u64, StoreError> {
        if let Some(scratch) = &self.scratch {
            for (path, _) in Tree::below(scratch.path())?.files {
                let name = manifest::name(&path)?;
                let location = self.place.file(&self.manifest.draft, &name);
                self.tried.push(name.clone());
                let sum = self.client.upload(&location, &scratch.path().join(path))?;
                self.manifest.files.insert(name, sum);
            }
        }
        let bytes = self.manifest.write(&self.place.manifest)?;
        self.stage = Stage::Sent;
        self.client.put(&self.place.manifest, &bytes)?;
        self.stage = Stage::Committed;
        Ok(self.manifest.bytes())
    }
}

impl Drop for ObjectDraft {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Committed) {
            // Left behind only if it can't be deleted; then the run's next session sweeps it away.
            let _ = self.take_back();
        }
    }
}

/// A complete checkpoint that is being read.
pub(super) struct ObjectStored {
    client: Arc<Client>,
    place: Place,
    manifest: Manifest,
    scratch: Option<Scratch>,
}

impl ObjectStored {
    pub(super) fn new(client: Arc<Client>, place: Place, manifest: Manifest) -> Self {
        Self { client, place, manifest, scratch: None }
    }

    /// Reads one file into `to`, and holds it against what was written.
    fn fetch(&self, name: &str, to: &mut dyn std::io::Write) -> Result<(), StoreError> {
        let location = self.place.file(&self.manifest.draft, name);
        let missing = || StoreError::Missing { what: format!("file `{name}` of the checkpoint (`{location}`)") };
        let expected = *self.manifest.files.get(name).ok_or_else(missing)?;
        let found = self.client.fetch(&location, expected.bytes, to);
        let found = found.map_err(|error| if is_missing(&error) { missing() } else { error })?;
        if found == expected {
            Ok(())
        } else {
            Err(StoreError::Damaged { name: location.to_string(), expected, found })
        }
    }
}

impl Stored for ObjectStored {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.fetch(name, &mut bytes)?;
        Ok(bytes)
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        if self.scratch.is_none() {
            let scratch = Scratch::create()?;
            for name in self.manifest.files.keys() {
                let path = scratch.path().join(manifest::path(name)?);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(StoreError::io("make the directory", parent))?;
                }
                let mut file = File::create(&path).map_err(StoreError::io("make the file", &path))?;
                self.fetch(name, &mut file)?;
            }
            self.scratch = Some(scratch);
        }
        Scratch::in_slot(&mut self.scratch)
    }
}
