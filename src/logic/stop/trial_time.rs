//! A trial is over after a span of its own working time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, nothing};

/// Ends a trial that has worked for a span of time. Made by [`trial_time`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrialTime {
    #[serde(with = "crate::logic::settings::seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    limit: Duration,
}

/// Ends each trial with the first report at which it has worked for `limit` or longer, by its `time_total_s`; more than
/// zero.
///
/// Waiting and pauses aren't work, and a trial that continues from a checkpoint goes on with the time it had there. It
/// is a limit between reports; a step that hangs is the business of the step's own time limit.
///
/// ```
/// use std::time::Duration;
/// use tryout::prelude::*;
///
/// let rule = stop::trial_time(Duration::from_secs(600));
/// ```
pub fn trial_time(limit: Duration) -> TrialTime {
    TrialTime { limit }
}

impl StopRule for TrialTime {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        let worked = report.counters.time_total_s;
        (worked >= self.limit.as_secs_f64())
            .then(|| format!("it has worked for {worked:.1} s, of {:.1} s at most", self.limit.as_secs_f64()).into())
    }

    fn words(&self) -> StopReason {
        format!("{} s of a trial", self.limit.as_secs_f64()).into()
    }

    fn save(&self) -> Option<PartState> {
        Some(PartState::Null)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        nothing("trial_time", &state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("trial_time", self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let expected = "longer than zero, or every trial would end with its first report";
        Ok(Check("trial_time").require(!self.limit.is_zero(), "the limit", "0 s", expected)?)
    }
}
