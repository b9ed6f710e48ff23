//! What a checkpoint in an object store consists of. It is written last and deleted first: without it there is none.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use object_store::path::Path as Location;
use serde::{Deserialize, Serialize};

use crate::logic::checkpoint::CheckpointId;
use crate::ports::store::{StoreError, Sum};

const VERSION: u32 = 1;

/// The files of a checkpoint, and where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    /// The draft that became the checkpoint: its objects have this in their names.
    pub(super) draft: String,
    /// Files by their names, with `/` between directories.
    pub(super) files: BTreeMap<String, Sum>,
}

impl Manifest {
    pub(super) fn new(draft: String) -> Self {
        Self { version: VERSION, draft, files: BTreeMap::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|sum| sum.bytes).sum()
    }

    pub(super) fn write(&self, location: &Location) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec_pretty(self).map_err(content(location))
    }

    pub(super) fn read(bytes: &[u8], location: &Location) -> Result<Self, StoreError> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(content(location))?;
        if manifest.version != VERSION {
            let what = format!("its version is {}, and this release of tryout reads {VERSION}", manifest.version);
            return Err(content(location)(serde::de::Error::custom(what)));
        }
        Ok(manifest)
    }
}

fn content(location: &Location) -> impl FnOnce(serde_json::Error) -> StoreError {
    let name = location.to_string();
    move |source| StoreError::Content { name, source }
}

/// Where the objects of one checkpoint are.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The manifest.
    pub(super) manifest: Location,
    /// All drafts, each below a name of its own.
    pub(super) drafts: Location,
}

impl Place {
    pub(super) fn of(trial: Location, id: CheckpointId) -> Self {
        let name = id.directory();
        Self { manifest: trial.clone().join(format!("{name}.json")), drafts: trial.join(name) }
    }

    /// The object of a draft's file.
    pub(super) fn file(&self, draft: &str, name: &str) -> Location {
        name.split('/').fold(self.drafts.clone().join(draft), |location, part| location.join(part))
    }
}

/// A file's path within a checkpoint as its name: the same on every system.
pub(super) fn name(path: &Path) -> Result<String, StoreError> {
    let refused = || StoreError::Name { name: path.display().to_string() };
    let part = |part: Component<'_>| part.as_os_str().to_str().map(str::to_owned).ok_or_else(refused);
    Ok(path.components().map(part).collect::<Result<Vec<_>, _>>()?.join("/"))
}

/// The other way round. A name from outside doesn't lead out of the checkpoint.
pub(super) fn path(name: &str) -> Result<PathBuf, StoreError> {
    let path: PathBuf = name.split('/').collect();
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside && !name.is_empty() { Ok(path) } else { Err(StoreError::Name { name: name.to_owned() }) }
}
