//! The improvement that is to be expected at a point, as a logarithm: where it is tiny, it can still be compared.

use std::f64::consts::PI;

/// The logarithm of the expected improvement on `least`, where a normal distribution with this mean and deviation is known.
pub(super) fn log_expected_improvement(mean: f64, deviation: f64, least: f64) -> f64 {
    let gain = (least - mean) / deviation;
    deviation.ln() + log_gain(gain)
}

/// The logarithm of φ(z) + z Φ(z).
fn log_gain(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    if z > -5.0 {
        return (density + z * below(z)).max(f64::MIN_POSITIVE).ln();
    }
    // φ(z) / z² (1 - 3 / z² + 15 / z⁴): the next term is below a thousandth from here on.
    let square = z * z;
    -0.5 * square - 0.5 * (2.0 * PI).ln() - square.ln() + (1.0 - 3.0 / square + 15.0 / (square * square)).ln()
}

/// How much of the standard normal distribution lies below `z`, within 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn below(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592]
        .into_iter()
        .fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    let above = 0.5 * sum * (-x * x).exp();
    if z > 0.0 { 1.0 - above } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_with_hope_and_with_doubt() {
        assert!((log_expected_improvement(0.0, 1.0, 0.0) - (1.0 / (2.0 * PI).sqrt()).ln()).abs() < 1e-6);
        assert!(log_expected_improvement(0.0, 2.0, 0.0) > log_expected_improvement(0.0, 1.0, 0.0));
        let mut before = f64::NEG_INFINITY;
        for step in -400..50 {
            let now = log_gain(f64::from(step) / 10.0);
            assert!(now > before, "{step}: {now} after {before}");
            before = now;
        }
        assert!((log_gain(10.0) - 10.0_f64.ln()).abs() < 1e-6);
    }
}
