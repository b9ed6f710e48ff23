//! A directory's lock: two writers are kept apart, and a dead owner's is free at once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::LogError;
use crate::edge::{host, plain_file};

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

impl Owner {
    /// Who holds the lock whose file is at `path` at this moment, on this machine. It is read from what the system knows of
    /// locks, so nobody who takes it meanwhile is held up.
    #[cfg(target_os = "linux")]
    pub fn holding(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let owner: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let inode = path.metadata().ok()?.ino().to_string();
        // `1: FLOCK  ADVISORY  WRITE 4711 00:2b:1234 0 EOF`
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let held = locks.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let file = words.get(5).and_then(|file| file.rsplit(':').next());
            words.get(1) == Some(&"FLOCK")
                && words.get(4).and_then(|pid| pid.parse().ok()) == Some(owner.pid)
                && file == Some(&inode)
        });
        held.then_some(owner)
    }

    fn this_process() -> Self {
        let since = host::since_1970().as_secs();
        Self { pid: std::process::id(), host: host::known_name(), since }
    }
}

/// Held as long as this value lives. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct LogLock {
    file: File,
}

impl LogLock {
    /// Takes the lock whose file is at `path`; the file stays there.
    ///
    /// # Errors
    /// If another process, or another run of this one, holds it, or if the file can't be written.
    pub fn take(path: &Path) -> Result<Self, LogError> {
        let opened = plain_file::open(path, OpenOptions::new().create(true).truncate(false).read(true).write(true));
        let mut file = opened.map_err(LogError::io("open the lock", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refused(&mut file, path)),
            Err(TryLockError::Error(error)) => return Err(LogError::io("lock", path)(error)),
        }
        let text = serde_json::to_vec(&Owner::this_process()).unwrap_or_default();
        let written = file.set_len(0).and_then(|()| file.write_all(&text)).and_then(|()| file.flush());
        written.map_err(LogError::io("write the lock", path))?;
        Ok(Self { file })
    }
}

impl Drop for LogLock {
    /// Said aloud: a child that was forked just now, and hasn't begun its own program, has a copy of the descriptor, so closing ours
    /// would release nothing.
    fn drop(&mut self) {
        // Closing it is the rest.
        let _ = self.file.unlock();
    }
}

fn refused(file: &mut File, path: &Path) -> LogError {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    let owner: Option<Owner> = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    let (pid, host) = owner.map_or((0, "an unknown machine".to_owned()), |owner| (owner.pid, owner.host));
    LogError::Locked { path: path.to_owned(), pid, host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_doesn_t_hold_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = LogLock::take(&path).unwrap();
        assert!(LogLock::take(&path).is_err());
        // As a child has one between `fork` and `exec`.
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        LogLock::take(&path).unwrap();
        drop(copy);
    }
}
