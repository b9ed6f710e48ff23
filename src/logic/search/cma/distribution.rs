//! The normal distribution that points are drawn from, and how it learns: Hansen 2016, "The CMA Evolution Strategy: A
//! Tutorial" (figure 6, with positive weights).

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::logic::state::float;

/// A point that falls outside is drawn anew so many times; then its coordinates are taken to the nearest bound.
const DRAWS: usize = 100;
/// Below this a step changes nothing that matters: the search has come to rest.
const AT_REST: f64 = 1e-9;

/// Where points are drawn from, in a box from 0 to 1.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    population: usize,
    mean: DVector<f64>,
    sigma: f64,
    covariance: DMatrix<f64>,
    path_sigma: DVector<f64>,
    path_covariance: DVector<f64>,
    generations: u64,
    /// The covariance's axes, and the deviations along them.
    axes: DMatrix<f64>,
    deviations: DVector<f64>,
}

/// What of it is kept between sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DistributionState {
    population: usize,
    #[serde(with = "float")]
    mean: Vec<f64>,
    #[serde(with = "float")]
    sigma: f64,
    #[serde(with = "float")]
    covariance: Vec<f64>,
    #[serde(with = "float")]
    path_sigma: Vec<f64>,
    #[serde(with = "float")]
    path_covariance: Vec<f64>,
    generations: u64,
}

/// The weights of the better half, and how many equal ones they are worth.
fn weights(population: usize) -> (Vec<f64>, f64) {
    let half = (population / 2).max(1);
    let raw: Vec<f64> = (1..=half).map(|rank| (half as f64 + 0.5).ln() - (rank as f64).ln()).collect();
    let sum: f64 = raw.iter().sum();
    let weights: Vec<f64> = raw.into_iter().map(|weight| weight / sum).collect();
    let worth = 1.0 / weights.iter().map(|weight| weight * weight).sum::<f64>();
    (weights, worth)
}

impl Distribution {
    pub(super) fn new(mean: Vec<f64>, sigma: f64, population: usize) -> Self {
        let size = mean.len();
        Self {
            population,
            mean: DVector::from_vec(mean),
            sigma,
            covariance: DMatrix::identity(size, size),
            path_sigma: DVector::zeros(size),
            path_covariance: DVector::zeros(size),
            generations: 0,
            axes: DMatrix::identity(size, size),
            deviations: DVector::from_element(size, 1.0),
        }
    }

    pub(super) fn population(&self) -> usize {
        self.population
    }

    pub(super) fn len(&self) -> usize {
        self.mean.len()
    }

    /// Whether its steps have become too small to matter.
    pub(super) fn is_at_rest(&self) -> bool {
        self.sigma * self.deviations.max() < AT_REST || !self.sigma.is_finite()
    }

    pub(super) fn draw(&self, random: &mut impl Rng) -> Vec<f64> {
        let mut point = self.mean.clone();
        for _ in 0..DRAWS {
            let standard = DVector::from_fn(self.len(), |_, _| StandardNormal.sample(random));
            let step: DVector<f64> = &self.axes * self.deviations.component_mul(&standard);
            point = &self.mean + step * self.sigma;
            if point.iter().all(|part| (0.0..=1.0).contains(part)) {
                break;
            }
        }
        point.iter().map(|part| part.clamp(0.0, 1.0)).collect()
    }

