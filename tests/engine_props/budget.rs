//! Whatever is drawn, checkpoints take no more room than they may, unless all that are left are needed; and none goes that
//! is needed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tryout::logic::checkpoint::CheckpointId;
use tryout::logic::event::EventKind;
use tryout::logic::ids::TrialId;
use tryout::testing::SimEnd;

use super::rig::{Rig, rig};

/// What the events say there is.
#[derive(Default)]
struct Kept {
    bytes: BTreeMap<CheckpointId, u64>,
    latest: BTreeMap<TrialId, CheckpointId>,
    ended: BTreeSet<TrialId>,
    /// What copies of other trials go on from, and whether they have begun to.
    inherited: BTreeMap<TrialId, (CheckpointId, bool)>,
    gone: BTreeSet<CheckpointId>,
    warnings: usize,
}

impl Kept {
    fn is_needed(&self, id: CheckpointId) -> bool {
        self.is_held(id) || (self.latest.get(&id.trial) == Some(&id) && !self.ended.contains(&id.trial))
    }

    fn is_held(&self, id: CheckpointId) -> bool {
        self.inherited.values().any(|(held, _)| *held == id)
    }

    /// The last one that is still there of a trial: an older one can outlive the last that it wrote, if a copy held it.
    fn last_left(&self, trial: TrialId) -> Option<CheckpointId> {
        self.bytes.keys().copied().filter(|id| id.trial == trial).max()
    }

    fn total(&self) -> u64 {
        self.bytes.values().sum()
    }

    /// Between two steps: what there is fits, or is needed; and then somebody was warned.
    fn settled(&self, most: u64) -> Result<(), TestCaseError> {
        if self.total() > most {
            let spare: Vec<_> = self.bytes.keys().filter(|id| !self.is_needed(**id)).collect();
            prop_assert!(spare.is_empty(), "{} bytes of {most}, and {spare:?} could go", self.total());
            prop_assert_eq!(self.warnings, 1, "a warning, once");
        }
        Ok(())
    }

    fn follow(&mut self, kind: &EventKind) -> Result<(), TestCaseError> {
        match kind {
            EventKind::Saved { checkpoint } => {
                prop_assert!(!self.gone.contains(&checkpoint.id), "a name is never used twice");
                self.bytes.insert(checkpoint.id, checkpoint.bytes);
                self.latest.insert(checkpoint.id.trial, checkpoint.id);
                if let Some((_, true)) = self.inherited.get(&checkpoint.id.trial) {
                    self.inherited.remove(&checkpoint.id.trial);
                }
            }
            EventKind::Deleted { checkpoint } => {
                prop_assert!(!self.is_needed(*checkpoint), "{checkpoint:?} goes, and is needed");
                let others = self.bytes.keys().any(|id| self.last_left(id.trial) != Some(*id) && !self.is_held(*id));
                let last = self.latest.get(&checkpoint.trial) == Some(checkpoint);
                prop_assert!(!last || !others, "{checkpoint:?} goes, and others could");
                prop_assert!(self.bytes.remove(checkpoint).is_some(), "{checkpoint:?} goes once");
                self.gone.insert(*checkpoint);
            }
            EventKind::Exploited { trial, exploit, .. } => {
                self.inherited.insert(*trial, (exploit.checkpoint.id, false));
            }
            EventKind::Restored { trial, checkpoint, .. } => {
                if let Some((held, loaded)) = self.inherited.get_mut(trial) {
                    prop_assert_eq!(*held, *checkpoint, "a copy goes on from what it was made of");
                    *loaded = true;
                }
                prop_assert!(!self.gone.contains(checkpoint), "{checkpoint:?} is restored, and is gone");
            }
            EventKind::Ended { trial, .. } => {
                self.ended.insert(*trial);
            }
            EventKind::Warning { message } if message.starts_with("checkpoints take") => self.warnings += 1,
            _ => {}
        }
        Ok(())
    }
}

fn holds(rig: &Rig, most: u64) -> Result<SimEnd, TestCaseError> {
    let end = super::run(rig)?;
    let mut kept = Kept::default();
    for event in &end.events {
        // All that one step brings comes before the next save or end; what it lets go follows at once.
        if matches!(event.kind, EventKind::Saved { .. } | EventKind::Ended { .. } | EventKind::Finished { .. }) {
            kept.settled(most)?;
        }
        kept.follow(&event.kind)?;
    }
    prop_assert!(kept.warnings <= 1);
    let recorded: BTreeSet<CheckpointId> =
        end.ledger.iter().flat_map(|record| &record.checkpoints).map(|checkpoint| checkpoint.id).collect();
    prop_assert_eq!(recorded, kept.bytes.into_keys().collect::<BTreeSet<_>>(), "what the ledger knows");
    Ok(end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn checkpoints_keep_within_their_budget(mut rig in rig(), most in 1_u64..100, keep in 1_usize..6) {
        rig.checkpoint_budget = Some(most);
        rig.checkpoint_every = rig.checkpoint_every.or(Some(1));
        rig.keep = keep;
        holds(&rig, most)?;
    }
}
