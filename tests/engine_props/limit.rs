//! Whatever is drawn, a run with a time limit ends in time, and nobody starts after it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tryout::logic::engine::AtEnd;
use tryout::logic::event::{Ending, EventKind, ExperimentEvent, Outcome};
use tryout::logic::ids::TrialId;
use tryout::logic::limit::{OnLimit, TimeLimit};
use tryout::logic::time::Moment;
use tryout::logic::trial::Status;
use tryout::testing::{Saves, SimEnd};

use super::rig::{STEP, rig};

const GRACE: Duration = Duration::from_secs(5);

fn policy() -> impl Strategy<Value = OnLimit> {
    prop_oneof![Just(OnLimit::FinishStep), Just(OnLimit::SaveThenStop), Just(OnLimit::Kill)]
}

fn limit(millis: u64, then: OnLimit) -> TimeLimit {
    // A moment at which nothing else happens.
    TimeLimit { after: Duration::from_millis(millis) + Duration::from_micros(7), then }
}

/// The trials that run at a moment.
fn running_at(events: &[ExperimentEvent], at: Moment) -> Vec<TrialId> {
    let mut last = BTreeMap::new();
    for event in events.iter().filter(|event| event.at < at) {
        if let EventKind::Status { trial, to, .. } = &event.kind {
            last.insert(*trial, *to);
        }
    }
    last.into_iter().filter(|(_, status)| *status == Status::Running).map(|(trial, _)| trial).collect()
}

/// Nobody starts after the limit, and the run is over soon.
fn ends_in_time(end: &SimEnd, limit: &TimeLimit) -> Result<(), TestCaseError> {
    for event in end.events.iter().filter(|event| event.at > limit.at()) {
        let starts = matches!(event.kind, EventKind::Chosen { .. } | EventKind::Launched { .. });
        prop_assert!(!starts, "{:?} at {}", event.kind, event.at);
    }
    let most = match limit.then {
        OnLimit::Kill => limit.at(),
        // The steps have their grace, and then the workers have theirs to end.
        OnLimit::FinishStep | OnLimit::SaveThenStop => limit.at() + GRACE + GRACE,
    };
    prop_assert!(end.now <= most, "{:?} lasted until {}", limit, end.now);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_run_ends_in_time_whatever_hangs(mut rig in rig(), millis in 0_u64..12_000, then in policy(), hang in 0.0..0.5_f64) {
        let limit = limit(millis, then);
        rig.time_limit = Some(limit);
        rig.chance.hang = hang;
        // A client's order that comes later finds it over.
        rig.orders.retain(|(_, kind, _)| *kind < 7);
        let end = super::run(&rig)?;
        // One that was ending before its time was over gives its workers the grace that they have then.
        if let Outcome::Stopped(reason) = &end.outcome
            && reason.contains("time limit")
        {
            prop_assert_eq!(&**reason, &limit.to_string());
            prop_assert!(end.now >= limit.at());
            ends_in_time(&end, &limit)?;
        } else {
            prop_assert!(end.now <= limit.at() + GRACE + GRACE, "it lasted until {}", end.now);
        }
    }

    /// A client's stop, and a second thought: first one trial, then all of them.
    #[test]
    fn a_run_that_is_stopped_ends_in_time_whatever_hangs(mut rig in rig(), millis in 0_u64..12_000, hang in 0.0..0.5_f64) {
        rig.chance.hang = hang;
        rig.orders.retain(|(_, kind, _)| *kind < 7);
        rig.orders.extend((0..rig.samples).map(|number| (millis / 2, 0, number as u32)));
        rig.orders.push((millis, 7, 0));
        let end = super::run(&rig)?;
        let most = Moment::new(Duration::from_millis(millis)) + GRACE + GRACE;
        prop_assert!(end.now <= most, "stopped at {millis} ms, it lasted until {}", end.now);
    }

    #[test]
    fn who_is_in_a_step_finishes_it_and_begins_no_other(mut rig in rig(), millis in 0_u64..8_000, save in any::<bool>()) {
        let limit = limit(millis, if save { OnLimit::SaveThenStop } else { OnLimit::FinishStep });
        rig.time_limit = Some(limit);
        rig.chance = Default::default();
        rig.orders.clear();
        (rig.scheduler, rig.over, rig.budget, rig.checkpoint_every) = (rig.scheduler % 2, None, None, None);
        (rig.at_end, rig.checkpoint_budget) = (AtEnd::Nothing, None);
        let end = super::run(&rig)?;
        ends_in_time(&end, &limit)?;
        for trial in running_at(&end.events, limit.at()) {
            let mut reports = end.events.iter().filter_map(|event| match &event.kind {
                EventKind::Reported { report } if report.trial == trial => Some((event.at, report.iteration())),
                _ => None,
            });
            let (at, iteration) = reports.next_back().expect("it finished a step");
            prop_assert!(at >= limit.at() && at <= limit.at() + STEP, "{trial} reported last at {at}");
            let record = end.ledger.get(trial).expect("it is there");
            if record.ending == Some(Ending::Experiment) {
                prop_assert_eq!(record.reason.as_deref(), Some(&*limit.to_string()));
                let saved = record.checkpoints.iter().any(|kept| kept.report.iteration() == iteration);
                prop_assert_eq!(saved, save && rig.saves == Saves::Supported, "{}", trial);
            }
        }
    }
}
