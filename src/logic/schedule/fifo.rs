//! First in, first out: every trial runs to its end.

use super::{Cohort, Scheduler};
use crate::logic::decision::Verdict;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;

/// Runs trials in the order in which they were added, and stops none. The default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fifo;

impl Scheduler for Fifo {
    fn on_report(&mut self, _: TrialId, _: &Report, _: &dyn Cohort) -> Verdict {
        Verdict::CONTINUE
    }

    fn name(&self) -> &str {
        "Fifo"
    }
}
