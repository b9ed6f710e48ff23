//! How likely each option of each choice is drawn, and how that is learnt: the categorical part of CatCMA (Hamano et al. 2024), whose
//! steps are those of the adaptive stochastic natural gradient (Akimoto et al. 2019).

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::rates::positive;
use crate::logic::state::float;

/// With so much probability none of all whole numbers and choices is other than their likeliest.
const SETTLED: f64 = 0.73;
/// How certain a direction must be for steps to become no shorter.
const SIGNAL: f64 = 1.5;

/// Choices, which are drawn independently of one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Options {
    /// For each choice the probabilities of its options.
    #[serde(with = "float")]
    shares: Vec<Vec<f64>>,
    /// The mean direction of steps.
    #[serde(with = "float")]
    direction: Vec<f64>,
    #[serde(with = "float")]
    weight: f64,
    /// By how much steps are shorter than the first.
    #[serde(with = "float")]
    caution: f64,
}

impl Options {
    /// All options of a choice are as likely, of which there are so many.
    pub(super) fn new(counts: &[usize]) -> Self {
        Self::at(counts.iter().map(|count| vec![1.0 / *count as f64; *count]).collect())
    }

    fn at(shares: Vec<Vec<f64>>) -> Self {
        let free = shares.iter().map(|shares| shares.len().saturating_sub(1)).sum();
        Self { shares, direction: vec![0.0; free], weight: 0.0, caution: 1.0 }
    }

    pub(super) fn counts(&self) -> Vec<usize> {
        self.shares.iter().map(Vec::len).collect()
    }

    /// Whether it can be one of so many options, as a state that was read.
    pub(super) fn fits(&self, counts: &[usize]) -> bool {
        self.counts() == counts && self.direction.len() == Self::new(counts).direction.len()
    }

    pub(super) fn draw(&self, random: &mut impl Rng) -> Vec<usize> {
        let option = |shares: &Vec<f64>| {
            let mut left: f64 = random.random();
            let taken = shares.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            taken.unwrap_or(shares.len().saturating_sub(1))
        };
        self.shares.iter().map(option).collect()
    }

    /// Learns from a generation, the best first: which option each took, if the choice counted there. `discrete` is how many whole
    /// numbers and choices there are, so that the more there are, the rarer each is other than its likeliest.
    pub(super) fn learn(&mut self, generation: &[Vec<Option<usize>>], discrete: usize) {
        let weights = positive(generation.len());
        let mut gradient: Vec<Vec<f64>> = self.shares.iter().map(|shares| vec![0.0; shares.len()]).collect();
        for (weight, taken) in weights.iter().zip(generation) {
            for ((parts, shares), taken) in gradient.iter_mut().zip(&self.shares).zip(taken) {
                let Some(taken) = taken else { continue };
                for (option, (part, share)) in parts.iter_mut().zip(shares).enumerate() {
                    *part += weight * (f64::from(u8::from(option == *taken)) - share);
                }
            }
        }
        let straight = self.straight(&gradient);
        let length = straight.iter().map(|part| part * part).sum::<f64>().sqrt();
        // All took the same, or all is as it should be.
        if length < 1e-12 {
            return;
        }
        let step = 1.0 / self.caution / length;
        for (shares, parts) in self.shares.iter_mut().zip(&gradient) {
            shares.iter_mut().zip(parts).for_each(|(share, part)| *share += step * part);
        }
        self.adapt(&straight, length);
        self.keep_margin(discrete);
    }

    /// The gradient in coordinates in which all directions are as uncertain: Akimoto et al. 2019, appendix B.
    fn straight(&self, gradient: &[Vec<f64>]) -> Vec<f64> {
        let mut straight = Vec::with_capacity(self.direction.len());
        for (shares, parts) in self.shares.iter().zip(gradient) {
            let (Some((last, shares)), Some((_, parts))) = (shares.split_last(), parts.split_last()) else { continue };
            let sum: f64 = parts.iter().sum();
            let one = |(share, part): (&f64, &f64)| part / share.sqrt() + share.sqrt() * sum / (last + last.sqrt());
            straight.extend(shares.iter().zip(parts).map(one));
        }
        straight
    }

