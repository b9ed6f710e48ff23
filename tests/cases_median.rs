//! The median stopping rule: the cases of group H.

mod common;

use common::roster::Roster;
use common::{report, trial};
use tryout::logic::config::Config;
use tryout::logic::decision::Decision::{self, Continue, Pause, Stop};
use tryout::logic::decision::Verdict;
use tryout::logic::event::Ending;
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::schedule::{MedianStopping, ScheduleError, Scheduler, WhenBehind};
use tryout::logic::trial::Status;
use tryout::testing::Nobody;

/// By iteration, without a grace period, and with one other trial at least.
fn eager() -> MedianStopping {
    MedianStopping::new().time_attr("training_iteration").grace_period(0.0).min_samples(1)
}

fn prepared(median: MedianStopping) -> MedianStopping {
    let mut median = median;
    median.prepare(Some(&Objective { metric: "score".to_owned(), mode: Mode::Max })).expect("valid settings");
    median
}

fn tell(median: &mut MedianStopping, number: u32, time: u64, value: f64) -> Verdict {
    median.on_report(trial(number), &report(trial(number), time, "score", value), &Nobody)
}

fn decide(median: &mut MedianStopping, number: u32, time: u64, value: f64) -> Decision {
    tell(median, number, time, value).decision
}

fn end(median: &mut MedianStopping, number: u32, ending: Ending, time: u64, value: f64) {
    let last = report(trial(number), time, "score", value);
    assert!(median.on_end(trial(number), ending, Some(&last), &Nobody).is_empty());
}

/// Trial 1 rises by 100 at each time from 0 to 9, trial 2 has 450 at the first five.
fn basic_pair(median: &mut MedianStopping) {
    for time in 0..10 {
        assert_eq!(decide(median, 1, time, 100.0 * time as f64), Continue);
    }
    for time in 0..5 {
        assert_eq!(decide(median, 2, time, 450.0), Continue);
    }
}

#[test]
fn case_h_50_the_best_is_held_against_the_median_of_means() {
    let mut median = prepared(eager());
    basic_pair(&mut median);
    end(&mut median, 1, Ending::Done, 10, 1000.0);
    assert_eq!(decide(&mut median, 2, 5, 450.0), Continue);
    assert_eq!(decide(&mut median, 2, 6, 0.0), Continue, "its best is still 450, above the mean 300");
    let verdict = tell(&mut median, 2, 10, 450.0);
    assert_eq!(verdict.decision, Stop);
    let expected = "training_iteration 10: the best, 450, is worse than 500, the median of 1 running means";
    assert_eq!(verdict.reason.as_deref(), Some(expected));
}

#[test]
fn nobody_is_stopped_in_the_grace_period() {
    let mut median = prepared(eager().grace_period(5.0));
    basic_pair(&mut median);
    end(&mut median, 1, Ending::Done, 10, 1000.0);
    end(&mut median, 2, Ending::Done, 10, 1000.0);
    for time in 0..5 {
        assert_eq!(decide(&mut median, 3, time, 10.0), Continue);
    }
    assert_eq!(decide(&mut median, 3, 5, 10.0), Stop);
    assert_eq!(decide(&mut median, 3, 6, 10.0), Stop);
}

#[test]
fn case_h_53_too_few_others_stop_nobody() {
    let mut median = prepared(eager().min_samples(2));
    basic_pair(&mut median);
    end(&mut median, 1, Ending::Done, 10, 1000.0);
    assert_eq!(decide(&mut median, 3, 5, 10.0), Continue);
    end(&mut median, 2, Ending::Done, 5, 1000.0);
    assert_eq!(decide(&mut median, 3, 5, 10.0), Stop);
}

#[test]
fn case_h_54_the_median_of_two_lies_between_them() {
    let mut median = prepared(eager());
    basic_pair(&mut median);
    // Means at 1: 50 and 450, at 2: 100 and 450.
    assert_eq!(decide(&mut median, 3, 1, 260.0), Continue);
    assert_eq!(decide(&mut median, 3, 2, 260.0), Stop);
    let mut median = prepared(eager());
    basic_pair(&mut median);
    assert_eq!(decide(&mut median, 3, 1, 249.9), Stop);
}

#[test]
fn case_h_55_a_pause_instead_of_a_stop_comes_once() {
    let mut median = prepared(eager().when_behind(WhenBehind::PauseOnce));
    basic_pair(&mut median);
    assert_eq!(decide(&mut median, 3, 1, 260.0), Continue);
    let verdict = tell(&mut median, 3, 2, 260.0);
    assert_eq!(verdict.decision, Pause);
    assert!(verdict.reason.is_some_and(|reason| reason.contains("the best, 260, is worse than 275")));
    assert_eq!(decide(&mut median, 3, 3, 260.0), Continue);
    assert_eq!(decide(&mut median, 3, 4, -1e9), Continue);
}

