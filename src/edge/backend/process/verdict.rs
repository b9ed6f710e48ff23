//! What the end of a process means.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use super::child::End;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::limit::OnLimit;
use crate::logic::worker::Limits;

/// What signals are called.
const SIGNALS: [(Signal, &str); 16] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::TRAP, "SIGTRAP"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::TERM, "SIGTERM"),
    (Signal::XCPU, "SIGXCPU"),
];
const ABORT: i32 = Signal::ABORT.as_raw();
const KILL: i32 = Signal::KILL.as_raw();
const CPU: i32 = Signal::XCPU.as_raw();

fn named(signal: i32) -> String {
    let name = SIGNALS.iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| *name);
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
