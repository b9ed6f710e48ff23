//! Any Unix: what POSIX has, and no promise where it has nothing.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// It can be rung from any thread, and polled: readable while somebody has rung since it was silenced.
#[derive(Debug)]
pub(crate) struct Bell {
    hammer: UnixStream,
    sound: UnixStream,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (hammer, sound) = UnixStream::pair()?;
        hammer.set_nonblocking(true)?;
        sound.set_nonblocking(true)?;
        Ok(Self { hammer, sound })
    }

    pub(crate) fn ring(&self) {
        // One that is full is heard.
        let _ = (&self.hammer).write(&[1]);
    }

    pub(crate) fn silence(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.sound).read(&mut bytes), Ok(1..)) {}
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sound.as_fd()
    }
}

/// Can be polled: hung up when a child has ended, whether it is reaped or not.
#[derive(Debug)]
pub(crate) struct Watch(UnixStream);

impl Watch {
    pub(crate) fn over(child: Pid) -> io::Result<Self> {
        let (ours, its) = UnixStream::pair()?;
        std::thread::Builder::new().name("tryout-watch".to_owned()).stack_size(64 << 10).spawn(move || {
            // It stays to be reaped. One that was reaped meanwhile has ended too.
            let ended = || waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            while matches!(ended(), Err(rustix::io::Errno::INTR)) {}
            drop(its);
        })?;
        Ok(Self(ours))
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The other end of a socket, which may close it.
#[derive(Debug)]
pub(crate) struct Hangup(#[expect(dead_code, reason = "it is held open as long as on Linux")] OwnedFd);

impl Hangup {
    pub(crate) fn of(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Waits for so long, or for ever. Answers whether the other end has gone: that isn't known before something is written.
    pub(crate) fn wait(&self, most: Option<Duration>) -> bool {
        match most {
            Some(most) => std::thread::park_timeout(most),
            None => std::thread::park(),
        }
        false
    }
}

/// This process is to be killed when the one that started it ends: nobody does that here but the engine's guard.
pub(crate) fn die_with_parent() {}

/// Whether memory and processor time of a process can be limited.
///
/// # Errors
/// Why not.
pub(crate) fn can_limit() -> Result<(), String> {
    let system = std::env::consts::OS;
    Err(format!("the limits `memory` and `cpu_time` need Linux, and this is {system}: leave them out"))
}

pub(crate) fn limit_memory(_: Pid, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn limit_cpu(_: Pid, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Processor time that a process has used itself.
pub(crate) fn cpu_time(_: Pid) -> Option<Duration> {
    None
}

/// Whether the system has killed something for want of memory.
#[derive(Debug)]
pub(crate) struct Memory;

impl Memory {
    pub(crate) fn watch(_: Pid) -> Self {
        Self
    }

    pub(crate) fn ran_out(&self) -> bool {
        false
    }
}