#[test]
fn case_h_56_a_trial_makes_room_once_a_slice_while_others_wait() {
    let mut median = prepared(eager().min_time_slice(3.0));
    let mut roster = Roster::default();
    roster.add(trial(1));
    roster.add(trial(2));
    roster.set(trial(1), Status::Running);
    let mut decisions = Vec::new();
    for time in 1..=8 {
        roster.set(trial(1), Status::Running);
        decisions.push(roster.hear(&mut median, report(trial(1), time, "score", 0.0)).decision);
    }
    assert_eq!(decisions, [Pause, Continue, Continue, Continue, Pause, Continue, Continue, Continue]);
    roster.set(trial(1), Status::Running);
    roster.set(trial(2), Status::Running);
    let verdict = roster.hear(&mut median, report(trial(1), 20, "score", 0.0));
    assert_eq!(verdict.decision, Continue, "nobody waits");
    roster.set(trial(2), Status::Paused);
    let verdict = roster.hear(&mut median, report(trial(1), 30, "score", 0.0));
    assert_eq!(verdict.reason.as_deref(), Some("training_iteration 30: makes room, as 0 of 1 others got this far"));
}

#[test]
fn case_h_42_strange_numbers_are_left_out() {
    let mut median = prepared(eager());
    for (number, value) in [(1, f64::NAN), (2, f64::INFINITY), (3, f64::NEG_INFINITY), (4, 10.0), (5, 20.0)] {
        assert_eq!(decide(&mut median, number, 0, value), Continue, "{value}");
    }
    // Only 10 and 20 count; the trial that has nothing but NaN is behind.
    assert_eq!(decide(&mut median, 6, 0, 15.0), Continue);
    assert_eq!(decide(&mut median, 7, 0, 14.0), Stop);
    assert_eq!(decide(&mut median, 8, 0, f64::NAN), Stop);
    assert_eq!(decide(&mut median, 9, 0, f64::INFINITY), Continue);
}

#[test]
fn equal_scores_are_not_worse() {
    let mut median = prepared(eager());
    for number in 0..9 {
        for time in 1..200 {
            assert_eq!(decide(&mut median, number, time, 0.1), Continue, "a mean of equal scores is that score");
        }
    }
}

#[test]
fn the_report_that_ended_a_trial_counts_twice() {
    let mut median = prepared(eager());
    assert_eq!([1, 2].map(|time| decide(&mut median, 1, time, 30.0 * time as f64)), [Continue; 2]);
    assert_eq!(decide(&mut median, 2, 2, 48.0), Continue, "the mean is 45");
    end(&mut median, 1, Ending::Scheduler, 2, 60.0);
    // 30, 60 and again 60 make 50; with 48, the median is 49.
    assert_eq!(decide(&mut median, 3, 2, 48.9), Stop);
    assert_eq!(decide(&mut median, 4, 2, 49.5), Continue);
}

#[test]
fn a_client_s_stop_and_a_failure_add_nothing() {
    for ending in [Ending::Client, Ending::Error, Ending::Experiment] {
        let mut median = prepared(eager());
        assert_eq!([1, 2].map(|time| decide(&mut median, 1, time, 30.0 * time as f64)), [Continue; 2]);
        end(&mut median, 1, ending, 2, 60.0);
        assert_eq!(decide(&mut median, 2, 2, 46.0), Continue, "{ending:?}: the mean is 45");
    }
}

#[test]
fn what_is_repeated_after_a_failure_does_not_count_again() {
    let mut median = prepared(eager());
    for (time, value) in [(1, 10.0), (2, 20.0), (3, 30.0), (1, 1000.0), (2, 1000.0)] {
        assert_eq!(decide(&mut median, 1, time, value), Continue);
    }
    assert_eq!(decide(&mut median, 2, 3, 20.0), Continue, "the mean is still 20");
    assert_eq!(decide(&mut median, 1, 4, 0.0), Continue, "the best isn't the worse for it");
    assert_eq!(decide(&mut median, 3, 3, 19.9), Stop);
}

#[test]
fn paused_trials_come_back_in_the_order_in_which_they_were_added() {
    let mut median = prepared(eager());
    let mut roster = Roster::default();
    for number in 0..3 {
        roster.add(trial(number));
        median.on_add(trial(number), &Config::new());
    }
    (0..3).for_each(|number| assert_eq!(roster.launch(&mut median), Some(trial(number))));
    roster.add(trial(3));
    for number in [2, 0] {
        let time = 10 - u64::from(number);
        assert_eq!(roster.hear(&mut median, report(trial(number), time, "score", 0.0)).decision, Pause);
    }
    assert_eq!([0; 4].map(|_| roster.launch(&mut median)), [Some(trial(3)), Some(trial(0)), Some(trial(2)), None]);
}

#[test]
fn settings_are_checked() {
    let refused = |median: MedianStopping| {
        let mut median = median.objective(Objective::min("loss"));
        match median.prepare(None) {
            Err(ScheduleError::Setting { setting, .. }) => setting,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(MedianStopping::new().grace_period(-1.0)), "grace_period");
    assert_eq!(refused(MedianStopping::new().grace_period(f64::NAN)), "grace_period");
    assert_eq!(refused(MedianStopping::new().min_time_slice(f64::INFINITY)), "min_time_slice");
    assert_eq!(refused(MedianStopping::new().min_samples(0)), "min_samples");
    assert_eq!(refused(MedianStopping::new().time_attr("")), "time_attr");
    assert!(matches!(MedianStopping::new().prepare(None), Err(ScheduleError::NoObjective { .. })));
    let mut median = MedianStopping::new().objective(Objective::min("loss"));
    let other = Objective::max("loss");
    assert!(matches!(median.prepare(Some(&other)), Err(ScheduleError::TwoObjectives { .. })));
}
