//! Why a run has no results: the failures of its trials, told in a few words.

use std::fmt;
use std::sync::Arc;

use crate::logic::engine::TrialRecord;
use crate::logic::failure::Failure;
use crate::logic::ids::TrialId;

/// The trials that ended in error, by the first of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FailedTrials {
    /// How many there are.
    pub count: usize,
    /// The first of them, in the order of their creation.
    pub first: TrialId,
    /// What ended it.
    pub failure: Arc<Failure>,
    /// How many ended by the same error, the first included: see [`SameError`](crate::prelude::SameError).
    pub same: usize,
}

impl FailedTrials {
    pub(crate) fn of(trials: &[TrialRecord]) -> Option<Self> {
        let mut failed = trials.iter().filter_map(|trial| Some((trial.id, trial.error()?)));
        let (first, failure) = failed.next()?;
        let mut all = Self { count: 1, first, failure: failure.clone(), same: 1 };
        for (_, other) in failed {
            all.count += 1;
            all.same += usize::from(other.fault.is_same(&failure.fault));
        }
        Some(all)
    }
}

/// `3 trials failed, all with the same error; the first, 3fa01_00000: error: no such file [attempt 1, ..]`.
impl fmt::Display for FailedTrials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, first, failure, same } = self;
        match (*count, *same) {
            (1, _) => write!(f, "1 trial failed, {first}: {failure}"),
            (_, 1) => write!(f, "{count} trials failed; the first, {first}: {failure}"),
            (count, same) if count == same => {
                write!(f, "{count} trials failed, all with the same error; the first, {first}: {failure}")
            }
            _ => write!(f, "{count} trials failed, {same} of them with the same error; the first, {first}: {failure}"),
        }
    }
}
