//! A process and what belongs to it, whatever it speaks: its streams, its end, its clocks.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use super::child::{Child, End, Input};
use super::clocks::Clocks;
use super::output::{LastWords, Stream};
use super::shared::{Shared, cannot};
use crate::logic::failure::Fault;

/// A child process with its streams.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) shared: Arc<Shared>,
    pub(super) child: Option<Child>,
    pub(super) streams: [Stream; 2],
    pub(super) last: LastWords,
    pub(super) clocks: Clocks,
    /// For what is read.
    pub(super) buffer: Vec<u8>,
}

impl Body {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let streams = [Stream::new("stdout.txt"), Stream::new("stderr.txt")];
        Self {
            shared,
            child: None,
            streams,
            last: LastWords::default(),
            clocks: Clocks::default(),
            buffer: vec![0; 64 << 10],
        }
    }

    /// Starts the process, under the limits that hold from its beginning.
    pub(super) fn start(&mut self, command: Command, input: Input) -> Result<(), Fault> {
        let name = self.shared.settings.program.path.to_string_lossy().into_owned();
        let guard = self.shared.guard()?;
        let child = Child::spawn(command, input, &guard);
        let mut child = child.map_err(|error| cannot(&format!("start `{name}`"), &error))?;
        let [out, err] = &mut self.streams;
        out.connect(child.stdout.take());
        err.connect(child.stderr.take());
        let limited = self.shared.settings.limits.memory.map_or(Ok(()), |bytes| child.limit_memory(bytes));
        self.child = Some(child);
        limited.map_err(|error| cannot("limit the process's memory", &error))
    }

    /// Takes what was printed so far; `see` is shown what went to the standard output.
    pub(super) fn read(&mut self, ready: [bool; 2], see: impl FnMut(&[u8])) {
        let [out, err] = &mut self.streams;
        if ready[0] {
            out.read(&mut self.buffer, &mut self.last, see);
        }
        if ready[1] {
            err.read(&mut self.buffer, &mut self.last, |_| {});
        }
    }

    /// The process has ended: its last words are taken, and what it left is ended too.
    pub(super) fn end(&mut self, see: impl FnMut(&[u8])) -> Option<std::io::Result<End>> {
        let child = self.child.take()?;
        self.clocks.rest();
        let end = child.reap();
        self.read([true; 2], see);
        self.streams.iter_mut().for_each(Stream::close);
        Some(end)
    }

    /// Ends the process, which has `after_term` to end by itself.
    pub(super) fn terminate(&mut self, now: Instant) {
        let wait = self.shared.settings.after_term;
        self.child.iter_mut().for_each(|child| child.terminate(now, wait));
    }

    /// Adds what the process printed last.
    pub(super) fn with_words(&self, mut fault: Fault) -> Fault {
        fault.output = self.last.lines();
        fault
    }
}
