//! The few things that are done with files here. None of them leaves a file open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::FileError;

/// Makes the directory, and those above it, if they aren't there.
pub(super) fn make_directory(path: &Path) -> Result<(), FileError> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(path).map_err(FileError::io("make the directory", path))
        }
        Err(error) => Err(FileError::io("make the directory", path)(error)),
    }
}

/// Puts bytes at the end of a file, which is made if it isn't there.
pub(super) fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(FileError::io("write to", path))
}

/// Writes a file aside and puts it in the place of `path`, so that readers see the old one or the new one.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), FileError> {
    let aside = aside(path, "tmp");
    let written = File::create(&aside).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(FileError::io("write", &aside))?;
    fs::rename(&aside, path).map_err(FileError::io("put in place", path))
}

/// The hidden file beside `path` in which something is made ready.
pub(super) fn aside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}

/// The file, to be read; none if it isn't there.
pub(super) fn open(path: &Path) -> Result<Option<BufReader<File>>, FileError> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

/// All that is in the file; none if it isn't there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

/// Cuts off what stands behind the first `length` bytes.
pub(super) fn cut(path: &Path, length: u64) -> Result<(), FileError> {
    let file = OpenOptions::new().write(true).open(path);
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
