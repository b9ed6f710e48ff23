//! A directory's lock: two writers are kept apart, and a dead owner's is free at once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::LogError;

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

impl Owner {
    fn this_process() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { pid: std::process::id(), host: host(), since }
    }
}

/// The machine's name, as far as it can be read.
fn host() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let names = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let mut names = names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    names.next().unwrap_or_else(|| "an unknown machine".to_owned())
}

/// Held as long as this value lives. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct LogLock {
    _file: File,
}

impl LogLock {
    /// Takes the lock whose file is at `path`; the file stays there.
    ///
    /// # Errors
    /// If another process, or another run of this one, holds it, or if the file can't be written.
    pub fn take(path: &Path) -> Result<Self, LogError> {
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        let mut file = opened.map_err(LogError::io("open the lock", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refused(&mut file, path)),
            Err(TryLockError::Error(error)) => return Err(LogError::io("lock", path)(error)),
        }
        let text = serde_json::to_vec(&Owner::this_process()).unwrap_or_default();
        let written = file.set_len(0).and_then(|()| file.write_all(&text)).and_then(|()| file.flush());
        written.map_err(LogError::io("write the lock", path))?;
        Ok(Self { _file: file })
    }
}

fn refused(file: &mut File, path: &Path) -> LogError {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    let owner: Option<Owner> = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    let (pid, host) = owner.map_or((0, "an unknown machine".to_owned()), |owner| (owner.pid, owner.host));
    LogError::Locked { path: path.to_owned(), pid, host }
}
