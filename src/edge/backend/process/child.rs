//! A child process: a session and process group of its own, started, watched, ended, and reaped.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, kill_process_group};

use super::guard::Guard;
use crate::edge::deadline;
use crate::edge::system::{self, Watch};

/// What a child's standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Nothing.
    Empty,
    /// A socket to its supervisor.
    Socket,
}

/// How far a child's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody has asked the kernel to end it.
    Alive,
    /// It was sent SIGTERM, and has until then.
    Terminated { until: Instant },
    /// It was sent SIGKILL.
    Killed,
    /// It has ended, and its number may be another's.
    Reaped,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: ExitStatus,
    /// Whether a signal of ours ended it.
    pub(super) ours: bool,
    /// Whether the kernel says that it killed something for want of memory where the child lived.
    pub(super) starved: bool,
    /// Processor time that it used itself, in all its threads, as far as it could be seen.
    pub(super) cpu: Duration,
}

/// A child process that hasn't been reaped.
#[derive(Debug)]
pub(super) struct Child {
    inner: Box<dyn ChildWrapper>,
    pid: Pid,
    watch: Watch,
    stage: Stage,
    guard: Arc<Guard>,
    memory: system::Memory,
    pub(super) socket: Option<Arc<UnixStream>>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

impl Child {
    pub(super) fn spawn(mut command: Command, input: Input, guard: &Arc<Guard>) -> io::Result<Self> {
        let socket = match input {
            Input::Empty => {
                command.stdin(Stdio::null());
                None
            }
            Input::Socket => {
                let (ours, theirs) = UnixStream::pair()?;
                ours.set_nonblocking(true)?;
                command.stdin(Stdio::from(OwnedFd::from(theirs)));
                Some(Arc::new(ours))
            }
        };
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        guard.mark(&mut command);
        let mut inner = CommandWrap::from(command).wrap(ProcessSession).spawn()?.into_inner();
        // It can't be reaped by anybody else, so its number is its own from here on.
        let pid = i32::try_from(inner.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the system gave a process number that isn't one"))?;
        guard.watch(pid);
        let watched = Watch::over(pid);
        let (stdout, stderr) = (inner.stdout().take().map(OwnedFd::from), inner.stderr().take().map(OwnedFd::from));
        let ready = watched.and_then(|watch| {
            [&stdout, &stderr].into_iter().flatten().try_for_each(set_nonblocking)?;
            Ok(watch)
        });
        match ready {
            Ok(watch) => {
                let (memory, guard) = (system::Memory::watch(pid), guard.clone());
                Ok(Self { inner, pid, watch, stage: Stage::Alive, guard, memory, socket, stdout, stderr })
            }
            Err(error) => {
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = inner.wait();
                guard.forget(pid);
                Err(error)
            }
        }
    }

    /// Its process's number.
    pub(super) fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Readable when it has ended.
    pub(super) fn watch(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// It may use so much address space; nothing that it has already is taken away.
    pub(super) fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        system::limit_memory(self.pid, bytes)
    }

    /// It may use so much more processor time, in whole seconds: then the kernel ends it.
    pub(super) fn limit_cpu(&self, more: Duration) -> io::Result<()> {
        let used = self.cpu().unwrap_or_default();
        system::limit_cpu(self.pid, used.saturating_add(more).as_secs_f64().ceil() as u64)
    }

    /// Processor time that it has used itself, in all its threads.
    pub(super) fn cpu(&self) -> Option<Duration> {
        system::cpu_time(self.pid)
    }

    /// Asks the kernel to end it, with all of its group: SIGTERM now, SIGKILL after `wait`.
    pub(super) fn terminate(&mut self, now: Instant, wait: Duration) {
        if self.stage == Stage::Alive {
            self.signal(Signal::TERM);
            self.stage = Stage::Terminated { until: deadline::after(now, wait) };
        }
    }

    /// SIGKILL, now.
    pub(super) fn kill(&mut self) {
        if self.stage != Stage::Killed {
            self.signal(Signal::KILL);
            self.stage = Stage::Killed;
        }
    }

    fn signal(&self, signal: Signal) {
        // Nobody left to be told is as good as told.
        let _ = kill_process_group(self.pid, signal);
    }

    /// When [`on_time`](Self::on_time) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Terminated { until } => Some(until),
            Stage::Alive | Stage::Killed | Stage::Reaped => None,
        }
    }

    /// Kills it if its time after SIGTERM is over.
    pub(super) fn on_time(&mut self, now: Instant) {
        if self.deadline().is_some_and(|until| now >= until) {
            self.kill();
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.stage != Stage::Alive
    }

    /// It has ended: what it left of its group is killed, then it is reaped. Until then its number can't be another's.
    pub(super) fn reap(mut self) -> io::Result<End> {
        let (cpu, asked) = (self.cpu().unwrap_or_default(), self.stage != Stage::Alive);
        let status = self.bury()?;
        let signalled = status.signal().is_some();
        let ours = asked && signalled;
        Ok(End { status, ours, starved: !ours && signalled && self.memory.ran_out(), cpu })
    }

    fn bury(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        let status = self.inner.wait()?;
        self.stage = Stage::Reaped;
        self.guard.forget(self.pid);
        Ok(status)
    }
}

impl Drop for Child {
    /// Nobody attends to it any more: it goes, whatever the reason.
    fn drop(&mut self) {
        if self.stage != Stage::Reaped {
            let _ = self.bury();
        }
    }
}

fn set_nonblocking(pipe: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(pipe)?;
    Ok(rustix::fs::fcntl_setfl(pipe, flags | rustix::fs::OFlags::NONBLOCK)?)
}

/// Reads what is there, up to the buffer's size. None if there is nothing now; 0 at the end.
pub(super) fn read_some(from: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match rustix::io::read(&from, &mut *buffer).map_err(io::Error::from) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            // What a process that has gone left unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Some(0)),
            Err(error) => return Err(error),
        }
    }
}
