//! A diary that trainables and spies write from their threads, and that a test reads or waits for.

use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

/// Lines in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Diary {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        let (lines, written) = &*self.0;
        lines.lock().unwrap().push(line.into());
        written.notify_all();
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().clone()
    }

    /// Those that begin with `prefix`.
    pub(crate) fn of(&self, prefix: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.starts_with(prefix)).collect()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|written| written == line)
    }

    /// Waits until so many lines begin with `prefix`.
    pub(crate) fn wait_for(&self, prefix: &str, count: usize) {
        let (lines, written) = &*self.0;
        let missing = |lines: &mut Vec<String>| lines.iter().filter(|line| line.starts_with(prefix)).count() < count;
        let (lines, waited) = written.wait_timeout_while(lines.lock().unwrap(), PATIENCE, missing).unwrap();
        assert!(!waited.timed_out(), "waited for {count} of `{prefix}` in {lines:#?}");
    }
}
