//! Where a run's socket is, and how others find it.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::edge::{host, plain_file};

/// The file in a run's directory that says where the socket is.
pub const POINTER: &str = "control.json";

const SOCKET: &str = "control.sock";
const PREFIX: &str = "tryout-";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pointer {
    /// The socket.
    pub(crate) socket: PathBuf,
    /// The process that listens.
    pub(super) pid: u32,
    /// The machine that it is on.
    pub(super) host: String,
}

impl Pointer {
    /// Reads the pointer of a run's directory; none if there is none.
    pub(super) fn read(run: &Path) -> io::Result<Option<Self>> {
        let text = match plain_file::read_all(&run.join(POINTER)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        serde_json::from_slice(&text).map(Some).map_err(io::Error::from)
    }
}

/// A run's socket. Nobody answers yet: see [`ControlServer`](super::ControlServer). Dropping it removes it.
#[derive(Debug)]
pub struct ControlSocket {
    place: Place,
    pub(super) listener: UnixListener,
}

/// A socket's directory and the pointer to it. Both are removed when it is dropped.
#[derive(Debug)]
struct Place {
    directory: PathBuf,
    pointer: PathBuf,
}

impl ControlSocket {
    /// Makes a socket for the run in this directory. What a killed session has left of its own is removed.
    ///
    /// # Errors
    /// If the socket or the file that points to it can't be made.
    pub fn bind(run: &Path) -> io::Result<Self> {
        if let Ok(Some(old)) = Pointer::read(run) {
            remove_left(&old);
        }
        let place = Place { directory: private_directory()?, pointer: run.join(POINTER) };
        let socket = place.socket();
        let listener = UnixListener::bind(&socket)?;
        place.write(&Pointer { socket, pid: std::process::id(), host: host::known_name() })?;
        Ok(Self { place, listener })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.place.socket()
    }
}

impl Place {
    fn socket(&self) -> PathBuf {
        self.directory.join(SOCKET)
    }

    fn write(&self, pointer: &Pointer) -> io::Result<()> {
        let text = serde_json::to_vec(pointer)?;
        plain_file::replace(&self.pointer, |file| file.write_all(&text))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for removed in [fs::remove_file(&self.pointer), fs::remove_file(self.socket()), fs::remove_dir(&self.directory)]
        {
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                log::debug!("the control socket isn't wholly removed: {error}");
            }
        }
    }
}

/// Removes the socket of a session that was killed, if it is one of ours and on this machine.
fn remove_left(old: &Pointer) {
    let Some(directory) = old.socket.parent() else { return };
    let ours = directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    if ours
        && UnixStream::connect(&old.socket).is_err()
        && old.host == host::known_name()
        && old.socket.ends_with(SOCKET)
    {
        // The user may have removed it.
        let _ = fs::remove_file(&old.socket);
        let _ = fs::remove_dir(directory);
    }
}

/// A new directory that only this user can enter.
fn private_directory() -> io::Result<PathBuf> {
    let parent = runtime_directory();
    // A name is never used twice: a killed session's pointer leads nowhere, and not to another run.
    let since = host::since_1970().as_nanos();
    for number in since.. {
        let path = parent.join(format!("{PREFIX}{number:x}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("can't make `{}`: {error}", path.display())));
            }
        }
    }
    Err(io::Error::other(format!("`{}` has no free name for a directory", parent.display())))
}

/// The user's runtime directory if there is one, else the directory of temporary files.
pub(crate) fn runtime_directory() -> PathBuf {
    host::runtime_directory().unwrap_or_else(std::env::temp_dir)
}
