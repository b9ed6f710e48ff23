//! Where a value lies in its range, as a number from 0 to 1, and back.

use serde_json::Value;

use super::domain::Domain;
use super::range::{FloatRange, IntRange, Normal, Scale, multiple};
use crate::logic::normal::quantile;

/// No normal value is further out than at these, so that none is infinite.
const EDGE: f64 = 1e-12;

impl FloatRange {
    /// How many values it has, if they can be counted.
    pub(super) fn steps(&self) -> Option<u64> {
        let step = self.quantum?;
        Some(((self.high / step).round() - (self.low / step).round()) as u64 + 1)
    }

    /// The value at `part` of the way through the range, as its scale counts.
    pub(super) fn at(&self, part: f64) -> f64 {
        let value = match (self.scale, self.quantum) {
            (Scale::Linear, None) => weigh(self.low, self.high, part),
            (Scale::Log, None) => weigh(self.low.ln(), self.high.ln(), part).exp(),
            (Scale::Linear, Some(step)) => {
                let first = (self.low / step).round();
                multiple(first + cell(part, self.steps().unwrap_or(1)) as f64, step)
            }
            (Scale::Log, Some(step)) => {
                multiple((weigh(self.low.ln(), self.high.ln(), part).exp() / step).round(), step)
            }
        };
        value.clamp(self.low, self.high)
    }

    /// Where `value` lies. In the middle of its own part of the way, if the values can be counted.
    pub(super) fn part(&self, value: f64) -> f64 {
        match (self.scale, self.quantum) {
            (Scale::Linear, None) => share(self.low, self.high, value),
            (Scale::Linear, Some(step)) => middle((value / step).round() - (self.low / step).round(), self.steps()),
            (Scale::Log, _) => share(self.low.ln(), self.high.ln(), value.ln()),
        }
    }

    /// The bounds of the parts of the way that its values take, if there are at most `few`.
    pub(super) fn cells(&self, few: u64) -> Option<Vec<f64>> {
        let (step, steps) = (self.quantum?, self.steps().filter(|steps| *steps <= few)?);
        let first = (self.low / step).round();
        let bound = |index: u64| match self.scale {
            Scale::Linear => index as f64 / steps as f64,
            Scale::Log => share(self.low.ln(), self.high.ln(), ((first + index as f64 - 0.5) * step).ln()),
        };
        Some(bounds(steps, bound))
    }

    /// The number that stands `part` of the way through the range, not rounded to a multiple, and beyond its ends as well.
    fn number(&self, part: f64) -> f64 {
        match (self.scale, self.quantum) {
            (Scale::Linear, None) => weigh(self.low, self.high, part),
            (Scale::Linear, Some(step)) => {
                ((self.low / step).round() + part * self.steps().unwrap_or(1) as f64 - 0.5) * step
            }
            (Scale::Log, _) => weigh(self.low.ln(), self.high.ln(), part).exp(),
        }
    }

    /// The way back.
    fn way(&self, number: f64) -> f64 {
        match (self.scale, self.quantum) {
            (Scale::Linear, None) => reach(self.low, self.high, number),
            (Scale::Linear, Some(step)) => {
                (number / step - (self.low / step).round() + 0.5) / self.steps().unwrap_or(1) as f64
            }
            (Scale::Log, _) => reach(self.low.ln(), self.high.ln(), number.ln()),
        }
    }
}

impl IntRange {
    /// How many values it has.
    pub(super) fn steps(&self) -> u64 {
        self.last().abs_diff(self.low) / self.quantum.unwrap_or(1).unsigned_abs().max(1) + 1
    }

    /// The value at `part` of the way through the range, as its scale counts.
    pub(super) fn at(&self, part: f64) -> i64 {
        let step = self.quantum.unwrap_or(1).max(1);
        let (low, end) = ((self.low as f64).ln(), (self.end as f64).ln());
        let value = match self.scale {
            Scale::Linear => {
                let value = i128::from(self.low) + i128::from(cell(part, self.steps())) * i128::from(step);
                i64::try_from(value).unwrap_or(i64::MAX)
            }
            Scale::Log if step == 1 => weigh(low, end, part).exp() as i64,
            Scale::Log => ((weigh(low, end, part).exp() / step as f64).round() as i64).saturating_mul(step),
        };
        value.clamp(self.low, self.last())
    }

    /// Where `value` lies: in the middle of its own part of the way.
    pub(super) fn part(&self, value: i64) -> f64 {
        let step = self.quantum.unwrap_or(1).max(1);
        let (low, end) = ((self.low as f64).ln(), (self.end as f64).ln());
        match self.scale {
            Scale::Linear => {
                middle((i128::from(value) - i128::from(self.low)) as f64 / step as f64, Some(self.steps()))
            }
            Scale::Log if step == 1 => {
                let (from, to) = (share(low, end, (value as f64).ln()), share(low, end, (value as f64 + 1.0).ln()));
                (from + to) / 2.0
            }
            Scale::Log => share(low, end, (value as f64).ln()),
        }
    }

