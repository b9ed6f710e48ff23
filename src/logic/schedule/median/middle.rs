//! Numbers of which the median is wanted again and again, while some come and a few change.

use std::collections::BTreeSet;

use crate::logic::schedule::number::Ordered;

/// One number each of some owners, halved in the middle: the median costs O(1) but for the descent to a set's end, and a
/// change O(log n).
#[derive(Clone, Debug, Default)]
pub(super) struct Middle {
    /// As many as `upper` has, or one more.
    lower: BTreeSet<(Ordered, usize)>,
    upper: BTreeSet<(Ordered, usize)>,
}

impl Middle {
    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.lower.len() + self.upper.len()
    }

    /// Takes the number of `owner` in. One that isn't finite is left out.
    pub(super) fn insert(&mut self, number: f64, owner: usize) {
        if !number.is_finite() {
            return;
        }
        let key = (Ordered(number), owner);
        match self.lower.last() {
            Some(top) if key > *top => self.upper.insert(key),
            _ => self.lower.insert(key),
        };
        self.balance();
    }

    /// Takes the number of `owner` out, if it is there.
    pub(super) fn remove(&mut self, number: f64, owner: usize) {
        let key = (Ordered(number), owner);
        if !self.lower.remove(&key) {
            self.upper.remove(&key);
        }
        self.balance();
    }

    /// The number in the middle, or that between the two there; none while there is no number.
    pub(super) fn median(&self) -> Option<f64> {
        let (Ordered(low), _) = self.lower.last()?;
        match self.upper.first() {
            Some((Ordered(high), _)) if self.lower.len() == self.upper.len() => Some(low.midpoint(*high)),
            _ => Some(*low),
        }
    }

    fn balance(&mut self) {
        if self.lower.len() > self.upper.len() + 1 {
            self.upper.extend(self.lower.pop_last());
        } else if self.upper.len() > self.lower.len() {
            self.lower.extend(self.upper.pop_first());
        }
    }
}

/// The median of numbers that are wanted once, and how many of them are finite: the others are left out.
pub(super) fn median_of(numbers: impl Iterator<Item = f64>) -> (Option<f64>, usize) {
    let mut numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
    let count = numbers.len();
    if count == 0 {
        return (None, 0);
    }
    let (below, high, _) = numbers.select_nth_unstable_by(count / 2, f64::total_cmp);
    let high = *high;
    if count % 2 == 1 {
        return (Some(high), count);
    }
    let low = below.iter().copied().max_by(f64::total_cmp).unwrap_or(high);
    (Some(low.midpoint(high)), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_agree(
            numbers in prop::collection::vec(prop_oneof![4 => -9.0..9.0_f64, 1 => Just(f64::NAN)], 0..60),
            gone in 0..60_usize,
        ) {
            let mut middle = Middle::default();
            for (owner, number) in numbers.iter().enumerate() {
                middle.insert(*number, owner);
                let (median, count) = median_of(numbers[..=owner].iter().copied());
                prop_assert_eq!((middle.median(), middle.len()), (median, count));
            }
            for (owner, number) in numbers.iter().enumerate().take(gone) {
                middle.remove(*number, owner);
                let (median, count) = median_of(numbers[owner + 1..].iter().copied());
                prop_assert_eq!((middle.median(), middle.len()), (median, count));
            }
        }
    }

    #[test]
    fn the_values_that_numpy_gives() {
        assert_eq!(median_of([3.0, f64::INFINITY, 1.0].into_iter()), (Some(2.0), 2));
        assert_eq!(median_of([3.0, 1.0, 2.0].into_iter()), (Some(2.0), 3));
        assert_eq!(median_of([f64::NAN].into_iter()), (None, 0));
    }
}
