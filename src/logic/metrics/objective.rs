//! Which metric counts, and which way is better.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Whether a small or a large value is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// A metric's name and its mode.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Objective {
    /// The flattened name, as in `loss` or `test/accuracy`.
    pub metric: String,
    /// Which way is better.
    pub mode: Mode,
}

impl Objective {
    /// Smaller values of `metric` are better.
    pub fn min(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), mode: Mode::Min }
    }

    /// Larger values of `metric` are better.
    pub fn max(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), mode: Mode::Max }
    }

    /// `value` as a score of which more is better: negated for [`Mode::Min`].
    pub fn score(&self, value: f64) -> f64 {
        match self.mode {
            Mode::Min => -value,
            Mode::Max => value,
        }
    }

    /// Orders two values from worse to better, NaN the worst of all.
    pub fn compare(&self, a: f64, b: f64) -> Ordering {
        match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.score(a).total_cmp(&self.score(b)),
        }
    }
}
