//! The checkpoints of all trials together, when there is only so much room for them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, EngineOutput};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::event::EventKind;
use crate::logic::ids::TrialId;
use crate::logic::time::Moment;
use crate::logic::trial::TrialOrder;

/// Whether a trial may still need its last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    GoesOn,
    Ended,
}

/// What all checkpoints take, and which goes next. Every step costs the logarithm of their number.
#[derive(Debug)]
pub(super) struct Shelves {
    most: u64,
    bytes: u64,
    /// With the turn in which each came, and its size.
    all: BTreeMap<CheckpointId, (u64, u64)>,
    /// Not the last of their trial, the oldest first: these go first.
    older: BTreeSet<(u64, CheckpointId)>,
    /// The last of trials that have ended, the oldest first: these go only when no other is left.
    last: BTreeSet<(u64, CheckpointId)>,
    /// Neither may go: a copy of their trial goes on from them.
    held: BTreeSet<CheckpointId>,
    turns: u64,
    warned: bool,
}

impl Shelves {
    /// Room for so many bytes.
    pub(super) fn new(most: u64) -> Self {
        let (all, older, last) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { most, bytes: 0, all, older, last, held: BTreeSet::new(), turns: 0, warned: false }
    }

    /// A new checkpoint, the last of its trial from now on.
    pub(super) fn add(&mut self, checkpoint: &Checkpoint, life: Life) {
        let id = checkpoint.id;
        self.remove(id);
        if let Some((before, (turn, _))) = self.newest(id.trial) {
            self.last.remove(&(turn, before));
            if !self.held.contains(&before) {
                self.older.insert((turn, before));
            }
        }
        self.turns += 1;
        self.bytes = self.bytes.saturating_add(checkpoint.bytes);
        self.all.insert(id, (self.turns, checkpoint.bytes));
        if life == Life::Ended {
            self.last.insert((self.turns, id));
        }
    }

    /// This one is gone.
    pub(super) fn remove(&mut self, id: CheckpointId) {
        if let Some((turn, bytes)) = self.all.remove(&id) {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.older.remove(&(turn, id));
            self.last.remove(&(turn, id));
        }
    }

    /// A trial has ended, or goes on after its end.
    pub(super) fn turned(&mut self, trial: TrialId, life: Life) {
        let Some((id, (turn, _))) = self.newest(trial) else { return };
        match life {
            Life::Ended if self.held.contains(&id) => false,
            Life::Ended => self.last.insert((turn, id)),
            Life::GoesOn => self.last.remove(&(turn, id)),
        };
    }

    /// This one may not go from now on.
    pub(super) fn hold(&mut self, id: CheckpointId) {
        self.held.insert(id);
        if let Some((turn, _)) = self.all.get(&id) {
            self.older.remove(&(*turn, id));
            self.last.remove(&(*turn, id));
        }
    }

    /// This one may go like any other.
    pub(super) fn unhold(&mut self, id: CheckpointId, life: Life) {
        self.held.remove(&id);
        let Some((turn, _)) = self.all.get(&id).copied() else { return };
        if self.newest(id.trial).is_none_or(|(newest, _)| newest != id) {
            self.older.insert((turn, id));
        } else if life == Life::Ended {
            self.last.insert((turn, id));
        }
    }

    fn newest(&self, trial: TrialId) -> Option<(CheckpointId, (u64, u64))> {
        let of_trial = CheckpointId { trial, index: 0 }..=CheckpointId { trial, index: u32::MAX };
        self.all.range(of_trial).next_back().map(|(id, about)| (*id, *about))
    }

    fn is_full(&self) -> bool {
        self.bytes > self.most
    }

    /// Takes the next one off that has to go and that nobody needs.
    fn let_go(&mut self) -> Option<CheckpointId> {
        let next = self.is_full().then(|| self.older.first().or(self.last.first())).flatten();
        let (_, id) = *next?;
        self.remove(id);
        Some(id)
    }

    /// The one time that all that is left is needed, and too much: how much it is, and how much it may be.
    fn complaint(&mut self) -> Option<(u64, u64)> {
        let first = self.is_full() && !self.warned;
        self.warned |= first;
        first.then_some((self.bytes, self.most))
    }
}

