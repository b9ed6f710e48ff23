//! A trial is over when a metric of it has settled.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::spread::deviation;
use super::watched::{Missing, Watched};
use super::{StopError, StopReason, StopRule};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Mode, Name, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{Float, PartState, StateError, common_run, float, pack, same, unpack};

const PART: &str = "trial_plateau";

/// Ends a trial whose metric has settled. Made by [`trial_plateau`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrialPlateau {
    settings: Settings,
    metric: Watched,
    trials: HashMap<TrialId, Window>,
}

/// The settings, as they are said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    metric: Name,
    #[serde(default = "default_std", with = "float")]
    std: f64,
    #[serde(default = "four")]
    num_results: u32,
    #[serde(default = "four")]
    grace: u32,
    #[serde(default)]
    threshold: Option<(Mode, Float)>,
}

fn default_std() -> f64 {
    0.01
}

fn four() -> u32 {
    4
}

/// The last values of a trial.
#[derive(Clone, Debug, Default, PartialEq)]
struct Window {
    /// How many there were in all.
    seen: u64,
    last: VecDeque<f64>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    metric: Name,
    num_results: u32,
    run: RunId,
    /// Trial, how many values it has reported, and the last of them.
    trials: Vec<(u32, u64, Vec<Float>)>,
    missing: Missing,
}

/// Ends a trial once its last values of `metric` differ by next to nothing: when their standard deviation (that of a
/// population) is below [`std`](TrialPlateau::std), 0.01 if not said. For learning curves that are flat long before their
/// last epoch.
///
/// It looks at the last [`num_results`](TrialPlateau::num_results) reports (4 if not said), and not before the trial has made
/// [`grace`](TrialPlateau::grace) of them (4). With a [`threshold`](TrialPlateau::threshold), only a trial that is good
/// enough by then is ended. Values that aren't finite are no plateau while they are among the last; a report without the
/// metric isn't counted. A report costs O(`num_results`), and a trial that is live as many numbers.
///
/// ```
/// use tryout::prelude::*;
///
/// let flat = stop::trial_plateau("loss").std(0.001).num_results(10).threshold(Mode::Min, 0.5);
/// assert!(flat.validate().is_ok());
/// ```
///
/// Source: Ray Tune's `TrialPlateauStopper`, with its defaults.
pub fn trial_plateau(metric: impl Into<Name>) -> TrialPlateau {
    let settings = Settings { metric: metric.into(), std: default_std(), num_results: 4, grace: 4, threshold: None };
    TrialPlateau::of(settings)
}

impl TrialPlateau {
    pub(super) fn of(settings: Settings) -> Self {
        Self { metric: Watched::new(settings.metric.clone()), settings, trials: HashMap::new() }
    }

    /// The standard deviation below which values have settled, in the metric's unit; above 0. Default 0.01.
    #[must_use]
    pub fn std(mut self, std: f64) -> Self {
        self.settings.std = std;
        self
    }

    /// How many reports, the last ones, are looked at; from 2. Default 4.
    #[must_use]
    pub fn num_results(mut self, num_results: u32) -> Self {
        self.settings.num_results = num_results;
        self
    }

    /// The report of a trial at which it may end for the first time; 0 is as good as 1. Default 4.
    #[must_use]
    pub fn grace(mut self, grace: u32) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Ends a trial only at a report with a value of `bound` or less ([`Mode::Min`]), or of `bound` or more
    /// ([`Mode::Max`]). By default any value will do.
    #[must_use]
    pub fn threshold(mut self, mode: Mode, bound: f64) -> Self {
        self.settings.threshold = Some((mode, Float(bound)));
        self
    }

    fn good_enough(&self, value: f64) -> bool {
        match self.settings.threshold {
            None => true,
            Some((Mode::Min, Float(bound))) => value <= bound,
            Some((Mode::Max, Float(bound))) => value >= bound,
        }
    }
}

impl Window {
    fn add(&mut self, value: f64, most: usize) {
        self.seen += 1;
        while self.last.len() >= most.max(1) {
            self.last.pop_front();
        }
        self.last.push_back(value);
    }
}

impl StopRule for TrialPlateau {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.metric.number(report, PART)?;
        let most = self.settings.num_results as usize;
        let window = self.trials.entry(trial).or_default();
        window.add(value, most);
        if window.seen < u64::from(self.settings.grace) || window.last.len() < most {
            return None;
        }
        let spread = deviation(window.last.iter().copied());
        let settled = spread < self.settings.std && self.good_enough(value);
        settled.then(|| {
            let (name, std) = (self.metric.name(), self.settings.std);
            format!("{name} {value} has settled: its last {most} values deviate by {spread:.2e}, below {std}").into()
        })
    }

    fn forget(&mut self, trial: TrialId) {
        self.trials.remove(&trial);
    }

    fn warning(&mut self) -> Option<String> {
        self.metric.warning()
    }

    fn save(&self) -> Option<PartState> {
        let values = |window: &Window| window.last.iter().copied().map(Float).collect();
        let mut trials: Vec<_> =
            self.trials.iter().map(|(trial, window)| (trial.number(), window.seen, values(window))).collect();
        trials.sort_unstable_by_key(|(number, ..)| *number);
        let saved = Saved {
            metric: self.settings.metric.clone(),
            num_results: self.settings.num_results,
            run: common_run(self.trials.keys().copied())?,
            trials,
            missing: self.metric.missing.clone(),
        };
        pack(PART, &saved)
    }

    /// More results than before would have to be known from the past; fewer are known.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "the metric", &saved.metric.as_ref(), &self.settings.metric.as_ref())?;
        if saved.num_results < self.settings.num_results {
            same(PART, "the number of results", &saved.num_results, &self.settings.num_results)?;
        }
        let most = self.settings.num_results as usize;
        let window = |seen, values: Vec<Float>| {
            let last = values.iter().skip(values.len().saturating_sub(most)).map(|value| value.0).collect();
            Window { seen, last }
        };
        let trials = saved.trials.into_iter();
        self.trials =
            trials.map(|(number, seen, values)| (TrialId::new(saved.run, number), window(seen, values))).collect();
        self.metric.missing = saved.missing;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn validate(&self) -> Result<(), StopError> {
        let refuse =
            |setting, value: String, expected| Err(StopError::Setting { rule: PART, setting, value, expected });
        let Settings { metric, std, num_results, threshold, .. } = &self.settings;
        if metric.is_empty() {
            return refuse("the metric", "empty".to_owned(), "a name, as in `loss` or `test/accuracy`");
        }
        if std.is_nan() || *std <= 0.0 {
            return refuse("the standard deviation", std.to_string(), "above 0, or nothing would be below it");
        }
        if *num_results < 2 {
            return refuse(
                "the number of results",
                num_results.to_string(),
                "at least 2, as one value is always settled",
            );
        }
        match threshold {
            Some((_, Float(bound))) if bound.is_nan() => {
                refuse("the threshold", "NaN".to_owned(), "a number, as no value is ever beyond NaN")
            }
            _ => Ok(()),
        }
    }
}
