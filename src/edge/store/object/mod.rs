//! Checkpoints in an object store: files first, then the manifest that makes a checkpoint of them (feature `cloud`).

pub(super) mod client;
mod driver;
mod files;
mod manifest;

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path as Location;

use super::exports::Exports;
use super::tree::Tree;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};
use client::{Client, is_missing};
use files::{ObjectDraft, ObjectStored};
use manifest::{Manifest, Place};

/// Keeps checkpoints in any store that the crate `object_store` knows: S3 and what speaks its protocol, Google Cloud
/// Storage, Azure, a directory, memory.
///
/// Below the prefix, each trial has its objects: `<trial>/checkpoint_000003.json` is a manifest, and the files that it
/// names, with their sizes and checksums, are below `<trial>/checkpoint_000003/`; `<trial>/export/` has what was
/// exported. The manifest is written last and deleted first, so a checkpoint that is there is complete. A directory that
/// a trainable asks for is a temporary one on this machine, whose content is uploaded when the checkpoint is committed,
/// or was downloaded before.
///
/// How long a request may take, and how often it is tried again, is the object store's own setting: with those of
/// `object_store` 0.14, 30 seconds each, ten times within three minutes. Files above 8 MiB travel in parts of that size,
/// four at once. A part is one request: on a line of less than 10 Mbit/s give the store a longer time.
///
/// Tested against `object_store`'s stores in memory and in a directory, and its `AmazonS3` against moto's S3 server.
///
/// ```
/// use std::sync::Arc;
///
/// use object_store::memory::InMemory;
/// use tryout::store::ObjectCheckpoints;
/// use tryout::prelude::*;
///
/// # fn example(experiment: Experiment) -> Result<(), Box<dyn std::error::Error>> {
/// // In place of `InMemory`, with the feature `cloud-aws`:
/// // object_store::aws::AmazonS3Builder::new().with_bucket_name("models").with_region("eu-central-1") .. .build()?
/// let objects = Arc::new(InMemory::new());
/// let results = experiment.store(ObjectCheckpoints::new(objects, "experiments/parabola")?).run()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ObjectCheckpoints {
    client: Arc<Client>,
    prefix: Location,
    exports: Exports,
}

impl fmt::Debug for ObjectCheckpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCheckpoints").field("prefix", &self.prefix.as_ref()).finish_non_exhaustive()
    }
}

impl ObjectCheckpoints {
    /// A store in `objects` below `prefix`, which may be empty. It has a thread of its own, which ends with it.
    ///
    /// # Errors
    /// If the prefix can't be one, or the machine gives no thread. Whether the object store can be reached shows with the
    /// first request.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, StoreError> {
        let refused = |error| std::io::Error::new(ErrorKind::InvalidInput, error);
        let location = Location::parse(prefix).map_err(refused).map_err(StoreError::io("use the prefix", prefix))?;
        let client = Client::start(objects).map_err(StoreError::io("start a thread for the objects below", prefix))?;
        Ok(Self { client: Arc::new(client), prefix: location, exports: Exports::default() })
    }

    fn trial(&self, trial: TrialId) -> Location {
        self.prefix.clone().join(trial.to_string())
    }

    fn place(&self, id: CheckpointId) -> Place {
        Place::of(self.trial(id.trial), id)
    }

    fn manifest(&self, id: CheckpointId) -> Result<Manifest, StoreError> {
        let location = self.place(id).manifest;
        match self.client.get(&location) {
            Ok(bytes) => Manifest::read(&bytes, &location),
            Err(error) if is_missing(&error) => {
                Err(StoreError::Missing { what: format!("{} of trial {} (`{location}`)", id.directory(), id.trial) })
            }
            Err(error) => Err(error),
        }
    }

    fn sweep_trial(
        &self,
        trial: TrialId,
        keep: &dyn Fn(CheckpointId) -> bool,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let objects = Objects::sorted(trial, &self.trial(trial), self.client.list(&self.trial(trial))?);
        for (id, found) in objects.0 {
            let Found { manifest, mut drafts } = found;
            if manifest.is_some() && keep(id) {
                // The manifest is needed only where something else lies beside what it names.
                if drafts.len() > 1 {
                    drafts.remove(&self.manifest(id)?.draft);
                    swept.halves += drafts.len() as u64;
                    self.client.delete(drafts.into_values().flatten().collect())?;
                }
                continue;
            }
            match manifest {
                Some(manifest) => {
                    self.client.delete(vec![manifest])?;
                    swept.checkpoints.push(id);
                }
                None => swept.halves += drafts.len() as u64,
            }
            self.client.delete(drafts.into_values().flatten().collect())?;
        }
        Ok(())
    }
}

/// The objects of a trial's checkpoints.
struct Objects(BTreeMap<CheckpointId, Found>);

#[derive(Default)]
struct Found {
    manifest: Option<Location>,
    /// The files of each draft.
    drafts: BTreeMap<String, Vec<Location>>,
}

impl Objects {
    /// Those among `all`; what isn't a checkpoint's is left out.
    fn sorted(trial: TrialId, prefix: &Location, all: Vec<Location>) -> Self {
        let mut found: BTreeMap<CheckpointId, Found> = BTreeMap::new();
        for location in all {
            let Some(parts) = location.prefix_match(prefix) else { continue };
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            match parts.as_slice() {
                [name] => {
                    let name = name.strip_suffix(".json");
                    if let Some(id) = name.and_then(|name| CheckpointId::of_directory(trial, name)) {
                        found.entry(id).or_default().manifest = Some(location);
                    }
                }
                [name, draft, _, ..] => {
                    if let Some(id) = CheckpointId::of_directory(trial, name) {
                        found.entry(id).or_default().drafts.entry(draft.clone()).or_default().push(location);
                    }
                }
                _ => {}
            }
        }
        Self(found)
    }
}

impl Store for ObjectCheckpoints {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        Ok(Box::new(ObjectDraft::new(self.client.clone(), self.place(id))))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        Ok(Box::new(ObjectStored::new(self.client.clone(), self.place(id), self.manifest(id)?)))
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        let place = self.place(id);
        self.client.delete(vec![place.manifest])?;
        self.client.delete(self.client.list(&place.drafts)?)
    }

    /// A temporary directory, which is deleted with the store; its content is uploaded once the trial has exported.
    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.exports.begin(trial, format)
    }

    fn exported(&self, trial: TrialId, format: &str) -> Result<(), StoreError> {
        let Some(scratch) = self.exports.keep(trial, format) else { return Ok(()) };
        let to = self.trial(trial).join("export").join(format);
        for (path, _) in Tree::below(scratch.path())?.files {
            let name = manifest::name(&path)?;
            let location = name.split('/').fold(to.clone(), |location, part| location.join(part));
            self.client.upload(&location, &scratch.path().join(path))?;
        }
        Ok(())
    }

    /// As long as this value lives; afterwards it is below the store's root alone.
    fn export(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        self.exports.find(trial, format)
    }

    fn root(&self) -> Option<String> {
        Some(self.prefix.to_string())
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for directory in self.client.directories(&self.prefix)? {
            let name = directory.filename().unwrap_or_default();
            let trial = name.parse().ok().filter(|trial: &TrialId| trial.run() == run && trial.to_string() == name);
            if let Some(trial) = trial {
                self.sweep_trial(trial, keep, &mut swept)?;
            }
        }
        swept.checkpoints.sort();
        Ok(swept)
    }
}
