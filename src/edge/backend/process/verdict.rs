//! What the end of a process means.

use std::os::unix::process::ExitStatusExt;

use super::child::End;
use super::limits::Limits;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::limit::OnLimit;

/// Signals by their numbers, as every Linux on the usual machines has them.
const SIGNALS: [(i32, &str); 16] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
];
const ABORT: i32 = 6;
const KILL: i32 = 9;
const CPU: i32 = 24;

fn named(signal: i32) -> String {
    let name = SIGNALS.iter().find(|(number, _)| *number == signal).map(|(_, name)| *name);
    name.map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// The failure that an end which nobody asked for is. `words` is what the process printed last.
pub(super) fn fault(end: &End, limits: &Limits, words: &[String]) -> Fault {
    let said = |what: &str| words.iter().any(|line| line.contains(what));
    let Some(signal) = end.status.signal() else {
        let code = end.status.code().unwrap_or_default();
        // What an interpreter says before it gives up.
        let starved = code != 0 && (said("MemoryError") || said("Cannot allocate memory"));
        let kind = if starved { FailureKind::OutOfMemory } else { FailureKind::Exited };
        return Fault::new(kind, format!("the process ended with exit code {code}"));
    };
    let message = format!("the process was ended by {}", named(signal));
    if end.starved {
        return Fault::new(FailureKind::OutOfMemory, format!("{message}: the kernel was out of memory for it"));
    }
    if signal == ABORT && limits.memory.is_some() && (said("memory allocation of") || said("bad_alloc")) {
        let bytes = limits.memory.unwrap_or_default();
        return Fault::new(
            FailureKind::OutOfMemory,
            format!("{message}: it wanted more than its {bytes} bytes of memory"),
        );
    }
    let cpu = limits.cpu.filter(|limit| limit.then == OnLimit::Kill).map(|limit| limit.most);
    if let Some(most) = cpu.filter(|most| signal == CPU || (signal == KILL && !end.ours && end.cpu >= *most)) {
        let most = most.as_secs_f64();
        return Fault::new(
            FailureKind::Timeout,
            format!("{message}: it used up the {most} s of processor time that it may use"),
        );
    }
    Fault::new(FailureKind::Signalled, message)
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;

    fn end(raw: i32) -> End {
        End { status: ExitStatus::from_raw(raw), ours: false, starved: false, cpu: Duration::ZERO }
    }

    fn told(end: &End, limits: Limits, words: &[&str]) -> (FailureKind, String) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let fault = fault(end, &limits, &words);
        (fault.kind, fault.message)
    }

    #[test]
    fn ends_are_told_apart() {
        let none = Limits::new();
        assert_eq!(told(&end(3 << 8), none, &[]), (FailureKind::Exited, "the process ended with exit code 3".into()));
        assert_eq!(told(&end(11), none, &[]), (FailureKind::Signalled, "the process was ended by SIGSEGV".into()));
        assert_eq!(told(&end(63), none, &[]).1, "the process was ended by signal 63");
        assert_eq!(told(&end(1 << 8), none, &["MemoryError: no room"]).0, FailureKind::OutOfMemory);
        assert_eq!(told(&End { starved: true, ..end(9) }, none, &[]).0, FailureKind::OutOfMemory);
        let memory = none.memory(1 << 20);
        assert_eq!(told(&end(6), memory, &["memory allocation of 99 bytes failed"]).0, FailureKind::OutOfMemory);
        assert_eq!(told(&end(6), memory, &["assertion failed"]).0, FailureKind::Signalled);
        let cpu = none.cpu_time(Duration::from_secs(2), OnLimit::Kill);
        assert_eq!(told(&end(24), cpu, &[]).0, FailureKind::Timeout);
        assert_eq!(told(&end(9), cpu, &[]).0, FailureKind::Signalled);
    }
}
