//! The plan of a band: how many trials each bracket takes, and until when they run, in exact arithmetic.

use super::settings::{Filling, MOST_HALVINGS};
use crate::logic::schedule::number::snapped;

/// How a bracket begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// How many trials it takes.
    pub(super) places: u64,
    /// The time at which they are compared first.
    pub(super) milestone: u64,
    /// How often they are halved.
    pub(super) halvings: u32,
}

/// The two numbers from which everything follows. A whole factor is reckoned with as an integer; with another one,
/// results within 1e-9 of a whole number are taken for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) max_t: u64,
    pub(super) factor: f64,
}

impl Plan {
    /// How many brackets a band has, those without a place in time included.
    pub(super) fn brackets(self) -> u32 {
        let powers = (self.max_t as f64).ln() / self.factor.ln();
        // Halves are snapped to as well, so that they go to the even side whatever the logarithms came to.
        let powers = (snapped(powers * 2.0) / 2.0).round_ties_even();
        if powers.is_finite() { (powers as u32).saturating_add(1) } else { u32::MAX }
    }

    /// The brackets of a band, in the order in which they are filled; the smallest has no halving. One whose first
    /// milestone would be before time 1 is left out.
    pub(super) fn band(self, filling: Filling) -> Vec<Start> {
        let brackets = self.brackets();
        let mut band: Vec<Start> = (0..brackets.min(MOST_HALVINGS + 1))
            .map(|halvings| self.start(brackets, halvings))
            .filter(|start| start.milestone > 0)
            .collect();
        if filling == Filling::LargestFirst {
            band.reverse();
        }
        band
    }

    fn start(self, brackets: u32, halvings: u32) -> Start {
        let (all, share) = (u128::from(brackets), u128::from(halvings) + 1);
        let exact = self.whole().and_then(|factor| factor.checked_pow(halvings)).and_then(|power| {
            let places = all.checked_mul(power)?.div_ceil(share);
            Some((places, u128::from(self.max_t) / power))
        });
        let (places, milestone) = exact.unwrap_or_else(|| {
            let power = self.factor.powi(i32::try_from(halvings).unwrap_or(i32::MAX));
            let places = snapped(all as f64 * power / share as f64).ceil();
            (places as u128, snapped(self.max_t as f64 / power).floor() as u128)
        });
        Start { places: clamped(places).max(1), milestone: clamped(milestone), halvings }
    }

    /// How many of `places` are left after a halving.
    pub(super) fn fewer(self, places: u64) -> u64 {
        match self.whole() {
            Some(factor) => clamped(u128::from(places).div_ceil(factor)),
            None => snapped(places as f64 / self.factor).ceil() as u64,
        }
    }

    /// The milestone after `milestone`.
    pub(super) fn later(self, milestone: u64) -> u64 {
        let later = match self.whole() {
            Some(factor) => clamped(u128::from(milestone).saturating_mul(factor)),
            None => snapped(milestone as f64 * self.factor).floor() as u64,
        };
        later.min(self.max_t)
    }

    /// Trials and milestone of each round of a bracket.
    pub(super) fn rounds(self, start: Start) -> Vec<(u64, u64)> {
        let first = (start.places, start.milestone);
        let next = |&(places, milestone): &(u64, u64)| Some((self.fewer(places), self.later(milestone)));
        std::iter::successors(Some(first), next).take(start.halvings as usize + 1).collect()
    }

    /// The last milestone of a bracket.
    pub(super) fn last(self, start: Start) -> u64 {
        (0..start.halvings).fold(start.milestone, |milestone, _| self.later(milestone))
    }

    /// The work of a bracket, by which its progress is measured. Rounds after the first count for no more than the time
    /// from the first milestone to `max_t`, and each from time 0: as crude as the reference has it, whose choices of the
    /// next trial depend on it.
    pub(super) fn work(self, start: Start) -> f64 {
        let most = self.max_t.saturating_sub(start.milestone);
        let (mut places, mut time, mut work) = (start.places, start.milestone, 0.0);
        for _ in 0..=start.halvings {
            work += places as f64 * time as f64;
            (places, time) = (self.fewer(places), self.later(time).min(most));
        }
        work
    }

    fn whole(self) -> Option<u128> {
        (self.factor.fract() == 0.0 && (1.0..9e15).contains(&self.factor)).then_some(self.factor as u128)
    }
}

fn clamped(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(max_t: u64, factor: f64) -> Vec<(u64, u64)> {
        Plan { max_t, factor }
            .band(Filling::SmallestFirst)
            .iter()
            .map(|start| (start.places, start.milestone))
            .collect()
    }

    #[test]
    fn the_bands_of_the_paper() {
        assert_eq!(band(81, 3.0), [(5, 81), (8, 27), (15, 9), (34, 3), (81, 1)]);
        assert_eq!(band(8, 2.0), [(4, 8), (4, 4), (6, 2), (8, 1)]);
        assert_eq!(band(1000, 10.0), [(4, 1000), (20, 100), (134, 10), (1000, 1)]);
    }

    #[test]
    fn powers_lose_nothing_to_rounding() {
        for (factor, powers) in [(2_u64, 62), (3, 39), (5, 27), (7, 22), (10, 19)] {
            for power in 1..powers {
                let starts = Plan { max_t: factor.pow(power), factor: factor as f64 }.band(Filling::SmallestFirst);
                assert_eq!(starts.len(), power as usize + 1, "{factor}^{power}");
                assert!(starts.iter().all(|start| start.milestone == factor.pow(power - start.halvings)));
            }
        }
        let root = Plan { max_t: 1000, factor: 10.0_f64.sqrt() };
        assert_eq!(
            root.band(Filling::SmallestFirst).iter().map(|start| start.milestone).collect::<Vec<_>>(),
            [1000, 316, 100, 31, 10, 3, 1]
        );
        assert_eq!(root.later(root.later(10)), 98, "a milestone is a whole number at every step");
    }

    #[test]
    fn brackets_before_time_1_are_left_out() {
        assert_eq!(band(20, 3.0), [(4, 20), (6, 6), (12, 2)]);
        assert_eq!(band(1, 3.0), [(1, 1)]);
    }

    #[test]
    fn a_useless_factor_ends_somewhere() {
        for factor in [1.0, 1.000_001, 0.5, f64::NAN, f64::INFINITY, -2.0] {
            assert!(band(100, factor).len() <= MOST_HALVINGS as usize + 1, "{factor}");
        }
    }
}
