//! Checkpoints in a directory: `<root>/<trial>/checkpoint_000003/`, written aside, synced, then renamed.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::group::{Group, Trust, boot, mark, marked, sync, trust, unmark};
use super::scratch::{make_new, unique};
use super::tree::Tree;
use crate::edge::plain_file;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};

/// Keeps each trial's checkpoints in a directory of the trial's own.
///
/// A checkpoint is written under a name that begins with a dot, with every file and directory synced, and gets its own
/// name by one rename, so that one that is there is complete, whatever happens to the machine. It is deleted in the
/// reverse way. Nothing in it says where it lies: a store can be moved, and opened again where it is then.
///
/// A store of [groups](DirStore::in_groups) syncs later, and many checkpoints at once.
#[derive(Clone, Debug)]
pub struct DirStore {
    root: PathBuf,
    group: Option<Arc<Group>>,
}

impl DirStore {
    /// A store below `root`, which is made if it isn't there.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(StoreError::io("make the directory", &root))?;
        Ok(Self { root, group: None })
    }

    /// The same store, in which a checkpoint is durable only after [`make_durable`](Store::make_durable). Until then it is at
    /// risk if the machine dies, not if the process does, and one that was at risk counts as gone afterwards. On Linux: elsewhere
    /// nothing changes.
    #[must_use]
    pub fn in_groups(self) -> Self {
        Self { group: boot().map(|_| Arc::default()), ..self }
    }

    fn trial(&self, trial: TrialId) -> PathBuf {
        self.root.join(trial.to_string())
    }

    fn path(&self, id: CheckpointId) -> PathBuf {
        self.trial(id.trial).join(id.directory())
    }

    /// A trial's directory, made and durable.
    fn make_trial(&self, trial: TrialId) -> Result<PathBuf, StoreError> {
        let path = self.trial(trial);
        match fs::create_dir(&path) {
            Ok(()) if self.group.is_none() => sync(&self.root)?,
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::io("make the directory", path)(error)),
        }
        Ok(path)
    }

    fn sweep_trial(
        &self,
        trial: TrialId,
        keep: &dyn Fn(CheckpointId) -> bool,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let directory = self.trial(trial);
        for name in names(&directory)? {
            match CheckpointId::of_directory(trial, &name) {
                Some(id) if !keep(id) => {
                    discard(&directory.join(&name)).and_then(|()| unmark(&directory, id))?;
                    swept.checkpoints.push(id);
                }
                Some(id) => match trust(&directory, id) {
                    Trust::Durable => {}
                    Trust::Waiting => Group::of(id).settle(&self.root)?,
                    Trust::Lost => {
                        discard(&directory.join(&name)).and_then(|()| unmark(&directory, id))?;
                        swept.halves += 1;
                    }
                },
                None if is_half(trial, &name) => {
                    remove(&directory.join(&name))?;
                    swept.halves += 1;
                }
                None => {
                    if let Some(id) = marked(trial, &name).filter(|id| !self.path(*id).exists()) {
                        unmark(&directory, id)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Store for DirStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        let trial = self.make_trial(id.trial)?;
        // Every draft has a place of its own: one that a worker left behind still writes doesn't get into another.
        let at = make_new(&trial, |unique| format!(".{}.tmp-{unique}", id.directory()))?;
        let group = self.group.clone().map(|group| (group, id));
        Ok(Box::new(DirDraft { at, done: self.path(id), group, fate: Fate::Open }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        let path = self.path(id);
        let what = || format!("{} of trial {} (`{}`)", id.directory(), id.trial, path.display());
        match fs::metadata(&path) {
            Ok(about) if about.is_dir() && trust(&self.trial(id.trial), id) != Trust::Lost => {
                Ok(Box::new(DirStored { path }))
            }
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("look at", &path)(error)),
            _ => Err(StoreError::Missing { what: what() }),
        }
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        let delete = || discard(&self.path(id)).and_then(|()| unmark(&self.trial(id.trial), id));
        match &self.group {
            Some(group) => group.remove(id, delete),
            None => delete(),
        }
    }

    fn let_go(&self, id: CheckpointId) {
        if let Some(group) = &self.group {
            group.let_go(id);
        }
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        self.group.as_ref().map_or(Ok(()), |group| group.settle(&self.root))
    }

    /// Beside the place where it will stay.
    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        StoreError::check_name(format)?;
        let path = self.trial(trial).join("export").join(format!(".{format}.tmp"));
        remove(&path)?;
        fs::create_dir_all(&path).map_err(StoreError::io("make the directory", &path))?;
        Ok(path)
    }

    fn exported(&self, trial: TrialId, format: &str) -> Result<(), StoreError> {
        let exports = self.trial(trial).join("export");
        let (from, to) = (exports.join(format!(".{format}.tmp")), exports.join(format));
        let tree = Tree::below(&from)?;
        tree.files.iter().map(|(file, _)| file).chain(&tree.directories).try_for_each(|path| sync(&from.join(path)))?;
        discard(&to)?;
        fs::rename(&from, &to).map_err(StoreError::io("put in place", &to))?;
        [&exports, &self.trial(trial), &self.root].into_iter().try_for_each(|path| sync(path))
    }

    fn export(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        StoreError::check_name(format).ok()?;
        Some(self.trial(trial).join("export").join(format)).filter(|path| path.is_dir())
    }

    fn root(&self) -> Option<String> {
        Some(std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone()).display().to_string())
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for name in names(&self.root)? {
            let trial = name.parse().ok().filter(|trial: &TrialId| trial.run() == run && trial.to_string() == name);
            if let Some(trial) = trial.filter(|trial| self.trial(*trial).is_dir()) {
                self.sweep_trial(trial, keep, &mut swept)?;
            }
        }
        swept.checkpoints.sort();
        Ok(swept)
    }
}

/// The names in a directory that are text; no others are ours.
fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let entries = fs::read_dir(directory).map_err(StoreError::io("list", directory))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", directory))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

/// Whether a directory of this name is a checkpoint of `trial` that is half written or half deleted.
fn is_half(trial: TrialId, name: &str) -> bool {
    let Some((checkpoint, rest)) = name.strip_prefix('.').and_then(|name| name.split_once('.')) else { return false };
    let ours = rest.starts_with("tmp-") || rest.starts_with("gone-");
    ours && CheckpointId::of_directory(trial, checkpoint).is_some()
}

/// Deletes a checkpoint: first its name, all at once, then what is in it. One that isn't there is no error.
fn discard(path: &Path) -> Result<(), StoreError> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
    // What isn't a directory isn't a checkpoint, whatever its name says.
    if fs::symlink_metadata(path).is_ok_and(|about| !about.is_dir()) {
        return Ok(());
    }
    let aside = path.with_file_name(format!(".{name}.gone-{}", unique()));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io("delete", path)(error)),
        Ok(()) => remove(&aside),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let is_directory = fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    match if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) } {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("delete", path)(error)),
        _ => Ok(()),
    }
}

