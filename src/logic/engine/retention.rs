//! Which checkpoints are kept: those that copies go on from, and what there is room for when there is only so much.
//!
//! Retention (`Retention::let_go`) says which of its own checkpoints a trial doesn't need any more; here is what holds over
//! all trials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Engine, EngineOutput};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::event::EventKind;
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::time::Moment;
use crate::logic::trial::{Status, TrialOrder};

/// Whether a trial may still need its last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    GoesOn,
    Ended,
}

/// A checkpoint that copies of its trial go on from.
#[derive(Debug, Default)]
struct Pin {
    users: u32,
    /// Its trial has let it go: it goes with its last user.
    doomed: bool,
}

/// The checkpoints of all trials.
#[derive(Debug, Default)]
pub(super) struct RetainedCheckpoints {
    pins: BTreeMap<CheckpointId, Pin>,
    budget: Option<CheckpointBudget>,
}

impl RetainedCheckpoints {
    /// Whether a checkpoint that its trial lets go has to stay for now. It goes later.
    pub(super) fn keeps(&mut self, checkpoint: CheckpointId) -> bool {
        self.pins.get_mut(&checkpoint).map(|pin| pin.doomed = true).is_some()
    }

    /// A checkpoint that a copy goes on from stays.
    pub(super) fn pin(&mut self, checkpoint: CheckpointId) {
        self.pins.entry(checkpoint).or_default().users += 1;
        self.budget.iter_mut().for_each(|budget| budget.hold(checkpoint));
    }

    /// As [`pin`](Self::pin). Of one that was imported nobody else knows: it takes room from now on, and goes with its last user.
    pub(super) fn pin_of(&mut self, checkpoint: &Checkpoint) {
        let id = checkpoint.id;
        if id.trial.is_imported() && !self.pins.contains_key(&id) {
            self.add(checkpoint, Life::GoesOn);
        }
        self.pin(id);
        self.pins.entry(id).and_modify(|pin| pin.doomed |= id.trial.is_imported());
    }

    /// One user less. Answers whether nobody is left, and then whether its trial has let it go.
    fn unpin(&mut self, checkpoint: CheckpointId) -> Option<bool> {
        let pin = self.pins.get_mut(&checkpoint)?;
        pin.users -= 1;
        if pin.users > 0 {
            return None;
        }
        self.pins.remove(&checkpoint).map(|pin| pin.doomed)
    }

    /// A new checkpoint, the last of its trial from now on.
    pub(super) fn add(&mut self, checkpoint: &Checkpoint, life: Life) {
        self.budget.iter_mut().for_each(|budget| budget.add(checkpoint, life));
    }

    /// A trial has ended, or goes on after its end.
    pub(super) fn turned(&mut self, trial: TrialId, life: Life) {
        self.budget.iter_mut().for_each(|budget| budget.turned(trial, life));
    }
}

/// What all checkpoints take, and which goes next. Every step costs the logarithm of their number.
#[derive(Debug)]
struct CheckpointBudget {
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

impl CheckpointBudget {
    /// Room for so many bytes.
    fn new(most: u64) -> Self {
        let (all, older, last) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { most, bytes: 0, all, older, last, held: BTreeSet::new(), turns: 0, warned: false }
    }

