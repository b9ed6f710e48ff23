//! Ranges of numbers: their bounds, what is wrong with them, and how one is drawn.

use std::fmt;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// How far a quotient may be from a whole number to count as one.
const WHOLE: f64 = 1e-9;
/// The largest number of steps at which neighbouring multiples are still told apart.
const MOST_STEPS: f64 = 9.0e15;

/// How the values of a range are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// All values are equally likely.
    #[default]
    Linear,
    /// All orders of magnitude are equally likely.
    Log,
}

/// Numbers from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloatRange {
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    /// How they are spread.
    #[serde(default)]
    pub scale: Scale,
    /// If given, only multiples of it occur, both ends included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum: Option<f64>,
}

/// Integers from `low` up to, but without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntRange {
    /// The smallest value.
    pub low: i64,
    /// One more than the largest value; itself the largest when there is a quantum above 1.
    pub end: i64,
    /// How they are spread.
    #[serde(default)]
    pub scale: Scale,
    /// If given, only multiples of it occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum: Option<i64>,
}

/// A normal distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// If given, only multiples of it occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum: Option<f64>,
}

/// What is wrong with a range: the setting, its value, and what it must be.
pub(super) type Problem = (&'static str, String, String);

impl FloatRange {
    /// Only multiples of `step`, which must divide both bounds; both bounds can occur. On a linear scale all multiples
    /// are equally likely.
    #[must_use]
    pub fn quantized(self, step: f64) -> Self {
        Self { quantum: Some(step), ..self }
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        finite("lower bound", self.low)
            .or_else(|| finite("upper bound", self.high))
            .or_else(|| below(self.low, self.high))
            .or_else(|| above_zero(self.scale, self.low))
            .or_else(|| self.quantum.and_then(|step| self.bad_step(step)))
    }

    fn bad_step(&self, step: f64) -> Option<Problem> {
        bad_quantum(step).or_else(|| too_fine(step, self.low.abs().max(self.high.abs()))).or_else(|| {
            let uneven = [self.low, self.high].into_iter().find(|&bound| !is_multiple(bound, Some(step)))?;
            let right = format!("a divisor of both bounds, and {} is not its multiple", Short(uneven));
            Some(("quantum", Short(step).to_string(), right))
        })
    }

    pub(super) fn draw(&self, random: &mut impl Rng) -> f64 {
        let value = match (self.scale, self.quantum) {
            (Scale::Linear, None) => between(self.low, self.high, random),
            (Scale::Log, None) => between(self.low.ln(), self.high.ln(), random).exp(),
            (Scale::Linear, Some(step)) => {
                let (first, last) = ((self.low / step).round() as i64, (self.high / step).round() as i64);
                multiple(random.random_range(first..=last) as f64, step)
            }
            (Scale::Log, Some(step)) => {
                multiple((between(self.low.ln(), self.high.ln(), random).exp() / step).round(), step)
            }
        };
        value.clamp(self.low, self.high)
    }

    /// Whether `value` is one of its values, both bounds included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value) && is_multiple(value, self.quantum)
    }
}

impl IntRange {
    /// Only multiples of `step`, which must divide both bounds. All are equally likely on a linear scale, and the upper
    /// bound is one of them, unless `step` is 1.
    #[must_use]
    pub fn quantized(self, step: i64) -> Self {
        Self { quantum: Some(step), ..self }
    }

    /// Its largest value.
    pub fn last(&self) -> i64 {
        if self.step() > 1 { self.end } else { self.end.saturating_sub(1) }
    }

    fn step(&self) -> i64 {
        self.quantum.unwrap_or(1)
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        let log_low = match self.scale {
            Scale::Log if self.low < 1 => {
                Some(("lower bound", self.low.to_string(), "at least 1 on a log scale".into()))
            }
            _ => None,
        };
        let order = || {
            (self.low >= self.end)
                .then(|| ("lower bound", self.low.to_string(), format!("less than the upper bound {}", self.end)))
        };
        let quantum = || match self.quantum {
            Some(step) if step < 1 => Some(("quantum", step.to_string(), "at least 1".to_owned())),
            Some(step) => {
                let uneven = [self.low, self.end].into_iter().find(|bound| bound % step != 0)?;
                let right = format!("a divisor of both bounds, and {uneven} is not its multiple");
                Some(("quantum", step.to_string(), right))
            }
            None => None,
        };
        order().or(log_low).or_else(quantum)
    }

    pub(super) fn draw(&self, random: &mut impl Rng) -> i64 {
        let (step, last) = (self.step(), self.last());
        let value = match self.scale {
            Scale::Linear => random.random_range(self.low / step..=last / step) * step,
            // Without a quantum every integer stands for the numbers from it to the next; with one, for the nearest.
            Scale::Log if step == 1 => between((self.low as f64).ln(), (self.end as f64).ln(), random).exp() as i64,
            Scale::Log => {
                let exact = between((self.low as f64).ln(), (self.end as f64).ln(), random).exp();
                ((exact / step as f64).round() as i64).saturating_mul(step)
            }
        };
        value.clamp(self.low, last)
    }

