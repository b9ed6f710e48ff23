//! Which metric counts, and which way is better.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Whether a small or a large value is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// A metric's name and its mode. In JSON `{"metric": "loss", "mode": "min"}`, or in short `{"min": "loss"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Form")]
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

    /// What has the best finite value, of equals the first; none if nothing has one.
    pub(crate) fn best_of<T>(&self, valued: impl IntoIterator<Item = (T, Option<f64>)>) -> Option<T> {
        let scored = valued.into_iter().filter_map(|(what, value)| {
            let value = value.filter(|value| value.is_finite())?;
            Some((what, self.score(value)))
        });
        scored.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(what, _)| what)
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

/// How an objective is written.
#[derive(Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(rename = "Objective"))]
#[serde(untagged, deny_unknown_fields, expecting = "expected an objective, as in {\"min\": \"loss\"}")]
enum Form {
    /// Smaller is better.
    Min { min: String },
    /// Larger is better.
    Max { max: String },
    /// In full.
    Full { metric: String, mode: Mode },
}

impl From<Form> for Objective {
    fn from(form: Form) -> Self {
        match form {
            Form::Min { min } => Self::min(min),
            Form::Max { max } => Self::max(max),
            Form::Full { metric, mode } => Self { metric, mode },
        }
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Objective {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Form::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}
