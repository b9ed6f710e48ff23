//! The few things that are done with files here. None of them leaves a file open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::path::Path;

use super::error::FileError;
use crate::edge::plain_file;

/// Whether something was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    There,
}

/// Writes a file, in the place of what it held.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let file = plain_file::create(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(FileError::io("write", path))
}

/// Makes the directory, and those above it, if they aren't there.
pub(super) fn make_directory(path: &Path) -> Result<Before, FileError> {
    match fs::create_dir(path) {
        Ok(()) => Ok(Before::Nothing),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(Before::There),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = fs::create_dir_all(path).map_err(FileError::io("make the directory", path));
            made.map(|()| Before::Nothing)
        }
        Err(error) => Err(FileError::io("make the directory", path)(error)),
    }
}

/// Puts bytes at the end of a file, which is made if it isn't there.
pub(super) fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let file = plain_file::open(path, OpenOptions::new().append(true).create(true));
    file.and_then(|mut file| file.write_all(bytes)).map_err(FileError::io("write to", path))
}

/// Writes a file aside and puts it in the place of `path`, so that readers see the old one or the new one.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), FileError> {
    let aside = plain_file::aside(path, "tmp");
    let written = plain_file::create(&aside).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(FileError::io("write", &aside))?;
    fs::rename(&aside, path).map_err(FileError::io("put in place", path))
}

/// The file, to be read; none if it isn't there.
pub(super) fn open(path: &Path) -> Result<Option<BufReader<File>>, FileError> {
    match plain_file::read(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

/// All that is in the file; none if it isn't there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match plain_file::read_all(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

/// Cuts off what stands behind the first `length` bytes.
pub(super) fn cut(path: &Path, length: u64) -> Result<(), FileError> {
    let file = plain_file::open(path, OpenOptions::new().write(true));
    let cut = file.and_then(|file| if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) });
    cut.map_err(FileError::io("shorten", path))
}

/// Deletes the file if it is there.
pub(super) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::io("delete", path)(error)),
        _ => Ok(()),
    }
}

/// Makes a link to `to`, unless there is one already.
#[cfg(unix)]
pub(super) fn link(to: &Path, at: &Path) -> Result<(), FileError> {
    match std::os::unix::fs::symlink(to, at) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && at.is_symlink() => Ok(()),
        made => made.map_err(FileError::io("make the link", at)),
    }
}

/// Elsewhere a link needs rights of its own.
#[cfg(not(unix))]
pub(super) fn link(_: &Path, _: &Path) -> Result<(), FileError> {
    Ok(())
}
