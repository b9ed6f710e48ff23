//! The experiment is over when any trial is good enough.

use serde::{Deserialize, Serialize};

use super::watched::{Missing, Watched};
use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{Float, PartState, StateError, float, pack, same, unpack};

const PART: &str = "best_reached";

/// Ends the whole experiment when any trial's objective has reached a target. Made by [`best_reached`].
#[derive(Clone, Debug, PartialEq)]
pub struct BestReached {
    objective: Objective,
    metric: Watched,
    target: f64,
    /// The best so far, and whose it is.
    best: Option<(TrialId, f64)>,
    reached: Option<StopReason>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    objective: Objective,
    target: Float,
    best: Option<(TrialId, Float)>,
    reached: Option<StopReason>,
    missing: Missing,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) objective: Objective,
    #[serde(with = "float")]
    pub(super) target: f64,
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
    BestReached { objective, metric, target, best: None, reached: None }
}

impl BestReached {
    fn judge(&mut self, trial: TrialId, value: f64) {
        if self.reached.is_none() && self.objective.score(value) >= self.objective.score(self.target) {
            let name = self.metric.name();
            self.reached = Some(format!("trial {trial} has reached {name} {value}, of {}", self.target).into());
        }
    }
}

impl StopRule for BestReached {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.metric.number(report, PART)?;
        let score = self.objective.score(value);
        if !score.is_nan() && self.best.is_none_or(|(_, best)| score > self.objective.score(best)) {
            self.best = Some((trial, value));
        }
        self.judge(trial, value);
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        self.reached.clone()
    }

    fn warning(&mut self) -> Option<String> {
        self.metric.warning()
    }

    fn save(&self) -> Option<PartState> {
        let saved = Saved {
            objective: self.objective.clone(),
            target: Float(self.target),
            best: self.best.map(|(trial, value)| (trial, Float(value))),
            reached: self.reached.clone(),
            missing: self.metric.missing.clone(),
        };
        pack(PART, &saved)
    }

    /// Another target is held against the best so far.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        let text = |objective: &Objective| format!("{:?} {}", objective.mode, objective.metric);
        same(PART, "the objective", &text(&saved.objective), &text(&self.objective))?;
        self.metric.missing = saved.missing;
        self.best = saved.best.map(|(trial, value)| (trial, value.0));
        if saved.target.0 == self.target {
            self.reached = saved.reached;
        } else if let Some((trial, value)) = self.best {
            self.judge(trial, value);
        }
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { objective: self.objective.clone(), target: self.target })
    }

    fn validate(&self) -> Result<(), StopError> {
        let rule = PART;
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
