//! The lines and counts that make every look-up constant. They follow from where the trials stand, and are kept beside it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::record::{Entry, Place};
use crate::logic::ids::TrialId;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// A place in the line: by priority, then those that an earlier session left, then by number.
pub(super) type Turn = (Reverse<i32>, u32, TrialId);

/// What the lines know of a trial.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    status: Status,
    open: Option<(Place, i32, Option<u32>, bool)>,
}

impl Standing {
    pub(super) fn of(entry: &Entry) -> Self {
        let open = entry.open.as_ref().map(|open| {
            let plan = &open.plan;
            (plan.place, plan.priority, plan.rank, plan.launched)
        });
        Self { status: entry.record.status, open }
    }
}

/// All lines and counts.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) counts: [usize; 5],
    pub(super) launched: usize,
    pub(super) line: BTreeSet<Turn>,
    pub(super) parked: BTreeSet<(u64, TrialId)>,
    pub(super) backing_off: BTreeSet<(Moment, TrialId)>,
    pub(super) open: BTreeSet<TrialId>,
}

impl Lines {
    pub(super) fn enter(&mut self, trial: TrialId, standing: Standing) {
        self.counts[standing.status as usize] += 1;
        let Some((place, priority, rank, launched)) = standing.open else { return };
        self.open.insert(trial);
        self.launched += usize::from(launched);
        match place {
            Place::Line => drop(self.line.insert(turn(priority, rank, trial))),
            Place::Parked(at) => drop(self.parked.insert((at, trial))),
            Place::BackingOff(until) => drop(self.backing_off.insert((until, trial))),
            Place::Aside => {}
        }
    }

    pub(super) fn leave(&mut self, trial: TrialId, standing: Standing) {
        self.counts[standing.status as usize] -= 1;
        let Some((place, priority, rank, launched)) = standing.open else { return };
        self.open.remove(&trial);
        self.launched -= usize::from(launched);
        match place {
            Place::Line => drop(self.line.remove(&turn(priority, rank, trial))),
            Place::Parked(at) => drop(self.parked.remove(&(at, trial))),
            Place::BackingOff(until) => drop(self.backing_off.remove(&(until, trial))),
            Place::Aside => {}
        }
    }

    /// A trial stood somewhere else before.
    pub(super) fn moved(&mut self, trial: TrialId, before: Standing, now: Standing) {
        if before == now {
            return;
        }
        // Most of what changes is a status alone.
        if before.open == now.open {
            self.counts[before.status as usize] -= 1;
            self.counts[now.status as usize] += 1;
            return;
        }
        self.leave(trial, before);
        self.enter(trial, now);
    }
}

fn turn(priority: i32, rank: Option<u32>, trial: TrialId) -> Turn {
    (Reverse(priority), rank.unwrap_or(u32::MAX), trial)
}
