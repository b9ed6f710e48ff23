//! What the kernel says of a process in its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

/// Clock ticks a second in the kernel's files: the same on every Linux that programs are built for.
const TICKS: u64 = 100;

/// Processor time that a process has used itself, in all its threads, user and system.
pub(super) fn cpu_time(pid: Pid) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may have anything in it. After it come the state and ten other fields.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

/// How often the kernel has killed something for want of memory in the group of processes that a process belongs to.
#[derive(Debug)]
pub(super) struct OutOfMemory {
    file: Option<PathBuf>,
    before: u64,
}

impl OutOfMemory {
    pub(super) fn watch(pid: Pid) -> Self {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).unwrap_or_default();
        let file = groups.lines().find_map(counter);
        let before = file.as_deref().and_then(kills).unwrap_or(0);
        Self { file, before }
    }

    /// Whether it has killed something since.
    pub(super) fn has_struck(&self) -> bool {
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
