//! The experiment is over when any trial is good enough.

use serde::{Deserialize, Serialize};

use super::watched::Missing;
use super::{Progress, StopError, StopReason, StopRule, in_words};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

const PART: &str = "best_reached";

/// Ends the whole experiment when any trial's objective has reached a target. Made by [`best_reached`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BestReached {
    objective: Objective,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    target: f64,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// The best so far, and whose it is.
    #[serde(with = "float")]
    best: Option<(TrialId, f64)>,
    /// Which target was reached, and why.
    #[serde(with = "float")]
    target: Option<f64>,
    reached: Option<StopReason>,
    missing: Missing,
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
    BestReached { objective, target, state: State::default() }
}

impl BestReached {
    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("the objective", in_words(&self.objective))
    }

    fn judge(&mut self, trial: TrialId, value: f64) {
        if self.state.reached.is_none() && self.objective.score(value) >= self.objective.score(self.target) {
            let name = &self.objective.metric;
            self.state.target = Some(self.target);
            self.state.reached = Some(format!("trial {trial} has reached {name} {value}, of {}", self.target).into());
        }
    }
}

impl StopRule for BestReached {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.state.missing.number(&self.objective.metric, report, PART)?;
        let score = self.objective.score(value);
        if !score.is_nan() && self.state.best.is_none_or(|(_, best)| score > self.objective.score(best)) {
            self.state.best = Some((trial, value));
        }
        self.judge(trial, value);
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        self.state.reached.clone()
    }

    fn warning(&mut self) -> Option<String> {
        self.state.missing.warning()
    }

    fn words(&self) -> StopReason {
        format!("a {} of {} in any trial", self.objective.metric, self.target).into()
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    /// Another target is held against the best so far.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        if self.state.target != Some(self.target) {
            self.state.reached = None;
            if let Some((trial, value)) = self.state.best {
                self.judge(trial, value);
            }
        }
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let check = Check(PART);
        check.require(!self.target.is_nan(), "the target", "NaN", "a number, as no value is ever as good as NaN")?;
        Ok(check.name("the metric", &self.objective.metric, "a name, as in `loss` or `test/accuracy`")?)
    }
}
