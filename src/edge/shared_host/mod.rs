//! What processes of one user share on a host: a lock for each core and each GPU, which the system releases when a process dies.
//!
//! All is in one directory that only the user can enter. A process has a number there, for which it holds a lock; so the others can
//! count who is there. While it waits for more than it holds, it holds another one, so the others see that somebody waits.
//! Locks are only ever tried. Who releases one says so to the socket of each other process; who dies is seen to die by the thread
//! that listens, in `watch`.

mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

pub(super) use watch::{Interest, watch};

use super::control::runtime_directory;
use super::gpus::VisibleGpus;
use super::plain_file;
use crate::logic::pool::shares::Cap;
use crate::logic::pool::{Amount, Resources};

/// So many processes of a user can share a host.
const MOST_PROCESSES: u32 = 256;

/// The locks of this process.
#[derive(Debug)]
pub(super) struct HostLocks {
    root: PathBuf,
    host: Resources,
    number: u32,
    _process: File,
    waits: BTreeMap<What, File>,
    cores: BTreeMap<u32, File>,
    gpus: BTreeMap<u32, File>,
    names: Vec<String>,
    socket: UnixDatagram,
}

/// Who else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Others {
    /// How many.
    pub(super) count: u32,
    /// Whether one of them waits for a core.
    pub(super) want_cores: bool,
    /// Whether one of them waits for a GPU.
    pub(super) want_gpus: bool,
}

/// What a process can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Cores,
    Gpus,
}

impl HostLocks {
    /// Enters the directory of this user's processes.
    pub(super) fn enter(host: &Resources) -> io::Result<Self> {
        let user = rustix::process::getuid().as_raw();
        Self::enter_at(&runtime_directory().join(format!("tryout-host-{user}")), host)
    }

    fn enter_at(root: &Path, host: &Resources) -> io::Result<Self> {
        private(root)?;
        let taken = (0..MOST_PROCESSES).find_map(|number| match try_lock(&process(root, number)) {
            Ok(file) => file.map(|file| Ok((number, file))),
            Err(error) => Some(Err(error)),
        });
        let full = || io::Error::other(format!("more than {MOST_PROCESSES} processes share this host"));
        let (number, mut file) = taken.ok_or_else(full)??;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        write!(file, "{}", std::process::id())?;
        let path = socket(root, number);
        // A dead process may have left it.
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        let locks = Self {
            root: root.to_owned(),
            host: host.clone(),
            number,
            _process: file,
            waits: BTreeMap::new(),
            cores: BTreeMap::new(),
            gpus: BTreeMap::new(),
            names: VisibleGpus::inherited().names(&host.gpus()),
            socket,
        };
        locks.tell_others();
        Ok(locks)
    }

    /// What is held.
    pub(super) fn there(&self) -> Cap {
        let mut there = Cap::nothing(&self.host);
        there.amounts = Resources::cpus(self.cores.len() as u32);
        there.gpus = there.gpus.map(|_| self.gpus.keys().copied().collect());
        there
    }

    /// Who else is there.
    pub(super) fn others(&self) -> Others {
        let numbers = (0..MOST_PROCESSES).filter(|&number| number != self.number);
        let mut others = Others { count: 0, want_cores: false, want_gpus: false };
        for number in numbers.take_while(|&number| process(&self.root, number).exists() || number < self.number) {
            if is_held(&process(&self.root, number)) {
                others.count += 1;
                others.want_cores |= is_held(&waits(&self.root, What::Cores, number));
                others.want_gpus |= is_held(&waits(&self.root, What::Gpus, number));
            }
        }
        others
    }

    /// Takes as many as are wanted and free, of the GPUs only those that some run of this process may use.
    pub(super) fn take(&mut self, cores: u32, gpus: usize, usable: &BTreeSet<u32>) -> io::Result<()> {
        let all = (self.host.get("cpu").parts() / Amount::whole(1).parts()) as u32;
        for core in 0..all {
            if self.cores.len() >= cores as usize {
                break;
            }
            if !self.cores.contains_key(&core)
                && let Some(file) = try_lock(&self.root.join(format!("core-{core}")))?
            {
                self.cores.insert(core, file);
            }
        }
        for (gpu, name) in self.host.gpus().into_iter().zip(&self.names) {
            if self.gpus.keys().filter(|gpu| usable.contains(gpu)).count() >= gpus {
                break;
            }
            if usable.contains(&gpu)
                && !self.gpus.contains_key(&gpu)
                && let Some(file) = try_lock(&self.root.join(format!("gpu-{}", plain(name))))?
            {
                self.gpus.insert(gpu, file);
            }
        }
        Ok(())
    }

