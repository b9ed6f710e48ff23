//! The experiment is over when many trials in a row have brought nothing better.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::watched::Missing;
use super::{Progress, StopError, StopReason, StopRule, in_words};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

const PART: &str = "no_improvement";

/// Ends the whole experiment when many trials in a row have brought no better best. Made by [`no_improvement`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoImprovement {
    objective: Objective,
    trials: u64,
    #[serde(default, with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    min_delta: f64,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// The best value that counts so far, and whose it is.
    #[serde(with = "float")]
    best: Option<(TrialId, f64)>,
    /// Live trials that were the best at one of their reports.
    improvers: BTreeSet<TrialId>,
    /// How many trials have ended since then that never were.
    in_vain: u64,
    missing: Missing,
}

/// Ends the whole experiment when `trials` trials in a row (from 1) have ended and none of them brought a better value of the
/// objective than all before it, in any of its reports. For searches without a known number of samples.
///
/// A better value begins the count anew at the report that brings it; the trial that brought it isn't counted at its end.
/// Failed trials are counted, and so are those that never reported a number. Improvements by
/// [`min_delta`](NoImprovement::min_delta) or less don't count; NaN is never better. A report costs O(1).
///
/// ```
/// use tryout::prelude::*;
///
/// let rule = stop::no_improvement(Objective::max("accuracy"), 50).min_delta(0.001);
/// assert!(rule.validate().is_ok());
/// ```
///
/// Source: early stopping by patience, as in Prechelt 1998, "Early Stopping - but when?", over trials instead of epochs;
/// Hyperopt has it as `no_progress_loss`.
pub fn no_improvement(objective: Objective, trials: u64) -> NoImprovement {
    NoImprovement { objective, trials, min_delta: 0.0, state: State::default() }
}

impl NoImprovement {
    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("the objective", in_words(&self.objective))
    }

    setters! {
        /// By how much a value must be better than the best before it, in the metric's unit; finite, from 0. Default 0: any
        /// better value counts.
        min_delta(min_delta: f64) => min_delta = min_delta;
    }

    /// Whether `value` is better than the best so far, by as much as is asked for.
    fn is_better(&self, value: f64) -> bool {
        let score = |value| self.objective.score(value);
        match self.state.best {
            _ if value.is_nan() => false,
            None => true,
            // The first part for infinities, which differ by NaN from themselves.
            Some((_, best)) => score(value) > score(best) && score(value) - score(best) > self.min_delta,
        }
    }
}

impl StopRule for NoImprovement {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.state.missing.number(&self.objective.metric, report, PART)?;
        if self.is_better(value) {
            self.state.best = Some((trial, value));
            self.state.improvers.insert(trial);
            self.state.in_vain = 0;
        }
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        if self.state.in_vain < self.trials {
            return None;
        }
        let (count, name) = (self.state.in_vain, &self.objective.metric);
        Some(match self.state.best {
            Some((trial, value)) => {
                format!("{count} trials in a row have brought no better {name} than {value}, of trial {trial}").into()
            }
            None => format!("{count} trials in a row have brought no {name}").into(),
        })
    }

    fn forget(&mut self, trial: TrialId) {
        if !self.state.improvers.remove(&trial) {
            self.state.in_vain += 1;
        }
    }

    fn warning(&mut self) -> Option<String> {
        self.state.missing.warning()
    }

    fn words(&self) -> StopReason {
        format!("{} trials in a row without a better {}", self.trials, self.objective.metric).into()
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    /// Another number of trials is held against the count so far; another `min_delta` goes for what comes.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let check = Check(PART);
        check.name("the metric", &self.objective.metric, "a name, as in `loss` or `test/accuracy`")?;
        check.require(self.trials > 0, "the number of trials", self.trials, "at least 1")?;
        let holds = self.min_delta.is_finite() && self.min_delta >= 0.0;
        Ok(check.require(holds, "min_delta", self.min_delta, "a finite number, at least 0")?)
    }
}