/// What becomes of a draft that is dropped.
enum Fate {
    /// It goes.
    Open,
    /// It stays.
    Committed,
}

struct DirDraft {
    /// Where its files are.
    at: PathBuf,
    done: PathBuf,
    /// With whom it is made durable, if it isn't alone.
    group: Option<(Arc<Group>, CheckpointId)>,
    fate: Fate,
}

impl Draft for DirDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.at.join(name);
        let mut file = plain_file::create(&path).map_err(StoreError::io("make the file", &path))?;
        file.write_all(bytes).map_err(StoreError::io("write the file", &path))
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Ok(&self.at)
    }

    fn commit(mut self: Box<Self>) -> Result<u64, StoreError> {
        let tree = Tree::below(&self.at)?;
        if let Some((group, id)) = &self.group
            && let Some(trial) = self.done.parent()
        {
            // One of this name is there only if its trial never heard of it.
            group.remove(*id, || discard(&self.done))?;
            mark(trial, *id)?;
            fs::rename(&self.at, &self.done).map_err(StoreError::io("put in place", &self.done))?;
            self.fate = Fate::Committed;
            group.add(*id);
            return Ok(tree.bytes());
        }
        let files = tree.files.iter().map(|(file, _)| file);
        files.chain(&tree.directories).try_for_each(|path| sync(&self.at.join(path)))?;
        // One of this name is there only if its trial never heard of it.
        discard(&self.done)?;
        fs::rename(&self.at, &self.done).map_err(StoreError::io("put in place", &self.done))?;
        self.at.clone_from(&self.done);
        if let Some(trial) = self.done.parent() {
            sync(trial)?;
        }
        self.fate = Fate::Committed;
        Ok(tree.bytes())
    }
}

impl Drop for DirDraft {
    fn drop(&mut self) {
        if matches!(self.fate, Fate::Open) {
            // Left behind only if it can't be deleted; then the run's next session sweeps it away.
            let _ = if self.at == self.done { discard(&self.at) } else { remove(&self.at) };
        }
    }
}

struct DirStored {
    path: PathBuf,
}

impl Stored for DirStored {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path.join(name);
        match plain_file::read_all(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(StoreError::Missing { what: format!("file `{name}` of the checkpoint (`{}`)", path.display()) })
            }
            read => read.map_err(StoreError::io("read the file", path)),
        }
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        Ok(&self.path)
    }
}