impl Engine {
    /// Learns what there is of earlier sessions, in the order of the reports that were saved.
    pub(super) fn stock_shelves(&mut self) {
        let Some(most) = self.settings.checkpoint_budget else { return };
        let mut shelves = Shelves::new(most);
        let mut all: Vec<_> = self
            .ledger
            .iter()
            .flat_map(|record| record.checkpoints.iter().map(|checkpoint| (record.status, checkpoint.clone())))
            .collect();
        all.sort_by(|(_, one), (_, other)| one.report.timestamp.total_cmp(&other.report.timestamp));
        // Within a trial the order is that of the indices, whatever the clocks said.
        for (status, checkpoint) in &all {
            let life = if status.is_terminal() { Life::Ended } else { Life::GoesOn };
            shelves.add(checkpoint, life);
        }
        self.shelves = Some(shelves);
    }

    /// Lets checkpoints go until the others fit, or only those are left that are needed.
    pub(super) fn make_room(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while let Some(id) = self.shelves.as_mut().and_then(Shelves::let_go) {
            if let Some(entry) = self.ledger.entry_mut(id.trial) {
                let kept = &mut entry.record.checkpoints;
                if let Some(at) = kept.iter().position(|checkpoint| checkpoint.id == id) {
                    kept.remove(at);
                }
                if entry.live.is_some() {
                    out.push(EngineOutput::Trial(id.trial, TrialOrder::LetGo(id)));
                }
            }
            self.tell(now, out, || EventKind::Deleted { checkpoint: id });
            out.push(EngineOutput::Forget(id));
        }
        if let Some((bytes, most)) = self.shelves.as_mut().and_then(Shelves::complaint) {
            self.warn(now, out, || {
                format!(
                    "checkpoints take {bytes} bytes, more than the {most} they may take: what is left are the last ones \
                     of trials that haven't ended, which are kept"
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::RunId;
    use crate::logic::metrics::Report;

    fn trial(number: u32) -> TrialId {
        TrialId::new(RunId::new(1), number)
    }

    fn id(number: u32, index: u32) -> CheckpointId {
        CheckpointId { trial: trial(number), index }
    }

    fn add(shelves: &mut Shelves, number: u32, index: u32, bytes: u64) {
        let checkpoint = Checkpoint { id: id(number, index), report: Report::empty(trial(number)), bytes };
        shelves.add(&checkpoint, Life::GoesOn);
    }

    fn let_go(shelves: &mut Shelves) -> Vec<(u32, u32)> {
        std::iter::from_fn(|| shelves.let_go()).map(|id| (id.trial.number(), id.index)).collect()
    }

    #[test]
    fn the_oldest_go_first_and_the_last_of_a_trial_stays() {
        let mut shelves = Shelves::new(10);
        for (number, index) in [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2)] {
            add(&mut shelves, number, index, 2);
        }
        assert_eq!(let_go(&mut shelves), []);
        add(&mut shelves, 0, 2, 5);
        assert_eq!(let_go(&mut shelves), [(0, 0), (1, 0), (0, 1)], "5 bytes make it 15: three of two have to go");
        add(&mut shelves, 0, 3, 9);
        assert_eq!(let_go(&mut shelves), [(1, 1), (0, 2)]);
        assert_eq!((shelves.bytes, shelves.complaint(), shelves.complaint()), (11, Some((11, 10)), None));
    }

    #[test]
    fn what_an_ended_trial_left_goes_when_nothing_else_is_left() {
        let mut shelves = Shelves::new(4);
        add(&mut shelves, 0, 0, 2);
        shelves.turned(trial(0), Life::Ended);
        add(&mut shelves, 1, 0, 2);
        add(&mut shelves, 1, 1, 2);
        assert_eq!(let_go(&mut shelves), [(1, 0)], "though it is newer");
        add(&mut shelves, 2, 0, 2);
        assert_eq!(let_go(&mut shelves), [(0, 0)]);
        shelves.turned(trial(1), Life::Ended);
        shelves.turned(trial(1), Life::GoesOn);
        add(&mut shelves, 3, 0, 1);
        assert_eq!(let_go(&mut shelves), [], "it goes on again, and needs it");
        assert_eq!(shelves.complaint(), Some((5, 4)));
    }

    #[test]
    fn what_is_gone_takes_no_room() {
        let mut shelves = Shelves::new(4);
        add(&mut shelves, 0, 0, 4);
        add(&mut shelves, 0, 0, 3);
        assert_eq!(shelves.bytes, 3, "the same name counts once");
        add(&mut shelves, 0, 1, 4);
        shelves.remove(id(0, 0));
        shelves.remove(id(0, 0));
        assert_eq!((let_go(&mut shelves), shelves.bytes), (vec![], 4));
        shelves.turned(trial(7), Life::Ended);
    }
}
