//! Asynchronous successive halving: the cases of group H.

mod common;

use common::{report, trial};
use tryout::logic::config::Config;
use tryout::logic::decision::{Decision, Verdict};
use tryout::logic::event::Ending;
use tryout::logic::metrics::{Mode, Objective, Report};
use tryout::logic::schedule::{Asha, AshaForm, AtMaxT, ScheduleError, Scheduler};
use tryout::testing::Nobody;

use Decision::{Continue, Stop};

fn prepared(asha: Asha, mode: Mode) -> Asha {
    let mut asha = asha;
    asha.prepare(Some(&Objective { metric: "score".to_owned(), mode })).expect("valid settings");
    asha
}

fn tell(asha: &mut Asha, number: u32, time: u64, value: f64) -> Verdict {
    asha.on_report(trial(number), &report(trial(number), time, "score", value), &Nobody)
}

fn decide(asha: &mut Asha, number: u32, time: u64, value: f64) -> Decision {
    tell(asha, number, time, value).decision
}

fn end(asha: &mut Asha, number: u32, ending: Ending, time: u64, value: f64) {
    let last = report(trial(number), time, "score", value);
    assert!(asha.on_end(trial(number), ending, Some(&last), &Nobody).is_empty());
}

#[test]
fn case_h_05_nan_is_ignored_and_never_stops_its_owner() {
    let mut asha = prepared(Asha::new().max_t(10).reduction_factor(2.0), Mode::Max);
    for time in 1..10 {
        assert_eq!(decide(&mut asha, 1, time, 450.0), Continue);
        assert_eq!(decide(&mut asha, 2, time, f64::NAN), Continue);
    }
    assert_eq!(decide(&mut asha, 3, 1, 260.0), Stop);
    assert_eq!(decide(&mut asha, 3, 2, 260.0), Stop);
}

#[test]
fn case_h_05_a_rung_of_nan_alone_stops_nobody() {
    let mut asha = prepared(Asha::new(), Mode::Min);
    assert_eq!(decide(&mut asha, 1, 1, f64::NAN), Continue);
    assert_eq!(decide(&mut asha, 2, 1, 1e300), Continue);
    assert_eq!(decide(&mut asha, 1, 2, 1e301), Continue, "its NaN was recorded at rung 1, so it isn't judged again");
}

#[test]
fn progress_says_how_many_were_at_each_rung() {
    for form in [AshaForm::Stopping, AshaForm::Promotion] {
        let mut asha = prepared(Asha::new().max_t(9).reduction_factor(3.0).form(form), Mode::Max);
        assert_eq!(asha.progress(), None, "nobody was anywhere");
        for number in 0..3 {
            asha.on_add(trial(number), &Config::new());
            tell(&mut asha, number, 1, f64::from(number));
        }
        assert_eq!(asha.progress().as_deref(), Some("reached 1: 3"));
        tell(&mut asha, 2, 3, 5.0);
        assert_eq!(asha.progress().as_deref(), Some("reached 1: 3, 3: 1"));
    }
}

#[test]
fn case_h_07_max_t_stops_nobody_if_trials_run_on() {
    let mut asha = prepared(Asha::new().max_t(3).reduction_factor(2.0).at_max_t(AtMaxT::RunOn), Mode::Max);
    let at_two: Vec<Decision> =
        [10.0, 8.0, 6.0, 4.0].into_iter().zip(0..).map(|(value, number)| decide(&mut asha, number, 2, value)).collect();
    assert_eq!(at_two, [Continue, Stop, Stop, Stop]);
    assert_eq!([4, 8].map(|time| decide(&mut asha, 0, time, 10.0)), [Continue; 2]);
    assert_eq!(decide(&mut asha, 0, 14, 1.0), Continue);
}

/// DECISIONS 16: a trial is judged at a rung once, also if it ended in between.
#[test]
fn an_extended_trial_isnt_judged_again_where_it_was() {
    for promotion in [false, true] {
        let asha = Asha::new().max_t(100).reduction_factor(2.0);
        let mut asha = prepared(if promotion { asha.form(AshaForm::Promotion) } else { asha }, Mode::Max);
        decide(&mut asha, 0, 1, 1.0);
        end(&mut asha, 0, Ending::StopRule, 1, 1.0);
        decide(&mut asha, 1, 1, 9.0);
        end(&mut asha, 1, Ending::StopRule, 1, 9.0);
        let before = serde_json::to_string(&asha.save()).expect("a state");
        asha.on_revive(trial(0), &Config::new(), Some(&report(trial(0), 1, "score", 1.0)));
        assert_eq!(decide(&mut asha, 0, 1, 1.0), Continue, "it isn't held against the others at rung 1 again");
        end(&mut asha, 0, Ending::Client, 1, 1.0);
        assert_eq!(serde_json::to_string(&asha.save()).expect("a state"), before, "and isn't counted twice");
    }
}

