//! The experiment is over when the best values of all trials are next to equal.

use serde::{Deserialize, Serialize};

use super::spread::deviation;
use super::watched::{Missing, Watched};
use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{Float, PartState, StateError, float, pack, same, unpack};

const PART: &str = "experiment_plateau";

/// Ends the whole experiment when the best values have come together. Made by [`experiment_plateau`].
#[derive(Clone, Debug, PartialEq)]
pub struct ExperimentPlateau {
    settings: Settings,
    metric: Watched,
    /// The best scores, of which more is better, the best first; at most `top` of them.
    best: Vec<f64>,
    /// For how many reports without a break they have lain together.
    lasted: u64,
}

/// The settings, as they are said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    objective: Objective,
    #[serde(default = "default_std", with = "float")]
    std: f64,
    #[serde(default = "default_top")]
    top: u32,
    #[serde(default)]
    patience: u32,
}

fn default_std() -> f64 {
    0.001
}

fn default_top() -> u32 {
    10
}

#[derive(Serialize, Deserialize)]
struct Saved {
    objective: Objective,
    top: u32,
    best: Vec<Float>,
    lasted: u64,
    missing: Missing,
}

/// Ends the whole experiment when the [`top`](ExperimentPlateau::top) best values of the objective in all reports of all
/// trials so far (10 if not said) differ by next to nothing: when their standard deviation is at most
/// [`std`](ExperimentPlateau::std), 0.001 if not said, for more reports in a row than
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
    let settings = Settings { objective, std: default_std(), top: default_top(), patience: 0 };
    ExperimentPlateau::of(settings)
}

impl ExperimentPlateau {
    pub(super) fn of(settings: Settings) -> Self {
        let metric = Watched::new(settings.objective.metric.clone().into());
        Self { settings, metric, best: Vec::new(), lasted: 0 }
    }

    /// The standard deviation up to which the best values are next to equal, in the metric's unit; above 0. Default 0.001.
    #[must_use]
    pub fn std(mut self, std: f64) -> Self {
        self.settings.std = std;
        self
    }

    /// How many of the best values are compared; from 2. Default 10.
    #[must_use]
    pub fn top(mut self, top: u32) -> Self {
        self.settings.top = top;
        self
    }

    /// With how many reports in a row they must have been next to equal; 0, the default, is as good as 1.
    #[must_use]
    pub fn patience(mut self, patience: u32) -> Self {
        self.settings.patience = patience;
        self
    }

    fn is_flat(&self) -> bool {
        self.best.len() == self.settings.top as usize && deviation(self.best.iter().copied()) <= self.settings.std
    }
}

impl StopRule for ExperimentPlateau {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.metric.number(report, PART).filter(|value| value.is_finite())?;
        let score = self.settings.objective.score(value);
        let place = self.best.partition_point(|better| *better >= score);
        self.best.insert(place, score);
        self.best.truncate(self.settings.top as usize);
        self.lasted = if self.is_flat() { self.lasted + 1 } else { 0 };
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        let Settings { objective, std, top, patience } = &self.settings;
        if self.lasted == 0 || self.lasted < u64::from(*patience) {
            return None;
        }
        // Scoring is its own inverse.
        let best = self.best.first().map_or(f64::NAN, |score| objective.score(*score));
        let name = &objective.metric;
        Some(format!("the {top} best values of {name}, from {best} on, deviate by no more than {std}").into())
    }

    fn warning(&mut self) -> Option<String> {
        self.metric.warning()
    }

    fn save(&self) -> Option<PartState> {
        let saved = Saved {
            objective: self.settings.objective.clone(),
            top: self.settings.top,
            best: self.best.iter().copied().map(Float).collect(),
            lasted: self.lasted,
            missing: self.metric.missing.clone(),
        };
        pack(PART, &saved)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        let text = |objective: &Objective| format!("{:?} {}", objective.mode, objective.metric);
        same(PART, "the objective", &text(&saved.objective), &text(&self.settings.objective))?;
        same(PART, "the number of best values", &saved.top, &self.settings.top)?;
        self.best = saved.best.iter().map(|score| score.0).collect();
        self.best.truncate(self.settings.top as usize);
        // Another deviation is held against what is known; for how long it has been so isn't known then.
        self.lasted = if self.is_flat() { saved.lasted.max(1) } else { 0 };
        self.metric.missing = saved.missing;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn validate(&self) -> Result<(), StopError> {
        let refuse =
            |setting, value: String, expected| Err(StopError::Setting { rule: PART, setting, value, expected });
        let Settings { objective, std, top, .. } = &self.settings;
        if objective.metric.is_empty() {
            return refuse("the metric", "empty".to_owned(), "a name, as in `loss` or `test/accuracy`");
        }
        if std.is_nan() || *std <= 0.0 {
            return refuse("the standard deviation", std.to_string(), "above 0");
        }
        if *top < 2 {
            return refuse("the number of best values", top.to_string(), "at least 2, as one value is always settled");
        }
        Ok(())
    }
}
