//! Stop rules about what doesn't get better any more: the cases O-06 and O-13, and what their definitions say.

mod common;

use common::{report, trial};
use proptest::prelude::*;
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::stop::{self, Progress, StopRule};

/// What trial `number` reports, and whether that ends it.
fn stops(rule: &mut dyn StopRule, number: u32, value: f64) -> bool {
    rule.check(trial(number), &report(trial(number), 1, "loss", value)).is_some()
}

fn over(rule: &mut dyn StopRule) -> Option<String> {
    rule.check_experiment(&Progress::default()).map(|reason| reason.to_string())
}

/// The first of the reports, from 1, at which the experiment is over.
fn first_over(rule: &mut dyn StopRule, values: &[f64]) -> Option<usize> {
    let mut report = |value: &f64| {
        assert!(!stops(rule, 0, *value), "it isn't about one trial");
        over(rule).is_some()
    };
    values.iter().position(&mut report).map(|index| index + 1)
}

#[test]
fn case_o_06_the_best_values_are_equal() {
    let rule = || stop::experiment_plateau(Objective::min("loss")).top(3);
    assert_eq!(first_over(&mut rule(), &[0.0; 9]), Some(3));
    assert_eq!(first_over(&mut rule().patience(5), &[0.0; 9]), Some(7));
    assert_eq!(first_over(&mut rule().patience(1), &[0.0; 9]), Some(3));
    let mut max = stop::experiment_plateau(Objective::max("loss")).top(2).std(0.5);
    assert_eq!(first_over(&mut max, &[1.0, 5.0, 3.0, 4.5, 0.0]), Some(4));
    assert_eq!(over(&mut max).as_deref(), Some("the 2 best values of loss, from 5 on, deviate by no more than 0.5"));
}

#[test]
fn patience_begins_anew_when_the_best_values_part() {
    let mut rule = stop::experiment_plateau(Objective::min("loss")).top(2).patience(3);
    assert_eq!(first_over(&mut rule, &[5.0, 5.0, 5.0, 1.0, 9.0, 1.0, 9.0]), None);
    assert_eq!(first_over(&mut rule, &[9.0, 9.0]), Some(1));
}

/// The experiment is asked about once for several reports: a plateau among them holds.
#[test]
fn a_plateau_within_a_batch_is_seen() {
    let rule = || stop::experiment_plateau(Objective::min("loss")).top(2).patience(2);
    let mut live = rule();
    for value in [5.0, 5.0, 5.0, 1.0] {
        assert!(!stops(&mut live, 0, value));
    }
    let words = "the 2 best values of loss, from 5 on, deviate by no more than 0.001";
    assert_eq!(over(&mut live).as_deref(), Some(words));
    let state = live.save().expect("it has a state");
    let (mut same, mut longer) = (rule(), rule().patience(3));
    same.restore(state.clone()).expect("its own state");
    assert_eq!(over(&mut same).as_deref(), Some(words));
    longer.restore(state).expect("it can be longer");
    assert_eq!(over(&mut longer), None);
}

#[test]
fn numbers_that_are_not_are_no_plateau() {
    let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for value in strange {
        assert_eq!(first_over(&mut stop::experiment_plateau(Objective::min("loss")).top(2), &[value; 9]), None);
        let mut rule = stop::trial_plateau("loss");
        assert!((0..9).all(|_| !stops(&mut rule, 0, value)));
        assert_eq!((0..9).position(|_| stops(&mut rule, 0, 1.0)), Some(3), "once it is no more among the last");
        let mut rule = stop::no_improvement(Objective::min("loss"), 2);
        assert!(!stops(&mut rule, 0, value) && !stops(&mut rule, 0, value));
        rule.forget(trial(0));
        rule.forget(trial(1));
        assert_eq!(over(&mut rule).is_some(), value.is_nan(), "infinity is a value, if only the first");
    }
}

#[test]
fn a_trial_that_has_settled_ends() {
    let mut rule = stop::trial_plateau("loss");
    assert_eq!([0.5, 0.4, 0.4, 0.4, 0.4].map(|value| stops(&mut rule, 0, value)), [false, false, false, false, true]);
    assert!(!stops(&mut rule, 1, 0.4), "each trial has its own values");
    rule.forget(trial(0));
    assert!(!stops(&mut rule, 0, 0.4), "what is over is forgotten");
    let mut later = stop::trial_plateau("loss").grace(7);
    assert_eq!((1..=9).find(|_| stops(&mut later, 0, 1.0)), Some(7));
    let mut rule = stop::trial_plateau("loss").num_results(2).grace(0);
    stops(&mut rule, 0, 0.25);
    let reason = rule.check(trial(0), &report(trial(0), 2, "loss", 0.251));
    let expected = "loss 0.251 has settled: its last 2 values deviate by 5.00e-4, below 0.01";
    assert_eq!(reason.as_deref(), Some(expected));
}

