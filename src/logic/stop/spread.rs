//! How far numbers lie apart, for rules about values that have settled.

/// The population's standard deviation, in two passes: exact enough for values that differ in their last digits only.
/// NaN if one of them isn't finite, or there are none.
pub(super) fn deviation(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = values.len() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_that_numpy_gives() {
        let of = |values: &[f64]| deviation(values.iter().copied());
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0]), 1.118_033_988_749_895);
        assert_eq!(of(&[2.5, 2.5]), 0.0);
        assert!(of(&[]).is_nan() && of(&[1.0, f64::NAN]).is_nan() && of(&[f64::INFINITY, f64::INFINITY]).is_nan());
    }
}