#[test]
fn max_t_stops_even_the_best() {
    let mut asha = prepared(Asha::new().max_t(3), Mode::Max);
    let verdict = tell(&mut asha, 0, 3, 1e9);
    assert_eq!(verdict.decision, Stop);
    assert_eq!(verdict.reason.as_deref(), Some("training_iteration 3 has reached max_t 3"));
}

#[test]
fn case_h_09_the_top_rung_is_not_lost() {
    let times = |max_t, factor| Asha::new().max_t(max_t).reduction_factor(factor).rungs();
    assert_eq!(times(1000, 10.0), [[1.0, 10.0, 100.0, 1000.0]]);
    assert_eq!(times(243, 3.0), [[1.0, 3.0, 9.0, 27.0, 81.0, 243.0]]);
    assert_eq!(times(125, 5.0), [[1.0, 5.0, 25.0, 125.0]]);
    assert_eq!(times(81, 3.0), [[1.0, 3.0, 9.0, 27.0, 81.0]]);
    assert_eq!(times(100, 4.0), [[1.0, 4.0, 16.0, 64.0]]);
    assert_eq!(times(1000, 10.0_f64.sqrt())[0].len(), 7);
}

#[test]
fn case_h_10_surplus_brackets_are_left_out() {
    let asha = Asha::new().max_t(16).reduction_factor(4.0).brackets(9);
    assert_eq!(asha.rungs(), [vec![1.0, 4.0, 16.0], vec![4.0, 16.0], vec![16.0]]);
    let mut asha = prepared(asha, Mode::Min);
    for number in 0..500 {
        asha.on_add(trial(number), &Config::new());
        assert!(asha.bracket_of(trial(number)).is_some_and(|bracket| bracket < 3));
    }
}

#[test]
fn case_h_11_brackets_are_drawn_by_the_power_of_their_rungs() {
    let asha = Asha::new().brackets(3);
    for (odds, expected) in asha.bracket_odds().iter().zip([0.665, 0.245, 0.090]) {
        assert!((odds - expected).abs() < 5e-4, "{odds} isn't {expected}");
    }
    let counts = |seed| {
        let mut asha = prepared(asha.clone().seed(seed), Mode::Min);
        let mut counts = [0_u32; 3];
        for number in 0..20_000 {
            asha.on_add(trial(number), &Config::new());
            counts[asha.bracket_of(trial(number)).expect("it was just added")] += 1;
        }
        counts
    };
    for (count, expected) in counts(1).into_iter().zip([0.665, 0.245, 0.090]) {
        let share = f64::from(count) / 20_000.0;
        assert!((share - expected).abs() < 0.02, "{share} isn't {expected}");
    }
    assert_eq!(counts(7), counts(7));
    assert_ne!(counts(7), counts(8));
}

#[test]
fn case_h_12_a_rung_that_was_jumped_over_is_passed() {
    let mut asha = prepared(Asha::new(), Mode::Max);
    assert_eq!(decide(&mut asha, 1, 1, 10.0), Continue);
    assert_eq!(decide(&mut asha, 2, 4, 1.0), Continue, "the first at rung 4");
    assert_eq!(decide(&mut asha, 2, 5, 1.0), Continue, "rung 1 lies behind it");
    assert_eq!(decide(&mut asha, 3, 1, 9.0), Stop, "rung 1 knows the 10 alone");
    assert_eq!(decide(&mut asha, 4, 4, 0.5), Stop, "rung 4 knows the 1");
}

#[test]
fn a_bracket_begins_at_its_own_rung() {
    let mut asha = prepared(Asha::new().brackets(2).seed(3), Mode::Max);
    (0..50).for_each(|number| asha.on_add(trial(number), &Config::new()));
    let late: Vec<u32> = (0..50).filter(|number| asha.bracket_of(trial(*number)) == Some(1)).collect();
    assert!(late.len() > 2);
    let falling = |asha: &mut Asha, time| -> Vec<Decision> {
        late.iter().map(|number| decide(asha, *number, time, -f64::from(*number))).collect()
    };
    assert!(falling(&mut asha, 3).iter().all(|decision| *decision == Continue), "no rung before 4");
    let at_four = falling(&mut asha, 4);
    assert_eq!(at_four[0], Continue);
    assert!(at_four[1..].iter().all(|decision| *decision == Stop));
}

#[test]
fn a_report_without_metric_or_time_changes_nothing() {
    let mut asha = prepared(Asha::new().time_attr("epoch"), Mode::Min);
    let both = |metric: &'static str, epoch: Option<i64>, value: f64| {
        let mut report = report(trial(0), 500, metric, value);
        if let Some(epoch) = epoch {
            report.metrics.insert("epoch", epoch);
        }
        report
    };
    let mut hear = |number, report: Report| asha.on_report(trial(number), &report, &Nobody).decision;
    assert_eq!(hear(0, both("other", Some(1), 0.0)), Continue);
    assert_eq!(hear(0, both("score", None, 0.0)), Continue);
    assert_eq!(hear(1, both("score", Some(1), 9.0)), Continue, "nothing was recorded");
    assert_eq!(hear(2, both("score", Some(1), 9.5)), Stop);
    assert_eq!(hear(3, both("score", Some(100), 0.0)), Stop, "by epoch, max_t is reached");
}

