//! Stop rules that are replaced on the way by others that take up their states.

use std::time::Duration;

use proptest::prelude::*;
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::stop::{self, Progress, StopRule};
use tryout::logic::time::Moment;
use tryout::testing::Renewed;

use crate::common::{report, trial};
use crate::value;

/// A rule.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    Iterations(u64),
    TrialTime(u64),
    ExperimentTime(u64),
    AtLeast(&'static str, f64),
    AtMost(&'static str, f64),
    Best(f64),
    TrialPlateau(f64, u32, u32, Option<f64>),
    ExperimentPlateau(f64, u32, u32),
    NoImprovement(u64, f64),
    Any(Vec<Made>),
    All(Vec<Made>),
}

impl Made {
    pub(crate) fn rule(&self) -> Box<dyn StopRule> {
        let rules = |made: &[Made]| made.iter().map(Made::rule).collect::<Vec<_>>();
        match self {
            Made::Iterations(limit) => Box::new(stop::iterations(*limit)),
            Made::TrialTime(limit) => Box::new(stop::trial_time(Duration::from_secs(*limit))),
            Made::ExperimentTime(limit) => Box::new(stop::experiment_time(Duration::from_millis(*limit))),
            Made::AtLeast(metric, bound) => Box::new(stop::at_least(*metric, *bound)),
            Made::AtMost(metric, bound) => Box::new(stop::at_most(*metric, *bound)),
            Made::Best(target) => Box::new(stop::best_reached(Objective::max("score"), *target)),
            Made::TrialPlateau(std, num_results, grace, threshold) => {
                let rule = stop::trial_plateau("score").std(*std).num_results(*num_results).grace(*grace);
                Box::new(threshold.map_or(rule.clone(), |bound| rule.threshold(Mode::Min, bound)))
            }
            Made::ExperimentPlateau(std, top, patience) => {
                Box::new(stop::experiment_plateau(Objective::max("score")).std(*std).top(*top).patience(*patience))
            }
            Made::NoImprovement(trials, min_delta) => {
                Box::new(stop::no_improvement(Objective::min("score"), *trials).min_delta(*min_delta))
            }
            Made::Any(made) => Box::new(stop::any(rules(made))),
            Made::All(made) => Box::new(stop::all(rules(made))),
        }
    }
}

pub(crate) fn made() -> impl Strategy<Value = Made> {
    let bound = || prop_oneof![4 => -9.0..9.0_f64, 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY)];
    let metric = || prop_oneof![4 => Just("score"), 1 => Just("loss")];
    let one = prop_oneof![
        (1..20_u64).prop_map(Made::Iterations),
        (1..20_u64).prop_map(Made::TrialTime),
        (1..20_000_u64).prop_map(Made::ExperimentTime),
        (metric(), bound()).prop_map(|(metric, bound)| Made::AtLeast(metric, bound)),
        (metric(), bound()).prop_map(|(metric, bound)| Made::AtMost(metric, bound)),
        bound().prop_map(Made::Best),
        (0.1..3.0_f64, 2..5_u32, 0..6_u32, prop::option::of(bound()))
            .prop_map(|(std, results, grace, threshold)| Made::TrialPlateau(std, results, grace, threshold)),
        (0.1..3.0_f64, 2..5_u32, 0..4_u32).prop_map(|(std, top, patience)| Made::ExperimentPlateau(std, top, patience)),
        (1..9_u64, 0.0..2.0_f64).prop_map(|(trials, min_delta)| Made::NoImprovement(trials, min_delta)),
    ];
    one.prop_recursive(3, 12, 4, |inner| {
        let several = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![several().prop_map(Made::Any), several().prop_map(Made::All)]
    })
}

proptest! {
    #[test]
    fn a_state_that_is_taken_up_changes_no_answer(
        made in made(),
        seed in any::<u64>(),
        reports in prop::collection::vec((0..6_u32, 1..20_u64, value(), 0..9_u32), 0..150),
    ) {
        let spares: Vec<_> = (0..6).map(|_| made.rule()).collect();
        let mut rule = Renewed::new(made.rule(), spares, seed >> 1);
        for (now, (number, iteration, value, kind)) in reports.into_iter().enumerate() {
            let metric = if kind == 0 { "loss" } else { "score" };
            rule.check(trial(number), &report(trial(number), iteration, metric, value));
            rule.check_experiment(&Progress { now: Moment::from_secs_f64(now as f64), ..Progress::default() });
            rule.deadline();
            if kind != 1 {
                while rule.warning().is_some() {}
            }
            if kind == 2 {
                rule.forget(trial(number));
            }
        }
    }
}

#[test]
fn a_new_target_is_held_against_the_best_so_far() {
    let best = |target| stop::best_reached(Objective::max("score"), target);
    let over = |rule: &mut dyn StopRule| rule.check_experiment(&Progress::default()).is_some();
    let mut first = best(9.0);
    for (number, score) in [(0, 3.0), (1, 7.0), (2, f64::NAN), (3, 5.0)] {
        first.check(trial(number), &report(trial(number), 1, "score", score));
    }
    let state = first.save().expect("it has one");
    for (target, expected) in [(9.0, false), (7.5, false), (7.0, true), (f64::NEG_INFINITY, true)] {
        let mut second = best(target);
        second.restore(state.clone()).expect("the objective is the same");
        assert_eq!(over(&mut second), expected, "{target}");
    }
    first.check(trial(4), &report(trial(4), 1, "score", 9.0));
    let state = first.save().expect("it has one");
    let mut second = best(10.0);
    second.restore(state).expect("the objective is the same");
    assert!(!over(&mut second), "what was reached isn't enough any more");
}

#[test]
fn a_plateau_goes_on_with_fewer_results_but_not_with_more() {
    let rule = |results| stop::trial_plateau("score").num_results(results);
    let mut first = rule(4);
    for (iteration, score) in [(1, 5.0), (2, 1.0), (3, 1.0)] {
        assert_eq!(first.check(trial(0), &report(trial(0), iteration, "score", score)), None);
    }
    let state = first.save().expect("it has one");
    let stops = |rule: &mut dyn StopRule| rule.check(trial(0), &report(trial(0), 4, "score", 1.0)).is_some();
    let mut fewer = rule(3);
    fewer.restore(state.clone()).expect("they are known");
    assert!(stops(&mut fewer) && !stops(&mut first));
    let error = rule(5).restore(state).expect_err("the fifth isn't known");
    assert!(error.to_string().contains("`the number of results` was 4 when it was saved and is 5 now"), "{error}");
}

#[test]
fn a_rule_with_a_function_has_no_state_and_neither_has_what_it_is_joined_with() {
    let function = || stop::when(|_, _| true);
    assert_eq!(function().save(), None);
    assert_eq!(function().or(stop::iterations(3)).save(), None);
    assert_eq!(stop::iterations(3).and(function()).save(), None);
    assert!(function().spec().is_none() && function().or(stop::iterations(3)).spec().is_none());
}
