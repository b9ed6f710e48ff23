//! First in, first out: every trial runs to its end.

use super::{Cohort, Scheduler};
use crate::logic::decision::Verdict;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, nothing};
use crate::logic::trial::Status;

/// Runs trials in the order in which they were added, and stops none. The default.
///
/// When to use it: where every trial's last value is wanted, as in a sweep or a comparison, and where trials are so short
/// that ending them early saves nothing.
///
/// ```
/// use tryout::prelude::*;
///
/// let square = function("square", |config: Config, trial| {
///     let x = config.get::<f64>("x")?;
///     Ok(trial.report([("square", x * x)])?)
/// });
/// let points = (0..4).map(|x| Config::new().with("x", x));
/// let results = Experiment::new("sweep", square).points(points).scheduler(Fifo).run()?;
/// assert!(results.trials().iter().all(|trial| trial.status == Status::Terminated));
/// # Ok::<(), RunError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fifo;

impl Scheduler for Fifo {
    fn on_report(&mut self, _: TrialId, _: &Report, _: &dyn Cohort) -> Verdict {
        Verdict::CONTINUE
    }

    /// Paused ones go on in the order in which they were added.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        let paused = |trial: &TrialId| cohort.status(*trial) == Some(Status::Paused) && cohort.can_launch(*trial);
        cohort.first_pending().or_else(|| {
            let longest = cohort.first_paused()?;
            cohort.open().find(paused).or(Some(longest))
        })
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