    /// As of a [`FloatRange`].
    pub(super) fn cells(&self, few: u64) -> Option<Vec<f64>> {
        let (step, steps) = (self.quantum.unwrap_or(1).max(1), Some(self.steps()).filter(|steps| *steps <= few)?);
        let (low, end) = ((self.low as f64).ln(), (self.end as f64).ln());
        let value = |index: u64| self.low as f64 + index as f64 * step as f64;
        let bound = |index: u64| match self.scale {
            Scale::Linear => index as f64 / steps as f64,
            Scale::Log if step == 1 => share(low, end, value(index).ln()),
            Scale::Log => share(low, end, (value(index) - step as f64 / 2.0).ln()),
        };
        Some(bounds(steps, bound))
    }

    /// The number that stands `part` of the way through the range, not rounded, and beyond its ends as well.
    fn number(&self, part: f64) -> f64 {
        let step = self.quantum.unwrap_or(1).max(1) as f64;
        match self.scale {
            Scale::Linear => self.low as f64 + (part * self.steps() as f64 - 0.5) * step,
            Scale::Log => weigh((self.low as f64).ln(), (self.end as f64).ln(), part).exp(),
        }
    }

    /// The way back.
    fn way(&self, number: f64) -> f64 {
        let step = self.quantum.unwrap_or(1).max(1) as f64;
        match self.scale {
            Scale::Linear => ((number - self.low as f64) / step + 0.5) / self.steps() as f64,
            Scale::Log => reach((self.low as f64).ln(), (self.end as f64).ln(), number.ln()),
        }
    }
}

impl Normal {
    /// The value below which `part` of the distribution lies.
    pub(super) fn at(&self, part: f64) -> f64 {
        let value = quantile(part.clamp(EDGE, 1.0 - EDGE)).mul_add(self.deviation, self.mean);
        let value = self.quantum.map_or(value, |step| multiple((value / step).round(), step));
        value.clamp(f64::MIN, f64::MAX)
    }

    /// How much of the distribution lies below `value`.
    pub(crate) fn part(&self, value: f64) -> f64 {
        let wanted = (value - self.mean) / self.deviation;
        let (mut low, mut high) = (EDGE, 1.0 - EDGE);
        // Each turn halves what is left: after 50 it is less than a number can tell.
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if quantile(middle) < wanted { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    }
}

impl Domain {
    /// Where a number of `before` that stood `part` of the way through it stands now, beyond 0 and 1 if it isn't in this range. None
    /// if it can't be said.
    pub(crate) fn moved(&self, before: &Domain, part: f64) -> Option<f64> {
        if self == before {
            return Some(part);
        }
        let number = match before {
            Domain::Float(range) => range.number(part),
            Domain::Normal(normal) => quantile(part.clamp(EDGE, 1.0 - EDGE)).mul_add(normal.deviation, normal.mean),
            Domain::Int(range) => range.number(part),
            _ => return None,
        };
        let part = match self {
            Domain::Float(range) => range.way(number),
            Domain::Normal(normal) => normal.part(number),
            Domain::Int(range) => range.way(number),
            _ => return None,
        };
        Some(part).filter(|part| part.is_finite())
    }

    #[cfg(feature = "gp")]
    /// Where a value of a range lies, from 0 to 1; none of what isn't a range, or isn't in it.
    pub(crate) fn part_of(&self, value: &Value) -> Option<f64> {
        match self {
            Domain::Float(range) => value.as_f64().map(|value| range.part(value)),
            Domain::Normal(normal) => value.as_f64().map(|value| normal.part(value)),
            Domain::Int(range) => value.as_i64().map(|value| range.part(value)),
            _ => None,
        }
    }

    #[cfg(feature = "gp")]
    /// The value of a range that lies at `part`.
    pub(crate) fn value_at(&self, part: f64) -> Option<Value> {
        match self {
            Domain::Float(range) => Some(range.at(part).into()),
            Domain::Normal(normal) => Some(normal.at(part).into()),
            Domain::Int(range) => Some(range.at(part).into()),
            _ => None,
        }
    }

