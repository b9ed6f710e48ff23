//! A run's objects: claims of sessions, manifests, and the files that they name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::path::Path as Location;
use serde::{Deserialize, Serialize};

use super::{CloudError, MARKER};
use crate::edge::journal;
use crate::edge::plain_file;
use crate::edge::store::Client;
use crate::ports::store::{StoreError, Sum};

/// All files of a run at a moment. It is never changed: a newer one takes its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) session: u32,
    /// Which of the session's manifests it is, from 1.
    pub(super) sequence: u32,
    /// By their paths below the run's directory, with `/` between the parts.
    pub(super) files: BTreeMap<String, Stored>,
    /// Directories without files.
    #[serde(default)]
    pub(super) empty: Vec<String>,
}

/// A file in the object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Its last name; before it come `files` and the file's path.
    pub(super) object: String,
    #[serde(flatten)]
    pub(super) sum: Sum,
    /// It is gone from the run's directory, and stays until the next manifest: the journal of this one may still know it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) leaving: bool,
}

/// Who has begun a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) session: u32,
    pub(super) host: String,
    pub(super) pid: u32,
    /// In nanoseconds since 1970.
    pub(super) since: u128,
}

/// The objects of one run.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) client: Arc<Client>,
    pub(super) root: Location,
    pub(super) name: String,
}

/// The two numbers in `000002-000017.json`, or those of a session's claim, `000002.json`.
fn numbers(location: &Location) -> Option<(u32, u32)> {
    let name = location.filename()?.strip_suffix(".json")?;
    match name.split_once('-') {
        Some((session, sequence)) => Some((session.parse().ok()?, sequence.parse().ok()?)),
        None => Some((name.parse().ok()?, 0)),
    }
}

impl Remote {
    fn claim_of(&self, session: u32) -> Location {
        self.root.clone().join("sessions").join(format!("{session:06}.json"))
    }

    pub(super) fn manifest_of(&self, manifest: &Manifest) -> Location {
        self.root.clone().join("manifests").join(format!("{:06}-{:06}.json", manifest.session, manifest.sequence))
    }

    pub(super) fn file(&self, path: &str, object: &str) -> Location {
        path.split('/').fold(self.root.clone().join("files"), |below, part| below.join(part)).join(object)
    }

    /// The last session that somebody has begun; 0 if there is no run.
    pub(super) fn last_session(&self) -> Result<u32, StoreError> {
        let claims = self.client.list(&self.root.clone().join("sessions"))?;
        Ok(claims.iter().filter_map(numbers).map(|(session, _)| session).max().unwrap_or(0))
    }

    /// Begins a session, unless somebody else just has.
    pub(super) fn claim(&self, owner: &Owner) -> Result<(), CloudError> {
        let location = self.claim_of(owner.session);
        let bytes = serde_json::to_vec(owner).map_err(|error| CloudError::damaged(&location, &error))?;
        // An answer that got lost makes the store try again, and then the claim is there already: ours.
        if self.client.create(&location, &bytes)? || self.client.get(&location)? == bytes {
            return Ok(());
        }
        let other: Option<Owner> = serde_json::from_slice(&self.client.get(&location)?).ok();
        let (host, pid) = other.map_or_else(|| ("an unknown machine".to_owned(), 0), |other| (other.host, other.pid));
        Err(CloudError::Taken { run: self.name.clone(), session: owner.session, host, pid })
    }

    /// Whether nobody has begun a later session.
    pub(super) fn is_last(&self, session: u32) -> Result<bool, StoreError> {
        Ok(!self.client.exists(&self.claim_of(session + 1))?)
    }

    /// Makes these files the run's.
    pub(super) fn publish(&self, manifest: &Manifest) -> Result<(), CloudError> {
        let location = self.manifest_of(manifest);
        let bytes = serde_json::to_vec(manifest).map_err(|error| CloudError::damaged(&location, &error))?;
        if self.client.create(&location, &bytes)? || self.client.get(&location)? == bytes {
            return Ok(());
        }
        Err(CloudError::damaged(&location, &"somebody else wrote it in this session's name"))
    }

