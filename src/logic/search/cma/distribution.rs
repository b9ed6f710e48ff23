//! The normal distribution that numbers are drawn from, and how it learns: Hansen 2016, "The CMA Evolution Strategy: A
//! Tutorial" (figure 6, with negative weights: Jastrebski and Arnold 2006). Whole numbers and steps are learnt as what they are, in the
//! middle of their cells, and on their axes draws are wider than the distribution where it is narrower than the margin: Hamano et al.
//! 2022, "CMA-ES with Margin".

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use super::margin::Cells;
use super::rates::Rates;
use crate::logic::state::float;

/// A point that falls outside is drawn anew so many times; then its coordinates are taken to the nearest bound.
const DRAWS: usize = 100;
/// Below this a step changes nothing that matters: the search has come to rest.
const AT_REST: f64 = 1e-9;
/// No step becomes smaller than this, where only whole numbers are left.
const LEAST_SIGMA: f64 = 1e-12;
/// No axis of the covariance becomes shorter than this part of the longest, in squares.
const LEAST_PART: f64 = 1e-14;

/// Where points are drawn from, in a box from 0 to 1.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    /// What values each number has.
    cells: Vec<Cells>,
    /// With what probability a whole number is other than that at the mean, at least.
    margin: f64,
    mean: DVector<f64>,
    sigma: f64,
    covariance: DMatrix<f64>,
    path_sigma: DVector<f64>,
    path_covariance: DVector<f64>,
    generations: u64,
    /// The covariance's axes, and the deviations along them.
    axes: DMatrix<f64>,
    deviations: DVector<f64>,
    /// By how much draws are wider, for each number.
    widths: DVector<f64>,
}

/// What of it is kept between sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DistributionState {
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

/// A vector of so many independent standard normal numbers.
fn normal(size: usize, random: &mut impl Rng) -> DVector<f64> {
    DVector::from_fn(size, |_, _| StandardNormal.sample(random))
}

/// The vector of this number, from 0 on, of some that are at right angles to one another, no more than there are dimensions; each is a
/// standard normal one: Wang, Emmerich and Bäck 2019.
pub(super) fn orthogonal(number: usize, size: usize, random: &mut impl Rng) -> DVector<f64> {
    let (mut before, mut last) = (Vec::<DVector<f64>>::new(), DVector::zeros(size));
    for _ in 0..=number {
        let drawn = normal(size, random);
        let rest = before.iter().fold(drawn.clone(), |rest, other| &rest - other * other.dot(&rest));
        let straight = rest.normalize();
        last = &straight * drawn.norm();
        before.push(straight);
    }
    last
}

impl Distribution {
    pub(super) fn new(mean: Vec<f64>, sigma: f64, cells: Vec<Cells>, margin: f64) -> Self {
        let size = mean.len();
        let mut distribution = Self {
            cells,
            margin,
            mean: DVector::from_vec(mean),
            sigma,
            covariance: DMatrix::identity(size, size),
            path_sigma: DVector::zeros(size),
            path_covariance: DVector::zeros(size),
            generations: 0,
            axes: DMatrix::identity(size, size),
            deviations: DVector::from_element(size, 1.0),
            widths: DVector::from_element(size, 1.0),
        };
        distribution.keep_margin();
        distribution
    }

    fn len(&self) -> usize {
        self.mean.len()
    }

    /// How many of the numbers have steps.
    pub(super) fn discrete(&self) -> usize {
        self.cells.iter().filter(|cells| **cells != Cells::None).count()
    }

    /// The deviation along one number's axis, as it was learnt.
    fn deviation(&self, number: usize) -> f64 {
        self.sigma * self.covariance[(number, number)].max(0.0).sqrt()
    }

    /// Whether its steps have become too small to matter. Those of whole numbers never do: the margin keeps them.
    pub(super) fn is_at_rest(&self) -> bool {
        let mut any = (0..self.len()).filter(|number| self.cells[*number] == Cells::None).peekable();
        !self.sigma.is_finite() || any.peek().is_some() && any.all(|number| self.deviation(number) < AT_REST)
    }

