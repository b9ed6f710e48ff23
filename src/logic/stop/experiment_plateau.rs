//! The experiment is over when the best values of all trials are next to equal.

use serde::{Deserialize, Serialize};

use super::spread::deviation;
use super::watched::Missing;
use super::{Progress, StopError, StopReason, StopRule, in_words};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

const PART: &str = "experiment_plateau";

/// Ends the whole experiment when the best values have come together. Made by [`experiment_plateau`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExperimentPlateau {
    objective: Objective,
    #[serde(default = "default_std", with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    std: f64,
    #[serde(default = "default_top")]
    top: u32,
    #[serde(default)]
    patience: u32,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// The best scores, of which more is better, the best first; at most `top` of them.
    #[serde(with = "float")]
    best: Vec<f64>,
    /// For how many reports without a break they have lain together.
    lasted: u64,
    /// With which deviation and patience a plateau was reached, and what was said of it.
    #[serde(default, with = "float")]
    std: f64,
    #[serde(default)]
    patience: u32,
    #[serde(default)]
    reached: Option<StopReason>,
    missing: Missing,
}

fn default_std() -> f64 {
    0.001
}

fn default_top() -> u32 {
    10
}

/// Ends the whole experiment when the [`top`](ExperimentPlateau::top) best values of the objective in all reports of all
/// trials so far (default 10) differ by next to nothing: when their standard deviation is at most
/// [`std`](ExperimentPlateau::std), by default 0.001, for more reports in a row than
/// [`patience`](ExperimentPlateau::patience) asks for. For searches that have found what there is to find.
///
/// All reports count, so a single trial that stands still at the best value is enough; where that isn't meant, see
/// [`no_improvement`](super::no_improvement). Values that aren't finite are passed over, and so are reports without the
/// metric. A report costs O(`top`).
///
/// ```
/// use tryout::prelude::*;
///
/// let settled = stop::experiment_plateau(Objective::max("accuracy")).top(20).patience(100);
/// assert!(settled.validate().is_ok());
/// ```
///
/// Source: Ray Tune's `ExperimentPlateauStopper`, with its defaults.
pub fn experiment_plateau(objective: Objective) -> ExperimentPlateau {
    ExperimentPlateau { objective, std: default_std(), top: default_top(), patience: 0, state: State::default() }
}

impl ExperimentPlateau {
    fn state_form(&self) -> StateForm {
        let form = StateForm::new(PART).under("the objective", in_words(&self.objective));
        form.under("the number of best values", self.top)
    }

    setters! {
        /// The standard deviation up to which the best values are next to equal, in the metric's unit; above 0. Default 0.001.
        std(std: f64) => std = std;

        /// How many of the best values are compared; from 2. Default 10.
        top(top: u32) => top = top;

        /// With how many reports in a row they must have been next to equal; 0, the default, is as good as 1.
        patience(patience: u32) => patience = patience;
    }

    /// Whoever asks about the experiment asks once for several reports: what is reached in between holds.
    fn judge(&mut self) {
        let Self { objective, std, top, patience, .. } = self;
        if self.state.reached.is_some() || self.state.lasted == 0 || self.state.lasted < u64::from(*patience) {
            return;
        }
        // Scoring is its own inverse.
        let best = self.state.best.first().map_or(f64::NAN, |score| objective.score(*score));
        let name = &objective.metric;
        let reason = format!("the {top} best values of {name}, from {best} on, deviate by no more than {std}");
        (self.state.std, self.state.patience, self.state.reached) = (*std, *patience, Some(reason.into()));
    }

    fn is_flat(&self) -> bool {
        self.state.best.len() == self.top as usize && deviation(self.state.best.iter().copied()) <= self.std
    }
}

impl StopRule for ExperimentPlateau {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        let value =
            self.state.missing.number(&self.objective.metric, report, PART).filter(|value| value.is_finite())?;
        let score = self.objective.score(value);
        let place = self.state.best.partition_point(|better| *better >= score);
        self.state.best.insert(place, score);
        self.state.best.truncate(self.top as usize);
        self.state.lasted = if self.is_flat() { self.state.lasted + 1 } else { 0 };
        self.judge();
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        self.state.reached.clone()
    }

    fn warning(&mut self) -> Option<String> {
        self.state.missing.warning()
    }

    fn words(&self) -> StopReason {
        format!("the {} best values of {} within a deviation of {}", self.top, self.objective.metric, self.std).into()
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        self.state.best.truncate(self.top as usize);
        // Another deviation is held against what is known; for how long it has been so isn't known then.
        self.state.lasted = if self.is_flat() { self.state.lasted.max(1) } else { 0 };
        if (self.state.std, self.state.patience) != (self.std, self.patience) {
            self.state.reached = None;
        }
        self.judge();
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let check = Check(PART);
        check.name("the metric", &self.objective.metric, "a name, as in `loss` or `test/accuracy`")?;
        check.require(self.std > 0.0, "the standard deviation", self.std, "above 0")?;
        let expected = "at least 2, as one value is always settled";
        Ok(check.require(self.top >= 2, "the number of best values", self.top, expected)?)
    }
}
