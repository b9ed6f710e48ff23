//! Children: the genes of two parents mixed, and changed a little.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::population::Member;
use crate::logic::space::{AxisKind, Frame};
use crate::logic::state::float;

/// How the genes of two parents are mixed. Options of a choice come from one parent or the other in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Crossover {
    /// Each value is that of one parent or the other: what Optuna does by default.
    #[default]
    Uniform,
    /// Half of the numbers lie near one of the parents' values, as far from it as the parents are apart: simulated binary
    /// crossover.
    SimulatedBinary {
        /// How near: the distribution's index, above 0. Deb et al. 2002 use 20; less spreads more.
        #[serde(with = "float")]
        #[cfg_attr(feature = "cli", schemars(with = "f64"))]
        eta: f64,
    },
}

/// A point anywhere in the space.
pub(super) fn anywhere(frame: &Frame, random: &mut impl Rng) -> Vec<f64> {
    frame.axes().iter().map(|_| random.random()).collect()
}

/// The better of two that are drawn. None of an empty population.
fn tournament<'a>(population: &'a [Member], random: &mut impl Rng) -> Option<&'a Member> {
    let mut draw = || population.get(random.random_range(0..population.len().max(1)));
    let (one, other) = (draw()?, draw()?);
    Some(if other.compare(one).is_gt() { other } else { one })
}

impl Settings {
    /// A child of two of `population`; a point anywhere if that has none to choose from.
    pub(super) fn child(&self, frame: &Frame, population: &[Member], random: &mut impl Rng) -> Vec<f64> {
        let parents = if population.len() < 2 { None } else { tournament(population, random) }
            .and_then(|first| Some((first, tournament(population, random)?)));
        let Some((first, second)) = parents else { return anywhere(frame, random) };
        let (first, second) = (&first.individual.genes, &second.individual.genes);
        let mut genes = first.clone();
        if random.random::<f64>() < self.crossover_prob {
            for ((gene, other), axis) in genes.iter_mut().zip(second).zip(frame.axes()) {
                *gene = self.mixed(*gene, *other, axis.kind(), random);
            }
        }
        let is_copy = genes == *first || genes == *second;
        self.mutate(frame, &mut genes, is_copy, random);
        genes
    }

    fn mixed(&self, gene: f64, other: f64, kind: AxisKind, random: &mut impl Rng) -> f64 {
        let swapped = random.random::<bool>();
        match (self.crossover, kind) {
            (Crossover::SimulatedBinary { eta }, AxisKind::Number | AxisKind::Steps(_)) => {
                if random.random::<bool>() {
                    binary(gene, other, eta, swapped, random.random())
                } else {
                    gene
                }
            }
            _ if swapped => other,
            _ => gene,
        }
    }

    /// Changes each value that counts with the probability that is set, and at least one of a mere copy.
    fn mutate(&self, frame: &Frame, genes: &mut [f64], is_copy: bool, random: &mut impl Rng) {
        let counting: Vec<usize> = (0..genes.len()).filter(|axis| frame.counts(*axis, genes)).collect();
        let probability = self.mutation_prob.unwrap_or(1.0 / counting.len().max(1) as f64);
        let always = if is_copy { counting.get(random.random_range(0..counting.len().max(1))) } else { None };
        for axis in &counting {
            let changes = random.random::<f64>() < probability || always == Some(axis);
            let kind = frame.axes().get(*axis).map(|axis| axis.kind());
            if let (true, Some(kind), Some(gene)) = (changes, kind, genes.get_mut(*axis)) {
                *gene = changed(*gene, kind, self.mutation_eta, random);
            }
        }
    }
}

/// One of the two children of simulated binary crossover between bounds 0 and 1 (Deb and Agrawal 1995, and Deb's code), at the
/// quantile `part`.
fn binary(a: f64, b: f64, eta: f64, upper: bool, part: f64) -> f64 {
    let (low, high) = (a.min(b), a.max(b));
    let apart = high - low;
    if apart < 1e-14 {
        return a;
    }
    let free = if upper { 1.0 - high } else { low };
    let alpha = 2.0 - (1.0 + 2.0 * free / apart).powf(-(eta + 1.0));
    let power = 1.0 / (eta + 1.0);
    let spread =
        if part <= 1.0 / alpha { (part * alpha).powf(power) } else { (1.0 / (2.0 - part * alpha)).powf(power) };
    let child = 0.5 * (low + high + if upper { spread * apart } else { -spread * apart });
    child.clamp(0.0, 1.0)
}

/// Another value near `gene`, or any other option.
fn changed(gene: f64, kind: AxisKind, eta: f64, random: &mut impl Rng) -> f64 {
    let part = random.random();
    match kind {
        AxisKind::Options(_) => part,
        AxisKind::Number => polynomial(gene, eta, part),
        AxisKind::Steps(count) => {
            let moved = polynomial(gene, eta, part);
            let step = |place: f64| (place * count as f64).floor();
            if step(moved) != step(gene) {
                return moved;
            }
            // So near that nothing would change: the next step on that side, or on the other at an end.
            let width = 1.0 / count.max(1) as f64;
            let next = if part < 0.5 { gene - width } else { gene + width };
            let other = if part < 0.5 { gene + width } else { gene - width };
            if (0.0..1.0).contains(&next) { next } else { other.clamp(0.0, 1.0) }
        }
    }
}

/// Polynomial mutation between bounds 0 and 1 (Deb 2001), at the quantile `part`.
fn polynomial(gene: f64, eta: f64, part: f64) -> f64 {
    let power = 1.0 / (eta + 1.0);
    let delta = if part < 0.5 {
        (2.0 * part + (1.0 - 2.0 * part) * (1.0 - gene).powf(eta + 1.0)).powf(power) - 1.0
    } else {
        1.0 - (2.0 * (1.0 - part) + 2.0 * (part - 0.5) * gene.powf(eta + 1.0)).powf(power)
    };
    (gene + delta).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_leaves_the_space(a in 0.0..=1.0_f64, b in 0.0..=1.0_f64, part in 0.0..1.0_f64, eta in 0.1..50.0_f64) {
            for upper in [false, true] {
                let child = binary(a, b, eta, upper, part);
                prop_assert!((0.0..=1.0).contains(&child), "{}", child);
            }
            prop_assert!((0.0..=1.0).contains(&polynomial(a, eta, part)));
        }

        #[test]
        fn a_quantile_in_the_middle_changes_nothing(gene in 0.0..=1.0_f64) {
            prop_assert!((polynomial(gene, 20.0, 0.5) - gene).abs() < 1e-12);
        }
    }

    #[test]
    fn the_ends_can_be_reached() {
        assert_eq!((polynomial(0.7, 20.0, 0.0), polynomial(0.3, 20.0, 1.0)), (0.0, 1.0));
        let (low, high) = (binary(0.4, 0.6, 20.0, false, 1.0 - 1e-16), binary(0.4, 0.6, 20.0, true, 1.0 - 1e-16));
        assert!(low < 0.05 && high > 0.95, "{low}, {high}");
    }

    #[test]
    fn a_whole_number_changes_by_a_step_at_least() {
        use rand::SeedableRng;
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let moved = changed(0.9, AxisKind::Steps(3), 20.0, &mut random);
            assert!(moved < 2.0 / 3.0, "{moved}");
        }
    }
}