    /// Whether a point needn't be drawn anew. A whole number that the margin keeps may be outside, and is the one at the bound: to draw anew
    /// would make its neighbours rarer.
    fn holds(&self, point: &DVector<f64>) -> bool {
        let kept = |number: usize| self.widths[number] > 1.0;
        (0..self.len()).all(|number| kept(number) || (0.0..=1.0).contains(&point[number]))
    }

    /// The point in this direction, or in another if it lies outside.
    pub(super) fn draw(&self, mut standard: DVector<f64>, random: &mut impl Rng) -> Vec<f64> {
        let mut point = self.mean.clone();
        for _ in 0..DRAWS {
            let step: DVector<f64> = &self.axes * self.deviations.component_mul(&standard);
            point = &self.mean + step.component_mul(&self.widths) * self.sigma;
            if self.holds(&point) {
                break;
            }
            standard = normal(self.len(), random);
        }
        point.iter().map(|part| part.clamp(0.0, 1.0)).collect()
    }

    /// Without correlations.
    fn straight(&self, step: &DVector<f64>) -> DVector<f64> {
        &self.axes * (self.axes.transpose() * step).component_div(&self.deviations)
    }

    /// Learns from a generation, the best first. Whenever its points were drawn, they count as steps from where the mean is now. A
    /// number that doesn't count in a point is no step.
    pub(super) fn learn(&mut self, generation: &[Vec<Option<f64>>]) {
        let size = self.len() as f64;
        let rates = Rates::new(generation.len(), self.len());
        let expected = size.sqrt() * (1.0 - 1.0 / (4.0 * size) + 1.0 / (21.0 * size * size));
        let away = |point: &Vec<Option<f64>>, number: usize| {
            let part = point.get(number).copied().flatten();
            part.map_or(0.0, |part| (part - self.mean[number]) / self.widths[number] / self.sigma)
        };
        let steps: Vec<DVector<f64>> =
            generation.iter().map(|point| DVector::from_fn(self.len(), |number, _| away(point, number))).collect();
        let mut step = DVector::zeros(self.len());
        for (weight, one) in rates.weights.iter().zip(&steps).filter(|(weight, _)| **weight > 0.0) {
            step += one * *weight;
        }
        self.mean += step.component_mul(&self.widths) * self.sigma;
        self.generations += 1;

        let straight = self.straight(&step);
        self.path_sigma = &self.path_sigma * (1.0 - rates.sigma)
            + straight * (rates.sigma * (2.0 - rates.sigma) * rates.worth).sqrt();
        let settled = 1.0 - (1.0 - rates.sigma).powf(2.0 * self.generations as f64);
        let goes_on = self.path_sigma.norm() / settled.sqrt() < (1.4 + 2.0 / (size + 1.0)) * expected;
        let stalled = if goes_on { 1.0 } else { 0.0 };
        let new = (rates.path * (2.0 - rates.path) * rates.worth).sqrt();
        self.path_covariance = &self.path_covariance * (1.0 - rates.path) + step * (stalled * new);
        let lost = (1.0 - stalled) * rates.one * rates.path * (2.0 - rates.path);
        self.learn_covariance(&rates, &steps, lost);
        let growth = (rates.sigma / rates.damping) * (self.path_sigma.norm() / expected - 1.0);
        self.sigma = (self.sigma * growth.min(1.0).exp()).max(LEAST_SIGMA);
        if self.decompose() {
            let squares = DMatrix::from_diagonal(&self.deviations.component_mul(&self.deviations));
            self.covariance = &self.axes * squares * self.axes.transpose();
            self.decompose();
        }
        self.keep_margin();
    }

