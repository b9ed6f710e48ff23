//! Checkpoints that are whole and wait to be made durable, which is done for many at once.
//!
//! A disk takes about as long to make one file durable as a hundred that are asked for at the same time. So a commit only gives a
//! checkpoint its name, and puts a mark beside it that says in which life of the machine that was. [`Group::settle`] makes all that
//! wait durable and takes the marks away. If the process dies, what has a mark is whole all the same. If the machine dies, its
//! mark is of another life: it may not be whole, and counts as gone.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::tree::Tree;
use crate::edge::plain_file;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::TrialId;
use crate::ports::store::StoreError;

/// So many files are synced at a time: the disk does it in one go.
const AT_ONCE: usize = 16;
/// The end of a mark's name.
const MARK: &str = ".unsynced";

/// This life of the machine; none where it can't be told.
pub(super) fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let boot = BOOT.get_or_init(|| read().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()));
    boot.as_deref()
}

/// The mark of a checkpoint in its trial's directory.
fn mark_of(directory: &Path, id: CheckpointId) -> PathBuf {
    directory.join(format!(".{}{MARK}", id.directory()))
}

/// Whether a name in a trial's directory is a mark, and whose.
pub(super) fn marked(trial: TrialId, name: &str) -> Option<CheckpointId> {
    CheckpointId::of_directory(trial, name.strip_prefix('.')?.strip_suffix(MARK)?)
}

/// Puts a mark beside a checkpoint that gets its name next.
pub(super) fn mark(directory: &Path, id: CheckpointId) -> Result<(), StoreError> {
    let path = mark_of(directory, id);
    let written = plain_file::create(&path).and_then(|mut file| file.write_all(boot().unwrap_or_default().as_bytes()));
    written.map_err(StoreError::io("write the file", path))
}

/// Takes a mark away, if there is one.
pub(super) fn unmark(directory: &Path, id: CheckpointId) -> Result<(), StoreError> {
    let path = mark_of(directory, id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("delete", path)(error)),
        _ => Ok(()),
    }
}

/// How far a checkpoint that has its name can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is durable.
    Durable,
    /// It is whole, as long as the machine lives.
    Waiting,
    /// The machine has died since: it may not be whole.
    Lost,
}

/// How far the checkpoint of a trial's directory can be trusted.
pub(super) fn trust(directory: &Path, id: CheckpointId) -> Trust {
    match plain_file::read_all(&mark_of(directory, id)) {
        Ok(life) if boot().is_some_and(|boot| boot.as_bytes() == life) => Trust::Waiting,
        Err(error) if error.kind() == ErrorKind::NotFound => Trust::Durable,
        _ => Trust::Lost,
    }
}

/// The checkpoints that wait.
#[derive(Debug, Default)]
pub(super) struct Group {
    waiting: Mutex<BTreeSet<CheckpointId>>,
    /// Held while some are made durable: whether that has failed, so that files have to be written once more.
    settling: Mutex<bool>,
}

impl Group {
    /// One alone, that an earlier session left.
    pub(super) fn of(id: CheckpointId) -> Self {
        let group = Self::default();
        group.add(id);
        group
    }

    /// One more waits.
    pub(super) fn add(&self, id: CheckpointId) {
        self.waiting().insert(id);
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<CheckpointId>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It will be deleted once the journal is durable, so it needn't be.
    pub(super) fn let_go(&self, id: CheckpointId) {
        self.waiting().remove(&id);
    }

    /// It is deleted, so it needn't be made durable. `delete` isn't called while others are.
    pub(super) fn remove<T>(&self, id: CheckpointId, delete: impl FnOnce() -> T) -> T {
        let _settled = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting().remove(&id);
        delete()
    }

    /// Makes those that wait durable. `root` has a directory for each trial.
    ///
    /// # Errors
    /// If the disk can't; then they wait on, and are written once more at the next attempt.
    pub(super) fn settle(&self, root: &Path) -> Result<(), StoreError> {
        let mut failed = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let ids: Vec<CheckpointId> = self.waiting().iter().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let settled = settle(root, &ids, *failed);
        *failed = settled.is_err();
        settled?;
        self.waiting().retain(|id| !ids.contains(id));
        Ok(())
    }
}

/// First what is in them, then their names and that they have no mark.
fn settle(root: &Path, ids: &[CheckpointId], again: bool) -> Result<(), StoreError> {
    let (mut paths, mut trials) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let trial = root.join(id.trial.to_string());
        let place = trial.join(id.directory());
        let Some(tree) = unless_gone(Tree::below(&place))? else { continue };
        if again {
            tree.files.iter().try_for_each(|(file, _)| unless_gone(write_anew(&place.join(file))).map(drop))?;
        }
        paths.extend(tree.files.iter().map(|(file, _)| file).chain(&tree.directories).map(|path| place.join(path)));
        trials.insert(trial);
    }
    sync_all(&paths)?;
    ids.iter().try_for_each(|id| unmark(&root.join(id.trial.to_string()), *id))?;
    let names: Vec<PathBuf> = trials.into_iter().chain([root.to_owned()]).collect();
    sync_all(&names)
}

/// Somebody else may take a checkpoint away at any time: what isn't there needn't be made durable.
fn unless_gone<T>(done: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match done {
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// A disk that failed once may say afterwards that all is well, although it has forgotten what it was given.
fn write_anew(path: &Path) -> Result<(), StoreError> {
    let write = || -> io::Result<()> {
        let bytes = plain_file::read_all(path)?;
        plain_file::open(path, OpenOptions::new().write(true))?.write_all(&bytes)
    };
    write().map_err(StoreError::io("write once more", path))
}

/// Makes files and directories durable, in no order.
fn sync_all(paths: &[PathBuf]) -> Result<(), StoreError> {
    let share = paths.len().div_ceil(AT_ONCE).max(1);
    let each = |paths: &[PathBuf]| paths.iter().try_for_each(|path| unless_gone(sync(path)).map(drop));
    thread::scope(|scope| {
        let mut others = Vec::new();
        let mut shares = paths.chunks(share);
        let own = shares.next().unwrap_or_default();
        let mut outcome = Ok(());
        for share in shares {
            match thread::Builder::new().name("tryout-sync".to_owned()).spawn_scoped(scope, move || each(share)) {
                Ok(other) => others.push(other),
                // Without a thread it takes longer.
                Err(_) => outcome = outcome.and(each(share)),
            }
        }
        outcome = outcome.and(each(own));
        others.into_iter().fold(outcome, |outcome, other| outcome.and(other.join().unwrap_or(Ok(()))))
    })
}

pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", path))
}