    /// The value of a range that is next to `value`; none of what isn't a range, and of NaN.
    pub(crate) fn nearest(&self, value: f64) -> Option<Value> {
        if value.is_nan() {
            return None;
        }
        match self {
            Domain::Float(range) => {
                let inside = value.clamp(range.low, range.high);
                Some(if range.contains(inside) { inside } else { range.at(range.part(inside)) }.into())
            }
            Domain::Normal(normal) => {
                let value = normal.quantum.map_or(value, |step| multiple((value / step).round(), step));
                Some(value.clamp(f64::MIN, f64::MAX).into())
            }
            Domain::Int(range) => {
                let inside = (value.round() as i64).clamp(range.low, range.last());
                Some(if range.contains(inside) { inside } else { range.at(range.part(inside)) }.into())
            }
            _ => None,
        }
    }
}

/// Which of `count` equal cells `part` of the way lies in.
pub(super) fn cell(part: f64, count: u64) -> u64 {
    ((part * count as f64) as u64).min(count.saturating_sub(1))
}

/// The middle of cell `index` of `count`.
pub(super) fn middle(index: f64, count: Option<u64>) -> f64 {
    ((index + 0.5) / count.unwrap_or(1) as f64).clamp(0.0, 1.0)
}

/// From 0 to 1, with what `bound` says between.
fn bounds(steps: u64, bound: impl Fn(u64) -> f64) -> Vec<f64> {
    let inner = (1..steps).map(bound);
    std::iter::once(0.0).chain(inner).chain([1.0]).collect()
}

fn weigh(low: f64, high: f64, part: f64) -> f64 {
    low * (1.0 - part) + high * part
}

/// The inverse of [`weigh`], by halves, so that no difference overflows.
fn reach(low: f64, high: f64, value: f64) -> f64 {
    (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
}

/// The same within 0 and 1.
fn share(low: f64, high: f64, value: f64) -> f64 {
    let part = reach(low, high, value);
    if part.is_nan() { 0.5 } else { part.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::{int, log_int, log_uniform, normal, uniform};

    const PARTS: [f64; 7] = [0.0, 0.013, 0.25, 0.5, 0.62, 0.987, 1.0];

    #[test]
    fn the_way_there_and_back() {
        for range in [uniform(-2.0, 5.0), log_uniform(1e-6, 10.0), uniform(f64::MIN, f64::MAX)] {
            for part in PARTS {
                assert!((range.part(range.at(part)) - part).abs() < 1e-9, "{range} at {part}");
            }
        }
        for range in [uniform(-2.0, 5.0).quantized(0.1), log_uniform(0.5, 10.0).quantized(0.5)] {
            for part in PARTS {
                let value = range.at(part);
                assert!(range.contains(value), "{range} at {part}: {value}");
                assert_eq!(range.at(range.part(value)), value, "{range} at {part}");
            }
        }
        for range in [int(-3, 4), int(0, 100).quantized(25), log_int(1, 1000), log_int(10, 1000).quantized(10)] {
            for part in PARTS {
                let value = range.at(part);
                assert!(range.contains(value), "{range} at {part}: {value}");
                assert_eq!(range.at(range.part(value)), value, "{range} at {part}");
            }
        }
    }

    #[test]
    fn whole_numbers_have_equal_parts() {
        let values: Vec<i64> = (0..8).map(|eighth| int(0, 4).at(f64::from(eighth) / 8.0)).collect();
        assert_eq!(values, [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!((int(0, 4).steps(), int(0, 10).quantized(5).steps()), (4, 3));
        assert_eq!(uniform(0.0, 1.0).quantized(0.25).steps(), Some(5));
    }

    #[test]
    fn each_value_has_a_cell() {
        let same = |cells: Option<Vec<f64>>, at: &dyn Fn(f64) -> f64, part: &dyn Fn(f64) -> f64| {
            let cells = cells.expect("they are few");
            for pair in cells.windows(2) {
                let inside = |share: f64| at(pair[0] * (1.0 - share) + pair[1] * share);
                assert!(pair[0] < pair[1] && inside(0.01) == inside(0.99), "{cells:?}");
                let middle = part(inside(0.5));
                assert!(pair[0] <= middle && middle <= pair[1], "{cells:?}: {middle}");
            }
        };
        for range in [int(-3, 4), int(0, 100).quantized(25), log_int(1, 17), log_int(10, 200).quantized(10)] {
            same(range.cells(32), &|part| range.at(part) as f64, &|value| range.part(value as i64));
        }
        for range in [uniform(-2.0, 1.0).quantized(0.1), log_uniform(0.5, 10.0).quantized(0.5)] {
            same(range.cells(32), &|part| range.at(part), &|value| range.part(value));
        }
        assert!(int(0, 33).cells(32).is_none() && uniform(0.0, 1.0).cells(32).is_none());
    }

    #[test]
    fn quantiles_of_the_normal_distribution() {
        // Of a table: 0.5, 0.8413, 0.975, 0.999.
        for (part, expected) in
            [(0.5, 0.0), (0.841_344_746_068_543, 1.0), (0.975, 1.959_963_984_540_054), (0.001, -3.090_232_306_167_814)]
        {
            let value = normal(10.0, 2.0).at(part);
            assert!((value - (10.0 + 2.0 * expected)).abs() < 1e-8, "{part}: {value}");
            assert!((normal(10.0, 2.0).part(value) - part).abs() < 1e-9);
        }
        assert!(normal(0.0, 1.0).at(0.0).is_finite() && normal(0.0, 1.0).at(1.0).is_finite());
    }
}