    /// `lost` is what the path didn't bring.
    fn learn_covariance(&mut self, rates: &Rates, steps: &[DVector<f64>], lost: f64) {
        let size = self.len() as f64;
        let kept = 1.0 - rates.one - rates.many * rates.weights.iter().sum::<f64>() + lost;
        let mut covariance =
            &self.covariance * kept + &self.path_covariance * self.path_covariance.transpose() * rates.one;
        for (weight, one) in rates.weights.iter().zip(steps) {
            // What a bad point takes away doesn't depend on how far off it is.
            let far = if *weight < 0.0 { size / (self.straight(one).norm_squared() + 1e-8) } else { 1.0 };
            covariance += one * one.transpose() * (rates.many * weight * far);
        }
        self.covariance = covariance;
    }

    /// Draws are as wide as the margin needs.
    fn keep_margin(&mut self) {
        for number in 0..self.len() {
            let least = self.cells[number].least_width(self.mean[number], self.margin);
            self.widths[number] = (least / self.deviation(number).max(f64::MIN_POSITIVE)).max(1.0);
        }
    }

    /// The same in another box. `places` are its numbers: the name by which `moved` knows each, and which one of this box it is. A mean
    /// that isn't in the other box is taken to its bound. A step keeps its width in the variable, but no more than `first` of the
    /// range, or what it had of it.
    pub(super) fn moved(
        &self,
        places: &[(usize, Option<usize>)],
        (first, cells, margin): (f64, Vec<Cells>, f64),
        moved: &dyn Fn(usize, f64) -> Option<f64>,
    ) -> Self {
        const NEAR: f64 = 1e-4;
        let factor = |axis: usize, was: usize, mean: f64| {
            let wide =
                moved(axis, mean + NEAR).zip(moved(axis, mean - NEAR)).map(|(up, down)| (up - down) / (2.0 * NEAR));
            let wide = wide.map(f64::abs).filter(|wide| wide.is_finite() && (wide - 1.0).abs() > 1e-9).unwrap_or(1.0);
            let step = self.deviation(was);
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
            cells,
            margin,
            mean: vector(&|(_, mean, _)| mean, 0.5),
            sigma: self.sigma,
            covariance,
            path_sigma: vector(&|(was, ..)| self.path_sigma[was], 0.0),
            path_covariance: vector(&|(was, _, factor)| self.path_covariance[was] * factor, 0.0),
            generations: self.generations,
            axes: DMatrix::identity(size, size),
            deviations: DVector::from_element(size, 1.0),
            widths: DVector::from_element(size, 1.0),
        };
        moved.decompose_unless_plain();
        moved.keep_margin();
        moved
    }

    /// The identity is its own decomposition, to the last bit.
    fn decompose_unless_plain(&mut self) {
        if self.generations > 0 || self.covariance != DMatrix::identity(self.len(), self.len()) {
            self.decompose();
        }
    }

    /// Answers whether an axis was too short, and is taken to be longer.
    fn decompose(&mut self) -> bool {
        let symmetric = (&self.covariance + self.covariance.transpose()) * 0.5;
        let eigen = SymmetricEigen::new(symmetric.clone());
        let least = (eigen.eigenvalues.max() * LEAST_PART).max(f64::MIN_POSITIVE);
        self.covariance = symmetric;
        self.axes = eigen.eigenvectors;
        self.deviations = eigen.eigenvalues.map(|value| value.max(least).sqrt());
        eigen.eigenvalues.iter().any(|value| *value < least)
    }

    pub(super) fn state(&self) -> DistributionState {
        DistributionState {
            mean: self.mean.as_slice().to_vec(),
            sigma: self.sigma,
            covariance: self.covariance.as_slice().to_vec(),
            path_sigma: self.path_sigma.as_slice().to_vec(),
            path_covariance: self.path_covariance.as_slice().to_vec(),
            generations: self.generations,
        }
    }

