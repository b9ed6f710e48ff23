//! A checkpoint that a trial wrote by itself becomes one of the store's.

use std::fs;
use std::path::Path;

use crate::edge::plain_file;
use crate::logic::failure::{FailureKind, Fault};

/// Moves all that is in `from`, which must lie below `home`, into the empty directory `to`.
pub(super) fn import(from: &Path, home: &Path, to: &Path) -> Result<(), Fault> {
    let failed = |message: String| Fault::new(FailureKind::SaveFailed, message);
    let place =
        from.canonicalize().map_err(|error| failed(format!("no checkpoint at `{}`: {error}", from.display())))?;
    let below = home.canonicalize().is_ok_and(|home| place.starts_with(&home) && place != home);
    if !below {
        let message = format!("the checkpoint `{}` isn't below the trial's own `{}`", from.display(), home.display());
        return Err(failed(message));
    }
    let moved = fs::read_dir(&place).and_then(|mut entries| {
        entries.try_for_each(|entry| {
            let entry = entry?;
            let to = to.join(entry.file_name());
            fs::rename(entry.path(), &to).or_else(|_| copy(&entry.path(), &to))
        })
    });
    moved.map_err(|error| failed(format!("the checkpoint `{}` can't be taken: {error}", from.display())))?;
    // An empty directory that stays behind does no harm.
    let _ = fs::remove_dir_all(&place);
    Ok(())
}

/// What can't be moved, because it lies on another disk.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !fs::symlink_metadata(from)?.is_dir() {
        let mut file = plain_file::read(from)?;
        return std::io::copy(&mut file, &mut fs::File::create_new(to)?).map(drop);
    }
    fs::create_dir(to)?;
    fs::read_dir(from)?.try_for_each(|entry| {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))
    })
}
