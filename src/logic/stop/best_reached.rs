//! The experiment is over when any trial is good enough.

use super::watched::Watched;
use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};

/// Ends the whole experiment when any trial's objective has reached a target. Made by [`best_reached`].
#[derive(Clone, Debug, PartialEq)]
pub struct BestReached {
    objective: Objective,
    metric: Watched,
    target: f64,
    reached: Option<StopReason>,
}

/// Ends the whole experiment at the first report, of any trial, in which the objective is `target` or better. `target`
/// is any number but NaN.
///
/// ```
/// use tryout::prelude::*;
///
/// let found = stop::best_reached(Objective::max("accuracy"), 0.99);
/// ```
pub fn best_reached(objective: Objective, target: f64) -> BestReached {
    let metric = Watched::new(objective.metric.clone().into());
    BestReached { objective, metric, target, reached: None }
}

impl StopRule for BestReached {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.metric.number(report, "best_reached")?;
        if self.reached.is_none() && self.objective.score(value) >= self.objective.score(self.target) {
            let name = self.metric.name();
            self.reached = Some(format!("trial {trial} has reached {name} {value}, of {}", self.target).into());
        }
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        self.reached.clone()
    }

    fn warning(&mut self) -> Option<String> {
        self.metric.warning()
    }

    fn validate(&self) -> Result<(), StopError> {
        let rule = "best_reached";
        if self.target.is_nan() {
            let expected = "a number, as no value is ever as good as NaN";
            return Err(StopError::Setting { rule, setting: "the target", value: "NaN".to_owned(), expected });
        }
        if self.metric.name().is_empty() {
            let expected = "a name, as in `loss` or `test/accuracy`";
            return Err(StopError::Setting { rule, setting: "the metric", value: "empty".to_owned(), expected });
        }
        Ok(())
    }
}
