//! One job in a launcher's hands, one shape that is wanted, and one job that an earlier session left.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The launcher hasn't answered yet.
    Submitting,
    /// The launcher has it.
    Asked,
    /// The launcher says that it is being ended.
    Ending,
    /// The launcher doesn't know it any more, but some of its workers are still connected.
    Ended,
}

/// Whether a job is being cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// It is to be, as soon as its id is known.
    Wanted,
    /// The launcher was told, before the list of this number.
    Asked(u64),
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) shape: Arc<ResourceRequest>,
    /// So many workers it has in all: those that joined, those that left again, and those that are expected.
    pub(super) workers: u32,
    pub(super) joined: u32,
    pub(super) left: u32,
    pub(super) id: Option<String>,
    pub(super) phase: Phase,
    pub(super) cancel: Cancel,
    /// Only lists with a higher number can show it.
    pub(super) before_list: u64,
    /// So many lists in a row didn't show it.
    pub(super) missed: u32,
    /// It has its resources since.
    pub(super) running: Option<Moment>,
    /// All its workers have left since.
    pub(super) deserted: Option<Moment>,
    /// The launcher's words for it.
    pub(super) says: String,
}

impl Job {
    pub(super) fn new(shape: Arc<ResourceRequest>, workers: u32, phase: Phase, before_list: u64) -> Self {
        Self {
            shape,
            workers,
            joined: 0,
            left: 0,
            id: None,
            phase,
            cancel: Cancel::No,
            before_list,
            missed: 0,
            running: None,
            deserted: None,
            says: String::new(),
        }
    }

    /// So many of its workers have been there.
    pub(super) fn arrived(&self) -> u32 {
        self.joined + self.left
    }

    /// So many workers are there, or are to come.
    pub(super) fn counts(&self) -> u32 {
        match (self.phase, self.cancel) {
            (Phase::Submitting | Phase::Asked, Cancel::No) => self.workers.saturating_sub(self.left),
            (Phase::Submitting | Phase::Asked, Cancel::Wanted | Cancel::Asked(_)) => 0,
            (Phase::Ending | Phase::Ended, _) => self.joined,
        }
    }

    /// So many workers it may have, whatever was asked since.
    pub(super) fn may_have(&self) -> u32 {
        match self.phase {
            Phase::Submitting | Phase::Asked => self.workers.saturating_sub(self.left),
            Phase::Ending | Phase::Ended => self.joined,
        }
    }

    /// It waits for its resources.
    pub(super) fn waits(&self) -> bool {
        matches!(self.phase, Phase::Submitting | Phase::Asked)
            && self.cancel == Cancel::No
            && self.running.is_none()
            && self.arrived() == 0
    }

    /// The launcher's list is of interest for it.
    pub(super) fn is_pending(&self) -> bool {
        match self.phase {
            Phase::Submitting | Phase::Ended => false,
            Phase::Ending => true,
            Phase::Asked => self.cancel != Cancel::No || self.arrived() < self.workers || self.joined == 0,
        }
    }

    /// The launcher may still have it.
    pub(super) fn is_live(&self) -> bool {
        match self.phase {
            Phase::Submitting | Phase::Asked => true,
            Phase::Ending | Phase::Ended => false,
        }
    }

    pub(super) fn want_cancel(&mut self) {
        if self.is_live() && self.cancel == Cancel::No {
            self.cancel = Cancel::Wanted;
        }
    }
}

/// One shape, and how many workers of it are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) wanted: u32,
    /// So many jobs in a row have failed.
    pub(super) failures: u32,
    /// After a failure no job is submitted before.
    pub(super) retry: Option<Moment>,
    /// How the last job failed.
    pub(super) failed: String,
    /// It can't be had.
    pub(super) never: bool,
    /// What was said last.
    pub(super) said: Option<String>,
}

/// A job in the list that this session doesn't know.
#[derive(Clone, Debug)]
pub(super) struct LeftOver {
    pub(super) job: u64,
    pub(super) since: Moment,
    pub(super) phase: Phase,
    pub(super) cancel: Cancel,
}

/// Waits that double.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Moment>,
    words: String,
}

impl Backoff {
    pub(super) fn fail(&mut self, words: String, first: Duration, most: Duration, now: Moment) {
        self.until = Some(now + doubled(first, self.failures, most));
        self.failures = self.failures.saturating_add(1);
        self.words = words;
    }

    pub(super) fn heal(&mut self) {
        *self = Self::default();
    }

    /// The moment until which nothing is tried.
    pub(super) fn until(&self) -> Option<Moment> {
        self.until
    }

    /// Why, while it isn't healed.
    pub(super) fn words(&self) -> Option<&str> {
        self.until.map(|_| self.words.as_str())
    }
}

/// `first`, doubled so often, and at most `most`.
pub(super) fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX)).min(most)
}
