//! What a scheduler may know of all trials.

use std::sync::Arc;

use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::trial::Status;

/// What a scheduler may know of the other trials: a scheduler of one's own needs no book-keeping.
///
/// ```
/// use tryout::extend::*;
///
/// /// The best last loss of all trials that have come no further than this.
/// fn best(cohort: &dyn Cohort, iteration: u64) -> Option<f64> {
///     let last = cohort.trials().filter_map(|trial| cohort.last_report(trial));
///     let no_further = last.filter(|last| last.iteration() <= iteration);
///     no_further.filter_map(|last| last.number("loss")).reduce(f64::min)
/// }
/// ```
pub trait Cohort {
    /// All trials, those that have ended included, in the order of their creation; none if nobody can say. Each is looked up
    /// when it is asked for: a walk that ends early costs no more.
    fn trials(&self) -> Box<dyn Iterator<Item = TrialId> + '_> {
        Box::new(std::iter::empty())
    }

    /// The trials that haven't ended, in the order of their creation. A walk costs what there are of these, however many have
    /// ended.
    fn open(&self) -> Box<dyn Iterator<Item = TrialId> + '_> {
        let ended = |status| matches!(status, Status::Terminated | Status::Error);
        Box::new(self.trials().filter(move |trial| self.status(*trial).is_some_and(|status| !ended(status))))
    }

    /// The status of a trial, if there is such a trial.
    fn status(&self, trial: TrialId) -> Option<Status>;
    /// The last report of a trial.
    fn last_report(&self, trial: TrialId) -> Option<&Report>;
    /// The configuration of a trial, as it is now.
    fn config(&self, _trial: TrialId) -> Option<&Config> {
        None
    }

    /// Whether a trial has a checkpoint that another could go on from.
    fn has_checkpoint(&self, _trial: TrialId) -> bool {
        true
    }

    /// What a trial needs; none if it has ended, or nobody can say.
    fn request(&self, _trial: TrialId) -> Option<&Arc<ResourceRequest>> {
        None
    }

    /// All that there is for trials to share; none if nobody can say.
    fn resources(&self) -> Option<&Resources> {
        None
    }

    /// How many trials have this status.
    fn count(&self, status: Status) -> usize;
    /// The first pending trial in line that isn't launched yet and isn't backing off.
    fn first_pending(&self) -> Option<TrialId>;
    /// The trial that has been paused by the scheduler for the longest time.
    fn first_paused(&self) -> Option<TrialId>;

    /// Whether [`choose`](super::Scheduler::choose) may answer this trial: it is pending and not launched yet, or paused by the
    /// scheduler, and not backing off. By default only the first pending one and the first paused one may be.
    fn can_launch(&self, trial: TrialId) -> bool {
        self.first_pending() == Some(trial) || self.first_paused() == Some(trial)
    }
}
