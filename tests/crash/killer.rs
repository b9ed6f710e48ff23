//! A file system, and a store, that kill their own process at a chosen operation: before it, in the middle, or after it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tryout::edge::log::{Append, DirFiles, Files};
use tryout::edge::store::DirStore;
use tryout::extend::{CheckpointId, Draft, RunId, Store, StoreError, Stored, Swept, TrialId};

/// Counts operations, and dies at one of them.
#[derive(Clone, Debug)]
pub(crate) struct Fuse {
    count: Arc<AtomicU64>,
    at: u64,
}

impl Fuse {
    pub(crate) fn new(at: u64) -> Self {
        Self { count: Arc::default(), at }
    }

    /// How many operations there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether this is the operation.
    fn burns(&self) -> bool {
        self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at
    }

    /// Dies before an operation, or right after it, in turns.
    fn around<R>(&self, operation: impl FnOnce() -> R) -> R {
        let burns = self.burns();
        if burns && self.at.is_multiple_of(2) {
            die();
        }
        let done = operation();
        if burns {
            die();
        }
        done
    }
}

/// SIGKILL, as the system or an impatient person sends it.
fn die() -> ! {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-9", &pid]).status();
    unreachable!("a killed process doesn't go on");
}

#[derive(Debug)]
pub(crate) struct KillerFiles {
    inner: DirFiles,
    fuse: Fuse,
}

impl KillerFiles {
    pub(crate) fn new(dir: &Path, fuse: Fuse) -> Self {
        Self { inner: DirFiles::new(dir), fuse }
    }
}

impl Files for KillerFiles {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.inner.read(name)
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        let inner = self.fuse.around(|| self.inner.append(name))?;
        Ok(Box::new(KillerFile { inner, fuse: self.fuse.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.fuse.around(|| self.inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.fuse.around(|| self.inner.remove(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.fuse.around(|| self.inner.sync_names())
    }
}

struct KillerFile {
    inner: Box<dyn Append>,
    fuse: Fuse,
}

impl Append for KillerFile {
    fn length(&mut self) -> io::Result<u64> {
        self.inner.length()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.fuse.burns() {
            // In the middle: some of it is written.
            let some = bytes.len() * (self.fuse.at as usize % 7) / 7;
            let _ = self.inner.write(&bytes[..some]);
            die();
        }
        self.inner.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fuse.around(|| self.inner.sync())
    }

    fn rewrite(&mut self, length: u64, bytes: &[u8]) -> io::Result<()> {
        self.fuse.around(|| self.inner.rewrite(length, bytes))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.fuse.around(|| self.inner.truncate(length))
    }
}

#[derive(Debug)]
pub(crate) struct KillerStore {
    inner: DirStore,
    fuse: Fuse,
}

impl KillerStore {
    pub(crate) fn new(dir: &Path, fuse: Fuse) -> Self {
        Self { inner: DirStore::create(dir).unwrap().in_groups(), fuse }
    }
}

impl Store for KillerStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        let inner = self.fuse.around(|| self.inner.begin(id))?;
        Ok(Box::new(KillerDraft { inner, fuse: self.fuse.clone() }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        self.inner.open(id)
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        self.fuse.around(|| self.inner.delete(id))
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        self.inner.sweep(run, keep)
    }

    fn let_go(&self, id: CheckpointId) {
        self.inner.let_go(id);
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        self.fuse.around(|| self.inner.make_durable())
    }

    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.inner.export_directory(trial, format)
    }
}

struct KillerDraft {
    inner: Box<dyn Draft>,
    fuse: Fuse,
}

impl Draft for KillerDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        if self.fuse.burns() {
            let _ = self.inner.write(name, &bytes[..bytes.len() / 2]);
            die();
        }
        self.inner.write(name, bytes)
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        self.inner.directory()
    }

    fn commit(self: Box<Self>) -> Result<u64, StoreError> {
        let Self { inner, fuse } = *self;
        fuse.around(|| inner.commit())
    }
}
