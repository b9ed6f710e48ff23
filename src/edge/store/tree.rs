//! What lies in a directory that is to become a checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ports::store::StoreError;

/// All files and directories below a root.
#[derive(Debug, Default)]
pub(in crate::edge) struct Tree {
    /// The files by their paths relative to the root, in order, with their sizes in bytes.
    pub(in crate::edge) files: Vec<(PathBuf, u64)>,
    /// The directories by their paths relative to the root, which is the last; each after those in it.
    pub(in crate::edge) directories: Vec<PathBuf>,
}

impl Tree {
    /// Looks at all there is. Links are not followed: a checkpoint has to be whole wherever it is brought.
    ///
    /// # Errors
    /// If something can't be looked at, or is neither a file nor a directory.
    pub(in crate::edge) fn below(root: &Path) -> Result<Self, StoreError> {
        let mut tree = Self::default();
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            let directory = root.join(&below);
            for entry in fs::read_dir(&directory).map_err(StoreError::io("list", &directory))? {
                let entry = entry.map_err(StoreError::io("list", &directory))?;
                let path = entry.path();
                let about = entry.metadata().map_err(StoreError::io("look at", &path))?;
                let name = below.join(entry.file_name());
                if about.is_dir() {
                    open.push(name);
                } else if about.is_file() {
                    tree.files.push((name, about.len()));
                } else {
                    return Err(StoreError::Kind { path });
                }
            }
            tree.directories.push(below);
        }
        tree.directories.reverse();
        tree.files.sort();
        Ok(tree)
    }

    /// The sum of the files' sizes.
    pub(in crate::edge) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}
