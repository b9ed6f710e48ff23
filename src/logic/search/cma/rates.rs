//! How much each point of a generation weighs, and how fast is learnt.

/// Of a generation of so many, in so many dimensions: Hansen 2016, equations 49 to 58.
pub(super) struct Rates {
    /// For the best point first. Those of the worse half are negative.
    pub(super) weights: Vec<f64>,
    /// How many equal points the better half is worth.
    pub(super) worth: f64,
    /// Of the path of the step's size.
    pub(super) sigma: f64,
    pub(super) damping: f64,
    /// Of the path of the covariance.
    pub(super) path: f64,
    /// Of what that path teaches.
    pub(super) one: f64,
    /// Of what the points teach.
    pub(super) many: f64,
}

/// The logarithmic weights before they are scaled.
fn raw(count: usize) -> Vec<f64> {
    (1..=count).map(|rank| ((count as f64 + 1.0) / 2.0).ln() - (rank as f64).ln()).collect()
}

fn worth(weights: &[f64]) -> f64 {
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    if squares > 0.0 { weights.iter().sum::<f64>().powi(2) / squares } else { 0.0 }
}

/// The weights of the better half alone, which are 1 together.
pub(super) fn positive(count: usize) -> Vec<f64> {
    let better: Vec<f64> = raw(count).into_iter().take((count / 2).max(1)).collect();
    let sum: f64 = better.iter().sum();
    better.into_iter().map(|weight| weight / sum).collect()
}

impl Rates {
    pub(super) fn new(count: usize, dimensions: usize) -> Self {
        let (size, raw) = (dimensions.max(1) as f64, raw(count));
        let (better, worse) = raw.split_at(count / 2);
        let (worth, against) = (worth(better), worth(worse));
        let one = 2.0 / ((size + 1.3).powi(2) + worth);
        let many = (1.0 - one).min(2.0 * (worth - 2.0 + 1.0 / worth) / ((size + 2.0).powi(2) + worth));
        let sigma = (worth + 2.0) / (size + worth + 5.0);
        // So much that the covariance stays positive, and is kept as it is when nothing is learnt.
        let negative = (1.0 + one / many)
            .min(1.0 + 2.0 * against / (worth + 2.0))
            .min((1.0 - one - many) / (size * many))
            .max(0.0);
        let total = |of: &dyn Fn(f64) -> bool| raw.iter().copied().filter(|weight| of(*weight)).sum::<f64>().abs();
        let (above, below) = (total(&|weight| weight > 0.0), total(&|weight| weight < 0.0));
        let scaled = |weight: &f64| if *weight >= 0.0 { weight / above } else { negative * weight / below };
        Self {
            weights: raw.iter().map(scaled).collect(),
            worth,
            sigma,
            damping: 1.0 + 2.0 * (((worth - 1.0) / (size + 1.0)).sqrt() - 1.0).max(0.0) + sigma,
            path: (4.0 + worth / size) / (size + 4.0 + 2.0 * worth / size),
            one,
            many,
        }
    }
}