    /// Whether `value` is one of its values.
    pub fn contains(&self, value: i64) -> bool {
        (self.low..=self.last()).contains(&value) && value % self.step().max(1) == 0
    }
}

impl Normal {
    /// Only multiples of `step`.
    #[must_use]
    pub fn quantized(self, step: f64) -> Self {
        Self { quantum: Some(step), ..self }
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        finite("mean", self.mean)
            .or_else(|| finite("standard deviation", self.deviation))
            .or_else(|| {
                (self.deviation <= 0.0)
                    .then(|| ("standard deviation", Short(self.deviation).to_string(), "greater than 0".to_owned()))
            })
            .or_else(|| self.quantum.and_then(bad_quantum))
            .or_else(|| self.quantum.and_then(|step| too_fine(step, self.mean.abs() + 100.0 * self.deviation)))
    }

    pub(super) fn draw(&self, random: &mut impl Rng) -> f64 {
        let standard: f64 = StandardNormal.sample(random);
        let value = standard.mul_add(self.deviation, self.mean);
        let value = self.quantum.map_or(value, |step| multiple((value / step).round(), step));
        value.clamp(f64::MIN, f64::MAX)
    }

    /// Whether `value` is one of its values.
    pub fn contains(&self, value: f64) -> bool {
        value.is_finite() && is_multiple(value, self.quantum)
    }
}

fn finite(what: &'static str, value: f64) -> Option<Problem> {
    (!value.is_finite()).then(|| (what, Short(value).to_string(), "finite".to_owned()))
}

fn below(low: f64, high: f64) -> Option<Problem> {
    (low >= high).then(|| ("lower bound", Short(low).to_string(), format!("less than the upper bound {}", Short(high))))
}

fn above_zero(scale: Scale, low: f64) -> Option<Problem> {
    (scale == Scale::Log && low <= 0.0)
        .then(|| ("lower bound", Short(low).to_string(), "greater than 0 on a log scale".to_owned()))
}

fn bad_quantum(step: f64) -> Option<Problem> {
    (!step.is_finite() || step <= 0.0)
        .then(|| ("quantum", Short(step).to_string(), "finite and greater than 0".to_owned()))
}

fn too_fine(step: f64, largest: f64) -> Option<Problem> {
    let right = || format!("large enough that its multiples can be told apart up to {}", Short(largest));
    (largest / step > MOST_STEPS).then(|| ("quantum", Short(step).to_string(), right()))
}

/// Weighs the ends rather than adding to one of them, so that no difference overflows.
fn between(low: f64, high: f64, random: &mut impl Rng) -> f64 {
    let part: f64 = random.random();
    low * (1.0 - part) + high * part
}

/// `count` steps. A step such as 0.1 isn't exact, its inverse is: 3 x 0.1 is to be 0.3, not 0.30000000000000004.
pub(super) fn multiple(count: f64, step: f64) -> f64 {
    let inverse = (1.0 / step).round();
    if inverse >= 1.0 && (inverse * step - 1.0).abs() <= 1e-12 { count / inverse } else { count * step }
}

fn is_multiple(value: f64, quantum: Option<f64>) -> bool {
    quantum.is_none_or(|step| {
        let steps = value / step;
        (steps - steps.round()).abs() <= WHOLE * steps.abs().max(1.0)
    })
}

/// The end of a description: ` on a log scale, a multiple of 2`.
fn manner<T: fmt::Display>(scale: Scale, quantum: Option<T>) -> String {
    let scale = if scale == Scale::Log { " on a log scale" } else { "" };
    quantum.map_or_else(|| scale.to_owned(), |step| format!("{scale}, a multiple of {step}"))
}

/// A number as a person would write it: 0.1, and 1e-300 rather than three hundred zeros.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            size if size == 0.0 || !size.is_finite() || (1e-4..1e7).contains(&size) => self.0.fmt(f),
            _ => fmt::LowerExp::fmt(&self.0, f),
        }
    }
}

/// What a value must be.
impl fmt::Display for FloatRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a number from {} to {}{}",
            Short(self.low),
            Short(self.high),
            manner(self.scale, self.quantum.map(Short))
        )
    }
}

/// What a value must be.
impl fmt::Display for IntRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an integer from {} to {}{}", self.low, self.last(), manner(self.scale, self.quantum))
    }
}

/// What a value must be.
impl fmt::Display for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a finite number{}", manner(Scale::Linear, self.quantum.map(Short)))
    }
}
