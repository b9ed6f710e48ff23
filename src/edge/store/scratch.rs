//! A temporary directory of this process, deleted when it is dropped.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::store::StoreError;

/// A word that no other call in this process gets: the process and a count.
pub(in crate::edge) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes a directory that isn't there yet, under a name that `name` makes of a unique word. What a process of the same
/// number left behind is passed over.
pub(super) fn make_new(parent: &Path, name: impl Fn(&str) -> String) -> Result<PathBuf, StoreError> {
    loop {
        let path = parent.join(name(&unique()));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path.clone()).map_err(StoreError::io("make the directory", path)),
        }
    }
}

/// An empty directory among the system's temporary ones.
#[derive(Debug)]
pub(in crate::edge) struct Scratch(PathBuf);

impl Scratch {
    pub(in crate::edge) fn create() -> Result<Self, StoreError> {
        make_new(&std::env::temp_dir(), |unique| format!("tryout-{unique}")).map(Self)
    }

    /// The one in `slot`, made if there is none yet.
    pub(super) fn in_slot(slot: &mut Option<Self>) -> Result<&Path, StoreError> {
        let scratch = match slot.take() {
            Some(scratch) => scratch,
            None => Self::create()?,
        };
        Ok(slot.insert(scratch).path())
    }

    pub(in crate::edge) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A temporary directory that can't be deleted is the system's to clean up.
        let _ = fs::remove_dir_all(&self.0);
    }
}
