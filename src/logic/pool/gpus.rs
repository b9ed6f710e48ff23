//! Which GPU belongs to whom: whole ones by index, and shares of one.
//!
//! Whole GPUs take the lowest wholly free indices. A share takes the index with the least that suffices, the lowest on
//! ties. Within one request the whole ones are placed first and then the shares, largest first, because that packs best.

use std::collections::BTreeSet;

use super::request::ResourceRequest;
use super::resources::{Amount, Resources};
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
    /// By index. It is as long as the highest index that is, or was, there.
    free: Vec<u64>,
    /// The indices that there are.
    there: BTreeSet<u32>,
    /// Indices that are given to nobody any more.
    withdrawn: BTreeSet<u32>,
    /// Those of them that are given at the moment, if not all.
    allowed: Option<BTreeSet<u32>>,
}

impl Gpus {
    /// Those that are named in a total, or so many, all free. What is left of a partial one is out of use.
    pub(super) fn new(total: &Resources) -> Self {
        let mut gpus = Self { free: Vec::new(), there: BTreeSet::new(), withdrawn: BTreeSet::new(), allowed: None };
        gpus.resize(total);
        gpus
    }

    /// How many are in service.
    pub(super) fn count(&self) -> u32 {
        self.there.difference(&self.withdrawn).count() as u32
    }

    /// Whether this one can be given to somebody.
    pub(super) fn in_service(&self, gpu: u32) -> bool {
        self.there.contains(&gpu) && !self.withdrawn.contains(&gpu)
    }

    /// From now on only these are given to anybody, or all.
    pub(super) fn allow(&mut self, allowed: Option<BTreeSet<u32>>) {
        self.allowed = allowed;
    }

    fn is_given(&self, gpu: u32) -> bool {
        self.in_service(gpu) && self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&gpu))
    }

    /// Whether a slot has an index that isn't given at the moment.
    pub(super) fn may_not_have(&self, slot: &Slot) -> bool {
        self.allowed.is_some() && held(slot).any(|(index, _)| !self.is_given(index as u32))
    }

    /// The indices of those in service.
    pub(super) fn all_in_service(&self) -> BTreeSet<u32> {
        self.there.difference(&self.withdrawn).copied().collect()
    }

    pub(super) fn withdrawn(&self) -> &BTreeSet<u32> {
        &self.withdrawn
    }

    /// Gives one to nobody any more. Answers how much of it is in use; none if it isn't there, or was withdrawn before.
    pub(super) fn withdraw(&mut self, gpu: u32) -> Option<Amount> {
        let free = self.free.get(gpu as usize).filter(|_| self.there.contains(&gpu))?;
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

    /// Changes which there are. The others are given to nobody any more.
    pub(super) fn resize(&mut self, total: &Resources) {
        self.there = total.gpus().into_iter().collect();
        let length = self.there.last().map_or(0, |&highest| highest as usize + 1);
        self.free.resize(length.max(self.free.len()), WHOLE);
    }

    /// The indices for each piece, or none if they don't fit.
    pub(super) fn find(&self, pieces: &[Piece]) -> Option<Vec<Vec<u32>>> {
        let given = |(index, &free): (usize, &u64)| if self.is_given(index as u32) { free } else { 0 };
        let mut free: Vec<u64> = self.free.iter().enumerate().map(given).collect();
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
        let all_there = self.free.len() == self.there.len() && self.withdrawn.is_empty();
        !all_there && held(slot).any(|(index, _)| !self.in_service(index as u32))
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

    fn machine(gpus: u32) -> Resources {
        Resources::new().with_gpus(0..gpus)
    }

    fn request(gpus: &[f64]) -> ResourceRequest {
        let bundle = |&value: &f64| Resources::cpus(1).with("gpu", value);
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
        let mut gpus = Gpus::new(&machine(4));
        let first = take(&mut gpus, &[1.0]).unwrap();
        assert_eq!(take(&mut gpus, &[2.0]).unwrap().gpus, [vec![1, 2]]);
        gpus.give(&first);
        assert_eq!(take(&mut gpus, &[2.0]).unwrap().gpus, [vec![0, 3]]);
        assert_eq!(take(&mut gpus, &[1.0]), None);
    }

    #[test]
    fn only_those_that_are_named_are_given() {
        let mut gpus = Gpus::new(&Resources::new().with_gpus([5, 2]));
        let first = take(&mut gpus, &[1.0]).unwrap();
        assert_eq!((&first.gpus, gpus.count()), (&vec![vec![2]], 2));
        assert_eq!((take(&mut gpus, &[0.5]).unwrap().gpus, take(&mut gpus, &[1.0])), (vec![vec![5]], None));
        assert_eq!((gpus.withdraw(0), gpus.withdraw(2)), (None, Some(Amount::whole(1))));
        gpus.resize(&Resources::new().with_gpus([3]));
        assert!(gpus.lacks(&first));
        assert_eq!(take(&mut gpus, &[1.0]).unwrap().gpus, [vec![3]]);
    }

    #[test]
    fn shares_gather_where_the_least_is_left() {
        let mut gpus = Gpus::new(&machine(3));
        assert_eq!(take(&mut gpus, &[0.3]).unwrap().gpus, [vec![0]]);
        assert_eq!(take(&mut gpus, &[0.8]).unwrap().gpus, [vec![1]]);
        assert_eq!(take(&mut gpus, &[0.2]).unwrap().gpus, [vec![1]]);
        assert_eq!(take(&mut gpus, &[0.7]).unwrap().gpus, [vec![0]]);
        assert_eq!(take(&mut gpus, &[1.0]).unwrap().gpus, [vec![2]]);
        assert_eq!(take(&mut gpus, &[0.00001]), None);
    }

    #[test]
    fn a_whole_one_never_joins_a_share() {
        let mut gpus = Gpus::new(&machine(1));
        let share = take(&mut gpus, &[0.1]).unwrap();
        assert_eq!(take(&mut gpus, &[1.0]), None);
        gpus.give(&share);
        assert!(take(&mut gpus, &[1.0]).is_some());
    }

    #[test]
    fn shares_of_one_request_are_packed_largest_first() {
        let mut gpus = Gpus::new(&machine(2));
        // In their own order the two of 0.4 would share an index, and the second of 0.6 would find no room.
        assert_eq!(take(&mut gpus, &[0.4, 0.4, 0.6, 0.6]).unwrap().gpus, [vec![0], vec![1], vec![0], vec![1]]);
    }

    #[test]
    fn one_that_was_withdrawn_is_given_to_nobody() {
        let mut gpus = Gpus::new(&machine(3));
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
        let mut gpus = Gpus::new(&machine(2));
        let (low, high) = (take(&mut gpus, &[1.0]).unwrap(), take(&mut gpus, &[1.0]).unwrap());
        gpus.resize(&machine(1));
        assert!(!gpus.lacks(&low) && gpus.lacks(&high));
        gpus.give(&high);
        assert_eq!(take(&mut gpus, &[0.5]), None);
        gpus.resize(&machine(2));
        assert_eq!(take(&mut gpus, &[0.5]).unwrap().gpus, [vec![1]]);
    }
}
