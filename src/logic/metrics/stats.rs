//! Per-metric statistics of one trial: constant size, constant cost per report.

use serde::{Deserialize, Serialize};

use super::named::{Metrics, Name};
use super::objective::Mode;
use super::places::Places;
use super::report::Report;

const WINDOW: usize = 10;

/// Over which of a trial's reports a metric is judged. Non-finite values are left out of all but [`Scope::Last`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The last report.
    #[default]
    Last,
    /// The mean over all reports.
    Average,
    /// The mean over the last five reports.
    Last5Average,
    /// The mean over the last ten reports.
    Last10Average,
    /// The best value ever reported.
    All,
}

/// What is kept of one metric of one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricStats {
    /// The smallest finite value; NaN if there was none.
    pub min: f64,
    /// The largest finite value; NaN if there was none.
    pub max: f64,
    /// The last value, finite or not.
    pub last: f64,
    /// How many finite values there were.
    pub count: u64,
    /// Their mean; NaN if there was none.
    pub mean: f64,
    recent: Vec<f64>,
    next: u8,
}

impl MetricStats {
    fn new() -> Self {
        Self { min: f64::NAN, max: f64::NAN, last: f64::NAN, count: 0, mean: f64::NAN, recent: Vec::new(), next: 0 }
    }

    fn add(&mut self, value: f64) {
        self.last = value;
        if !value.is_finite() {
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.count += 1;
        self.mean = if self.count == 1 { value } else { self.mean + (value - self.mean) / self.count as f64 };
        if self.recent.len() < WINDOW {
            self.recent.push(value);
        } else {
            self.recent[usize::from(self.next)] = value;
        }
        self.next = (self.next + 1) % WINDOW as u8;
    }

    /// The mean over the last `n` finite values, at most ten; NaN if there were none.
    pub fn recent_mean(&self, n: usize) -> f64 {
        let n = n.min(self.recent.len());
        let newest = usize::from(self.next) + self.recent.len();
        let sum: f64 = (1..=n).map(|back| self.recent[(newest - back) % self.recent.len()]).sum();
        if n == 0 { f64::NAN } else { sum / n as f64 }
    }

    /// The metric's value in `scope`, the best by `mode` where the scope asks for one.
    pub fn value(&self, scope: Scope, mode: Mode) -> f64 {
        match (scope, mode) {
            (Scope::Last, _) => self.last,
            (Scope::Average, _) => self.mean,
            (Scope::Last5Average, _) => self.recent_mean(5),
            (Scope::Last10Average, _) => self.recent_mean(10),
            (Scope::All, Mode::Min) => self.min,
            (Scope::All, Mode::Max) => self.max,
        }
    }
}

/// The statistics of all numeric metrics of one trial, automatic keys left out: they only ever grow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrialStats {
    metrics: Vec<(Name, MetricStats)>,
    places: Places,
}

impl TrialStats {
    /// Folds one more report in. The same names in the same order cost one comparison each.
    pub fn add(&mut self, metrics: &Metrics) {
        self.places.prepare(&self.metrics);
        if self.metrics.is_empty() {
            // Exactly as many as there will mostly be: each trial that ever was keeps them.
            self.metrics.reserve_exact(metrics.len());
        }
        for (position, (name, value)) in metrics.iter().enumerate() {
            let Some(number) = value.as_f64() else { continue };
            let found = match self.metrics.get(position) {
                Some((known, _)) if known == name => Some(position),
                _ => self.places.find(&self.metrics, name),
            };
            let index = found.unwrap_or_else(|| {
                self.places.push(&mut self.metrics, name.clone(), MetricStats::new());
                self.metrics.len() - 1
            });
            if let Some((_, stats)) = self.metrics.get_mut(index) {
                stats.add(number);
            }
        }
    }

    /// The statistics of one metric.
    pub fn get(&self, name: &str) -> Option<&MetricStats> {
        let place = self.places.find(&self.metrics, name)?;
        self.metrics.get(place).map(|(_, stats)| stats)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// All of them, in the order in which they first appeared.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MetricStats)> {
        self.metrics.iter().map(|(name, stats)| (name.as_ref(), stats))
    }

    /// The value of `metric` in `scope`; for an automatic key, its value in the last report.
    pub fn value(&self, metric: &str, scope: Scope, mode: Mode, last: Option<&Report>) -> Option<f64> {
        match self.get(metric) {
            Some(stats) => Some(stats.value(scope, mode)),
            None => last.and_then(|report| report.number(metric)),
        }
    }
}
