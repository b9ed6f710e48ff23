//! The normal distribution.

use std::f64::consts::SQRT_2;

/// How much of a normal distribution lies between two values.
pub(crate) fn mass(from: f64, to: f64, mean: f64, width: f64) -> f64 {
    let (from, to) = ((from - mean) / width / SQRT_2, (to - mean) / width / SQRT_2);
    // On one side of the mean both are close to 1 or -1, and their difference is told by what is missing.
    if from > 0.0 {
        (libm::erfc(from) - libm::erfc(to)) / 2.0
    } else if to < 0.0 {
        (libm::erfc(-to) - libm::erfc(-from)) / 2.0
    } else {
        (libm::erf(to) - libm::erf(from)) / 2.0
    }
}