#[test]
fn case_o_13_a_threshold_of_zero_is_one() {
    let first = |rule: &mut dyn StopRule, value| (1..=9).find(|_| stops(rule, 0, value));
    assert_eq!(first(&mut stop::trial_plateau("loss").threshold(Mode::Min, 0.0), 0.0), Some(4));
    assert_eq!(first(&mut stop::trial_plateau("loss").threshold(Mode::Min, 0.0), 0.1), None);
    assert_eq!(first(&mut stop::trial_plateau("loss").threshold(Mode::Max, 0.0), 0.1), Some(4));
    assert_eq!(first(&mut stop::trial_plateau("loss").threshold(Mode::Max, 0.0), -0.1), None);
}

#[test]
fn trials_in_vain_end_the_experiment() {
    let mut rule = stop::no_improvement(Objective::min("loss"), 3);
    let mut run = |number, value| {
        stops(&mut rule, number, value);
        rule.forget(trial(number));
        over(&mut rule)
    };
    assert_eq!([3.0, 4.0, 3.0, 2.0, 2.0, 9.0].iter().zip(0..).find_map(|(value, number)| run(number, *value)), None);
    let expected = "3 trials in a row have brought no better loss than 2, of trial 00001_00003";
    assert_eq!(run(6, f64::NAN).as_deref(), Some(expected));
}

#[test]
fn a_trial_that_improves_on_its_way_counts_at_once_and_not_at_its_end() {
    let mut rule = stop::no_improvement(Objective::max("loss"), 2);
    stops(&mut rule, 0, 1.0);
    rule.forget(trial(1));
    assert_eq!(over(&mut rule), None);
    stops(&mut rule, 0, 2.0);
    rule.forget(trial(2));
    rule.forget(trial(0));
    assert_eq!(over(&mut rule), None);
    rule.forget(trial(3));
    assert!(over(&mut rule).is_some());
    let mut rule = stop::no_improvement(Objective::max("loss"), 1).min_delta(0.5);
    stops(&mut rule, 0, 1.0);
    rule.forget(trial(0));
    stops(&mut rule, 1, 1.5);
    rule.forget(trial(1));
    assert!(over(&mut rule).is_some(), "by no more than that is too little");
}

proptest! {
    #[test]
    fn a_trial_plateau_is_what_its_definition_says(
        values in prop::collection::vec((0..3_u32, -2..2_i32), 0..60),
        (results, grace) in (2..6_usize, 0..9_usize),
    ) {
        let mut rule = stop::trial_plateau("loss").std(0.8).num_results(results as u32).grace(grace as u32);
        let mut all = [const { Vec::new() }; 3];
        for (number, value) in values {
            let value = f64::from(value);
            let mine = &mut all[number as usize];
            mine.push(value);
            let last = &mine[mine.len().saturating_sub(results)..];
            let mean = last.iter().sum::<f64>() / last.len() as f64;
            let variance = last.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / last.len() as f64;
            let expected = mine.len() >= grace && last.len() == results && variance.sqrt() < 0.8;
            prop_assert_eq!(stops(&mut rule, number, value), expected, "after {:?}", mine);
        }
    }

    /// The count of ended trials without a better best, told afresh from the whole past each time.
    #[test]
    fn no_improvement_is_what_its_definition_says(
        events in prop::collection::vec((0..5_u32, -5..5_i32, any::<bool>()), 0..80),
        most in 1..6_u64,
    ) {
        let mut rule = stop::no_improvement(Objective::min("loss"), most);
        let mut past: Vec<(u32, Option<f64>)> = Vec::new();
        for (number, value, ends) in events {
            if ends {
                rule.forget(trial(number));
                past.push((number, None));
            } else {
                stops(&mut rule, number, f64::from(value));
                past.push((number, Some(f64::from(value))));
            }
            let (mut best, mut improved, mut in_vain) = (f64::INFINITY, [false; 5], 0);
            for (number, value) in &past {
                let improved = &mut improved[*number as usize];
                match value {
                    Some(value) if *value < best => (best, *improved, in_vain) = (*value, true, 0),
                    Some(_) => {}
                    None => in_vain += u64::from(!std::mem::take(improved)),
                }
            }
            prop_assert_eq!(over(&mut rule).is_some(), in_vain >= most, "after {:?}", past);
        }
    }
}
