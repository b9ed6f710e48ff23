//! Which grid points a pass has: all of them, or those that are left of a pass that had begun when the space was changed.

use serde::{Deserialize, Serialize};

use crate::logic::space::Space;

/// A pass, from 0, and a grid point of it.
pub(super) type Combination = (u64, u64);

/// Says the space of a pass that a preset point has, if one has it; none if that point is passed over.
type Fixed<'a> = dyn Fn(u64) -> Option<Option<Space>> + 'a;

/// The passes, in their order: first those that aren't plain ones, then any number of plain ones.
#[derive(Debug, Default)]
pub(super) struct Laps {
    laps: Vec<Lap>,
    /// The number of the first variant there is here, and the first plain pass.
    base: u64,
    plain: u64,
    changed: bool,
}

/// A pass over a preset point, or over what is left.
#[derive(Debug)]
struct Lap {
    pass: u64,
    /// That of the preset point, if it is one of those.
    space: Option<Space>,
    /// The grid points that it doesn't have, in their order.
    skip: Vec<u64>,
    /// The number of the first variant after it.
    end: u64,
}

/// The form of those that a change of the space left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredLaps {
    base: u64,
    plain: u64,
    laps: Vec<(u64, Vec<u64>)>,
}

impl Lap {
    /// The grid point that comes after `count` others: each that is left out before it moves it on by one.
    fn point(&self, count: u64) -> u64 {
        let (mut low, mut high) = (0, self.skip.len());
        while low < high {
            let middle = (low + high) / 2;
            let passed = self.skip.get(middle).is_some_and(|skipped| skipped - middle as u64 <= count);
            if passed { low = middle + 1 } else { high = middle }
        }
        count + low as u64
    }
}

impl Laps {
    /// One more preset point, with its space.
    pub(super) fn preset(&mut self, space: Space) {
        self.push(self.plain, Some(space), Vec::new(), 1);
        self.plain += 1;
    }

    /// A pass, if anything is left of it; `size` is that of the space if it isn't a preset point's.
    fn push(&mut self, pass: u64, space: Option<Space>, skip: Vec<u64>, size: u64) {
        let size = space.as_ref().map_or(size, Space::grid_size).saturating_sub(skip.len() as u64);
        if size > 0 {
            let end = self.end().saturating_add(size);
            self.laps.push(Lap { pass, space, skip, end });
        }
    }

    /// The first plain pass.
    pub(super) fn plain(&self) -> u64 {
        self.plain
    }

    /// The number of the first variant of a plain pass.
    pub(super) fn end(&self) -> u64 {
        self.laps.last().map_or(self.base, |lap| lap.end)
    }

    /// The number of the first variant after the passes before this one; 0 if nothing is left of those.
    pub(super) fn end_of(&self, pass: u64) -> u64 {
        let before = self.laps.partition_point(|lap| lap.pass < pass);
        before.checked_sub(1).and_then(|last| self.laps.get(last)).map_or(0, |lap| lap.end)
    }

    /// What a variant is; a plain pass has so many. None if it came before the space was changed.
    pub(super) fn locate(&self, number: u64, size: u64) -> Option<Combination> {
        let place = self.laps.partition_point(|lap| lap.end <= number);
        let start = place.checked_sub(1).and_then(|before| self.laps.get(before)).map_or(self.base, |lap| lap.end);
        let rest = number.checked_sub(start)?;
        let size = size.max(1);
        Some(match self.laps.get(place) {
            Some(lap) => (lap.pass, lap.point(rest)),
            None => (self.plain + rest / size, rest % size),
        })
    }

    /// What is left in another space once `next` variants were suggested of this one.
    pub(super) fn changed(&self, next: u64, (old, new): (&Space, &Space), fixed: &Fixed<'_>) -> Self {
        let mut changed = Self { laps: Vec::new(), base: next, plain: self.plain, changed: true };
        let size = new.grid_size();
        let mut start = self.base;
        for lap in &self.laps {
            let tried = next.clamp(start, lap.end) - start;
            start = lap.end;
            let tried = lap.skip.iter().copied().chain((0..tried).map(|count| lap.point(count)));
            match fixed(lap.pass) {
                Some(None) => {}
                Some(Some(space)) => {
                    let skip = moved(tried, lap.space.as_ref().unwrap_or(old), &space);
                    changed.push(lap.pass, Some(space), skip, size);
                }
                None => changed.push(lap.pass, None, moved(tried, old, new), size),
            }
        }
        // The plain passes that have begun. Without a grid nothing can be left of one.
        let (old_size, given) = (old.grid_size().max(1), next.saturating_sub(start));
        let begun = given.div_ceil(old_size);
        if old_size > 1 || size > 1 {
            for pass in 0..begun {
                let tried = (given - pass * old_size).min(old_size);
                changed.push(self.plain + pass, None, moved(0..tried, old, new), size);
            }
        }
        changed.plain += begun;
        changed
    }

    /// Their form, if the space was changed.
    pub(super) fn stored(&self) -> Option<StoredLaps> {
        let laps = || self.laps.iter().map(|lap| (lap.pass, lap.skip.clone())).collect();
        self.changed.then(|| StoredLaps { base: self.base, plain: self.plain, laps: laps() })
    }

    pub(super) fn of_stored(stored: StoredLaps, space: &Space, fixed: &Fixed<'_>) -> Self {
        let mut laps = Self { laps: Vec::new(), base: stored.base, plain: stored.plain, changed: true };
        for (pass, mut skip) in stored.laps {
            skip.sort_unstable();
            skip.dedup();
            match fixed(pass) {
                Some(None) => {}
                fixed => laps.push(pass, fixed.flatten(), skip, space.grid_size()),
            }
        }
        laps
    }
}

/// Where these grid points are in another space, in their order; without those that aren't there.
fn moved(points: impl Iterator<Item = u64>, old: &Space, new: &Space) -> Vec<u64> {
    let mut moved: Vec<u64> = points.filter_map(|point| old.point_in(point, new)).collect();
    moved.sort_unstable();
    moved.dedup();
    moved
}
