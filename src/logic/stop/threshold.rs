//! A trial is over when a metric has reached a bound.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::watched::{Missing, Watched};
use super::{StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Name, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, float, pack, same, unpack};

/// On which side of the bound a trial is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    AtLeast,
    AtMost,
}

/// Ends a trial when a metric has reached a bound. Made by [`at_least`] and [`at_most`].
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    metric: Watched,
    side: Side,
    bound: f64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    metric: String,
    missing: Missing,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) metric: Name,
    #[serde(with = "float")]
    pub(super) bound: f64,
}

/// Ends a trial at the first report in which `metric` (flattened, as in `test/accuracy`; automatic keys too) is `bound`
/// or more. `bound` is any number but NaN.
///
/// A report in which it is NaN ends nothing; neither does one without it, but the first such leaves a
/// [`warning`](StopRule::warning).
///
/// This is what a dictionary does as Ray Tune's `stop`, where several criteria end a trial with the first one met:
///
/// ```
/// use tryout::prelude::*;
///
/// let dictionary = stop::any([stop::at_least("accuracy", 0.99), stop::at_least("test/steps", 1e6)]);
/// ```
pub fn at_least(metric: impl Into<Name>, bound: f64) -> Threshold {
    Threshold { metric: Watched::new(metric.into()), side: Side::AtLeast, bound }
}

/// Ends a trial at the first report in which `metric` is `bound` or less; otherwise as [`at_least`].
///
/// ```
/// use tryout::prelude::*;
///
/// let good_enough = stop::at_most("loss", 0.1);
/// ```
pub fn at_most(metric: impl Into<Name>, bound: f64) -> Threshold {
    Threshold { metric: Watched::new(metric.into()), side: Side::AtMost, bound }
}

impl Side {
    fn constructor(self) -> &'static str {
        match self {
            Side::AtLeast => "at_least",
            Side::AtMost => "at_most",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Side::AtLeast => "at least",
            Side::AtMost => "at most",
        }
    }
}

impl StopRule for Threshold {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.metric.number(report, self.side.constructor())?;
        let met = match self.side {
            Side::AtLeast => value >= self.bound,
            Side::AtMost => value <= self.bound,
        };
        met.then(|| format!("{} {value} is {} {}", self.metric.name(), self.side.in_words(), self.bound).into())
    }

    fn warning(&mut self) -> Option<String> {
        self.metric.warning()
    }

    fn save(&self) -> Option<PartState> {
        let saved = Saved { metric: self.metric.name().to_owned(), missing: self.metric.missing.clone() };
        pack(self.side.constructor(), &saved)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let rule = self.side.constructor();
        let saved: Saved = unpack(rule, state)?;
        same(rule, "the metric", &saved.metric.as_str(), &self.metric.name())?;
        self.metric.missing = saved.missing;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        let metric = Cow::Owned(self.metric.name().to_owned());
        PartSpec::new(self.side.constructor(), &Settings { metric, bound: self.bound })
    }

    fn validate(&self) -> Result<(), StopError> {
        let rule = self.side.constructor();
        if self.bound.is_nan() {
            let expected = "a number, as no value is ever beyond NaN";
            return Err(StopError::Setting { rule, setting: "the bound", value: "NaN".to_owned(), expected });
        }
        if self.metric.name().is_empty() {
            let expected = "a name, as in `loss` or `test/accuracy`";
            return Err(StopError::Setting { rule, setting: "the metric", value: "empty".to_owned(), expected });
        }
        Ok(())
    }
}
