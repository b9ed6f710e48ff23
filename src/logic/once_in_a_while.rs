//! What would be said again and again is said once in a while, with how often it wasn't.

use std::time::Duration;

use super::time::Moment;

/// How often the same is said at most.
const ONCE_IN: Duration = Duration::from_secs(60);

/// When something was last said, and how often it wasn't since.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OnceInAWhile {
    at: Option<Moment>,
    more: u32,
}

impl OnceInAWhile {
    /// If it is to be said now: what is to be said behind it, of the times when it wasn't.
    pub(crate) fn pass(&mut self, now: Moment) -> Option<String> {
        if self.at.is_some_and(|at| now.since(at) < ONCE_IN) {
            self.more += 1;
            return None;
        }
        self.at = Some(now);
        Some(match std::mem::take(&mut self.more) {
            0 => String::new(),
            more => format!("; {more} more times since this was last said"),
        })
    }
}