    /// The newest manifest; none if nothing was ever published.
    pub(super) fn newest(&self) -> Result<Option<Manifest>, CloudError> {
        let all = self.client.list(&self.root.clone().join("manifests"))?;
        let Some(location) = all.into_iter().max_by_key(numbers) else { return Ok(None) };
        let bytes = self.client.get(&location)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| CloudError::damaged(&location, &error))
    }

    /// Deletes what earlier sessions left and `manifest` doesn't name.
    pub(super) fn sweep(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let named: std::collections::HashSet<Location> =
            manifest.files.iter().map(|(path, stored)| self.file(path, &stored.object)).collect();
        let earlier = |location: &Location| {
            let name = location.filename().unwrap_or_default();
            let session = name.split('-').next().and_then(|session| session.parse::<u32>().ok());
            session.is_some_and(|session| session < manifest.session)
        };
        let mut old = self.client.list(&self.root.clone().join("manifests"))?;
        old.extend(self.client.list(&self.root.clone().join("files"))?);
        old.retain(|location| earlier(location) && !named.contains(location));
        self.client.delete(old)
    }

    /// Lays the files out as the directory `to`, which must be empty or not there. It is whole or isn't there.
    pub(super) fn fetch(&self, manifest: &Manifest, marker: u32, to: &Path) -> Result<(), CloudError> {
        let mut half = to.as_os_str().to_owned();
        half.push(".fetched");
        let half = PathBuf::from(half);
        match fs::remove_dir_all(&half) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", half)(error).into());
            }
            _ => {}
        }
        make(&half)?;
        for path in &manifest.empty {
            make(&local(&half, path)?)?;
        }
        for (path, stored) in &manifest.files {
            let (at, location) = (local(&half, path)?, self.file(path, &stored.object));
            at.parent().map_or(Ok(()), make)?;
            let mut file = File::create_new(&at).map_err(StoreError::io("make the file", &at))?;
            let found = self.client.fetch(&location, stored.sum.bytes, &mut file)?;
            if found != stored.sum {
                let (name, expected) = (path.clone(), stored.sum);
                return Err(StoreError::Damaged { name, expected, found }.into());
            }
            file.sync_all().map_err(StoreError::io("make durable", &at))?;
        }
        mark(&half, marker)?;
        // By which it is known for a run's directory, also if the run hadn't got far.
        let lock = half.join(journal::LOCK);
        fs::write(&lock, "").map_err(StoreError::io("write", lock))?;
        // An empty directory makes room.
        let _ = fs::remove_dir(to);
        fs::rename(&half, to).map_err(StoreError::io("rename what was fetched to", to))?;
        Ok(())
    }
}

fn make(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(StoreError::io("make the directory", path))
}

/// Where a path of a manifest is below `root`: nowhere else, whatever it says.
fn local(root: &Path, path: &str) -> Result<PathBuf, StoreError> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    if !path.split('/').all(plain) {
        return Err(StoreError::Name { name: path.to_owned() });
    }
    Ok(path.split('/').fold(root.to_owned(), |below, part| below.join(part)))
}

/// Notes down whose session the directory is a copy of.
pub(super) fn mark(directory: &Path, session: u32) -> Result<(), StoreError> {
    let path = directory.join(MARKER);
    let written = plain_file::replace(&path, |file| writeln!(file, "{{\"session\":{session}}}"));
    written.map_err(StoreError::io("write", path))
}

/// The session that a directory is a copy of; 0 if it was never one.
pub(super) fn marked(directory: &Path) -> Result<u32, CloudError> {
    #[derive(Deserialize)]
    struct Marked {
        session: u32,
    }
    let path = directory.join(MARKER);
    match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        read => {
            let bytes = read.map_err(StoreError::io("read", &path))?;
            let marked: Result<Marked, _> = serde_json::from_slice(&bytes);
            marked
                .map(|marked| marked.session)
                .map_err(|error| CloudError::Damaged { object: path.display().to_string(), why: error.to_string() })
        }
    }
}
