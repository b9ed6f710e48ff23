//! One rung: the points of the trials that came last to it, and where among them a new one stands.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::logic::metrics::pareto;
use crate::logic::state::float;

/// A milestone and the points recorded at it: a score for each objective, more is better.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rung {
    pub(super) milestone: f64,
    /// How many points were ever recorded.
    pub(super) seen: u64,
    /// The last of them.
    #[serde(with = "float")]
    pub(super) recent: VecDeque<Vec<f64>>,
}

/// Where a point stands among those that were there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The number of its front, from 1.
    pub(super) front: usize,
    /// How many fronts there are.
    pub(super) fronts: usize,
    /// How many are better: on a better front, or with more room on the same.
    pub(super) ahead: usize,
    /// How many there are, itself included.
    pub(super) of: usize,
}

impl Standing {
    /// Whether it isn't among the best `1 / reduction_factor`; whoever nobody is ahead of always is.
    pub(super) fn is_behind(self, reduction_factor: f64) -> bool {
        self.ahead as f64 * reduction_factor >= self.of as f64
    }
}

impl Rung {
    pub(super) fn new(milestone: f64) -> Self {
        Self { milestone, seen: 0, recent: VecDeque::new() }
    }

    /// Where `point` would stand. Points that are equal to it are neither ahead of it nor in its way.
    pub(super) fn place(&self, point: &[f64]) -> Standing {
        let points: Vec<&[f64]> = self.recent.iter().map(Vec::as_slice).chain([point]).collect();
        let fronts = pareto::fronts(&points);
        let own = points.len() - 1;
        let number = fronts.iter().position(|front| front.contains(&own)).unwrap_or(0);
        let before: usize = fronts.iter().take(number).map(Vec::len).sum();
        let others = fronts.get(number).into_iter().flatten().filter_map(|index| points.get(*index).copied());
        let mut rivals: Vec<&[f64]> = others.filter(|other| *other != point).collect();
        rivals.push(point);
        let rooms = pareto::crowding(&rivals);
        let room = rooms.last().copied().unwrap_or(f64::INFINITY);
        let roomier = rooms.iter().filter(|other| **other > room).count();
        Standing { front: number + 1, fronts: fronts.len(), ahead: before + roomier, of: points.len() }
    }

    /// Takes a point into account from now on, in the place of the oldest one if there are `memory` of them.
    pub(super) fn record(&mut self, point: Vec<f64>, memory: usize) {
        self.seen += 1;
        while self.recent.len() >= memory.max(1) {
            self.recent.pop_front();
        }
        self.recent.push_back(point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rung(points: &[[f64; 2]]) -> Rung {
        let mut rung = Rung::new(1.0);
        points.iter().for_each(|point| rung.record(point.to_vec(), 100));
        rung
    }

    #[test]
    fn fronts_count_first_and_then_room() {
        let rung = rung(&[[0.0, 9.0], [4.0, 5.0], [5.0, 4.0], [9.0, 0.0], [1.0, 1.0]]);
        assert_eq!(rung.place(&[0.5, 0.5]), Standing { front: 3, fronts: 3, ahead: 5, of: 6 });
        assert_eq!(rung.place(&[10.0, 10.0]), Standing { front: 1, fronts: 3, ahead: 0, of: 6 });
        // Both ends and whoever has a wider gap are ahead of the one between two that are close.
        assert_eq!(rung.place(&[4.5, 4.5]), Standing { front: 1, fronts: 2, ahead: 4, of: 6 });
        assert_eq!(rung.place(&[10.0, -1.0]).ahead, 0, "whoever is best in one objective stands at an end");
        assert_eq!(rung.place(&[9.0, 0.0]).ahead, 0, "equals stand beside each other");
    }

    #[test]
    fn the_first_is_the_best() {
        assert_eq!(Rung::new(1.0).place(&[-9.0]), Standing { front: 1, fronts: 1, ahead: 0, of: 1 });
    }

    #[test]
    fn only_the_last_are_kept() {
        let mut rung = Rung::new(1.0);
        (0..9).for_each(|score| rung.record(vec![f64::from(score)], 3));
        assert_eq!((rung.seen, rung.recent.iter().flatten().copied().collect::<Vec<_>>()), (9, vec![6.0, 7.0, 8.0]));
    }

    proptest! {
        /// With one objective it is the number of better scores.
        #[test]
        fn one_objective_is_an_order(scores in prop::collection::vec(-5..5_i32, 0..40), own in -5..5_i32) {
            let mut rung = Rung::new(1.0);
            scores.iter().for_each(|score| rung.record(vec![f64::from(*score)], 100));
            let better = scores.iter().filter(|score| **score > own).count();
            prop_assert_eq!(rung.place(&[f64::from(own)]).ahead, better);
        }
    }
}
