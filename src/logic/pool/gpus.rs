//! Which GPU belongs to whom: whole ones by index, and shares of one.
//!
//! Whole GPUs take the lowest wholly free indices. A share takes the index with the least that suffices, the lowest on
//! ties. Within one request the whole ones are placed first and then the shares, largest first, because that packs best.

use std::collections::BTreeSet;

use super::resources::{Amount, ResourceRequest};
use super::slot::Slot;

const WHOLE: u64 = Amount::whole(1).parts();

/// What one bundle asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    bundle: usize,
    parts: u64,
}

impl Piece {
    pub(super) fn amount(self) -> Amount {
        Amount::from_parts(self.parts)
    }
}

/// All that the bundles of a request ask for, in the order in which it is placed.
pub(super) fn pieces(request: &ResourceRequest) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = request
        .as_bundles()
        .iter()
        .enumerate()
        .map(|(bundle, amounts)| Piece { bundle, parts: amounts.get("gpu").parts() })
        .filter(|piece| piece.parts > 0)
        .collect();
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.parts));
    pieces
}

/// The free part of each GPU.
#[derive(Clone, Debug)]
pub(super) struct Gpus {
    /// By index. After a shrink it may be longer than `count`, as long as indices beyond that are in use.
    free: Vec<u64>,
    count: usize,
    /// Indices that are given to nobody any more.
    withdrawn: BTreeSet<u32>,
}

impl Gpus {
    /// So many, all free. What is left of a partial one is out of use.
    pub(super) fn new(total: Amount) -> Self {
        let count = (total.parts() / WHOLE) as usize;
        Self { free: vec![WHOLE; count], count, withdrawn: BTreeSet::new() }
    }

    /// How many are in service.
    pub(super) fn count(&self) -> u32 {
        (self.count - self.withdrawn.range(..self.count as u32).count()) as u32
    }

    pub(super) fn withdrawn(&self) -> &BTreeSet<u32> {
        &self.withdrawn
    }

    /// Gives one to nobody any more. Answers how much of it is in use; none if it isn't there, or was withdrawn before.
    pub(super) fn withdraw(&mut self, gpu: u32) -> Option<Amount> {
        let free = self.free.get(gpu as usize).filter(|_| (gpu as usize) < self.count)?;
        self.withdrawn.insert(gpu).then(|| Amount::from_parts(WHOLE - free))
    }

    /// How much of a slot is of GPUs that were withdrawn.
    pub(super) fn withdrawn_parts(&self, slot: &Slot) -> Amount {
        if self.withdrawn.is_empty() {
            return Amount::ZERO;
        }
        let gone = held(slot).filter(|(index, _)| self.withdrawn.contains(&(*index as u32)));
        Amount::from_parts(gone.map(|(_, parts)| parts).sum())
    }

    /// Changes how many there are. Those beyond are given to nobody any more.
    pub(super) fn resize(&mut self, total: Amount) {
        self.count = (total.parts() / WHOLE) as usize;
        self.free.resize(self.count.max(self.free.len()), WHOLE);
    }

    /// The indices for each piece, or none if they don't fit.
    pub(super) fn find(&self, pieces: &[Piece]) -> Option<Vec<Vec<u32>>> {
        let mut free = self.free[..self.count].to_vec();
        self.withdrawn.range(..self.count as u32).for_each(|&index| free[index as usize] = 0);
        pieces.iter().map(|piece| place(&mut free, piece.parts)).collect()
    }

    /// For each of `bundles` bundles, its indices.
    pub(super) fn assign(&self, pieces: &[Piece], bundles: usize) -> Option<Vec<Vec<u32>>> {
        let mut indices = vec![Vec::new(); bundles];
        if pieces.is_empty() {
            return Some(indices);
        }
        for (piece, found) in pieces.iter().zip(self.find(pieces)?) {
            indices[piece.bundle] = found;
        }
        Some(indices)
    }

    /// Takes what a slot has.
    pub(super) fn hold(&mut self, slot: &Slot) {
        for (index, parts) in held(slot) {
            if let Some(free) = self.free.get_mut(index) {
                *free = free.saturating_sub(parts);
            }
        }
    }

    /// Takes back what a slot had.
    pub(super) fn give(&mut self, slot: &Slot) {
        for (index, parts) in held(slot) {
            if let Some(free) = self.free.get_mut(index) {
                *free = (*free + parts).min(WHOLE);
            }
        }
    }

    /// Whether a slot has an index that isn't there any more.
    pub(super) fn lacks(&self, slot: &Slot) -> bool {
        let gone = |index: usize| index >= self.count || self.withdrawn.contains(&(index as u32));
        (self.free.len() > self.count || !self.withdrawn.is_empty()) && held(slot).any(|(index, _)| gone(index))
    }
}

