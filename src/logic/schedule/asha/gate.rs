//! One rung of the promotion form: who was there, who of them waits, and who is among the best, in logarithmic time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::schedule::number::{Ordered, snapped};

/// Where a trial stands at a rung: by its score, and of equal ones the earlier is the better. NaN is below everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    score: Ordered,
    earlier: Reverse<u64>,
}

impl Rank {
    pub(super) fn score(self) -> f64 {
        self.score.0
    }
}

/// A rung at which trials wait until they are among the best `1 / factor` of those that were there.
///
/// Ranks only ever come, so the worst of the best and the best of the others are kept on top of two heaps: recording
/// costs O(log n), asking O(1).
#[derive(Clone, Debug)]
pub(super) struct Gate {
    milestone: f64,
    factor: f64,
    best: BinaryHeap<Reverse<Rank>>,
    others: BinaryHeap<Rank>,
    waiting: BTreeMap<Rank, TrialId>,
}

/// How a rung looks to somebody who isn't among its best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) milestone: f64,
    /// How many of those that were there are its best.
    pub(super) places: usize,
    /// How many were there.
    pub(super) seen: usize,
    /// The worst score of the best; none if there are no places yet.
    pub(super) least: Option<f64>,
    /// How many must have been there for a first one to go on.
    pub(super) needed: usize,
}

impl Gate {
    pub(super) fn new(milestone: f64, factor: f64) -> Self {
        let (best, others) = (BinaryHeap::new(), BinaryHeap::new());
        Self { milestone, factor, best, others, waiting: BTreeMap::new() }
    }

    /// How many were there.
    pub(super) fn seen(&self) -> usize {
        self.best.len() + self.others.len()
    }

    /// The time at which it is reached.
    pub(super) fn milestone(&self) -> f64 {
        self.milestone
    }

    /// Somebody got there with `score`.
    pub(super) fn record(&mut self, score: f64) -> Rank {
        // The sign of NaN decides where it stands, and -0.0 is 0.0.
        let score = Ordered(if score.is_nan() { -f64::NAN.abs() } else { score + 0.0 });
        let rank = Rank { score, earlier: Reverse(self.seen() as u64) };
        match self.best.peek() {
            Some(Reverse(worst)) if rank > *worst => self.best.push(Reverse(rank)),
            _ => self.others.push(rank),
        }
        let places = snapped(self.seen() as f64 / self.factor).floor() as usize;
        while self.best.len() < places {
            let Some(rank) = self.others.pop() else { break };
            self.best.push(Reverse(rank));
        }
        while self.best.len() > places {
            let Some(Reverse(rank)) = self.best.pop() else { break };
            self.others.push(rank);
        }
        rank
    }

    /// All ranks, the best first.
    pub(super) fn ranks(&self) -> Vec<Rank> {
        let best = self.best.iter().map(|Reverse(rank)| *rank);
        let mut ranks: Vec<Rank> = best.chain(self.others.iter().copied()).collect();
        ranks.sort_unstable_by_key(|rank| Reverse(*rank));
        ranks
    }

    /// Whether it is among the best of those that were there so far. NaN never is.
    pub(super) fn is_among_best(&self, rank: Rank) -> bool {
        !rank.score().is_nan() && self.best.peek().is_some_and(|Reverse(worst)| rank >= *worst)
    }

    /// The last rank that goes on if nobody else comes: then a part of a place is a place.
    fn last_at_rest(&self) -> Option<Rank> {
        let places = snapped(self.seen() as f64 / self.factor).ceil() as usize;
        let next = self.others.peek().copied().filter(|_| places > self.best.len());
        next.or_else(|| self.best.peek().map(|Reverse(worst)| *worst))
    }

    /// The trial of `rank` waits here.
    pub(super) fn hold(&mut self, rank: Rank, trial: TrialId) {
        self.waiting.insert(rank, trial);
    }