    /// None if it isn't one of so many dimensions.
    pub(super) fn of_state(state: DistributionState, cells: Vec<Cells>, margin: f64) -> Option<Self> {
        let size = cells.len();
        let vector = |numbers: Vec<f64>| Some(DVector::from_vec(numbers)).filter(|one| one.len() == size);
        let covariance = Some(state.covariance).filter(|all| all.len() == size * size)?;
        let mut distribution = Self {
            cells,
            margin,
            mean: vector(state.mean)?,
            sigma: state.sigma,
            covariance: DMatrix::from_vec(size, size, covariance),
            path_sigma: vector(state.path_sigma)?,
            path_covariance: vector(state.path_covariance)?,
            generations: state.generations,
            axes: DMatrix::identity(size, size),
            deviations: DVector::from_element(size, 1.0),
            widths: DVector::from_element(size, 1.0),
        };
        distribution.decompose_unless_plain();
        distribution.keep_margin();
        Some(distribution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn draws(distribution: &Distribution, count: usize, random: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        (0..count).map(|_| distribution.draw(normal(distribution.len(), random), random)).collect()
    }

    fn whole(point: Vec<f64>) -> Vec<Option<f64>> {
        point.into_iter().map(Some).collect()
    }

    /// A sphere and a long narrow ellipsoid, whose least value is at a known place.
    #[test]
    fn it_finds_the_bottom_of_bowls() {
        for stretch in [1.0, 1e3] {
            let mut random = ChaCha8Rng::seed_from_u64(3);
            let mut distribution = Distribution::new(vec![0.5; 4], 0.2, vec![Cells::None; 4], 0.02);
            let value = |point: &[f64]| {
                let terms = point.iter().enumerate().map(|(at, part)| {
                    let scale = if at == 0 { stretch } else { 1.0 };
                    scale * (part - 0.3).powi(2)
                });
                terms.sum::<f64>()
            };
            let mut best = f64::INFINITY;
            for _ in 0..150 {
                let mut points = draws(&distribution, 8, &mut random);
                points.sort_by(|one, other| value(one).total_cmp(&value(other)));
                best = best.min(value(&points[0]));
                distribution.learn(&points.into_iter().map(whole).collect::<Vec<_>>());
            }
            assert!(best < 1e-9, "{stretch}: {best}");
        }
    }

    #[test]
    fn directions_are_at_right_angles() {
        let vector = |number| orthogonal(number, 5, &mut ChaCha8Rng::seed_from_u64(7));
        let all: Vec<DVector<f64>> = (0..5).map(vector).collect();
        for (number, one) in all.iter().enumerate() {
            assert!(all[..number].iter().all(|other| one.dot(other).abs() < 1e-9), "{all:?}");
            assert!(one.norm() > 0.5, "{all:?}");
        }
    }

    /// However long a whole number was the best, its neighbours are drawn as often as the margin says.
    #[test]
    fn a_whole_number_never_becomes_certain() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let cells = vec![Cells::Equal(7), Cells::Equal(2), Cells::None];
        let mut distribution = Distribution::new(vec![0.5; 3], 0.2, cells, 0.05);
        let middle = |part: f64, count: f64| ((part * count).floor().min(count - 1.0) + 0.5) / count;
        for _ in 0..2_000 {
            let points = draws(&distribution, 8, &mut random).into_iter();
            let mut points: Vec<Vec<f64>> =
                points.map(|point| vec![middle(point[0], 7.0), middle(point[1], 2.0), point[2]]).collect();
            let value = |point: &[f64]| (point[0] - 0.6).abs() + (point[1] - 0.2).abs() + (point[2] - 0.3).abs();
            points.sort_by(|one, other| value(one).total_cmp(&value(other)));
            distribution.learn(&points.into_iter().map(whole).collect::<Vec<_>>());
        }
        assert!(distribution.is_at_rest(), "the number without steps has come to rest");
        let drawn = draws(&distribution, 20_000, &mut random);
        let share = |is: &dyn Fn(&Vec<f64>) -> bool| drawn.iter().filter(|point| is(point)).count() as f64 / 20_000.0;
        let shares = [share(&|p| p[0] < 4.0 / 7.0), share(&|p| p[0] > 5.0 / 7.0), share(&|p| p[1] > 0.5)];
        assert!(shares[0] > 0.022 && shares[1] > 0.022 && shares[2] > 0.045, "{shares:?}");
        assert!(shares.iter().sum::<f64>() < 0.2, "{shares:?}: and not much more often");
    }
}
