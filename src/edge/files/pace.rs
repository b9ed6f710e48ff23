//! When buffered rows go out.

use std::time::Duration;

use crate::logic::event::ExperimentEvent;
use crate::logic::time::Moment;

/// So much may wait in one file's buffer, in bytes.
pub(super) const FULL: usize = 64 << 10;

/// So much may wait in all of an observer's buffers together, in bytes.
const ALL_FULL: usize = 8 << 20;

const LATEST: Duration = Duration::from_secs(1);

/// Rows wait until there is a pause in the events, a second has passed, or there are too many of them: a file is opened once
/// for many rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    since: Moment,
    waiting: usize,
}

/// Whether buffers are to be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// All of them.
    Now,
    /// None.
    Later,
}

impl Pace {
    /// So many bytes were put into buffers.
    pub(super) fn add(&mut self, bytes: usize) {
        self.waiting += bytes;
    }

    /// Whether the buffers are to be emptied with this event. If so, it is taken as done.
    pub(super) fn due(&mut self, event: &ExperimentEvent) -> Due {
        // A resumed run's clock may begin anew.
        if self.waiting == 0 || event.at < self.since {
            self.since = event.at;
        }
        if self.waiting < ALL_FULL && event.at.since(self.since) < LATEST {
            return Due::Later;
        }
        *self = Self { since: event.at, waiting: 0 };
        Due::Now
    }

    /// The buffers are empty.
    pub(super) fn done(&mut self) {
        self.waiting = 0;
    }
}
