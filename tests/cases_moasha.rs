//! Successive halving by several metrics: who stops at a rung, why, and what isn't compared.

mod common;

use common::trial;
use tryout::extend::*;
use tryout::logic::schedule::MoAsha;
use tryout::testing::Nobody;

fn objectives() -> [Objective; 2] {
    [Objective::max("accuracy"), Objective::min("size")]
}

fn prepared(moasha: MoAsha) -> MoAsha {
    let mut moasha = moasha;
    moasha.prepare(None).expect("valid settings");
    moasha
}

fn halving() -> MoAsha {
    prepared(MoAsha::new(objectives()).max_t(9).reduction_factor(3.0))
}

/// Why trial `number` stops with what it reports at `time`; none if it goes on.
fn said(moasha: &mut MoAsha, number: u32, time: u64, accuracy: f64, size: f64) -> Option<String> {
    let mut report = Report::empty(trial(number));
    report.counters.training_iteration = time;
    report.metrics = Metrics::from([("accuracy", accuracy), ("size", size)]);
    let verdict = moasha.on_report(trial(number), &report, &Nobody);
    assert_eq!(verdict.decision == Decision::Stop, verdict.reason.is_some());
    verdict.reason.map(|reason| reason.to_string())
}

#[test]
fn whoever_is_dominated_by_too_many_stops() {
    let mut moasha = halving();
    assert_eq!(said(&mut moasha, 0, 1, 0.5, 10.0), None, "the first one goes on");
    let words = "rung 1: on front 2 of 2, in the worse two thirds (1 seen)";
    assert_eq!(said(&mut moasha, 1, 1, 0.4, 20.0).as_deref(), Some(words));
    assert_eq!(said(&mut moasha, 2, 1, 0.9, 90.0), None, "large, but the most accurate");
    assert_eq!(said(&mut moasha, 3, 1, 0.1, 1.0), None, "not accurate, but the smallest");
    assert_eq!(said(&mut moasha, 4, 1, 0.95, 0.5), None, "better than all");
    let words = "rung 1: on front 2 of 4, in the worse two thirds (5 seen)";
    assert_eq!(said(&mut moasha, 5, 1, 0.5, 9.0).as_deref(), Some(words));
    assert_eq!(said(&mut moasha, 2, 2, 0.0, 900.0), None, "between two rungs nobody is judged");
    let words = "training_iteration 9 has reached max_t 9";
    assert_eq!(said(&mut moasha, 4, 9, 1.0, 0.5).as_deref(), Some(words));
}

#[test]
fn on_the_same_front_room_decides() {
    let mut moasha = halving();
    for (number, share) in (0..).zip([0.0, 1.0, 0.25, 0.75]) {
        said(&mut moasha, number, 1, share, share);
    }
    // Of six on one front the two ends go on, and nobody else unless it is equal to one of them.
    assert_eq!(said(&mut moasha, 10, 1, 1.0, 1.0), None);
    let crowded = said(&mut moasha, 11, 1, 0.26, 0.26);
    assert_eq!(crowded.as_deref(), Some("rung 1: on front 1 of 1, in the worse two thirds (5 seen)"));
}

#[test]
fn a_rung_that_was_jumped_over_is_not_judged_later() {
    let mut moasha = halving();
    assert_eq!(said(&mut moasha, 0, 4, 0.9, 1.0), None);
    assert_eq!(said(&mut moasha, 0, 5, 0.0, 100.0), None, "it has passed the rungs 1 and 3");
    let words = "rung 3: on front 2 of 2, in the worse two thirds (1 seen)";
    assert_eq!(said(&mut moasha, 1, 3, 0.1, 2.0).as_deref(), Some(words), "it is compared at the rung reached");
    assert_eq!(said(&mut moasha, 2, 1, 0.1, 2.0), None, "nobody was at the first rung");
}

#[test]
fn case_h_42_numbers_that_are_not_go_on_and_count_for_nothing() {
    let mut moasha = halving();
    assert_eq!(said(&mut moasha, 0, 1, f64::NAN, 0.0), None);
    assert_eq!(said(&mut moasha, 1, 1, 0.5, 1.0), None);
    assert_eq!(said(&mut moasha, 2, 1, 0.9, f64::NAN), None);
    let words = "rung 1: on front 2 of 2, in the worse two thirds (1 seen)";
    assert_eq!(said(&mut moasha, 3, 1, f64::NEG_INFINITY, f64::INFINITY).as_deref(), Some(words));
    assert_eq!(said(&mut moasha, 4, 1, f64::INFINITY, f64::NEG_INFINITY), None);
}

