//! Thresholds: trials whose metric leaves a range stop.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::number::{short, told_apart};
use super::steps::{self, Steps};
use super::{Cohort, ScheduleError, Scheduler, settle_objective};
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

const PART: &str = "Threshold";

/// Stops a trial whose metric is below [`lower`](Threshold::lower), above [`upper`](Threshold::upper), or NaN.
///
/// The metric is that of the objective, or [another](Threshold::metric). A trial is judged once in each
/// [`interval`](Threshold::interval) from the [`warm_up`](Threshold::warm_up) on. It knows nothing of other trials.
///
/// When to use it: against trials that diverge, as a loss that explodes, or that are hopeless by a measure that you know
/// beforehand. A trial that is *good* enough is better ended by a stop rule, as by
/// [`stop::at_least`](crate::logic::stop::at_least): then it counts as completed.
///
/// - A report without the metric, or without the time attribute, changes nothing.
/// - A trial that is tried again isn't judged at times that it had reached before.
///
/// A report costs O(1), and nothing is kept of a trial that has ended.
///
/// ```
/// use tryout::prelude::*;
///
/// # let trainable = function("growth", |config: Config, trial| {
/// #     for step in 1..=10 { trial.report([("loss", config.get::<f64>("rate")?.powi(step))])?; }
/// #     Ok(())
/// # });
/// let results = Experiment::new("growth", trainable)
///     .space(Space::new().with("rate", grid([0.5, 10.0])))
///     .objective(Objective::min("loss"))
///     .scheduler(Threshold::new().upper(1000.0))
///     .run()?;
/// # let iterations: Vec<_> = results.trials().iter().map(|trial| trial.last.as_ref().map_or(0, |last| last.iteration())).collect();
/// assert_eq!(iterations, [10, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Optuna's `ThresholdPruner`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    lower: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    upper: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    warm_up: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    interval: f64,
    time_attr: String,
    metric: Option<String>,
    objective: Option<Objective>,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The latest time of each trial that hasn't ended.
    #[serde(with = "float")]
    live: HashMap<TrialId, f64>,
}

impl Default for Threshold {
    fn default() -> Self {
        Self {
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            warm_up: 0.0,
            interval: 1.0,
            time_attr: "training_iteration".to_owned(),
            metric: None,
            objective: None,
            state: State::default(),
        }
    }
}

impl Threshold {
    /// Without bounds, of which it needs one at least; by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// A trial below it stops. Default minus infinity.
        lower(lower: f64) => lower = lower;

        /// A trial above it stops. Default infinity.
        upper(upper: f64) => upper = upper;

        /// The time before which nobody is judged; from 0. Default 0.
        warm_up(warm_up: f64) => warm_up = warm_up;

        /// A trial is judged once in each interval of this length from the warm-up on; above 0. Default 1.
        interval(interval: f64) => interval = interval;

        /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// The name of the metric that is to stay in the range. Default: that of the experiment's objective.
        metric(metric: impl Into<String>) => metric = Some(metric.into());
    }

    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("time_attr", &self.time_attr)
    }

    fn steps(&self) -> Steps {
        Steps { warm_up: self.warm_up, interval: self.interval }
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let (check, lower, upper) = (Check(PART), self.lower, self.upper);
        let expected = "a number, or minus infinity for none";
        check.require(!lower.is_nan() && lower < f64::INFINITY, "lower", lower, expected)?;
        let expected = "a number, or infinity for none";
        check.require(!upper.is_nan() && upper > f64::NEG_INFINITY, "upper", upper, expected)?;
        let bounded = lower.is_finite() || upper.is_finite();
        check.require(bounded, "upper", upper, "a number, as `lower` isn't one either")?;
        check.require(lower <= upper, "lower", lower, "at most `upper`")?;
        self.steps().check(check)?;
        check.name("metric", self.metric.as_deref().unwrap_or("none"), "the name of a metric")?;
        Ok(check.time_attr(&self.time_attr)?)
    }

    /// `training_iteration 7: loss 2000 is above 1000`.
    fn reason(&self, time: f64, metric: &str, value: f64) -> Option<String> {
        let what = if value.is_nan() {
            "is NaN".to_owned()
        } else if value < self.lower {
            between(value, " is below ", self.lower)
        } else if value > self.upper {
            between(value, " is above ", self.upper)
        } else {
            return None;
        };
        Some(format!("{} {}: {metric} {what}", self.time_attr, short(time)))
    }
}

impl Scheduler for Threshold {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let metric = self.metric.as_deref().or(self.objective.as_ref().map(|objective| &*objective.metric));
        let Some(metric) = metric else { return Verdict::CONTINUE };
        let read = steps::time(&self.time_attr, report).zip(report.number(metric));
        let Some((time, value)) = read else { return Verdict::CONTINUE };
        let last = self.state.live.entry(trial).or_insert(f64::NEG_INFINITY);
        let previous = *last;
        *last = previous.max(time);
        if time <= previous || !self.steps().judges(previous, time) {
            return Verdict::CONTINUE;
        }
        self.reason(time, metric, value).map_or(Verdict::CONTINUE, Verdict::stop)
    }

    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        self.state.live.remove(&trial);
        Vec::new()
    }

    /// Checks the settings. The objective is taken over only where no metric is said.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        if self.metric.is_none() {
            settle_objective(PART, &mut self.objective, objective)?;
        }
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    fn time_attr(&self) -> Option<&str> {
        Some(&self.time_attr)
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn name(&self) -> &str {
        PART
    }
}

fn between(value: f64, words: &str, bound: f64) -> String {
    let (value, bound) = told_apart(value, bound);
    format!("{value}{words}{bound}")
}
