//! Opens regular files and nothing else: no link is followed, no pipe or device is waited for or written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Opens a file. Nothing is truncated: `options` mustn't ask for it.
///
/// # Errors
/// What the file system says, or what stands at `path` in a file's place.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    without_following(options, path)?;
    let opened = options.open(path);
    match opened.and_then(|file| Ok((file.metadata()?.file_type(), file))) {
        Ok((kind, file)) if kind.is_file() => Ok(file),
        Ok((kind, _)) => Err(refused(kind)),
        // The kernel's own words for a link or a pipe don't say what stands there.
        Err(error) => match fs::symlink_metadata(path) {
            Ok(about) if !about.is_file() => Err(refused(about.file_type())),
            _ => Err(error),
        },
    }
}

/// Opens a file to read.
///
/// # Errors
/// As [`open`].
pub(crate) fn read(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true))
}

/// All that is in a file.
///
/// # Errors
/// As [`open`], or if it can't be read.
pub(crate) fn read_all(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file to write, empty; it is made if it isn't there.
///
/// # Errors
/// As [`open`].
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = open(path, OpenOptions::new().write(true).create(true))?;
    file.set_len(0)?;
    Ok(file)
}

/// The hidden file beside `path` in which something is made ready.
pub(crate) fn aside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}

/// Writes a file aside and puts it in the place of `path`, so that readers see the old one or the new one.
///
/// # Errors
/// As [`open`], or if it can't be written or put in place.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let aside = aside(path, "tmp");
    write(&mut create(&aside)?)?;
    fs::rename(aside, path)
}

#[cfg(unix)]
fn without_following(options: &mut OpenOptions, _: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    Ok(())
}

#[cfg(not(unix))]
fn without_following(_: &mut OpenOptions, path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if !about.is_file() => Err(refused(about.file_type())),
        _ => Ok(()),
    }
}

fn refused(kind: fs::FileType) -> io::Error {
    let what = if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else {
        "a pipe, a socket or a device"
    };
    io::Error::new(ErrorKind::InvalidInput, format!("{what} stands in the place of a regular file; remove it"))
}
