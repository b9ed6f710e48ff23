//! First in, first out: every trial runs to its end.

use super::{Cohort, Scheduler};
use crate::logic::decision::Verdict;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, nothing};

/// Runs trials in the order in which they were added, and stops none. The default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fifo;

impl Scheduler for Fifo {
    fn on_report(&mut self, _: TrialId, _: &Report, _: &dyn Cohort) -> Verdict {
        Verdict::CONTINUE
    }

    fn save(&self) -> Option<PartState> {
        Some(PartState::Null)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        nothing("Fifo", &state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("Fifo", &())
    }

    fn name(&self) -> &str {
        "Fifo"
    }
}
