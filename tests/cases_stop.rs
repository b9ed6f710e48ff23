//! Stop rules: the cases of group O, those of group D about criteria, and how rules are joined.

mod common;

use std::time::Duration;

use common::{report, trial};
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::{Metrics, Mode, Objective, Report};
use tryout::logic::stop::{self, Progress, StopError, StopReason, StopRule};
use tryout::logic::time::Moment;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(time: u64) -> Progress {
    Progress { now: Moment::new(seconds(time)), ..Progress::default() }
}

fn with(metrics: Metrics) -> Report {
    Report { metrics, ..report(trial(0), 1, "unused", 0.0) }
}

fn stops(rule: &mut impl StopRule, report: &Report) -> bool {
    rule.check(report.trial, report).is_some()
}

#[test]
fn case_o_01_the_experiment_is_over_after_its_time() {
    let mut rule = stop::experiment_time(seconds(60));
    assert_eq!(rule.deadline(), Some(Moment::new(seconds(60))));
    let answers = [0, 40, 59, 60, 62].map(|now| rule.check_experiment(&at(now)).is_some());
    assert_eq!(answers, [false, false, false, true, true]);
    assert!(!stops(&mut rule, &report(trial(0), 1_000, "loss", 0.0)), "it isn't about one trial");
}

#[test]
fn case_o_02_a_resumed_run_has_what_is_left() {
    let mut rule = stop::experiment_time(seconds(60)).already_spent(seconds(40));
    assert_eq!(rule.deadline(), Some(Moment::new(seconds(20))));
    assert_eq!([0, 10, 22].map(|now| rule.check_experiment(&at(now)).is_some()), [false, false, true]);
}

#[test]
fn case_o_03_time_that_is_over_stays_over() {
    let mut rule = stop::experiment_time(seconds(60)).already_spent(seconds(61));
    assert_eq!(rule.deadline(), Some(Moment::START));
    assert!(rule.check_experiment(&at(0)).is_some());
}

#[test]
fn case_o_04_each_trial_ends_at_its_sixth_iteration() {
    let mut rule = stop::iterations(6);
    for number in [0, 1] {
        let first = (1..=10).find(|time| stops(&mut rule, &report(trial(number), *time, "loss", 0.0)));
        assert_eq!(first, Some(6));
    }
    assert!(stops(&mut rule, &report(trial(2), 9, "loss", 0.0)), "a count that jumped over the limit");
    assert!(!stops(&mut rule, &report(trial(2), 2, "training_iteration", 50.0)), "a metric of that name is no count");
}

#[test]
fn case_o_07_settings_that_cannot_work_are_refused() {
    let setting = |rule: Result<(), StopError>| match rule {
        Err(StopError::Setting { rule, setting, .. }) => format!("{rule}: {setting}"),
        other => format!("{other:?}"),
    };
    assert_eq!(setting(stop::iterations(0).validate()), "iterations: the limit");
    assert_eq!(setting(stop::trial_time(Duration::ZERO).validate()), "trial_time: the limit");
    assert_eq!(setting(stop::experiment_time(Duration::ZERO).validate()), "experiment_time: the limit");
    assert_eq!(setting(stop::at_least("loss", f64::NAN).validate()), "at_least: the bound");
    assert_eq!(setting(stop::at_most("loss", f64::NAN).validate()), "at_most: the bound");
    assert_eq!(setting(stop::at_most("", 1.0).validate()), "at_most: the metric");
    assert_eq!(setting(stop::best_reached(Objective::min("loss"), f64::NAN).validate()), "best_reached: the target");
    assert_eq!(setting(stop::best_reached(Objective::min(""), 1.0).validate()), "best_reached: the metric");
    let experiment = || stop::experiment_plateau(Objective::min("loss"));
    assert_eq!(setting(experiment().top(0).validate()), "experiment_plateau: the number of best values");
    assert_eq!(setting(experiment().top(1).validate()), "experiment_plateau: the number of best values");
    assert_eq!(setting(experiment().std(0.0).validate()), "experiment_plateau: the standard deviation");
    assert_eq!(setting(stop::trial_plateau("loss").std(-1.0).validate()), "trial_plateau: the standard deviation");
    assert_eq!(setting(stop::trial_plateau("loss").num_results(1).validate()), "trial_plateau: the number of results");
    let threshold = stop::trial_plateau("loss").threshold(Mode::Min, f64::NAN);
    assert_eq!(setting(threshold.validate()), "trial_plateau: the threshold");
    let improvement = |trials| stop::no_improvement(Objective::min("loss"), trials);
    assert_eq!(setting(improvement(0).validate()), "no_improvement: the number of trials");
    assert_eq!(setting(improvement(1).min_delta(f64::INFINITY).validate()), "no_improvement: min_delta");
    assert_eq!(stop::at_most("loss", f64::NEG_INFINITY).validate(), Ok(()));
    assert_eq!(
        stop::at_least("loss", f64::NAN).validate().expect_err("NaN").to_string(),
        "stop rule `at_least`: the bound is NaN, but must be a number, as no value is ever beyond NaN"
    );
}

