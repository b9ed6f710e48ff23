//! When a batch of reports ends.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a worker hands in what it has. A batch also ends at a due checkpoint and at `done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLimits {
    /// After so many reports.
    pub reports: NonZeroU32,
    /// After the first report that comes later than this.
    pub time: Option<Duration>,
    /// At every iteration that is a multiple of this.
    pub checkpoint_every: Option<NonZeroU32>,
    /// At this iteration and each one beyond it: nobody wants a step that follows.
    pub last_iteration: Option<u64>,
}

impl BatchLimits {
    /// One report at a time.
    pub const SINGLE: BatchLimits =
        BatchLimits { reports: NonZeroU32::MIN, time: None, checkpoint_every: None, last_iteration: None };

    /// How many reports a batch may have that begins after this iteration.
    pub fn room_after(&self, iteration: u64) -> u32 {
        let to_checkpoint =
            self.checkpoint_every.map(|every| u64::from(every.get()) - iteration % u64::from(every.get()));
        let to_last = self.last_iteration.map(|last| last.saturating_sub(iteration).max(1));
        let room = [to_checkpoint, to_last].into_iter().flatten().fold(u64::from(self.reports.get()), u64::min);
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// Whether no step is wanted after this iteration.
    pub fn is_last(&self, iteration: u64) -> bool {
        self.last_iteration.is_some_and(|last| iteration >= last)
    }

    /// Whether a checkpoint is due at this iteration.
    pub fn checkpoint_due(&self, iteration: u64) -> bool {
        self.checkpoint_every.is_some_and(|every| iteration.is_multiple_of(u64::from(every.get())))
    }
}
