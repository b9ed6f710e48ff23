//! A trial is over after a number of iterations.

use serde::{Deserialize, Serialize};

use super::{StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, nothing};

/// Ends a trial at the report whose iteration is `limit` or more. Made by [`iterations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MaxIterations {
    limit: u64,
}

/// Ends each trial with its `limit`-th iteration; from 1.
///
/// It goes by the worker's own count, [`Report::iteration`], which a checkpoint carries along: a trial that is retried
/// from its third iteration goes on with the fourth. (Ray Tune's `MaximumIterationStopper` counts the reports it has
/// seen, so a trial that repeats iterations there ends earlier.) A metric that calls itself `training_iteration` has no
/// influence. Nothing is kept of a trial.
///
/// ```
/// use tryout::prelude::*;
///
/// assert!(stop::iterations(81).validate().is_ok());
/// assert!(stop::iterations(0).validate().is_err());
/// ```
pub fn iterations(limit: u64) -> MaxIterations {
    MaxIterations { limit }
}

impl StopRule for MaxIterations {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        (report.iteration() >= self.limit)
            .then(|| format!("iteration {} is the last of {}", report.iteration(), self.limit).into())
    }

    fn last_iteration(&self) -> Option<u64> {
        Some(self.limit)
    }

    fn words(&self) -> StopReason {
        format!("{} iterations", self.limit).into()
    }

    fn save(&self) -> Option<PartState> {
        Some(PartState::Null)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        nothing("iterations", &state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("iterations", self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let expected = "at least 1: a trial ends with a report, never before its first";
        Ok(Check("iterations").require(self.limit > 0, "the limit", "0", expected)?)
    }
}