    /// Steps become longer while they go the same way.
    fn adapt(&mut self, straight: &[f64], length: f64) {
        let rate = (1.0 / self.caution / (self.direction.len() as f64).sqrt()).min(1.0);
        let new = (rate * (2.0 - rate)).sqrt() / length;
        for (mean, part) in self.direction.iter_mut().zip(straight) {
            *mean = (1.0 - rate) * *mean + new * part;
        }
        self.weight = (1.0 - rate).powi(2) * self.weight + rate * (2.0 - rate);
        let certain: f64 = self.direction.iter().map(|part| part * part).sum();
        self.caution *= (rate * (self.weight - certain / SIGNAL)).exp();
    }

    /// No option becomes less likely than the margin.
    fn keep_margin(&mut self, discrete: usize) {
        let changes = 1.0 - SETTLED.powf(1.0 / discrete.max(1) as f64);
        for shares in self.shares.iter_mut().filter(|shares| shares.len() > 1) {
            let count = shares.len() as f64;
            let least = changes / (count - 1.0);
            shares.iter_mut().for_each(|share| *share = share.max(least));
            let (sum, above) = (shares.iter().sum::<f64>(), shares.iter().sum::<f64>() - least * count);
            if above > 0.0 {
                shares.iter_mut().for_each(|share| *share -= (sum - 1.0) * (*share - least) / above);
            }
        }
    }

    /// The same for other choices: `was` says for each option of each of them which one of these it is, by the numbers of choice and
    /// option. A new option is as likely as if all were.
    pub(super) fn moved(&self, was: &[Vec<Option<(usize, usize)>>], discrete: usize) -> Self {
        let share = |(choice, option): (usize, usize)| self.shares.get(choice)?.get(option).copied();
        let shares = was.iter().map(|options| {
            let each = options.iter().map(|was| was.and_then(share).unwrap_or(1.0 / options.len() as f64));
            let each: Vec<f64> = each.collect();
            let sum: f64 = each.iter().sum();
            each.iter().map(|share| share / sum).collect()
        });
        let mut moved = Self::at(shares.collect());
        let same = |(choice, options): (usize, &Vec<Option<(usize, usize)>>)| {
            options.iter().enumerate().all(|(option, was)| *was == Some((choice, option)))
        };
        if moved.counts() == self.counts() && was.iter().enumerate().all(same) {
            return self.clone();
        }
        moved.keep_margin(discrete);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_best_options_become_likely_and_none_impossible() {
        let mut options = Options::new(&[3, 5, 2]);
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..60 {
            let mut generation: Vec<Vec<usize>> = (0..8).map(|_| options.draw(&mut random)).collect();
            generation.sort_by_key(|taken| taken[0].abs_diff(1) + taken[1].abs_diff(4));
            // The last choice counts nowhere.
            let shown: Vec<_> = generation.iter().map(|taken| vec![Some(taken[0]), Some(taken[1]), None]).collect();
            options.learn(&shown, 3);
        }
        assert!(options.shares[0][1] > 0.8 && options.shares[1][4] > 0.8, "{options:?}");
        assert_eq!(options.shares[2], [0.5, 0.5]);
        let changes = 1.0 - 0.73_f64.powf(1.0 / 3.0);
        for shares in &options.shares {
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
            let least = changes / (shares.len() as f64 - 1.0);
            assert!(shares.iter().all(|share| *share >= least - 1e-9), "{least}: {shares:?}");
        }
    }

    #[test]
    fn an_option_that_comes_is_as_likely_as_any() {
        let mut options = Options::new(&[2]);
        options.shares = vec![vec![0.1, 0.9]];
        assert_eq!(options.moved(&[vec![Some((0, 0)), Some((0, 1))]], 1), options);
        let moved = options.moved(&[vec![Some((0, 1)), None]], 1);
        assert!((moved.shares[0][0] - 0.9 / 1.4).abs() < 1e-9, "{moved:?}");
    }
}
