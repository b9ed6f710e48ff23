//! Whatever is drawn, a run that is held launches nobody until it is let go on, and was held for a reason.

use proptest::prelude::*;
use tryout::logic::engine::{OnSameError, SameError};
use tryout::logic::event::{Ending, EventKind, ExperimentEvent, Hold, Outcome, RunFailure};
use tryout::logic::failure::{Failure, FailureKind};
use tryout::logic::ids::TrialId;
use tryout::logic::time::Moment;

use super::rig::{Rig, rig};

/// The failures in question are the scripted ones: their words end with a number.
fn same(one: &Failure, other: &Failure) -> bool {
    let words = |failure: &Failure| failure.fault.message.trim_end_matches(char::is_numeric).to_owned();
    one.fault.kind == other.fault.kind && words(one) == words(other)
}

/// Since the first of the failures that led to a hold, nothing showed that things work.
fn was_right(before: &[ExperimentEvent], last: TrialId, workers: u32) -> Result<(), TestCaseError> {
    let failure = |event: &ExperimentEvent| match &event.kind {
        EventKind::Failed { failure, trial, .. } => Some((*trial, failure.clone())),
        _ => None,
    };
    let newest = before.iter().rev().find_map(failure).expect("there was one");
    prop_assert_eq!(newest.0, last);
    let is_same = |event: &ExperimentEvent| failure(event).is_some_and(|(_, other)| same(&other, &newest.1));
    let counted = (0..before.len()).rev().filter(|index| is_same(&before[*index])).nth(workers as usize - 1);
    let first = counted.ok_or_else(|| TestCaseError::fail("it was held too early"))?;
    prop_assert_ne!(newest.1.fault.kind, FailureKind::Preempted);
    let mut furthest = 0;
    for event in &before[first..] {
        match &event.kind {
            EventKind::Failed { failure, .. } if is_same(event) => furthest = furthest.max(failure.iteration),
            EventKind::Reported { report } => {
                prop_assert!(report.iteration() <= furthest, "one got further, at {}", event.at);
            }
            EventKind::Ended { ending: Ending::Done, .. } => prop_assert!(false, "one ended well in between"),
            EventKind::Proceeded => prop_assert!(false, "it was let go on in between"),
            _ => {}
        }
    }
    Ok(())
}

fn holds(rig: &Rig) -> Result<(), TestCaseError> {
    let end = super::run(rig)?;
    let mut held: Option<Moment> = None;
    for (index, event) in end.events.iter().enumerate() {
        match &event.kind {
            EventKind::Held { why } => {
                prop_assert_eq!(held.replace(event.at), None, "it is held once");
                if let Hold::SameError { workers, last, .. } = &**why {
                    was_right(&end.events[..index], *last, *workers)?;
                }
            }
            EventKind::Proceeded => prop_assert!(held.take().is_some(), "it wasn't held"),
            EventKind::Chosen { trial } => prop_assert_eq!(held, None, "{} was chosen", trial),
            // A grant may have been on its way.
            EventKind::Launched { trial, .. } => {
                prop_assert!(held.is_none_or(|since| since == event.at), "{trial} was launched");
            }
            _ => {}
        }
    }
    if let Outcome::Failed(RunFailure::SameError { why: Hold::SameError { workers, last, .. } }) = &end.outcome {
        prop_assert_eq!(rig.same_error.map(|same| same.then), Some(OnSameError::End));
        let is_it = |event: &ExperimentEvent| matches!(&event.kind, EventKind::Failed { trial, .. } if trial == last);
        // Trials that were being stopped then may have failed since: what it was is found where it adds up.
        let candidates = (0..end.events.len()).filter(|index| is_it(&end.events[*index]));
        let right =
            candidates.map(|index| was_right(&end.events[..=index], *last, *workers)).any(|right| right.is_ok());
        prop_assert!(right, "it was ended for no reason");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_held_run_launches_nobody(mut rig in rig(), workers in 2_u32..5, error in 0.1..0.9_f64, setup in any::<bool>()) {
        let then = if rig.seed % 4 == 0 { OnSameError::End } else { OnSameError::Hold };
        rig.same_error = Some(SameError { workers, then });
        if setup { rig.chance.setup = error } else { rig.chance.error = error }
        holds(&rig)?;
    }
}
