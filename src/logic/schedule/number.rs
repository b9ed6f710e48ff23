//! Numbers, as schedulers need them: in a total order, rid of rounding errors, and short enough to read.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::logic::state::float;

/// A number in a total order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Ordered(#[serde(with = "float")] pub(super) f64);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl std::hash::Hash for Ordered {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// `number`, or the whole number within 1e-9 of it, relatively.
pub(super) fn snapped(number: f64) -> f64 {
    if (number - number.round()).abs() <= 1e-9 * number.abs() { number.round() } else { number }
}

/// Six significant digits, without zeros at the end.
pub(super) fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    let size = rounded.abs();
    if size == 0.0 || (1e-4..1e15).contains(&size) || !size.is_finite() {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}

/// Both numbers, short if that tells them apart.
pub(super) fn told_apart(a: f64, b: f64) -> (String, String) {
    let (shown, other) = (short(a), short(b));
    if shown == other { (a.to_string(), b.to_string()) } else { (shown, other) }
}