#[test]
fn joined_rules_are_checked_each_and_must_be_some() {
    let none: [stop::MaxIterations; 0] = [];
    assert_eq!(stop::any(none).validate(), Err(StopError::Empty { rule: "any" }));
    assert_eq!(stop::all(Vec::<Box<dyn StopRule>>::new()).validate(), Err(StopError::Empty { rule: "all" }));
    let bad = || stop::at_most("loss", f64::NAN);
    assert!(stop::iterations(1).or(bad()).validate().is_err());
    assert!(stop::iterations(1).and(stop::iterations(2).or(bad())).validate().is_err());
    assert!(stop::iterations(1).and(stop::iterations(2)).validate().is_ok());
    let boxed: Box<dyn StopRule> = Box::new(bad());
    assert!(boxed.validate().is_err());
    assert!(!stops(&mut stop::all(none), &with(Metrics::new())), "no rules are no reason to stop");
}

#[test]
fn case_d_30_a_nested_metric_goes_by_its_path() {
    let mut rule = stop::at_least("test/1/2/3", 20.0);
    let ended = (0..100).find(|i| {
        let leaf = Metrics::new().nest("test/1/2", Metrics::from([("3", *i)]));
        stops(&mut rule, &with(leaf))
    });
    assert_eq!(ended, Some(20));
}

#[test]
fn case_d_31_an_unknown_metric_warns_once_and_stops_nothing() {
    let mut rule = stop::at_most("lss", 1.0).or(stop::at_least("name", 1.0));
    let metrics = || Metrics::from([("loss", 0.5)]).with("acc", 1_i64).with("name", "resnet");
    assert_eq!(rule.warning(), None);
    assert!(!stops(&mut rule, &with(metrics())));
    let expected = "stop rule `at_most`: a report of trial 00001_00000 has no `lss`; its numbers are `acc`, `loss`";
    assert_eq!(rule.warning().as_deref(), Some(expected));
    let expected = "stop rule `at_least`: `name` isn't a number in a report of trial 00001_00000";
    assert_eq!(rule.warning().as_deref(), Some(expected));
    assert_eq!(rule.warning(), None);
    assert!(!stops(&mut rule, &with(metrics())));
    assert_eq!(rule.warning(), None, "once is enough");
    assert!(stops(&mut rule, &with(Metrics::from([("lss", 1.0)]))), "the rule is alive");
}

#[test]
fn case_d_32_the_first_criterion_met_ends_a_trial() {
    let mut rule = stop::any([stop::at_least("a", 10.0), stop::at_least("b/c", 20.0)]);
    let a = |value: f64| with(Metrics::from([("a", value), ("b/c", 0.0)]));
    assert!(!stops(&mut rule, &a(9.999)));
    assert!(stops(&mut rule, &a(10.0)));
    assert!(stops(&mut rule, &a(10_000.0)));
    assert!(stops(&mut rule, &with(Metrics::from([("a", 0.0), ("b/c", 1000.0)]))));
    assert_eq!(rule.warning(), None);
    assert!(!stops(&mut rule, &with(Metrics::from([("b/c", 0.0)]))));
    assert!(rule.warning().is_some_and(|text| text.contains("no `a`")));
}

#[test]
fn case_d_34_infinity_is_a_value_and_nan_is_none() {
    let (mut most, mut least) = (stop::at_most("loss", 0.1), stop::at_least("loss", 1e6));
    let infinite = report(trial(0), 1, "loss", f64::INFINITY);
    assert!((1..=100).all(|_| !stops(&mut most, &infinite)));
    assert!(stops(&mut least, &infinite));
    let nan = report(trial(0), 1, "loss", f64::NAN);
    assert!(!stops(&mut most, &nan) && !stops(&mut least, &nan));
    assert_eq!((most.warning(), least.warning()), (None, None), "NaN is there");
}

#[test]
fn both_sides_of_a_bound_have_their_words() {
    let reason = |rule: &mut stop::Threshold, value| rule.check(trial(0), &report(trial(0), 1, "loss", value));
    let (mut least, mut most) = (stop::at_least("loss", 0.5), stop::at_most("loss", 0.5));
    assert_eq!(reason(&mut least, 0.5).as_deref(), Some("loss 0.5 is at least 0.5"));
    assert_eq!(reason(&mut least, 0.49), None);
    assert_eq!(reason(&mut most, 0.25).as_deref(), Some("loss 0.25 is at most 0.5"));
    assert_eq!(reason(&mut most, 0.51), None);
    let mut automatic = stop::at_least("time_total_s", 5.0);
    assert!(stops(&mut automatic, &report(trial(0), 5, "loss", 0.0)), "automatic keys count too");
}

