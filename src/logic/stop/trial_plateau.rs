//! A trial is over when a metric of it has settled.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::spread::deviation;
use super::watched::Missing;
use super::{StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Mode, Name, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{Float, PartState, StateError, StateForm, float};

const PART: &str = "trial_plateau";

/// Ends a trial whose metric has settled. Made by [`trial_plateau`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrialPlateau {
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    metric: Name,
    #[serde(default = "default_std", with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    std: f64,
    #[serde(default = "four")]
    num_results: u32,
    #[serde(default = "four")]
    grace: u32,
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "Option<(Mode, f64)>"))]
    threshold: Option<(Mode, Float)>,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// How many results were looked at when this was saved.
    num_results: u32,
    trials: HashMap<TrialId, Window>,
    missing: Missing,
}

fn default_std() -> f64 {
    0.01
}

fn four() -> u32 {
    4
}

/// The last values of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    /// How many there were in all.
    seen: u64,
    #[serde(with = "float")]
    last: VecDeque<f64>,
}

/// Ends a trial once its last values of `metric` differ by next to nothing: when their standard deviation (that of a
/// population) is below [`std`](TrialPlateau::std), by default 0.01. For learning curves that are flat long before their
/// last epoch.
///
/// It looks at the last [`num_results`](TrialPlateau::num_results) reports (default 4), and not before the trial has made
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
    let (std, state) = (default_std(), State::default());
    TrialPlateau { metric: metric.into(), std, num_results: four(), grace: four(), threshold: None, state }
}

impl TrialPlateau {
    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("the metric", &self.metric)
    }

    setters! {
        /// The standard deviation below which values have settled, in the metric's unit; above 0. Default 0.01.
        std(std: f64) => std = std;

        /// How many reports, the last ones, are looked at; from 2. Default 4.
        num_results(num_results: u32) => num_results = num_results;

        /// The report of a trial at which it may end for the first time; 0 is as good as 1. Default 4.
        grace(grace: u32) => grace = grace;

        /// Ends a trial only at a report with a value of `bound` or less ([`Mode::Min`]), or of `bound` or more
        /// ([`Mode::Max`]). By default any value will do.
        threshold(mode: Mode, bound: f64) => threshold = Some((mode, Float(bound)));
    }

    fn good_enough(&self, value: f64) -> bool {
        match self.threshold {
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
        let value = self.state.missing.number(&self.metric, report, PART)?;
        let most = self.num_results as usize;
        let window = self.state.trials.entry(trial).or_default();
        window.add(value, most);
        if window.seen < u64::from(self.grace) || window.last.len() < most {
            return None;
        }
        let spread = deviation(window.last.iter().copied());
        let settled = spread < self.std && self.good_enough(value);
        settled.then(|| {
            let (name, std) = (&self.metric, self.std);
            format!("{name} {value} has settled: its last {most} values deviate by {spread:.2e}, below {std}").into()
        })
    }

    fn forget(&mut self, trial: TrialId) {
        self.state.trials.remove(&trial);
    }

    fn warning(&mut self) -> Option<String> {
        self.state.missing.warning()
    }

    fn words(&self) -> StopReason {
        format!("the last {} values of {} of a trial within a deviation of {}", self.num_results, self.metric, self.std)
            .into()
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&State { num_results: self.num_results, ..self.state.clone() })
    }

    /// More results than before would have to be known from the past; fewer are known.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let mut state: State = self.state_form().unpack(state)?;
        if state.num_results < self.num_results {
            return Err(self.state_form().other_setting("the number of results", state.num_results, self.num_results));
        }
        for window in state.trials.values_mut() {
            let more = window.last.len().saturating_sub(self.num_results as usize);
            window.last.drain(..more);
        }
        self.state = state;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let check = Check(PART);
        check.name("the metric", &self.metric, "a name, as in `loss` or `test/accuracy`")?;
        let expected = "above 0, or nothing would be below it";
        check.require(self.std > 0.0, "the standard deviation", self.std, expected)?;
        let expected = "at least 2, as one value is always settled";
        check.require(self.num_results >= 2, "the number of results", self.num_results, expected)?;
        let holds = self.threshold.is_none_or(|(_, Float(bound))| !bound.is_nan());
        Ok(check.require(holds, "the threshold", "NaN", "a number, as no value is ever beyond NaN")?)
    }
}