    /// A new checkpoint, the last of its trial from now on.
    fn add(&mut self, checkpoint: &Checkpoint, life: Life) {
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

    /// This one is gone. If it was its trial's last, the one before takes its place.
    fn remove(&mut self, id: CheckpointId) {
        let Some((turn, bytes)) = self.all.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(bytes);
        self.older.remove(&(turn, id));
        let ended = self.last.remove(&(turn, id));
        if let Some((newest, (turn, _))) = self.newest(id.trial).filter(|(newest, _)| newest.index < id.index) {
            self.older.remove(&(turn, newest));
            if ended && !self.held.contains(&newest) {
                self.last.insert((turn, newest));
            }
        }
    }

    /// A trial has ended, or goes on after its end.
    fn turned(&mut self, trial: TrialId, life: Life) {
        let Some((id, (turn, _))) = self.newest(trial) else { return };
        match life {
            Life::Ended if self.held.contains(&id) => false,
            Life::Ended => self.last.insert((turn, id)),
            Life::GoesOn => self.last.remove(&(turn, id)),
        };
    }

    /// This one may not go from now on.
    fn hold(&mut self, id: CheckpointId) {
        self.held.insert(id);
        if let Some((turn, _)) = self.all.get(&id) {
            self.older.remove(&(*turn, id));
            self.last.remove(&(*turn, id));
        }
    }

    /// This one may go like any other.
    fn unhold(&mut self, id: CheckpointId, life: Life) {
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
    /// Learns what copies of earlier sessions go on from.
    pub(super) fn pin_known(&mut self) {
        for inherited in self.ledger.iter().filter_map(|record| record.inherited.as_ref()) {
            self.retained.pin_of(&inherited.checkpoint);
        }
    }

    /// Learns what there is of earlier sessions, in the order of the reports that were saved. From here on there is only so
    /// much room: whoever goes on is known by now.
    pub(super) fn begin_budget(&mut self) {
        let Some(most) = self.settings.checkpoint_budget else { return };
        let mut budget = CheckpointBudget::new(most);
        let mut all: Vec<(f64, Status, Arc<Checkpoint>)> = Vec::new();
        for record in self.ledger.iter() {
            // Within a trial the order is that of the indices, whatever the clocks said.
            let mut latest = f64::NEG_INFINITY;
            for kept in &record.checkpoints {
                latest = latest.max(kept.report.timestamp);
                all.push((latest, record.status, kept.clone()));
            }
        }
        all.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
        let inherited = self.ledger.iter().filter_map(|record| record.inherited.as_ref());
        let imported: BTreeMap<CheckpointId, &Checkpoint> = inherited
            .map(|inherited| (inherited.checkpoint.id, &*inherited.checkpoint))
            .filter(|(id, _)| id.trial.is_imported())
            .collect();
        imported.values().for_each(|checkpoint| budget.add(checkpoint, Life::GoesOn));
        for (_, status, checkpoint) in &all {
            let life = if status.is_terminal() { Life::Ended } else { Life::GoesOn };
            budget.add(checkpoint, life);
        }
        self.retained.pins.keys().for_each(|pinned| budget.hold(*pinned));
        self.retained.budget = Some(budget);
    }

    pub(super) fn unpin(&mut self, checkpoint: CheckpointId, now: Moment, out: &mut Vec<EngineOutput>) {
        match self.retained.unpin(checkpoint) {
            Some(true) => self.delete(checkpoint, now, out),
            Some(false) => {
                let life = self.ledger.plan(checkpoint.trial).map_or(Life::Ended, |_| Life::GoesOn);
                self.retained.budget.iter_mut().for_each(|budget| budget.unhold(checkpoint, life));
                self.make_room(now, out);
            }
            None => {}
        }
    }

    /// A checkpoint that nobody needs goes. One that was imported is no trial's: nobody was told that it is there.
    pub(super) fn delete(&mut self, checkpoint: CheckpointId, now: Moment, out: &mut Vec<EngineOutput>) {
        self.retained.budget.iter_mut().for_each(|budget| budget.remove(checkpoint));
        if !checkpoint.trial.is_imported() {
            self.commit(now, out, EventKind::Deleted { checkpoint });
        }
        out.push(EngineOutput::Forget(checkpoint));
    }

    /// A checkpoint wasn't in the store any more when a trial was to go on from it: the newest of the others takes its place.
    pub(super) fn checkpoint_gone(
        &mut self,
        trial: TrialId,
        lease: LeaseId,
        checkpoint: CheckpointId,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        // Another's is that trial's: it finds out by itself. This one isn't its copy any more.
        if checkpoint.trial == trial {
            self.delete(checkpoint, now, out);
        } else if self.inherited(trial) == Some(checkpoint) {
            self.commit(now, out, EventKind::Disinherited { trial, checkpoint });
            self.unpin(checkpoint, now, out);
        }
        let from = self.ledger.get(trial).and_then(|record| record.checkpoints.last()).cloned();
        let next = from.as_ref().map_or_else(|| "the beginning".to_owned(), |from| from.id.directory());
        let (gone, donor) = (checkpoint.directory(), checkpoint.trial);
        let message = format!("trial {trial} goes on from {next}: {gone} of trial {donor} is gone from the store");
        self.warn(now, out, message);
        out.push(EngineOutput::Trial(trial, TrialOrder::GoOnFrom { lease, from }));
    }

    /// Lets checkpoints go until the others fit, or only those are left that are needed.
    pub(super) fn make_room(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while let Some(id) = self.retained.budget.as_mut().and_then(CheckpointBudget::let_go) {
            self.delete(id, now, out);
        }
        if let Some((bytes, most)) = self.retained.budget.as_mut().and_then(CheckpointBudget::complaint) {
            let message = format!(
                "checkpoints take {bytes} bytes, more than the {most} they may take: what is left are the last ones of \
                 trials that haven't ended, which are kept"
            );
            self.warn(now, out, message);
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

    fn add(budget: &mut CheckpointBudget, number: u32, index: u32, bytes: u64) {
        let checkpoint = Checkpoint { id: id(number, index), report: Report::empty(trial(number)), bytes };
        budget.add(&checkpoint, Life::GoesOn);
    }

    fn let_go(budget: &mut CheckpointBudget) -> Vec<(u32, u32)> {
        std::iter::from_fn(|| budget.let_go()).map(|id| (id.trial.number(), id.index)).collect()
    }

    #[test]
    fn the_oldest_go_first_and_the_last_of_a_trial_stays() {
        let mut budget = CheckpointBudget::new(10);
        for (number, index) in [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2)] {
            add(&mut budget, number, index, 2);
        }
        assert_eq!(let_go(&mut budget), []);
        add(&mut budget, 0, 2, 5);
        assert_eq!(let_go(&mut budget), [(0, 0), (1, 0), (0, 1)], "5 bytes make it 15: three of two have to go");
        add(&mut budget, 0, 3, 9);
        assert_eq!(let_go(&mut budget), [(1, 1), (0, 2)]);
        assert_eq!((budget.bytes, budget.complaint(), budget.complaint()), (11, Some((11, 10)), None));
    }

    #[test]
    fn what_an_ended_trial_left_goes_when_nothing_else_is_left() {
        let mut budget = CheckpointBudget::new(4);
        add(&mut budget, 0, 0, 2);
        budget.turned(trial(0), Life::Ended);
        add(&mut budget, 1, 0, 2);
        add(&mut budget, 1, 1, 2);
        assert_eq!(let_go(&mut budget), [(1, 0)], "though it is newer");
        add(&mut budget, 2, 0, 2);
        assert_eq!(let_go(&mut budget), [(0, 0)]);
        budget.turned(trial(1), Life::Ended);
        budget.turned(trial(1), Life::GoesOn);
        add(&mut budget, 3, 0, 1);
        assert_eq!(let_go(&mut budget), [], "it goes on again, and needs it");
        assert_eq!(budget.complaint(), Some((5, 4)));
    }

    #[test]
    fn what_is_gone_takes_no_room() {
        let mut budget = CheckpointBudget::new(4);
        add(&mut budget, 0, 0, 4);
        add(&mut budget, 0, 0, 3);
        assert_eq!(budget.bytes, 3, "the same name counts once");
        add(&mut budget, 0, 1, 4);
        budget.remove(id(0, 0));
        budget.remove(id(0, 0));
        assert_eq!((let_go(&mut budget), budget.bytes), (vec![], 4));
        budget.turned(trial(7), Life::Ended);
    }
}