#[test]
fn a_trial_ends_by_its_own_working_time() {
    let mut rule = stop::trial_time(seconds(5));
    let ended = (1..20).find(|time| stops(&mut rule, &report(trial(0), *time, "loss", 0.0)));
    assert_eq!(ended, Some(5), "each iteration takes a second");
    assert!(!stops(&mut rule, &report(trial(1), 1, "loss", 0.0)));
}

#[test]
fn a_function_may_remember_and_say_why() {
    let mut seen = 0;
    let mut rule = stop::when(move |_, _| {
        seen += 1;
        seen == 3
    });
    let same = report(trial(0), 1, "loss", 0.0);
    assert_eq!([0; 4].map(|_| stops(&mut rule, &same)), [false, false, true, false]);
    let mut rule = stop::when(|_, report| report.number("loss").is_some_and(f64::is_nan)).because("NaN");
    assert_eq!(rule.check(trial(0), &report(trial(0), 1, "loss", f64::NAN)).as_deref(), Some("NaN"));
    assert_eq!(rule.check(trial(0), &same), None);
}

#[test]
fn the_best_of_any_trial_ends_the_experiment() {
    for (objective, target, worse, better) in
        [(Objective::max("m"), 0.9, 0.89, 0.9), (Objective::min("m"), 0.1, 0.11, 0.05)]
    {
        let mut rule = stop::best_reached(objective, target);
        for value in [worse, f64::NAN] {
            assert!(!stops(&mut rule, &report(trial(1), 1, "m", value)));
            assert_eq!(rule.check_experiment(&at(1)), None);
        }
        assert!(!stops(&mut rule, &report(trial(2), 1, "m", better)), "all trials end with the experiment");
        let reason = rule.check_experiment(&at(2)).expect("the target is reached");
        assert_eq!(reason, format!("trial 00001_00002 has reached m {better}, of {target}"));
        assert!(!stops(&mut rule, &report(trial(3), 1, "m", worse)));
        assert_eq!(rule.check_experiment(&at(3)), Some(reason), "once reached, it holds");
    }
}

#[test]
fn the_best_is_seen_behind_a_rule_that_answered_first() {
    let mut rule = stop::any((stop::iterations(1), stop::best_reached(Objective::max("m"), 0.9)));
    assert!(stops(&mut rule, &report(trial(0), 1, "m", 0.95)));
    assert!(rule.check_experiment(&at(0)).is_some());
}

#[test]
fn or_takes_the_first_reason_and_the_first_deadline() {
    let mut rule = stop::at_most("loss", 1.0).or(stop::iterations(3));
    let reason = |rule: &mut stop::Any, time, loss| rule.check(trial(0), &report(trial(0), time, "loss", loss));
    assert_eq!(reason(&mut rule, 2, 2.0), None);
    assert_eq!(reason(&mut rule, 3, 2.0).as_deref(), Some("iteration 3 is the last of 3"));
    assert_eq!(reason(&mut rule, 3, 0.5).as_deref(), Some("loss 0.5 is at most 1"));
    assert_eq!(rule.deadline(), None);
    let mut rule = rule.or(stop::experiment_time(seconds(9))).or(stop::experiment_time(seconds(7)));
    assert_eq!(rule.deadline(), Some(Moment::new(seconds(7))));
    assert_eq!([6, 7].map(|now| rule.check_experiment(&at(now)).is_some()), [false, true]);
}

#[test]
fn and_remembers_for_each_trial_what_was_said() {
    let mut rule = stop::iterations(3).and(stop::at_most("loss", 1.0));
    let mut hear = |number, time, loss| rule.check(trial(number), &report(trial(number), time, "loss", loss));
    assert_eq!(hear(0, 1, 0.5), None, "the loss was small once");
    assert_eq!(hear(1, 3, 5.0), None, "another trial has its iterations");
    assert_eq!(hear(0, 2, 9.0), None);
    assert_eq!(hear(0, 3, 9.0).as_deref(), Some("iteration 3 is the last of 3, and loss 0.5 is at most 1"));
    rule.forget(trial(1));
    let mut hear = |number, time, loss| rule.check(trial(number), &report(trial(number), time, "loss", loss));
    assert_eq!(hear(1, 1, 0.5), None, "what was said of trial 1 is forgotten");
    assert!(hear(1, 4, 0.5).is_some());
}

