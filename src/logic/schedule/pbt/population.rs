//! The members of a population: their scores in three parts, and whose turn is next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::logic::ids::TrialId;
use crate::logic::schedule::number::Ordered;
use crate::logic::state::float;

/// A trial that hasn't ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Member {
    /// More is better. None before the first one, and if it is NaN.
    #[serde(with = "float")]
    pub(super) score: Option<f64>,
    /// Its time at the last report that counted, or that of its last donor.
    #[serde(with = "float")]
    pub(super) trained: f64,
    /// Its time when it was last saved or made a copy, or that of its last donor.
    #[serde(with = "float")]
    pub(super) perturbed: f64,
}

/// Which part of the population a member belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Lower,
    Middle,
    Upper,
}

type Key = (Ordered, TrialId);

/// All members. Scores are kept in three sorted parts, so that a change costs O(log n); of the upper part any can be
/// picked at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Population {
    fraction: f64,
    members: BTreeMap<TrialId, Member>,
    lower: BTreeSet<Key>,
    middle: BTreeSet<Key>,
    upper: BTreeSet<Key>,
    /// Those of the upper part, in the order in which they came to it; and the place of each.
    picks: Vec<TrialId>,
    places: HashMap<TrialId, usize>,
    /// All by how far they were trained.
    trained: BTreeSet<Key>,
    /// Those that wait for their turn, by how far they were trained and who came first; and when each came.
    waiting: BTreeSet<(Ordered, u64, TrialId)>,
    arrivals: BTreeMap<TrialId, u64>,
    arrived: u64,
}

impl Population {
    pub(super) fn new(fraction: f64) -> Self {
        Self { fraction, ..Self::default() }
    }

    pub(super) fn get(&self, trial: TrialId) -> Option<&Member> {
        self.members.get(&trial)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (TrialId, &Member)> {
        self.members.iter().map(|(trial, member)| (*trial, member))
    }

    pub(super) fn join(&mut self, trial: TrialId) {
        if self.get(trial).is_none() {
            self.change(trial, Member { score: None, trained: 0.0, perturbed: 0.0 });
        }
        self.wait(trial);
    }

    /// A member waits for its turn from now on.
    pub(super) fn wait(&mut self, trial: TrialId) {
        let Some(trained) = self.get(trial).map(|member| member.trained) else { return };
        self.go(trial);
        self.arrived += 1;
        self.arrivals.insert(trial, self.arrived);
        self.waiting.insert((Ordered(trained), self.arrived, trial));
    }

    /// A member's turn has come.
    pub(super) fn go(&mut self, trial: TrialId) {
        if let Some((arrival, member)) = self.arrivals.remove(&trial).zip(self.members.get(&trial)) {
            self.waiting.remove(&(Ordered(member.trained), arrival, trial));
        }
    }

    /// Those who wait for their turn, the least trained first, and of equal ones who came first: or else a copy could take
    /// its donor's turn again and again.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (TrialId, f64)> {
        self.waiting.iter().map(|(trained, _, trial)| (*trial, trained.0))
    }

    /// Those who wait for their turn, in the order in which they came.
    pub(super) fn arrivals(&self) -> Vec<TrialId> {
        let mut arrivals: Vec<(u64, TrialId)> = self.arrivals.iter().map(|(trial, at)| (*at, *trial)).collect();
        arrivals.sort_unstable();
        arrivals.into_iter().map(|(_, trial)| trial).collect()
    }

    /// Everybody was perturbed at this time.
    pub(super) fn perturbed(&mut self, time: f64) {
        self.members.values_mut().for_each(|member| member.perturbed = time);
    }

    pub(super) fn leave(&mut self, trial: TrialId) {
        self.take_out(trial);
        self.settle();
    }

    pub(super) fn change(&mut self, trial: TrialId, member: Member) {
        let arrival = self.arrivals.get(&trial).copied();
        self.take_out(trial);
        self.trained.insert((Ordered(member.trained), trial));
        if let Some(arrival) = arrival {
            self.arrivals.insert(trial, arrival);
            self.waiting.insert((Ordered(member.trained), arrival, trial));
        }
        if let Some(score) = member.score {
            let key = (Ordered(score), trial);
            if self.upper.first().is_some_and(|least| key > *least) {
                self.raise(key);
            } else if self.lower.last().is_some_and(|most| key < *most) {
                self.lower.insert(key);
            } else {
                self.middle.insert(key);
            }
        }
        self.members.insert(trial, member);
        self.settle();
    }

    fn take_out(&mut self, trial: TrialId) {
        self.go(trial);
        let Some(member) = self.members.remove(&trial) else { return };
        self.trained.remove(&(Ordered(member.trained), trial));
        if let Some(score) = member.score {
            let key = (Ordered(score), trial);
            if !self.lower.remove(&key) && !self.middle.remove(&key) {
                self.sink(key);
            }
        }
    }

    /// How many are in the lower part, and in the upper.
    fn size(&self) -> usize {
        let count = self.lower.len() + self.middle.len() + self.upper.len();
        if count <= 1 {
            return 0;
        }
        let size = (count as f64 * self.fraction).ceil() as usize;
        if size > count / 2 { count / 2 } else { size }
    }