#[test]
fn the_reason_names_rung_value_cut_off_and_how_many() {
    let mut asha = prepared(Asha::new().reduction_factor(3.0).max_t(81), Mode::Min);
    assert_eq!([0, 1, 2].map(|number| decide(&mut asha, number, 9, 0.37)), [Continue; 3]);
    let reason = tell(&mut asha, 4, 10, 0.41).reason;
    assert_eq!(reason.as_deref(), Some("rung 9: 0.41 is in the worse two thirds (cut-off 0.37, 3 seen)"));
}

#[test]
fn the_last_report_is_recorded_at_the_end_and_the_trial_forgotten() {
    for ending in [Ending::Done, Ending::StopRule, Ending::Scheduler, Ending::Client, Ending::Experiment] {
        let mut asha = prepared(Asha::new(), Mode::Max);
        asha.on_add(trial(1), &Config::new());
        end(&mut asha, 1, ending, 4, 10.0);
        assert_eq!(asha.bracket_of(trial(1)), None, "{ending:?}");
        assert_eq!(decide(&mut asha, 2, 4, 9.0), Stop, "{ending:?}: rung 4 knows the 10");
    }
}

#[test]
fn a_last_report_that_was_judged_is_not_recorded_twice() {
    let mut asha = prepared(Asha::new().reduction_factor(2.0), Mode::Max);
    assert_eq!(decide(&mut asha, 1, 1, 10.0), Continue);
    end(&mut asha, 1, Ending::Experiment, 1, 10.0);
    assert_eq!(decide(&mut asha, 2, 1, 0.0), Stop);
    // Cut-off of {0, 10} is 5; of {0, 10, 10} it would be 10.
    assert_eq!(decide(&mut asha, 3, 1, 6.0), Continue);
}

#[test]
fn a_failure_records_nothing_and_keeps_the_place() {
    let mut asha = prepared(Asha::new().reduction_factor(2.0), Mode::Max);
    assert_eq!(decide(&mut asha, 1, 1, 10.0), Continue);
    end(&mut asha, 1, Ending::Error, 2, 10.0);
    assert_eq!(asha.bracket_of(trial(1)), Some(0));
    assert_eq!(decide(&mut asha, 2, 2, 0.0), Continue, "rung 2 is empty");
    assert_eq!(decide(&mut asha, 1, 1, 0.0), Continue, "tried again by hand, it is past rung 1");
}

#[test]
fn a_trial_without_a_report_just_goes() {
    let mut asha = prepared(Asha::new(), Mode::Max);
    asha.on_add(trial(1), &Config::new());
    assert!(asha.on_end(trial(1), Ending::Client, None, &Nobody).is_empty());
    assert_eq!(asha.bracket_of(trial(1)), None);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let loss = Objective::min("loss");
    let refused = |asha: Asha| match { asha }.prepare(Some(&loss)) {
        Err(ScheduleError::Setting { scheduler: "Asha", setting, .. }) => setting,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Asha::new().max_t(0)), "max_t");
    assert_eq!(refused(Asha::new().grace_period(0)), "grace_period");
    assert_eq!(refused(Asha::new().max_t(5).grace_period(6)), "grace_period");
    for factor in [1.0, 0.5, -3.0, f64::NAN, f64::INFINITY, 1.000_000_1] {
        assert_eq!(refused(Asha::new().reduction_factor(factor)), "reduction_factor");
    }
    assert_eq!(refused(Asha::new().brackets(0)), "brackets");
    assert_eq!(refused(Asha::new().time_attr("")), "time_attr");
    let text = Asha::new().grace_period(0).prepare(Some(&loss)).expect_err("zero").to_string();
    assert_eq!(text, "Asha: `grace_period` is 0, but must be at least 1 and at most `max_t`");
}

#[test]
fn one_objective_is_needed_and_enough() {
    let (loss, score) = (Objective::min("loss"), Objective::max("score"));
    assert_eq!(Asha::new().prepare(None), Err(ScheduleError::NoObjective { scheduler: "Asha" }));
    let mut own = Asha::new().objective(loss.clone());
    assert_eq!(own.prepare(None), Ok(()));
    assert_eq!(own.prepare(Some(&loss)), Ok(()));
    assert_eq!(own.objectives(), [loss]);
    let error = own.prepare(Some(&score)).expect_err("two objectives");
    assert!(matches!(error, ScheduleError::TwoObjectives { .. }));
    assert!(error.to_string().contains("min `loss`") && error.to_string().contains("max `score`"), "{error}");
}
