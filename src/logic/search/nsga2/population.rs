//! Those whose children come next: the best of all so far, fronts before room.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::logic::metrics::pareto;
use crate::logic::state::float;

/// A point that was tried, and what came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Individual {
    /// A coordinate for each axis, those that don't count in it too.
    #[serde(with = "float")]
    pub(super) genes: Vec<f64>,
    /// A score for each objective, more is better.
    #[serde(with = "float")]
    pub(super) scores: Vec<f64>,
}

/// One of a population, with what it is compared by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) individual: Individual,
    /// The number of its front, from 0, the best.
    front: usize,
    /// How far its neighbours in that front lie apart.
    room: f64,
}

impl Member {
    /// Which of two is better off: the one on the better front, else the one with more room.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        other.front.cmp(&self.front).then(self.room.total_cmp(&other.room))
    }
}

/// The places of all of them among themselves: what they are compared by once they are the parents, which then follows from
/// what they are alone.
pub(super) fn ranked(all: Vec<Individual>) -> Vec<Member> {
    let places = places(&all, usize::MAX);
    let placed = all.into_iter().zip(places);
    placed.filter_map(|(individual, place)| place.map(|(front, room)| Member { individual, front, room })).collect()
}

/// The best `size` of `all`, in their order; failures are never among them, so they may be fewer. Where not all of a
/// front find a place, those with the most room do.
pub(super) fn best(all: Vec<Individual>, size: usize) -> Vec<Individual> {
    let complete: Vec<Individual> =
        all.into_iter().filter(|individual| pareto::is_complete(&individual.scores)).collect();
    let places = places(&complete, size);
    complete.into_iter().zip(places).filter_map(|(individual, place)| place.map(|_| individual)).collect()
}

/// Front and room of each that is among the best `size`.
fn places(all: &[Individual], size: usize) -> Vec<Option<(usize, f64)>> {
    let points: Vec<&[f64]> = all.iter().map(|individual| individual.scores.as_slice()).collect();
    let mut places: Vec<Option<(usize, f64)>> = vec![None; points.len()];
    let mut left = size;
    for (number, front) in pareto::fronts(&points).into_iter().enumerate() {
        let members: Vec<&[f64]> = front.iter().filter_map(|index| points.get(*index).copied()).collect();
        let mut rooms: Vec<(usize, f64)> = front.into_iter().zip(pareto::crowding(&members)).collect();
        rooms.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        for (index, room) in rooms.into_iter().take(left) {
            left -= 1;
            if let Some(place) = places.get_mut(index) {
                *place = Some((number, room));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn individual(scores: [f64; 2]) -> Individual {
        Individual { genes: vec![scores[0]], scores: scores.to_vec() }
    }

    #[test]
    fn fronts_go_first_and_then_room() {
        let all = [[0.0, 4.0], [2.0, 2.0], [2.1, 1.9], [4.0, 0.0], [0.0, 3.0], [f64::NAN, 9.0]].map(individual);
        let chosen =
            |size| -> Vec<f64> { best(all.to_vec(), size).iter().map(|individual| individual.genes[0]).collect() };
        assert_eq!(chosen(2), [0.0, 4.0]);
        // Of two neighbours the one with the wider gap on its other side.
        assert_eq!(chosen(3).len(), 3);
        assert_eq!(chosen(4), [0.0, 2.0, 2.1, 4.0]);
        assert_eq!(chosen(9), [0.0, 2.0, 2.1, 4.0, 0.0], "what failed is never chosen");
    }

    #[test]
    fn a_better_front_wins_over_room() {
        let all = ranked([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0], [0.0, 3.0]].map(individual).to_vec());
        assert!(all[1].compare(&all[3]).is_gt(), "it has less room, but a better front");
        assert!(all[0].compare(&all[1]).is_gt());
        assert!(all[0].compare(&all[2]).is_eq());
    }
}