    /// Who waits here, the worst first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Rank, &TrialId)> {
        self.waiting.iter()
    }

    /// The trial of `rank` waits no more.
    pub(super) fn let_go(&mut self, rank: Rank) {
        self.waiting.remove(&rank);
    }

    /// The best of the waiting trials that is among the best, and can be launched.
    pub(super) fn promotable(&self, cohort: &dyn Cohort) -> Option<TrialId> {
        self.first(cohort, |rank| self.is_among_best(rank))
    }

    /// The best of the waiting trials that goes on if nobody else comes, and can be launched.
    pub(super) fn promotable_at_rest(&self, cohort: &dyn Cohort) -> Option<TrialId> {
        let last = self.last_at_rest()?;
        self.first(cohort, |rank| rank >= last)
    }

    /// The best of the waiting trials that can be launched.
    pub(super) fn first_waiting(&self, cohort: &dyn Cohort) -> Option<TrialId> {
        self.first(cohort, |_| true)
    }

    fn first(&self, cohort: &dyn Cohort, counts: impl Fn(Rank) -> bool) -> Option<TrialId> {
        let mut best = self.waiting.iter().rev().take_while(|(rank, _)| counts(**rank));
        best.find(|(_, trial)| cohort.can_launch(**trial)).map(|(_, trial)| *trial)
    }

    /// The waiting trials that nobody else's coming could help any more, if nobody else comes. Those that can't be
    /// launched are spared: somebody else has a say in what becomes of them.
    pub(super) fn hopeless(&self, cohort: &dyn Cohort) -> Vec<(Rank, TrialId)> {
        let Some(last) = self.last_at_rest() else { return Vec::new() };
        let behind = self.waiting.range(..last).filter(|(_, trial)| cohort.can_launch(**trial));
        behind.map(|(rank, trial)| (*rank, *trial)).collect()
    }

    /// How it looks now; `at_rest` if nobody else comes.
    pub(super) fn standing(&self, at_rest: AtRest) -> Standing {
        let exact = snapped(self.seen() as f64 / self.factor);
        let (places, last) = match at_rest {
            AtRest::No => (exact.floor(), self.best.peek().map(|Reverse(worst)| *worst)),
            AtRest::Yes => (exact.ceil(), self.last_at_rest()),
        };
        let needed = self.factor.ceil() as usize;
        let least = last.map(Rank::score);
        Standing { milestone: self.milestone, places: places as usize, seen: self.seen(), least, needed }
    }
}

/// Whether others may come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtRest {
    No,
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::RunId;
    use proptest::prelude::*;

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![4 => -9.0..9.0_f64, 4 => (-2..3_i32).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(-0.0)]
    }

    proptest! {
        #[test]
        fn equals_a_sorted_vector(
            scores in prop::collection::vec(score(), 1..120),
            factor in prop_oneof![(2..6_u32).prop_map(f64::from), 1.01..7.0_f64],
        ) {
            let mut gate = Gate::new(1.0, factor);
            let mut ranks: Vec<Rank> = Vec::new();
            for (index, score) in scores.iter().enumerate() {
                let rank = gate.record(*score);
                gate.hold(rank, TrialId::new(RunId::new(0), index as u32));
                ranks.push(rank);
                let mut sorted: Vec<(usize, f64)> = scores[..=index].iter().copied().enumerate().collect();
                // Stable: of equal ones the earlier comes first.
                sorted.sort_by(|(_, a), (_, b)| {
                    a.is_nan().cmp(&b.is_nan()).then(b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal))
                });
                let places = snapped(sorted.len() as f64 / factor);
                for (place, (owner, score)) in sorted.iter().enumerate() {
                    let expected = place < places.floor() as usize && !score.is_nan();
                    prop_assert_eq!(gate.is_among_best(ranks[*owner]), expected);
                    let last = gate.last_at_rest().expect("somebody was there");
                    prop_assert_eq!(ranks[*owner] >= last, place < places.ceil() as usize);
                }
                let found: Vec<Rank> = sorted.iter().map(|(owner, _)| ranks[*owner]).collect();
                prop_assert_eq!(gate.ranks(), found);
            }
        }
    }
}
