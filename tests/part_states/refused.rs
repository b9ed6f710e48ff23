//! States that can't be taken up: the errors say why, and the part is what it was before.

use serde_json::json;
use tryout::logic::config::Config;
use tryout::logic::metrics::Objective;
use tryout::logic::schedule::{
    Asha, AshaForm, Fifo, HyperBand, MedianStopping, Patient, Percentile, Scheduler, Wilcoxon,
};
use tryout::logic::search::{Capped, Points, Searcher};
use tryout::logic::state::StateError;
use tryout::logic::stop::{self, StopRule};

use crate::common::roster::Roster;
use crate::common::{report, trial};

/// After a few reports.
fn used(mut scheduler: Box<dyn Scheduler>) -> Box<dyn Scheduler> {
    scheduler.prepare(Some(&Objective::min("loss"))).expect("valid settings");
    for number in 0..9 {
        scheduler.on_add(trial(number), &Config::new());
        let report = report(trial(number), 1 + u64::from(number) % 4, "loss", f64::from(number));
        scheduler.on_report(trial(number), &report, &Roster::default());
    }
    scheduler
}

/// The words with which the second doesn't take up the state of the first.
fn refusal(from: impl Scheduler + 'static, to: impl Scheduler + 'static) -> String {
    let mut to = used(Box::new(to));
    let before = to.save();
    let error = to.restore(used(Box::new(from)).save().expect("it has one")).expect_err("it can't be taken up");
    assert_eq!(to.save(), before, "what is refused changes nothing");
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

#[test]
fn settings_without_which_the_progress_means_nothing() {
    let asha = || Asha::new().max_t(9).reduction_factor(3.0);
    let words = "the state of Asha can't be taken up: `reduction_factor` was 3 when it was saved and is 4 now; with 3 it \
                 could go on";
    assert_eq!(refusal(asha(), asha().reduction_factor(4.0)), words);
    for (to, setting) in [
        (asha().brackets(2), "`brackets` was 1 when it was saved and is 2 now"),
        (asha().grace_period(2), "`grace_period` was 1 when it was saved and is 2 now"),
        (asha().time_attr("epoch"), "`time_attr` was training_iteration when it was saved and is epoch now"),
    ] {
        assert!(refusal(asha(), to).contains(setting), "{setting}");
    }
    let brackets = || Asha::new().max_t(9).brackets(3).reduction_factor(3.0);
    assert!(refusal(brackets(), brackets().max_t(3)).contains("`max_t` was 9 when it was saved and is 3 now"));

    let hyperband = || HyperBand::new().max_t(9);
    assert!(refusal(hyperband(), hyperband().max_t(27)).contains("`max_t` was 9 when it was saved and is 27 now"));
    assert!(refusal(hyperband(), hyperband().reduction_factor(2.0)).contains("`reduction_factor` was 3"));
    let bohb = HyperBand::for_bohb().max_t(9);
    assert!(
        refusal(hyperband(), bohb).contains("`filling` was smallest_first when it was saved and is largest_first now")
    );
    let promotion = asha().form(AshaForm::Promotion);
    assert!(refusal(asha(), promotion).contains("`form` was stopping when it was saved and is promotion now"));
    let percentile = || Percentile::new().percentile(50.0);
    assert!(refusal(percentile(), percentile().percentile(25.0)).contains("`percentile` was 50 when it was saved"));
    assert!(
        refusal(Wilcoxon::new(), Wilcoxon::new().time_attr("epoch")).contains("`time_attr` was training_iteration")
    );
    assert_eq!(
        refusal(Patient::new(1).of(percentile()), Patient::new(1)),
        "the state of the scheduler inside can't be taken up: this is that of Percentile"
    );
    assert!(refusal(Patient::new(1), Patient::new(1).of(percentile())).ends_with("that of a part that keeps nothing"));
    let median = || MedianStopping::new().grace_period(2.0);
    assert!(
        refusal(median(), median().grace_period(1.0)).contains("`grace_period` was 2 when it was saved and is 1 now")
    );
}

#[test]
fn another_objective() {
    let mut other = Asha::new();
    other.prepare(Some(&Objective::max("loss"))).expect("valid settings");
    let error = other.restore(used(Box::new(Asha::new())).save().expect("it has one")).expect_err("it is turned round");
    assert!(
        error.to_string().contains("`objective` was min `loss` when it was saved and is max `loss` now"),
        "{error}"
    );
}

#[test]
fn a_higher_end_keeps_the_rungs_below_it() {
    let asha = |max_t| Asha::new().max_t(max_t).reduction_factor(2.0);
    let state = used(Box::new(asha(4))).save().expect("it has one");
    for max_t in [2, 4, 64] {
        let mut second = asha(max_t);
        second.prepare(Some(&Objective::min("loss"))).expect("valid settings");
        second.restore(state.clone()).expect("the rungs below are the same");
        // 0 stood there, and 4 and 8.
        let found = second.on_report(trial(20), &report(trial(20), 1, "loss", 7.0), &Roster::default());
        let expected = "rung 1: 7 is in the worse half (cut-off 4, 3 seen)";
        assert_eq!(found.reason.as_deref(), Some(expected), "{max_t}");
    }
}

#[test]
fn settings_that_may_change() {
    let asha = Asha::new().max_t(9);
    let state = used(Box::new(asha.clone())).save().expect("it has one");
    let mut other = asha.at_max_t(tryout::logic::schedule::AtMaxT::RunOn).seed(7);
    other.prepare(Some(&Objective::min("loss"))).expect("valid settings");
    other.restore(state).expect("these don't touch what is kept");
    let verdict = other.on_report(trial(0), &report(trial(0), 9, "loss", -1.0), &Roster::default());
    assert_eq!(verdict.reason, None, "the new setting goes");
}

#[test]
fn states_of_others() {
    let words = "the state of Fifo can't be taken up: this is that of Asha";
    assert_eq!(refusal(Asha::new(), Fifo), words);
    let words = "the state of Asha can't be taken up: this is that of a part that keeps nothing";
    assert_eq!(refusal(Fifo, Asha::new()), words);
    assert!(refusal(HyperBand::new(), MedianStopping::new()).ends_with("that of HyperBand"));
}

#[test]
fn states_that_are_broken() {
    let broken = |state: &serde_json::Value, path: &str, value: serde_json::Value| {
        let mut state = state.clone();
        *state.pointer_mut(path).expect("it is there") = value;
        state
    };
    let mut asha = used(Box::new(Asha::new()));
    let state = asha.save().expect("it has one");
    let error = asha
        .restore(broken(&state, &format!("/members/{}/bracket", trial(0)), json!(7)))
        .expect_err("there is one bracket");
    let words = "the state of Asha can't be taken up: `the bracket of a member` is 7, but must be less than 1";
    assert_eq!(error.to_string(), words);
    let error = asha.restore(broken(&state, "/rungs/0/1/0", json!("much"))).expect_err("it isn't a number");
    let words = "the state of Asha can't be taken up: `rungs[0][1][0]` is wrong: found `much`, expected a number, \
                 NaN, Infinity or -Infinity";
    assert_eq!(error.to_string(), words);

    let mut hyperband = used(Box::new(HyperBand::new().max_t(9)));
    let state = hyperband.save().expect("it has one");
    for (path, value) in
        [("/brackets/0/halvings", json!(3)), ("/brackets/0/next_seat", json!(0)), ("/brackets/0", json!([]))]
    {
        assert!(hyperband.restore(broken(&state, path, value)).is_err(), "{path}");
    }
    let mut median = used(Box::new(MedianStopping::new()));
    let state = median.save().expect("it has one");
    assert!(median.restore(broken(&state, "/paused", json!([9]))).is_err());
}

#[test]
fn what_is_joined_gets_back_what_it_had() {
    let bounds = |first, second| stop::any([stop::at_least(first, 1.0), stop::at_least(second, 1.0)]);
    let complain = |rule: &mut dyn StopRule| {
        rule.check(trial(0), &report(trial(0), 1, "other", 0.0));
        std::iter::from_fn(|| rule.warning()).count()
    };
    let mut first = bounds("a", "b");
    assert_eq!(complain(&mut first), 2);
    let state = first.save().expect("it has one");
    let mut second = bounds("a", "c");
    let error = second.restore(state.clone()).expect_err("the second rule is about another metric");
    assert!(matches!(error, StateError::Setting { setting: "the metric", .. }), "{error}");
    assert_eq!(complain(&mut second), 2, "the first one hasn't complained yet");
    let mut third = bounds("a", "b");
    third.restore(state.clone()).expect("it is the same");
    assert_eq!(complain(&mut third), 0);

    let mut longer = stop::any((stop::at_least("a", 1.0), stop::at_least("b", 1.0), stop::iterations(2)));
    let error = longer.restore(state.clone()).expect_err("it joins more");
    assert!(error.to_string().contains("`what it joins` was 2 rules when it was saved and is 3 rules now"), "{error}");
    let error = stop::all([stop::iterations(2)]).restore(state).expect_err("it isn't of the same kind");
    assert_eq!(error.to_string(), "the state of all can't be taken up: this is that of any");
}

#[test]
fn what_was_said_under_other_settings_does_not_hold() {
    let rule = |limit| stop::all((stop::iterations(limit), stop::at_most("loss", 0.1)));
    let mut first = rule(3);
    assert_eq!(first.check(trial(0), &report(trial(0), 3, "loss", 1.0)), None);
    let state = first.save().expect("it has one");
    let mut same = rule(3);
    same.restore(state.clone()).expect("it is the same");
    assert!(same.check(trial(0), &report(trial(0), 1, "loss", 0.0)).is_some());
    assert!(matches!(rule(4).restore(state), Err(StateError::Setting { setting: "the rules' settings", .. })));
}

#[test]
fn a_wrapper_is_what_it_was_if_what_it_wraps_refuses() {
    let mut first = Capped::new(Box::new(Points::new([Config::new()])), 3);
    assert!(first.suggest(trial(0)).is_ok());
    let mut state = first.save().expect("it has one");
    state["inner"] = json!(null);
    let mut second = Capped::new(Box::new(Points::new([Config::new()])), 3);
    let before = second.save();
    let error = second.restore(state).expect_err("points keep something");
    assert_eq!(error.to_string(), "the state of Points can't be taken up: this is that of a part that keeps nothing");
    assert_eq!(second.save(), before);
}
