//! A quantile of scores that only ever come, in logarithmic time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::number::Ordered;
use crate::logic::state::{Float, Floats};

/// The scores that were recorded, and the one below which a share of them lies.
///
/// The share never changes and scores only ever come, so the two scores between which the cut-off lies are kept on top
/// of two heaps: recording costs O(log n), asking O(1), and a score takes eight bytes.
#[derive(Clone, Debug)]
pub(super) struct Quantile {
    share: f64,
    lower: BinaryHeap<Ordered>,
    upper: BinaryHeap<Reverse<Ordered>>,
}

/// In a state: the share, and the scores in their order.
impl Floats for Quantile {
    type Form = (Float, Vec<Float>);

    fn form(&self) -> Self::Form {
        (Float(self.share), self.scores().form())
    }

    fn of_form((share, scores): Self::Form) -> Self {
        let mut quantile = Self { share: share.0, lower: BinaryHeap::new(), upper: BinaryHeap::new() };
        scores.into_iter().for_each(|score| quantile.record(score.0));
        quantile
    }
}

impl Quantile {
    /// No scores yet, of which so many percent, from 0 to 100, are to lie below the cut-off. Percent, as the last bit of
    /// the interpolation depends on the way to the share.
    pub(super) fn new(percent: f64) -> Self {
        Self { share: percent / 100.0, lower: BinaryHeap::new(), upper: BinaryHeap::new() }
    }

    /// How many scores it has; NaN isn't counted.
    pub(super) fn seen(&self) -> usize {
        self.lower.len() + self.upper.len()
    }

    /// The scores it has, ascending.
    pub(super) fn scores(&self) -> Vec<f64> {
        let all = self.lower.iter().copied().chain(self.upper.iter().map(|score| score.0));
        let mut scores: Vec<f64> = all.map(|score| score.0).collect();
        scores.sort_unstable_by(f64::total_cmp);
        scores
    }

    /// Takes `score` into account from now on. NaN changes nothing.
    pub(super) fn record(&mut self, score: f64) {
        if score.is_nan() {
            return;
        }
        let score = Ordered(score);
        match self.lower.peek() {
            Some(top) if score < *top => self.lower.push(score),
            _ => self.upper.push(Reverse(score)),
        }
        let (below, _) = position(self.seen(), self.share);
        while self.lower.len() <= below {
            let Some(Reverse(score)) = self.upper.pop() else { break };
            self.lower.push(score);
        }
        while self.lower.len() > below + 1 {
            let Some(score) = self.lower.pop() else { break };
            self.upper.push(Reverse(score));
        }
    }

    /// The cut-off, interpolated linearly between the two recorded scores around it; none while there is no score. It
    /// equals numpy's `nanpercentile` to the last bit for finite scores.
    pub(super) fn cut_off(&self) -> Option<f64> {
        let low = self.lower.peek()?.0;
        let high = self.upper.peek().map_or(low, |score| score.0.0);
        let (_, fraction) = position(self.seen(), self.share);
        Some(interpolate(low, high, fraction))
    }
}

/// Where the quantile of `count` sorted scores lies: the index below it and the fraction of the way to the next.
fn position(count: usize, quantile: f64) -> (usize, f64) {
    let exact = count.saturating_sub(1) as f64 * quantile;
    (exact.floor() as usize, exact - exact.floor())
}

/// From the nearer end, as numpy does.
fn interpolate(low: f64, high: f64, fraction: f64) -> f64 {
    if low == high || fraction == 0.0 {
        return low; // infinite scores would give NaN below
    }
    let difference = high - low;
    if fraction < 0.5 { low + difference * fraction } else { high - difference * (1.0 - fraction) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut_off_of_sorted(scores: &[f64], factor: f64) -> Option<f64> {
        let mut sorted: Vec<f64> = scores.iter().copied().filter(|score| !score.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let exact = (sorted.len().checked_sub(1)?) as f64 * (((1.0 - 1.0 / factor) * 100.0) / 100.0);
        let low = sorted[exact.floor() as usize];
        let high = *sorted.get(exact.floor() as usize + 1).unwrap_or(&low);
        Some(interpolate(low, high, exact - exact.floor()))
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => -1e6..1e6_f64,
            3 => (-3..3_i32).prop_map(f64::from),
            1 => Just(f64::NAN),
            1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
        ]
    }

    proptest! {
        #[test]
        fn equals_a_sorted_vector(
            scores in prop::collection::vec(score(), 0..200),
            factor in prop_oneof![(2..10_u32).prop_map(f64::from), 1.0001..40.0_f64],
        ) {
            let mut recorded = Quantile::new((1.0 - 1.0 / factor) * 100.0);
            for (index, score) in scores.iter().enumerate() {
                recorded.record(*score);
                let (found, expected) = (recorded.cut_off(), cut_off_of_sorted(&scores[..=index], factor));
                prop_assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "after {}", index + 1);
            }
        }
    }

    #[test]
    fn the_values_that_numpy_gives() {
        let mut recorded = Quantile::new(75.0);
        assert_eq!(recorded.cut_off(), None);
        recorded.record(f64::NAN);
        assert_eq!((recorded.cut_off(), recorded.seen()), (None, 0));
        let mut cut_offs = Vec::new();
        for score in [3.0, 1.0, 4.0, 1.0, 5.0] {
            recorded.record(score);
            cut_offs.push(recorded.cut_off().unwrap_or(f64::NAN));
        }
        assert_eq!(cut_offs, [3.0, 2.5, 3.5, 3.25, 4.0]);
    }

    #[test]
    fn a_diverged_score_cuts_nobody_off_by_itself() {
        let mut recorded = Quantile::new(50.0);
        recorded.record(f64::NEG_INFINITY);
        assert_eq!(recorded.cut_off(), Some(f64::NEG_INFINITY));
    }
}
