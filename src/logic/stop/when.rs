//! A trial is over when a function says so.

use std::fmt;

use super::{StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;

/// Ends a trial when a function says so. Made by [`when`].
pub struct StopWhen<F> {
    function: F,
    reason: StopReason,
}

/// Ends a trial at the first report for which `function` answers true. It sees every report of every trial, in order,
/// and may remember what it likes; it runs between the reports, so it must not wait for anything.
///
/// ```
/// use tryout::prelude::*;
///
/// let diverged = stop::when(|_, report| report.number("loss").is_some_and(f64::is_nan)).because("the loss is NaN");
/// ```
pub fn when<F>(function: F) -> StopWhen<F>
where
    F: FnMut(TrialId, &Report) -> bool + Send,
{
    StopWhen { function, reason: StopReason::Borrowed("a function given to `stop::when` said so") }
}

impl<F> StopWhen<F> {
    setters! {
        /// The same rule with a reason of its own for logs and results.
        because(reason: impl Into<StopReason>) => reason = reason.into();
    }
}

impl<F> fmt::Debug for StopWhen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopWhen").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> StopRule for StopWhen<F>
where
    F: FnMut(TrialId, &Report) -> bool + Send,
{
    fn words(&self) -> StopReason {
        self.reason.clone()
    }

    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        (self.function)(trial, report).then(|| self.reason.clone())
    }
}
