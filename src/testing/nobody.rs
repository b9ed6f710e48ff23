//! A cohort in which there is nobody.

use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::schedule::Cohort;
use crate::logic::trial::Status;

/// The cohort for a scheduler that doesn't look at it, or that is to choose when there is nobody.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Cohort for Nobody {
    fn status(&self, _: TrialId) -> Option<Status> {
        None
    }

    fn last_report(&self, _: TrialId) -> Option<&Report> {
        None
    }

    fn count(&self, _: Status) -> usize {
        0
    }

    fn first_pending(&self) -> Option<TrialId> {
        None
    }

    fn first_paused(&self) -> Option<TrialId> {
        None
    }
}
