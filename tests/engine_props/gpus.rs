//! Whatever is drawn, a GPU on which everything fails is withdrawn after so many trials, and no other is without a reason.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tryout::logic::engine::FailFast;
use tryout::logic::event::{EventKind, ExperimentEvent};
use tryout::logic::failure::Failure;
use tryout::logic::ids::TrialId;
use tryout::testing::SimEnd;

use super::rig::rig;

fn failures(events: &[ExperimentEvent]) -> impl Iterator<Item = (TrialId, &Failure)> {
    events.iter().filter_map(|event| match &event.kind {
        EventKind::Failed { trial, failure, .. } => Some((*trial, &**failure)),
        _ => None,
    })
}

fn is_of_gpu(failure: &Failure) -> bool {
    failure.fault.message.ends_with("fell off the bus")
}

/// Where in the events each GPU was withdrawn.
fn withdrawn(end: &SimEnd) -> Vec<(usize, u32)> {
    let of = |(index, event): (usize, &ExperimentEvent)| match event.kind {
        EventKind::Withdrawn { gpu, .. } => Some((index, gpu)),
        _ => None,
    };
    end.events.iter().enumerate().filter_map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_broken_gpu_is_withdrawn_and_no_other(mut rig in rig(), gpus in 1_u32..4, broken in 0_u32..4, most in 2_u32..5) {
        (rig.gpus, rig.withdraw_after) = (Some((gpus, broken % gpus)), Some(most));
        rig.chance = Default::default();
        let end = super::run(&rig)?;
        let all = withdrawn(&end);
        prop_assert!(all.len() <= 1 && all.iter().all(|(_, gpu)| *gpu == broken % gpus), "{all:?}");
        let index = all.first().map_or(end.events.len(), |(index, _)| *index);
        let trials: BTreeSet<TrialId> = failures(&end.events[..index]).map(|(trial, _)| trial).collect();
        match all.first() {
            Some(_) => prop_assert_eq!(trials.len(), most as usize),
            // Trials that a client, the scheduler or the run's own end stopped in the meantime aren't counted.
            None if !rig.orders.is_empty() || rig.fail_fast != FailFast::No => {}
            None => {
                // Nor is what fails when the run's time is over.
                let over = rig.budget.map_or(Duration::MAX, Duration::from_secs);
                let open = end.events.partition_point(|event| event.at.since_start() < over);
                let trials: BTreeSet<TrialId> = failures(&end.events[..open]).map(|(trial, _)| trial).collect();
                prop_assert!(trials.len() < most as usize);
            }
        }
        // Workers that were on it then, and grants on their way, are all that can still fail there.
        let later: Vec<&Failure> = failures(&end.events[index..]).map(|(_, failure)| failure).filter(|failure| is_of_gpu(failure)).collect();
        prop_assert!(later.len() <= 1, "{} failed on it afterwards", later.len());
    }

    #[test]
    fn whatever_else_fails_there_is_a_reason(mut rig in rig(), gpus in 1_u32..4, broken in 0_u32..4, most in 2_u32..5) {
        (rig.gpus, rig.withdraw_after) = (Some((gpus, broken)), Some(most));
        let end = super::run(&rig)?;
        let mut seen = BTreeSet::new();
        for (index, gpu) in withdrawn(&end) {
            prop_assert!(seen.insert(gpu) && gpu < gpus, "GPU {gpu} was withdrawn twice, or isn't there");
            let trials: BTreeSet<TrialId> = failures(&end.events[..index]).map(|(trial, _)| trial).collect();
            prop_assert!(trials.len() >= most as usize, "after failures of {trials:?}");
        }
    }
}
