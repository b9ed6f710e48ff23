//! A checkpoint of one store, copied into another.

use std::fs;
use std::io::{self, ErrorKind};

use super::tree::Tree;
use crate::edge::plain_file;
use crate::logic::checkpoint::CheckpointId;
use crate::ports::store::{Store, StoreError};

/// Copies `id` of `from`, which becomes `new` of `to`. Answers its size in bytes.
///
/// # Errors
/// If one can't be read, or the other not be written; then there is no `new`.
pub(crate) fn copy(from: &dyn Store, id: CheckpointId, to: &dyn Store, new: CheckpointId) -> Result<u64, StoreError> {
    let mut stored = from.open(id)?;
    let source = stored.directory()?;
    let tree = Tree::below(source)?;
    let mut draft = to.begin(new)?;
    let target = draft.directory()?;
    // Each stands after those in it.
    for directory in tree.directories.iter().rev() {
        let path = target.join(directory);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::io("make the directory", path)(error));
            }
            _ => {}
        }
    }
    for (file, _) in &tree.files {
        let path = target.join(file);
        let copied = plain_file::read(&source.join(file))
            .and_then(|mut read| io::copy(&mut read, &mut plain_file::create(&path)?));
        copied.map_err(StoreError::io("copy a file to", path))?;
    }
    draft.commit()
}
