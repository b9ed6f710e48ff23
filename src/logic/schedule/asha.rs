//! Asynchronous successive halving.

use super::{Cohort, Scheduler};
use crate::logic::decision::Verdict;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;

/// Placeholder while the algorithm is being written.
#[derive(Clone, Debug)]
pub struct Asha;

impl Scheduler for Asha {
    fn on_report(&mut self, _: TrialId, _: &Report, _: &dyn Cohort) -> Verdict {
        Verdict::CONTINUE
    }
}
