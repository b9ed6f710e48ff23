//! A trial is over when a metric has reached a bound.

use serde::{Deserialize, Serialize};

use super::watched::Missing;
use super::{StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Name, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

/// On which side of the bound a trial is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    #[default]
    AtLeast,
    AtMost,
}

/// Ends a trial when a metric has reached a bound. Made by [`at_least`] and [`at_most`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    metric: Name,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    bound: f64,
    #[serde(skip)]
    side: Side,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    missing: Missing,
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
    Threshold { metric: metric.into(), bound, side: Side::AtLeast, state: State::default() }
}

/// Ends a trial at the first report in which `metric` is `bound` or less; otherwise as [`at_least`].
///
/// ```
/// use tryout::prelude::*;
///
/// let good_enough = stop::at_most("loss", 0.1);
/// ```
pub fn at_most(metric: impl Into<Name>, bound: f64) -> Threshold {
    Threshold { side: Side::AtMost, ..at_least(metric, bound) }
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

impl Threshold {
    /// The same on another side.
    pub(super) fn on(self, side: Side) -> Self {
        Self { side, ..self }
    }

    fn state_form(&self) -> StateForm {
        StateForm::new(self.side.constructor()).under("the metric", &self.metric)
    }
}

impl StopRule for Threshold {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.state.missing.number(&self.metric, report, self.side.constructor())?;
        let met = match self.side {
            Side::AtLeast => value >= self.bound,
            Side::AtMost => value <= self.bound,
        };
        met.then(|| format!("{} {value} is {} {}", self.metric, self.side.in_words(), self.bound).into())
    }

    fn warning(&mut self) -> Option<String> {
        self.state.missing.warning()
    }

    fn words(&self) -> StopReason {
        format!("{} {} {}", self.metric, self.side.in_words(), self.bound).into()
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(self.side.constructor(), self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let check = Check(self.side.constructor());
        check.require(!self.bound.is_nan(), "the bound", "NaN", "a number, as no value is ever beyond NaN")?;
        Ok(check.name("the metric", &self.metric, "a name, as in `loss` or `test/accuracy`")?)
    }
}
