//! Which directories are runs.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{DIRECTORY, LOCK};

/// Whether a run's journal is in this directory.
pub fn is_run(dir: &Path) -> bool {
    dir.join(DIRECTORY).is_dir() && dir.join(LOCK).is_file()
}

/// The runs below a directory, at most two levels down; the one that was begun or gone on with last comes first.
pub fn runs_below(parent: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    below(parent, 2, &mut found);
    let begun =
        |dir: &PathBuf| dir.join(LOCK).metadata().and_then(|lock| lock.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    found.sort_by_key(|dir| (std::cmp::Reverse(begun(dir)), dir.clone()));
    found
}

fn below(parent: &Path, levels: u32, found: &mut Vec<PathBuf>) {
    // What is hidden is no run: what is being deleted, or ours.
    let shown = |path: &PathBuf| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    let entries = parent.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    for dir in entries.filter(|path| shown(path) && path.is_dir()) {
        if is_run(&dir) {
            found.push(dir);
        } else if levels > 1 {
            below(&dir, levels - 1, found);
        }
    }
}