    /// Learns from a generation: points with their values, less being better. Whenever they were drawn, they count as steps
    /// from where the mean is now.
    pub(super) fn learn(&mut self, mut generation: Vec<(Vec<f64>, f64)>) {
        generation.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        let size = self.len() as f64;
        let (weights, worth) = weights(generation.len());
        let c_sigma = (worth + 2.0) / (size + worth + 5.0);
        let damping = 1.0 + 2.0 * (((worth - 1.0) / (size + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        let c_path = (4.0 + worth / size) / (size + 4.0 + 2.0 * worth / size);
        let c_one = 2.0 / ((size + 1.3).powi(2) + worth);
        let c_many = (1.0 - c_one).min(2.0 * (worth - 2.0 + 1.0 / worth) / ((size + 2.0).powi(2) + worth));
        let expected = size.sqrt() * (1.0 - 1.0 / (4.0 * size) + 1.0 / (21.0 * size * size));

        let steps: Vec<DVector<f64>> = (generation.iter().take(weights.len()))
            .map(|(point, _)| (DVector::from_column_slice(point) - &self.mean) / self.sigma)
            .collect();
        let mut step = DVector::zeros(self.len());
        for (weight, one) in weights.iter().zip(&steps) {
            step += one * *weight;
        }
        self.mean += &step * self.sigma;
        self.generations += 1;

        // The inverse square root of the covariance straightens the step.
        let straight = &self.axes * (self.axes.transpose() * &step).component_div(&self.deviations);
        self.path_sigma = &self.path_sigma * (1.0 - c_sigma) + straight * (c_sigma * (2.0 - c_sigma) * worth).sqrt();
        let settled = 1.0 - (1.0 - c_sigma).powf(2.0 * self.generations as f64);
        let goes_on = self.path_sigma.norm() / settled.sqrt() < (1.4 + 2.0 / (size + 1.0)) * expected;
        let stalled = if goes_on { 1.0 } else { 0.0 };
        self.path_covariance =
            &self.path_covariance * (1.0 - c_path) + &step * (stalled * (c_path * (2.0 - c_path) * worth).sqrt());
        let kept = 1.0 - c_one - c_many + (1.0 - stalled) * c_one * c_path * (2.0 - c_path);
        self.covariance = &self.covariance * kept + &self.path_covariance * self.path_covariance.transpose() * c_one;
        for (weight, one) in weights.iter().zip(&steps) {
            self.covariance += one * one.transpose() * (c_many * weight);
        }
        self.sigma *= ((c_sigma / damping) * (self.path_sigma.norm() / expected - 1.0)).min(1.0).exp();
        self.decompose();
    }

    /// The same in another box. `places` are its numbers: the name by which `moved` knows each, and which one of this box it is. A mean
    /// that isn't in the other box is taken to its bound. A step keeps its width in the variable, but no more than `first` of the
    /// range, or what it had of it.
    pub(super) fn moved(
        &self,
        places: &[(usize, Option<usize>)],
        first: f64,
        moved: &dyn Fn(usize, f64) -> Option<f64>,
    ) -> Self {
        const NEAR: f64 = 1e-4;
        let factor = |axis: usize, was: usize, mean: f64| {
            let wide =
                moved(axis, mean + NEAR).zip(moved(axis, mean - NEAR)).map(|(up, down)| (up - down) / (2.0 * NEAR));
            let wide = wide.map(f64::abs).filter(|wide| wide.is_finite() && (wide - 1.0).abs() > 1e-9).unwrap_or(1.0);
            let step = self.sigma * self.covariance[(was, was)].max(0.0).sqrt();
            let most = first.max(step) / step.max(f64::MIN_POSITIVE);
            if most.is_finite() { wide.min(most) } else { wide }
        };
        let known: Vec<Option<(usize, f64, f64)>> = places
            .iter()
            .map(|(axis, was)| {
                let was = (*was).filter(|was| *was < self.len())?;
                let mean = self.mean[was];
                Some((was, moved(*axis, mean).map_or(0.5, |part| part.clamp(0.0, 1.0)), factor(*axis, was, mean)))
            })
            .collect();
        let size = places.len();
        let at = |place: usize| known.get(place).copied().flatten();
        let new = (first / self.sigma.max(f64::MIN_POSITIVE)).powi(2);
        let covariance = DMatrix::from_fn(size, size, |row, column| match (at(row), at(column)) {
            (Some((row, _, one)), Some((column, _, other))) => self.covariance[(row, column)] * one * other,
            _ if row == column => new,
            _ => 0.0,
        });
        let vector = |part: &dyn Fn((usize, f64, f64)) -> f64, other: f64| {
            DVector::from_fn(size, |place, _| at(place).map_or(other, part))
        };
        let mut moved = Self {
            population: self.population,
            mean: vector(&|(_, mean, _)| mean, 0.5),
            sigma: self.sigma,
            covariance,
            path_sigma: vector(&|(was, ..)| self.path_sigma[was], 0.0),
            path_covariance: vector(&|(was, _, factor)| self.path_covariance[was] * factor, 0.0),
            generations: self.generations,
            axes: DMatrix::identity(size, size),
            deviations: DVector::from_element(size, 1.0),
        };
        moved.decompose_unless_plain();
        moved
    }

    /// The identity is its own decomposition, to the last bit.
    fn decompose_unless_plain(&mut self) {
        if self.generations > 0 || self.covariance != DMatrix::identity(self.len(), self.len()) {
            self.decompose();
        }
    }

    fn decompose(&mut self) {
        let symmetric = (&self.covariance + self.covariance.transpose()) * 0.5;
        let eigen = SymmetricEigen::new(symmetric.clone());
        self.covariance = symmetric;
        self.axes = eigen.eigenvectors;
        self.deviations = eigen.eigenvalues.map(|value| value.max(1e-20).sqrt());
    }

    pub(super) fn state(&self) -> DistributionState {
        DistributionState {
            population: self.population,
            mean: self.mean.as_slice().to_vec(),
            sigma: self.sigma,
            covariance: self.covariance.as_slice().to_vec(),
            path_sigma: self.path_sigma.as_slice().to_vec(),
            path_covariance: self.path_covariance.as_slice().to_vec(),
            generations: self.generations,
        }
    }

    /// None if it isn't one of so many dimensions.
    pub(super) fn of_state(state: DistributionState, size: usize) -> Option<Self> {
        let vector = |numbers: Vec<f64>| Some(DVector::from_vec(numbers)).filter(|one| one.len() == size);
        let covariance = Some(state.covariance).filter(|all| all.len() == size * size)?;
        let mut distribution = Self {
            population: state.population.max(2),
            mean: vector(state.mean)?,
            sigma: state.sigma,
            covariance: DMatrix::from_vec(size, size, covariance),
            path_sigma: vector(state.path_sigma)?,
            path_covariance: vector(state.path_covariance)?,
            generations: state.generations,
            axes: DMatrix::identity(size, size),
            deviations: DVector::from_element(size, 1.0),
        };
        distribution.decompose_unless_plain();
        Some(distribution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// A sphere and a long narrow ellipsoid, whose least value is at a known place.
    #[test]
    fn it_finds_the_bottom_of_bowls() {
        for stretch in [1.0, 1e3] {
            let mut random = ChaCha8Rng::seed_from_u64(3);
            let mut distribution = Distribution::new(vec![0.5; 4], 0.2, 8);
            let value = |point: &[f64]| {
                let terms = point.iter().enumerate().map(|(at, part)| {
                    let scale = if at == 0 { stretch } else { 1.0 };
                    scale * (part - 0.3).powi(2)
                });
                terms.sum::<f64>()
            };
            let mut best = f64::INFINITY;
            for _ in 0..150 {
                let points: Vec<Vec<f64>> = (0..8).map(|_| distribution.draw(&mut random)).collect();
                let generation: Vec<_> = points.into_iter().map(|point| (point.clone(), value(&point))).collect();
                best = generation.iter().fold(best, |best, (_, value)| best.min(*value));
                distribution.learn(generation);
            }
            assert!(best < 1e-9, "{stretch}: {best}");
        }
    }
}
