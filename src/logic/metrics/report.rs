//! One report of a trial: its metrics, and the automatic keys that the worker stamps on them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::named::Metrics;
use super::value::Value;
use crate::logic::ids::TrialId;

/// The keys that every report answers besides its own metrics. `timesteps_total` and `episodes_total` are there only
/// if the trial ever reported `timesteps_this_iter` or `episodes_this_iter`, as a whole number of either type.
pub const AUTOMATIC_KEYS: [&str; 10] = [
    "training_iteration",
    "time_this_iter_s",
    "time_total_s",
    "timestamp",
    "done",
    "trial_id",
    "iterations_since_restore",
    "time_since_restore",
    "timesteps_total",
    "episodes_total",
];

/// How far a trial has come. Restored with a checkpoint, so that the totals go on where it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Counters {
    /// Reports so far; the first report has 1.
    pub training_iteration: u64,
    /// Seconds of work in all reports so far.
    pub time_total_s: f64,
    /// Reports since the worker was started or restored.
    pub iterations_since_restore: u64,
    /// Seconds of work since the worker was started or restored.
    pub time_since_restore: f64,
    /// The sum of `timesteps_this_iter`, if it was ever reported as a whole number.
    pub timesteps_total: Option<i64>,
    /// The sum of `episodes_this_iter`, if it was ever reported as a whole number.
    pub episodes_total: Option<i64>,
}

impl Counters {
    /// The counters a worker starts with when it continues from these.
    #[must_use]
    pub fn restored(self) -> Self {
        Self { iterations_since_restore: 0, time_since_restore: 0.0, ..self }
    }

    /// Counts one more report, which took `took`, and stamps it. `wall_clock` is in seconds since 1970.
    pub fn stamp(&mut self, trial: TrialId, metrics: Metrics, took: Duration, wall_clock: f64) -> Report {
        let seconds = took.as_secs_f64();
        self.count(&metrics, seconds);
        self.count_floats(&metrics);
        Report { trial, counters: *self, time_this_iter_s: seconds, timestamp: wall_clock, done: false, metrics }
    }

    /// Whole numbers that come as floats, as beside other floats in one array. A journal says what they came to, and so is
    /// read as before.
    fn count_floats(&mut self, metrics: &Metrics) {
        let add = |total: &mut Option<i64>, key| {
            let whole = |more: &f64| more.is_finite() && more.fract() == 0.0;
            if let Some(Value::Float(more)) = metrics.get(key)
                && whole(more)
            {
                *total = Some(total.unwrap_or(0).saturating_add(*more as i64));
            }
        };
        add(&mut self.timesteps_total, "timesteps_this_iter");
        add(&mut self.episodes_total, "episodes_this_iter");
    }

    /// Counts one more report with these metrics, which took so many seconds. Of the steps only whole numbers that are stored as
    /// such count here: what a journal doesn't say follows from this.
    pub(crate) fn count(&mut self, metrics: &Metrics, seconds: f64) {
        self.training_iteration += 1;
        self.time_total_s += seconds;
        self.iterations_since_restore += 1;
        self.time_since_restore += seconds;
        let add = |total: &mut Option<i64>, key| {
            if let Some(Value::Int(more)) = metrics.get(key) {
                *total = Some(total.unwrap_or(0).saturating_add(*more));
            }
        };
        add(&mut self.timesteps_total, "timesteps_this_iter");
        add(&mut self.episodes_total, "episodes_this_iter");
    }
}

/// One report of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Report {
    /// Who reported.
    #[serde(rename = "trial_id")]
    pub trial: TrialId,
    /// The running totals, this report included.
    #[serde(flatten)]
    pub counters: Counters,
    /// Seconds of work in this report alone.
    pub time_this_iter_s: f64,
    /// When it was made, in seconds since 1970.
    pub timestamp: f64,
    /// Whether it is the trial's last.
    pub done: bool,
    /// What the trainable reported.
    pub metrics: Metrics,
}

impl Report {
    /// An empty report: of a trial that ended without one, it holds only the id and `done`.
    pub fn empty(trial: TrialId) -> Self {
        Self {
            trial,
            counters: Counters::default(),
            time_this_iter_s: 0.0,
            timestamp: 0.0,
            done: false,
            metrics: Metrics::new(),
        }
    }

    /// Its iteration, from 1.
    pub fn iteration(&self) -> u64 {
        self.counters.training_iteration
    }

    /// The number under `name`: one of the trainable's metrics, else an automatic key.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.metrics.number(name).or_else(|| match self.automatic(name)? {
            Value::Bool(_) => None,
            value => value.as_f64(),
        })
    }

    /// The value under `name`: one of the trainable's metrics, else an automatic key.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.metrics.get(name).cloned().or_else(|| self.automatic(name))
    }

    fn automatic(&self, name: &str) -> Option<Value> {
        Some(match name {
            "training_iteration" => Value::from(self.counters.training_iteration),
            "time_this_iter_s" => Value::Float(self.time_this_iter_s),
            "time_total_s" => Value::Float(self.counters.time_total_s),
            "timestamp" => Value::Float(self.timestamp),
            "done" => Value::Bool(self.done),
            "trial_id" => Value::from(self.trial.to_string()),
            "iterations_since_restore" => Value::from(self.counters.iterations_since_restore),
            "time_since_restore" => Value::Float(self.counters.time_since_restore),
            "timesteps_total" => Value::Int(self.counters.timesteps_total?),
            "episodes_total" => Value::Int(self.counters.episodes_total?),
            _ => return None,
        })
    }

    /// All keys and values, the trainable's own first, then the automatic ones that it didn't set itself.
    pub fn entries(&self) -> Vec<(String, Value)> {
        let own = self.metrics.iter().map(|(name, value)| (name.to_string(), value.clone()));
        let automatic = AUTOMATIC_KEYS
            .iter()
            .filter(|key| self.metrics.get(key).is_none())
            .filter_map(|key| Some(((*key).to_owned(), self.automatic(key)?)));
        own.chain(automatic).collect()
    }
}
