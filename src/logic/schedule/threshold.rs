//! Thresholds: trials whose metric leaves a range stop.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::number::{short, told_apart};
use super::steps::{self, Steps};
use super::{Cohort, ScheduleError, Scheduler, settle_objective};
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{Float, PartState, StateError, common_run, float, pack, same, unpack};

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
/// #     for step in 1..=10 { trial.report([("loss", config.number("rate").unwrap_or(0.0).powi(step))])?; }
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
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    #[serde(with = "float")]
    lower: f64,
    #[serde(with = "float")]
    upper: f64,
    #[serde(with = "float")]
    warm_up: f64,
    #[serde(with = "float")]
    interval: f64,
    time_attr: String,
    metric: Option<String>,
    objective: Option<Objective>,
    /// The latest time of each trial that hasn't ended.
    #[serde(skip)]
    live: HashMap<TrialId, f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    time_attr: String,
    run: RunId,
    live: Vec<(u32, Float)>,
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
            live: HashMap::new(),
        }
    }
}

impl Threshold {
    /// Without bounds, of which it needs one at least; by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A trial below it stops. Default minus infinity.
    #[must_use]
    pub fn lower(mut self, lower: f64) -> Self {
        self.lower = lower;
        self
    }

    /// A trial above it stops. Default infinity.
    #[must_use]
    pub fn upper(mut self, upper: f64) -> Self {
        self.upper = upper;
        self
    }

    /// The time before which nobody is judged; from 0. Default 0.
    #[must_use]
    pub fn warm_up(mut self, warm_up: f64) -> Self {
        self.warm_up = warm_up;
        self
    }

    /// A trial is judged once in each interval of this length from the warm-up on; above 0. Default 1.
    #[must_use]
    pub fn interval(mut self, interval: f64) -> Self {
        self.interval = interval;
        self
    }

    /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
    /// `training_iteration`.
    #[must_use]
    pub fn time_attr(mut self, time_attr: impl Into<String>) -> Self {
        self.time_attr = time_attr.into();
        self
    }

    /// The name of the metric that is to stay in the range. Default: that of the experiment's objective.
    #[must_use]
    pub fn metric(mut self, metric: impl Into<String>) -> Self {
        self.metric = Some(metric.into());
        self
    }

    fn steps(&self) -> Steps {
        Steps { warm_up: self.warm_up, interval: self.interval }
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let refuse = |setting, value: String, expected| {
            Err(ScheduleError::Setting { scheduler: PART, setting, value, expected })
        };
        if self.lower.is_nan() || self.lower == f64::INFINITY {
            return refuse("lower", self.lower.to_string(), "a number, or minus infinity for none");
        }
        if self.upper.is_nan() || self.upper == f64::NEG_INFINITY {
            return refuse("upper", self.upper.to_string(), "a number, or infinity for none");
        }
        if self.lower.is_infinite() && self.upper.is_infinite() {
            return refuse("upper", self.upper.to_string(), "a number, as `lower` isn't one either");
        }
        if self.lower > self.upper {
            return refuse("lower", self.lower.to_string(), "at most `upper`");
        }
        self.steps().check(PART)?;
        if let Some(metric) = &self.metric {
            steps::check_name(PART, "metric", metric, "the name of a metric")?;
        }
        steps::check_name(PART, "time_attr", &self.time_attr, "the name of a metric, as in `training_iteration`")
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
        let last = self.live.entry(trial).or_insert(f64::NEG_INFINITY);
        let previous = *last;
        *last = previous.max(time);
        if time <= previous || !self.steps().judges(previous, time) {
            return Verdict::CONTINUE;
        }
        self.reason(time, metric, value).map_or(Verdict::CONTINUE, Verdict::stop)
    }

    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        self.live.remove(&trial);
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

    fn save(&self) -> Option<PartState> {
        let mut live: Vec<_> = self.live.iter().map(|(trial, time)| (trial.number(), Float(*time))).collect();
        live.sort_unstable_by_key(|(number, _)| *number);
        let run = common_run(self.live.keys().copied())?;
        pack(PART, &Saved { time_attr: self.time_attr.clone(), run, live })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "time_attr", &saved.time_attr, &self.time_attr)?;
        let live = saved.live.into_iter().map(|(number, time)| (TrialId::new(saved.run, number), time.0));
        self.live = live.collect();
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