/// Index and parts of every GPU in a slot.
fn held(slot: &Slot) -> impl Iterator<Item = (usize, u64)> {
    slot.bundles.iter().zip(&slot.gpus).flat_map(|(bundle, indices)| {
        let each = bundle.get("gpu").parts().min(WHOLE);
        indices.iter().map(move |&index| (index as usize, each))
    })
}

fn place(free: &mut [u64], parts: u64) -> Option<Vec<u32>> {
    if parts >= WHOLE {
        let wanted = (parts / WHOLE) as usize;
        let found: Vec<u32> =
            (0..free.len()).filter(|&index| free[index] == WHOLE).take(wanted).map(|i| i as u32).collect();
        for &index in &found {
            free[index as usize] = 0;
        }
        (found.len() == wanted).then_some(found)
    } else {
        let index = (0..free.len()).filter(|&index| free[index] >= parts).min_by_key(|&index| free[index])?;
        free[index] -= parts;
        Some(vec![index as u32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pool::Resources;

    fn request(gpus: &[f64]) -> ResourceRequest {
        let bundle = |&value: &f64| Resources::cpus(1).with("gpu", value).unwrap();
        ResourceRequest::bundles(gpus.iter().map(bundle).collect()).unwrap()
    }

    fn take(gpus: &mut Gpus, wanted: &[f64]) -> Option<Slot> {
        let request = request(wanted);
        let indices = gpus.assign(&pieces(&request), wanted.len())?;
        let slot = Slot { bundles: request.as_bundles().to_vec(), gpus: indices };
        gpus.hold(&slot);
        Some(slot)
    }

    #[test]
    fn whole_ones_take_the_lowest_free_indices() {
        let mut gpus = Gpus::new(Amount::whole(4));
        let first = take(&mut gpus, &[1.0]).unwrap();
        assert_eq!(take(&mut gpus, &[2.0]).unwrap().gpus, [vec![1, 2]]);
        gpus.give(&first);
        assert_eq!(take(&mut gpus, &[2.0]).unwrap().gpus, [vec![0, 3]]);
        assert_eq!(take(&mut gpus, &[1.0]), None);
    }

    #[test]
    fn shares_gather_where_the_least_is_left() {
        let mut gpus = Gpus::new(Amount::whole(3));
        assert_eq!(take(&mut gpus, &[0.3]).unwrap().gpus, [vec![0]]);
        assert_eq!(take(&mut gpus, &[0.8]).unwrap().gpus, [vec![1]]);
        assert_eq!(take(&mut gpus, &[0.2]).unwrap().gpus, [vec![1]]);
        assert_eq!(take(&mut gpus, &[0.7]).unwrap().gpus, [vec![0]]);
        assert_eq!(take(&mut gpus, &[1.0]).unwrap().gpus, [vec![2]]);
        assert_eq!(take(&mut gpus, &[0.00001]), None);
    }

    #[test]
    fn a_whole_one_never_joins_a_share() {
        let mut gpus = Gpus::new(Amount::whole(1));
        let share = take(&mut gpus, &[0.1]).unwrap();
        assert_eq!(take(&mut gpus, &[1.0]), None);
        gpus.give(&share);
        assert!(take(&mut gpus, &[1.0]).is_some());
    }

    #[test]
    fn shares_of_one_request_are_packed_largest_first() {
        let mut gpus = Gpus::new(Amount::whole(2));
        // In their own order the two of 0.4 would share an index, and the second of 0.6 would find no room.
        assert_eq!(take(&mut gpus, &[0.4, 0.4, 0.6, 0.6]).unwrap().gpus, [vec![0], vec![1], vec![0], vec![1]]);
    }

    #[test]
    fn one_that_was_withdrawn_is_given_to_nobody() {
        let mut gpus = Gpus::new(Amount::whole(3));
        let half = take(&mut gpus, &[0.5]).unwrap();
        assert_eq!(gpus.withdraw(0), Some(Amount::new("gpu", 0.5).unwrap()));
        assert_eq!((gpus.withdraw(0), gpus.withdraw(3), gpus.count()), (None, None, 2));
        assert!(gpus.lacks(&half));
        assert_eq!(take(&mut gpus, &[0.25, 1.0]).unwrap().gpus, [vec![2], vec![1]]);
        gpus.give(&half);
        assert_eq!(take(&mut gpus, &[1.0]), None);
    }

    #[test]
    fn an_index_that_was_taken_away_is_not_given_again() {
        let mut gpus = Gpus::new(Amount::whole(2));
        let (low, high) = (take(&mut gpus, &[1.0]).unwrap(), take(&mut gpus, &[1.0]).unwrap());
        gpus.resize(Amount::whole(1));
        assert!(!gpus.lacks(&low) && gpus.lacks(&high));
        gpus.give(&high);
        assert_eq!(take(&mut gpus, &[0.5]), None);
        gpus.resize(Amount::whole(2));
        assert_eq!(take(&mut gpus, &[0.5]).unwrap().gpus, [vec![1]]);
    }
}