    /// Brings the outer parts back to their size: a change of one member moves at most a few.
    fn settle(&mut self) {
        let size = self.size();
        while self.lower.len() > size {
            self.middle.extend(self.lower.pop_last());
        }
        while self.upper.len() > size {
            let Some(least) = self.upper.first().copied() else { break };
            self.sink(least);
            self.middle.insert(least);
        }
        while self.lower.len() < size {
            let Some(least) = self.middle.pop_first() else { break };
            self.lower.insert(least);
        }
        while self.upper.len() < size {
            let Some(most) = self.middle.pop_last() else { break };
            self.raise(most);
        }
    }

    fn raise(&mut self, key: Key) {
        if self.upper.insert(key) {
            self.places.insert(key.1, self.picks.len());
            self.picks.push(key.1);
        }
    }

    fn sink(&mut self, key: Key) {
        self.upper.remove(&key);
        if let Some(place) = self.places.remove(&key.1) {
            self.picks.swap_remove(place);
            if let Some(moved) = self.picks.get(place) {
                self.places.insert(*moved, place);
            }
        }
    }

    pub(super) fn part(&self, trial: TrialId) -> Part {
        let Some(score) = self.get(trial).and_then(|member| member.score) else { return Part::Middle };
        if self.places.contains_key(&trial) {
            Part::Upper
        } else if self.lower.contains(&(Ordered(score), trial)) {
            Part::Lower
        } else {
            Part::Middle
        }
    }

    /// Those of the lower part, the worst first.
    pub(super) fn lower(&self) -> Vec<TrialId> {
        self.lower.iter().map(|(_, trial)| *trial).collect()
    }

    /// Those of the upper part, in the order in which they can be picked.
    pub(super) fn upper(&self) -> &[TrialId] {
        &self.picks
    }

    /// How many have a score.
    pub(super) fn scored(&self) -> usize {
        self.lower.len() + self.middle.len() + self.upper.len()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Those who were trained for less than `until`, the least trained first.
    pub(super) fn behind(&self, until: f64) -> impl Iterator<Item = TrialId> {
        self.trained.iter().take_while(move |(trained, _)| trained.0 < until).map(|(_, trial)| *trial)
    }

    /// The longest that anybody was trained.
    pub(super) fn furthest(&self) -> f64 {
        self.trained.last().map_or(0.0, |(trained, _)| trained.0)
    }

    /// Puts the upper part into an order that an earlier session had.
    pub(super) fn reorder(&mut self, picks: Vec<TrialId>) -> bool {
        let same = picks.len() == self.picks.len() && picks.iter().all(|trial| self.places.contains_key(trial));
        if same {
            self.places = picks.iter().enumerate().map(|(place, trial)| (*trial, place)).collect();
            self.picks = picks;
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::RunId;
    use proptest::prelude::*;

    fn trial(number: u32) -> TrialId {
        TrialId::new(RunId::new(1), number)
    }

    fn member(score: f64) -> Member {
        Member { score: Some(score).filter(|score| !score.is_nan()), trained: 0.0, perturbed: 0.0 }
    }

    #[test]
    fn case_p_25_the_sizes_of_quantiles() {
        for (fraction, sizes) in [(0.0, [0; 8]), (0.25, [0, 1, 1, 1, 2, 2, 2, 2]), (0.5, [0, 1, 1, 2, 2, 3, 3, 4])] {
            let mut population = Population::new(fraction);
            let found = [0, 1, 2, 3, 4, 5, 6, 7].map(|number| {
                population.change(trial(number), member(f64::from(number)));
                (population.lower().len(), population.upper().len())
            });
            assert_eq!(found, sizes.map(|size| (size, size)), "{fraction}");
        }
    }

    proptest! {
        #[test]
        fn equals_a_sorted_vector(
            changes in prop::collection::vec((0..12_u32, prop_oneof![4 => -3.0..3.0_f64, 1 => Just(f64::NAN)], 0..5_u8), 0..80),
            fraction in 0.0..0.5_f64,
        ) {
            let mut population = Population::new(fraction);
            let mut plain: BTreeMap<TrialId, f64> = BTreeMap::new();
            for (number, score, what) in changes {
                if what == 0 {
                    population.leave(trial(number));
                    plain.remove(&trial(number));
                } else {
                    population.change(trial(number), member(score));
                    plain.insert(trial(number), score);
                }
                let mut sorted: Vec<Key> = plain.iter().filter(|(_, score)| !score.is_nan()).map(|(trial, score)| (Ordered(*score), *trial)).collect();
                sorted.sort();
                let count = sorted.len();
                let size = if count <= 1 { 0 } else { ((count as f64 * fraction).ceil() as usize).min(count / 2) };
                let trials = |keys: &[Key]| keys.iter().map(|key| key.1).collect::<Vec<_>>();
                prop_assert_eq!(population.lower(), trials(&sorted[..size]));
                let mut upper = population.upper().to_vec();
                let mut expected = trials(&sorted[count - size..]);
                upper.sort();
                expected.sort();
                prop_assert_eq!(&upper, &expected);
                for trial in plain.keys() {
                    let part = population.part(*trial);
                    prop_assert_eq!(part == Part::Upper, upper.contains(trial));
                    prop_assert_eq!(part == Part::Lower, population.lower().contains(trial));
                }
            }
        }
    }
}
