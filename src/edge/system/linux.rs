//! Linux: descriptors of events and processes, limits of other processes, and the kernel's files.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, prlimit, set_parent_process_death_signal,
};

/// It can be rung from any thread, and polled: readable while somebody has rung since it was silenced.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub(crate) fn ring(&self) {
        // The counter can't be full: it is set to zero before anybody rings so often.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    pub(crate) fn silence(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.0, &mut count);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Can be polled: readable when a child has ended, whether it is reaped or not.
#[derive(Debug)]
pub(crate) struct Watch(OwnedFd);

impl Watch {
    pub(crate) fn over(child: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(child, PidfdFlags::empty())?))
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The other end of a socket, which may close it.
#[derive(Debug)]
pub(crate) struct Hangup(OwnedFd);

impl Hangup {
    pub(crate) fn of(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Waits for at most so long, or for ever. Answers whether the other end has gone.
    pub(crate) fn wait(&self, most: Option<Duration>) -> bool {
        let wait = most.and_then(|wait| Timespec::try_from(wait).ok());
        let mut polled = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let _ = poll(&mut polled, wait.as_ref());
        polled[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
    }
}

/// This process is to be killed when the one that started it ends.
pub(crate) fn die_with_parent() {
    // Where there is no such signal, the heart notices the engine's end.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
}

/// Whether memory and processor time of a process can be limited.
///
/// # Errors
/// Why not.
pub(crate) fn can_limit() -> Result<(), String> {
    Ok(())
}

/// It may use so much address space; nothing that it has already is taken away.
pub(crate) fn limit_memory(pid: Pid, bytes: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    Ok(prlimit(Some(pid), Resource::As, limit).map(drop)?)
}

/// It may use so many seconds of processor time altogether. Whoever catches SIGXCPU is killed a little later.
pub(crate) fn limit_cpu(pid: Pid, seconds: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(seconds), maximum: None };
    Ok(prlimit(Some(pid), Resource::Cpu, limit).map(drop)?)
}

/// Clock ticks a second in the kernel's files: the same on every Linux that programs are built for.
const TICKS: u64 = 100;

/// Processor time that a process has used itself, in all its threads, user and system.
pub(crate) fn cpu_time(pid: Pid) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may have anything in it. After it come the state and ten other fields.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

/// How often the kernel has killed something for want of memory in the group of processes that a process belongs to.
#[derive(Debug)]
pub(crate) struct Memory {
    file: Option<PathBuf>,
    before: u64,
}

impl Memory {
    pub(crate) fn watch(pid: Pid) -> Self {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).unwrap_or_default();
        let file = groups.lines().find_map(counter);
        let before = file.as_deref().and_then(kills).unwrap_or(0);
        Self { file, before }
    }

    /// Whether it has killed something since.
    pub(crate) fn ran_out(&self) -> bool {
        self.file.as_deref().and_then(kills).is_some_and(|kills| kills > self.before)
    }
}

/// The file that counts, for a line of `/proc/PID/cgroup`: `0::/path` in the second version, `4:memory:/path` in the first.
fn counter(line: &str) -> Option<PathBuf> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?.trim_start_matches('/'));
    let file = match controllers {
        "" => Path::new("/sys/fs/cgroup").join(path).join("memory.events"),
        controllers if controllers.split(',').any(|name| name == "memory") => {
            Path::new("/sys/fs/cgroup/memory").join(path).join("memory.oom_control")
        }
        _ => return None,
    };
    file.exists().then_some(file)
}

fn kills(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_own_time() {
        let before = cpu_time(rustix::process::getpid());
        assert!(before.is_some());
        while cpu_time(rustix::process::getpid()) == before {}
    }

    #[test]
    fn the_first_version_of_groups_has_a_line_for_memory() {
        assert_eq!(counter("8:pids:/"), None);
        assert_eq!(counter("nonsense"), None);
    }
}