#[test]
fn a_trial_that_ends_by_itself_is_recorded_once() {
    let mut moasha = halving();
    let mut report = Report::empty(trial(0));
    report.counters.training_iteration = 3;
    report.metrics = Metrics::from([("accuracy", 0.9), ("size", 1.0)]);
    moasha.on_end(trial(0), Ending::Done, Some(&report), &Nobody);
    let words = "rung 3: on front 2 of 2, in the worse two thirds (1 seen)";
    assert_eq!(said(&mut moasha, 1, 3, 0.5, 2.0).as_deref(), Some(words));
    let (mut failed, before) = (halving(), halving().save());
    failed.on_end(trial(0), Ending::Error, Some(&report), &Nobody);
    assert_eq!(failed.save(), before, "of a failure nothing is recorded");
}

/// A memory of two forgets the one that dominated all.
#[test]
fn only_the_latest_are_compared() {
    let mut moasha = prepared(MoAsha::new(objectives()).reduction_factor(2.0).memory(2));
    said(&mut moasha, 0, 1, 1.0, 0.0);
    said(&mut moasha, 1, 1, 0.5, 5.0);
    let words = "rung 1: on front 3 of 3, in the worse half (2 seen)";
    assert_eq!(said(&mut moasha, 2, 1, 0.4, 6.0).as_deref(), Some(words));
    assert_eq!(said(&mut moasha, 3, 1, 0.5, 5.0), None, "the first one is forgotten");
}

#[test]
fn a_longer_ladder_keeps_the_rungs_below_it() {
    let made = |max_t| prepared(MoAsha::new(objectives()).reduction_factor(2.0).max_t(max_t));
    let mut first = made(4);
    said(&mut first, 0, 1, 0.9, 1.0);
    let state = first.save().expect("it has one");
    for max_t in [2, 4, 64] {
        let mut second = made(max_t);
        second.restore(state.clone()).expect("the rungs below are the same");
        let words = "rung 1: on front 2 of 2, in the worse half (1 seen)";
        assert_eq!(said(&mut second, 1, 1, 0.1, 2.0).as_deref(), Some(words), "{max_t}");
    }
    let mut other = prepared(MoAsha::new([Objective::max("accuracy"), Objective::max("size")]).reduction_factor(2.0));
    let error = other.restore(state.clone()).expect_err("size is turned round");
    let words = "`objectives` was max `accuracy`, min `size` when it was saved and is max `accuracy`, max `size` now";
    assert!(error.to_string().contains(words), "{error}");
    let mut broken = state;
    broken["rungs"][0]["recent"][0] = serde_json::json!([0.5]);
    let before = first.save();
    let error = first.restore(broken).expect_err("a score is missing");
    assert!(error.to_string().contains("`a point at a rung` is 1 scores, but must be 2"), "{error}");
    assert_eq!(first.save(), before);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |mut moasha: MoAsha| match moasha.prepare(None) {
        Err(ScheduleError::Setting { setting, .. }) => setting,
        Err(ScheduleError::NoObjective { .. }) => "no objective",
        _ => "nothing",
    };
    let good = || MoAsha::new(objectives());
    assert_eq!(refused(good()), "nothing");
    assert_eq!(refused(MoAsha::new([])), "no objective");
    assert_eq!(refused(MoAsha::new([Objective::min("")])), "objectives");
    assert_eq!(refused(good().max_t(0)), "max_t");
    assert_eq!(refused(good().grace_period(101)), "grace_period");
    assert_eq!(refused(good().reduction_factor(1.0)), "reduction_factor");
    assert_eq!(refused(good().reduction_factor(1.000_001)), "reduction_factor");
    assert_eq!(refused(good().memory(1)), "memory");
    assert_eq!(refused(good().time_attr("")), "time_attr");
    let mut one = MoAsha::new([]);
    one.prepare(Some(&Objective::min("loss"))).expect("the experiment has one");
    assert_eq!(one.objectives(), [Objective::min("loss")]);
}

#[test]
fn an_extended_trial_isnt_judged_again_where_it_was() {
    let mut moasha = halving();
    assert_eq!(said(&mut moasha, 0, 1, 0.9, 1.0), None);
    moasha.on_end(trial(0), Ending::StopRule, None, &Nobody);
    let before = moasha.save();
    let mut last = Report::empty(trial(0));
    last.counters.training_iteration = 2;
    moasha.on_revive(trial(0), &Config::new(), Some(&last));
    assert_eq!(said(&mut moasha, 0, 2, 0.1, 9.0), None, "dominated by itself, if it were");
    moasha.on_end(trial(0), Ending::StopRule, None, &Nobody);
    assert_eq!(moasha.save(), before);
}
