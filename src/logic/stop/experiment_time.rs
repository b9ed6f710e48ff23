//! The experiment is over after a span of wall time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, nothing};
use crate::logic::time::Moment;

/// Ends the whole experiment after a span of time. Made by [`experiment_time`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExperimentTime {
    #[serde(with = "crate::logic::settings::seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    limit: Duration,
    #[serde(default, with = "crate::logic::settings::seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    spent: Duration,
}

/// Ends the whole experiment `limit` after the start of the run, whatever its trials do; more than zero.
///
/// (Ray Tune's `TimeoutStopper` starts its clock at its first check instead, a moment later.)
///
/// ```
/// use std::time::Duration;
/// use tryout::prelude::*;
///
/// let rule = stop::experiment_time(Duration::from_secs(3600));
/// ```
pub fn experiment_time(limit: Duration) -> ExperimentTime {
    ExperimentTime { limit, spent: Duration::ZERO }
}

impl ExperimentTime {
    setters! {
        /// The same rule for a resumed run: `spent` of the limit was used up by the runs before it.
        already_spent(spent: Duration) => spent = spent;
    }
}

impl StopRule for ExperimentTime {
    fn check(&mut self, _: TrialId, _: &Report) -> Option<StopReason> {
        None
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        let used = progress.now.since_start().saturating_add(self.spent);
        (used >= self.limit).then(|| format!("the experiment's {:.1} s are over", self.limit.as_secs_f64()).into())
    }

    fn deadline(&self) -> Option<Moment> {
        Some(Moment::new(self.limit.saturating_sub(self.spent)))
    }

    fn words(&self) -> StopReason {
        format!("{} s of the experiment", self.limit.as_secs_f64()).into()
    }

    /// Nothing: a resumed run's clock goes on where it was.
    fn save(&self) -> Option<PartState> {
        Some(PartState::Null)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        nothing("experiment_time", &state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("experiment_time", self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let expected = "longer than zero, or nothing would ever run";
        Ok(Check("experiment_time").require(!self.limit.is_zero(), "the limit", "0 s", expected)?)
    }
}