#[test]
fn and_lets_trials_have_their_iterations_after_the_time() {
    let mut rule = stop::all((stop::iterations(10), stop::experiment_time(seconds(60))));
    let ten = report(trial(0), 10, "loss", 0.0);
    assert_eq!(rule.deadline(), Some(Moment::new(seconds(60))));
    assert!(!stops(&mut rule, &ten), "there is time left");
    assert_eq!(rule.check_experiment(&at(60)), None, "nothing ends all of it");
    assert_eq!(rule.deadline(), None, "it was heard, and isn't asked again");
    assert!(!stops(&mut rule, &report(trial(1), 9, "loss", 0.0)));
    let reason = rule.check(trial(0), &report(trial(0), 11, "loss", 0.0));
    assert_eq!(reason.as_deref(), Some("iteration 10 is the last of 10, and the experiment's 60.0 s are over"));
    let mut both = stop::experiment_time(seconds(5)).and(stop::best_reached(Objective::min("loss"), 0.1));
    assert_eq!(both.check_experiment(&at(6)), None);
    assert!(!stops(&mut both, &report(trial(0), 1, "loss", 0.1)));
    assert!(both.check_experiment(&at(7)).is_some());
}

/// Ends the experiment while exactly one trial has ended.
struct OneEnded;

impl StopRule for OneEnded {
    fn check(&mut self, _: TrialId, _: &Report) -> Option<StopReason> {
        None
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        (progress.ended == 1).then_some(StopReason::Borrowed("one has ended"))
    }
}

#[test]
fn and_holds_what_was_said_of_the_experiment() {
    let mut rule = OneEnded.and(stop::experiment_time(seconds(10)));
    let ended = |now, ended| Progress { ended, ..at(now) };
    let answers = [ended(1, 0), ended(2, 1), ended(3, 2), ended(10, 3)].map(|now| rule.check_experiment(&now));
    assert_eq!(answers[..3], [None, None, None]);
    assert_eq!(answers[3].as_deref(), Some("one has ended, and the experiment's 10.0 s are over"));
}

#[test]
fn a_box_passes_everything_on() {
    let mut boxed: Box<dyn StopRule> =
        Box::new(stop::at_most("loss", 1.0).and(stop::iterations(2)).or(stop::experiment_time(seconds(3))));
    assert_eq!(boxed.deadline(), Some(Moment::new(seconds(3))));
    assert!(boxed.check_experiment(&at(3)).is_some());
    assert!(!stops(&mut boxed, &report(trial(0), 1, "other", 0.0)));
    assert!(boxed.warning().is_some());
    assert!(!stops(&mut boxed, &report(trial(0), 1, "loss", 0.0)));
    boxed.forget(trial(0));
    assert!(!stops(&mut boxed, &report(trial(0), 2, "loss", 2.0)), "forgotten inside too");
    assert!(stops(&mut boxed, &report(trial(0), 2, "loss", 0.0)));
}

/// Each rule says in words what it waits for.
#[test]
fn rules_say_what_they_wait_for() {
    let loss = || Objective::min("loss");
    let rules: [(Box<dyn StopRule>, &str); 12] = [
        (Box::new(stop::iterations(81)), "81 iterations"),
        (Box::new(stop::at_least("acc", 0.5)), "acc at least 0.5"),
        (Box::new(stop::at_most("loss", 1.0)), "loss at most 1"),
        (Box::new(stop::trial_time(seconds(3))), "3 s of a trial"),
        (Box::new(stop::experiment_time(seconds(9))), "9 s of the experiment"),
        (Box::new(stop::gpu_seconds(2.5)), "2.5 GPU-seconds of the experiment"),
        (Box::new(stop::best_reached(loss(), 0.1)), "a loss of 0.1 in any trial"),
        (Box::new(stop::no_improvement(loss(), 20)), "20 trials in a row without a better loss"),
        (Box::new(stop::when(|_, _| false).because("it is late")), "it is late"),
        (Box::new(stop::iterations(2).or(stop::iterations(3))), "2 iterations or 3 iterations"),
        (
            Box::new(stop::all((stop::iterations(2).or(stop::iterations(3)), stop::iterations(4)))),
            "(2 iterations or 3 iterations) and 4 iterations",
        ),
        (Box::new(OneEnded), "a rule of the program's own"),
    ];
    for (rule, words) in rules {
        assert_eq!(rule.words(), words);
    }
    let plateau = stop::trial_plateau("loss").words().into_owned() + &stop::experiment_plateau(loss()).words();
    assert!(plateau.contains("values of loss of a trial") && plateau.contains("best values of loss"), "{plateau}");
}