    /// Keeps so many cores, and GPUs: these, and others that are usable as long as there are no more than so many.
    pub(super) fn keep(&mut self, cores: u32, gpus: usize, these: &BTreeSet<u32>, usable: &BTreeSet<u32>) {
        let before = self.cores.len() + self.gpus.len();
        while self.cores.len() > cores as usize {
            self.cores.pop_last().iter().for_each(|(_, file)| release(file));
        }
        let spare: Vec<u32> = self.gpus.keys().rev().copied().filter(|gpu| !these.contains(gpu)).collect();
        for gpu in spare {
            if self.gpus.len() > gpus || !usable.contains(&gpu) {
                self.gpus.remove(&gpu).iter().for_each(release);
            }
        }
        if self.cores.len() + self.gpus.len() < before {
            self.tell_others();
        }
    }

    /// Whether more of something is wanted than is held.
    pub(super) fn wait_for_more(&mut self, what: What, more: bool) -> io::Result<()> {
        if more == self.waits.contains_key(&what) {
            return Ok(());
        }
        self.waits.remove(&what);
        if more {
            let path = waits(&self.root, what, self.number);
            let file = plain_file::open(&path, OpenOptions::new().create(true).truncate(false).read(true).write(true))?;
            // Only those who ask whether it is held have it, for that moment.
            file.lock()?;
            self.waits.insert(what, file);
        }
        self.tell_others();
        Ok(())
    }

    fn tell_others(&self) {
        let numbers = (0..MOST_PROCESSES).take_while(|&number| process(&self.root, number).exists());
        for number in numbers.filter(|&number| number != self.number) {
            // One that is gone, or has been told often enough, needn't hear of it.
            let _ = self.socket.send_to(b"n", socket(&self.root, number));
        }
    }

    /// The processes that are there, this one aside.
    fn pids(root: &Path, own: u32) -> Vec<i32> {
        let numbers = (0..MOST_PROCESSES).take_while(|&number| process(root, number).exists());
        let there = numbers.filter(|&number| number != own && is_held(&process(root, number)));
        let pid = |number| {
            let mut text = String::new();
            File::open(process(root, number)).ok()?.take(32).read_to_string(&mut text).ok()?;
            text.trim().parse().ok()
        };
        there.filter_map(pid).collect()
    }
}

impl Drop for HostLocks {
    /// Everything is released before the others hear of it; then the thread that listens ends.
    fn drop(&mut self) {
        self.waits.values().chain(self.cores.values()).chain(self.gpus.values()).for_each(release);
        self.tell_others();
        let own = socket(&self.root, self.number);
        let _ = self.socket.send_to(b"e", &own);
        let _ = std::fs::remove_file(own);
    }
}

/// Said aloud: a child that was forked just now has a copy of every descriptor, so closing ours would release nothing.
fn release(file: &File) {
    // Closing it is the rest.
    let _ = file.unlock();
}

fn process(root: &Path, number: u32) -> PathBuf {
    root.join(format!("process-{number}"))
}

fn waits(root: &Path, what: What, number: u32) -> PathBuf {
    let what = match what {
        What::Cores => "cores",
        What::Gpus => "gpus",
    };
    root.join(format!("waits-{what}-{number}"))
}

fn socket(root: &Path, number: u32) -> PathBuf {
    root.join(format!("wake-{number}.sock"))
}

/// A name that can be a file's.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' }).collect()
}

/// A lock, if nobody holds it.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = plain_file::open(path, OpenOptions::new().create(true).truncate(false).read(true).write(true))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Whether somebody holds a lock. Two that ask at the same moment don't see each other.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
}

/// A directory that only this user can enter.
fn private(root: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = std::fs::symlink_metadata(root)?;
    let user = rustix::process::getuid().as_raw();
    if about.is_dir() && about.uid() == user && about.mode() & 0o077 == 0 {
        return Ok(());
    }
    let why = format!("`{}` isn't a directory that only this user can enter", root.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}
