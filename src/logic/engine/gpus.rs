//! A GPU on which trial after trial fails is withdrawn from service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ledger::Ordered;
use super::{Engine, EngineOutput};
use crate::logic::event::{Ending, EventKind};
use crate::logic::failure::{Failure, FailureKind};
use crate::logic::ids::TrialId;
use crate::logic::pool::Slot;
use crate::logic::time::Moment;

/// The trials that have failed on a GPU since something last went well on it.
#[derive(Clone, Debug, Default)]
struct Row {
    trials: Vec<TrialId>,
    furthest: u64,
}

/// What the GPUs have seen. Those on which nothing has failed aren't here.
#[derive(Clone, Debug, Default)]
pub(super) struct Gpus {
    rows: BTreeMap<u32, Row>,
    withdrawn: BTreeSet<u32>,
}

/// The indices of a slot's GPUs.
fn indices(slot: &Slot) -> impl Iterator<Item = u32> {
    slot.gpus.iter().flatten().copied()
}

impl Gpus {
    /// A trial has come this far on them: what failed at the same place or earlier isn't theirs.
    fn passed(&mut self, slot: &Slot, iteration: u64) {
        for gpu in indices(slot) {
            if self.rows.get(&gpu).is_some_and(|row| row.furthest < iteration) {
                self.rows.remove(&gpu);
            }
        }
    }

    /// A trial has left them well.
    fn left_well(&mut self, slot: &Slot) {
        indices(slot).for_each(|gpu| drop(self.rows.remove(&gpu)));
    }

    /// A trial has failed on them. Answers those that are withdrawn with that: `most` trials have failed on them in a row.
    fn failed(&mut self, slot: &Slot, trial: TrialId, iteration: u64, most: u32) -> Vec<u32> {
        let mut bad = Vec::new();
        for gpu in indices(slot) {
            if self.withdrawn.contains(&gpu) {
                continue;
            }
            let row = self.rows.entry(gpu).or_default();
            row.furthest = row.furthest.max(iteration);
            // One that is tried again gets the same GPU easily, and may fail for its own reasons.
            if !row.trials.contains(&trial) {
                row.trials.push(trial);
            }
            if row.trials.len() >= most as usize {
                self.rows.remove(&gpu);
                self.withdrawn.insert(gpu);
                bad.push(gpu);
            }
        }
        bad
    }
}

impl Engine {
    /// A trial has handed in a report of this iteration: what failed before it got there can be passed.
    pub(super) fn got_to(&mut self, trial: TrialId, iteration: u64) {
        self.errors.passed(iteration);
        if let Some(live) = self.ledger.live_mut(trial)
            && let Some(slot) = &live.slot
        {
            live.reported_here = true;
            self.gpus.passed(slot, iteration);
        }
    }

    /// A trial has been given a worker.
    pub(super) fn watch_slot(&mut self, trial: TrialId, slot: Arc<Slot>) {
        if let Some(live) = self.ledger.live_mut(trial) {
            (live.slot, live.reported_here) = (Some(slot), false);
        }
    }

    /// A trial that had GPUs may have left them: well, by a failure, or without a sign of either.
    pub(super) fn follow_gpus(
        &mut self,
        trial: TrialId,
        failure: Option<&Failure>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let Some(most) = self.settings.withdraw_gpus_after else { return };
        let done = self.ledger.plan(trial).is_some_and(|plan| plan.ordered == Ordered::End(Ending::Done));
        let Some(live) = self.ledger.live_mut(trial).filter(|live| live.lease.is_none()) else { return };
        let Some(slot) = live.slot.take() else { return };
        let well = std::mem::take(&mut live.reported_here) || done;
        match failure {
            None if well => self.gpus.left_well(&slot),
            Some(failure) if self.is_open() && failure.fault.kind != FailureKind::Preempted => {
                for gpu in self.gpus.failed(&slot, trial, failure.iteration, most) {
                    self.withdraw(gpu, most, failure, now, out);
                }
            }
            _ => {}
        }
    }

    fn withdraw(&mut self, gpu: u32, trials: u32, failure: &Failure, now: Moment, out: &mut Vec<EngineOutput>) {
        self.commit(now, out, EventKind::Withdrawn { gpu, trials, fault: failure.fault.clone() });
        out.push(EngineOutput::WithdrawGpu { gpu, trials, fault: failure.fault.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::RunId;

    const NONE: [u32; 0] = [];

    fn on(gpus: &[u32]) -> Slot {
        Slot { bundles: Vec::new(), gpus: vec![gpus.to_vec()] }
    }

    fn trial(number: u32) -> TrialId {
        TrialId::new(RunId::new(1), number)
    }

    #[test]
    fn so_many_trials_in_a_row_and_each_once() {
        let mut gpus = Gpus::default();
        for again in 0..4 {
            assert_eq!(gpus.failed(&on(&[0]), trial(0), again, 3), NONE);
        }
        assert_eq!(gpus.failed(&on(&[0, 1]), trial(1), 0, 3), NONE);
        assert_eq!(gpus.failed(&on(&[0, 1]), trial(2), 0, 3), [0]);
        assert_eq!(gpus.failed(&on(&[0]), trial(3), 0, 3), NONE, "it is withdrawn once");
        assert_eq!(
            gpus.failed(&on(&[1, 1]), trial(3), 0, 3),
            [1],
            "a GPU counts once for a trial that has two shares of it"
        );
    }

    #[test]
    fn what_goes_well_breaks_the_row() {
        let mut gpus = Gpus::default();
        gpus.failed(&on(&[0]), trial(0), 5, 2);
        gpus.left_well(&on(&[0]));
        assert_eq!(gpus.failed(&on(&[0]), trial(1), 5, 2), NONE);
        gpus.passed(&on(&[0]), 6);
        assert_eq!(gpus.failed(&on(&[0]), trial(2), 3, 2), NONE);
        gpus.passed(&on(&[0]), 3);
        gpus.passed(&on(&[1]), 9);
        assert_eq!(gpus.failed(&on(&[0]), trial(3), 0, 2), [0], "nobody got further there");
    }
}
