//! A Gaussian process: what is known of a function from some of its values, and how sure that is.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use serde::{Deserialize, Serialize};

use crate::logic::state::float;

/// How alike the values at two points are, by how far apart they lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// The logarithms of the lengths over which values change, one for each coordinate.
    #[serde(with = "float")]
    pub(super) lengths: Vec<f64>,
    /// The logarithm of the noise's variance, as a share of the values'.
    #[serde(with = "float")]
    pub(super) noise: f64,
}

/// Lengths and noise stay within these.
const LENGTHS: (f64, f64) = (-3.5, 3.0);
const NOISE: (f64, f64) = (-14.0, -1.0);

impl Kernel {
    pub(crate) fn new(size: usize) -> Self {
        Self { lengths: vec![-0.7; size], noise: -9.0 }
    }

    /// Matérn with smoothness 5/2.
    fn alike(&self, one: &[f64], other: &[f64]) -> f64 {
        let squares = one.iter().zip(other).zip(&self.lengths).map(|((one, other), length)| {
            let apart = (one - other) / length.exp();
            apart * apart
        });
        let squared = squares.sum::<f64>() * 5.0;
        let root = squared.sqrt();
        (1.0 + root + squared / 3.0) * (-root).exp()
    }

    fn matrix(&self, points: &[Vec<f64>]) -> DMatrix<f64> {
        let mut matrix = DMatrix::identity(points.len(), points.len());
        for (row, one) in points.iter().enumerate() {
            for (column, other) in points.iter().enumerate().take(row) {
                let alike = self.alike(one, other);
                matrix[(row, column)] = alike;
                matrix[(column, row)] = alike;
            }
            matrix[(row, row)] = 1.0 + self.noise.exp() + 1e-8;
        }
        matrix
    }

    /// The parameters as one list.
    fn get(&self, number: usize) -> f64 {
        self.lengths.get(number).copied().unwrap_or(self.noise)
    }

    fn with(&self, number: usize, value: f64) -> Self {
        let mut kernel = self.clone();
        match kernel.lengths.get_mut(number) {
            Some(length) => *length = value.clamp(LENGTHS.0, LENGTHS.1),
            None => kernel.noise = value.clamp(NOISE.0, NOISE.1),
        }
        kernel
    }

    /// How likely values are, as a logarithm, with a mild preference for lengths of half a range and little noise.
    fn likelihood(&self, points: &[Vec<f64>], values: &DVector<f64>) -> Option<f64> {
        let factor = Cholesky::new(self.matrix(points))?;
        let fit = values.dot(&factor.solve(values));
        let count = values.len() as f64;
        // The values' own variance is the one that fits best.
        let spread = (fit / count).max(1e-12);
        let volume: f64 = factor.l_dirty().diagonal().iter().map(|entry| entry.ln()).sum();
        let center = -0.7 + 0.5 * (self.lengths.len() as f64).ln();
        let lengths: f64 = self.lengths.iter().map(|length| ((length - center) / 1.2).powi(2)).sum();
        let noise = ((self.noise + 9.0) / 3.0).powi(2);
        Some(-0.5 * count * spread.ln() - volume - 0.5 * (lengths + noise))
    }

    /// The parameters under which the values are likeliest, found from these by steps along each in turn.
    pub(crate) fn fitted(&self, points: &[Vec<f64>], values: &[f64], rounds: usize) -> Self {
        let values = DVector::from_column_slice(values);
        let mut best = self.clone();
        let Some(mut reached) = best.likelihood(points, &values) else { return best };
        let mut step = 1.0;
        for _ in 0..rounds {
            let mut moved = false;
            for number in 0..=self.lengths.len() {
                for way in [step, -step] {
                    let tried = best.with(number, best.get(number) + way);
                    if let Some(likelihood) = tried.likelihood(points, &values).filter(|found| *found > reached) {
                        (best, reached, moved) = (tried, likelihood, true);
                        break;
                    }
                }
            }
            if !moved {
                step *= 0.5;
            }
        }
        best
    }
}

/// What is known after some values.
#[derive(Debug)]
pub(crate) struct Posterior {
    kernel: Kernel,
    points: Vec<Vec<f64>>,
    factor: Cholesky<f64, Dyn>,
    weights: DVector<f64>,
    /// The variance of the values themselves.
    spread: f64,
}

impl Posterior {
    /// None if the points can't be told apart, even with noise.
    pub(crate) fn new(kernel: Kernel, points: Vec<Vec<f64>>, values: &[f64]) -> Option<Self> {
        let values = DVector::from_column_slice(values);
        let factor = Cholesky::new(kernel.matrix(&points))?;
        let weights = factor.solve(&values);
        let spread = (values.dot(&weights) / values.len().max(1) as f64).max(1e-12);
        Some(Self { kernel, points, factor, weights, spread })
    }

    /// The mean and the standard deviation at a point.
    pub(crate) fn at(&self, point: &[f64]) -> (f64, f64) {
        let alike =
            DVector::from_iterator(self.points.len(), self.points.iter().map(|known| self.kernel.alike(known, point)));
        let mean = alike.dot(&self.weights);
        let explained = match self.factor.l_dirty().solve_lower_triangular(&alike) {
            Some(solved) => solved.norm_squared(),
            None => 0.0,
        };
        (mean, (self.spread * (1.0 - explained).max(1e-12)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_what_it_was_told_and_is_unsure_elsewhere() {
        let points: Vec<Vec<f64>> = (0..9).map(|at| vec![f64::from(at) / 8.0]).collect();
        let values: Vec<f64> = points.iter().map(|point| (point[0] * 6.0).sin()).collect();
        let kernel = Kernel::new(1).fitted(&points, &values, 30);
        let posterior = Posterior::new(kernel, points, &values).expect("the points are different");
        for at in [0.0_f64, 0.25, 0.5, 0.8] {
            let (mean, deviation) = posterior.at(&[at]);
            assert!((mean - (at * 6.0).sin()).abs() < 0.05, "{at}: {mean}");
            assert!(deviation < 0.2, "{at}: {deviation}");
        }
        assert!(posterior.at(&[1.6]).1 > 2.0 * posterior.at(&[0.5]).1);
    }
}
