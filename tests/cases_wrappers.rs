//! Searchers around others: what is known beforehand, what was suggested before, and what isn't in the space.

mod common;

use common::{report, trial};
use tryout::extend::*;
use tryout::logic::search::{Distinct, Points, Variants, WarmStart, Within};
use tryout::logic::space::{choice, uniform};
use tryout::prelude::{Experiment, Status, function};

/// Remembers what it is told, and suggests 10, 11, 12 and so on.
#[derive(Default)]
struct Listener {
    observed: Vec<(Option<f64>, Option<f64>)>,
    ended: Vec<u32>,
    next: u32,
}

impl Searcher for Listener {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        self.next += 1;
        Ok(Suggestion::Next(Config::new().with("x", 9 + self.next)))
    }

    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>) {
        self.ended.push(trial.number());
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.observed.push((config.number("x"), metrics.get("loss").and_then(|value| value.as_f64())));
        Ok(())
    }

    fn save(&self) -> Option<PartState> {
        Some(self.next.into())
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.next = state.as_u64().unwrap_or(0) as u32;
        Ok(())
    }
}

fn x(of: f64) -> Config {
    Config::new().with("x", of)
}

fn suggested(searcher: &mut dyn Searcher, number: u32) -> f64 {
    match searcher.suggest(trial(number)).expect("it goes on") {
        Suggestion::Next(config) => config.number("x").expect("it is there"),
        other => panic!("it suggests {other:?}"),
    }
}

fn warm(told: &std::sync::Arc<std::sync::Mutex<Listener>>) -> WarmStart {
    WarmStart::new(Shared(told.clone())).outcome(x(1.0), [("loss", 5.0)]).outcome(x(2.0), [("loss", 4.0)]).first(x(3.0))
}

/// A listener that the test can look at.
struct Shared(std::sync::Arc<std::sync::Mutex<Listener>>);

impl Searcher for Shared {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        self.0.lock().expect("not poisoned").suggest(trial)
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.0.lock().expect("not poisoned").on_end(trial, ending, last);
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.0.lock().expect("not poisoned").observe(config, metrics)
    }

    fn save(&self) -> Option<PartState> {
        self.0.lock().expect("not poisoned").save()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.0.lock().expect("not poisoned").restore(state)
    }
}

#[test]
fn case_a_22_outcomes_of_earlier_runs_are_told_once() {
    let told = std::sync::Arc::default();
    let mut searcher = warm(&told);
    searcher.prepare(Some(&Objective::min("loss"))).expect("it takes them");
    assert_eq!(told.lock().unwrap().observed, [(Some(1.0), Some(5.0)), (Some(2.0), Some(4.0))]);
    assert_eq!([suggested(&mut searcher, 0), suggested(&mut searcher, 1)], [3.0, 10.0]);
    searcher.on_end(trial(1), Ending::Done, Some(&report(trial(1), 1, "loss", 1.0)));
    searcher.on_end(trial(0), Ending::Done, Some(&report(trial(0), 1, "loss", 3.0)));
    let heard = told.lock().unwrap();
    assert_eq!((heard.observed.last(), heard.ended.as_slice()), (Some(&(Some(3.0), Some(3.0))), [1].as_slice()));
    drop(heard);

    let state = searcher.save().expect("it gives its state");
    let again = std::sync::Arc::default();
    let mut later = warm(&again);
    later.prepare(Some(&Objective::min("loss"))).expect("it takes them");
    later.restore(state).expect("it is its own");
    assert_eq!((suggested(&mut later, 2), again.lock().unwrap().observed.len()), (11.0, 2));
}

#[test]
fn who_doesn_t_learn_refuses_outcomes() {
    let mut searcher = WarmStart::new(Points::new([x(1.0)])).outcome(x(1.0), [("loss", 5.0)]);
    let error = searcher.prepare(None).expect_err("it has no use for them").to_string();
    assert_eq!(error, "Points doesn't learn: it has no use for earlier results");
}

#[test]
fn nothing_is_tried_twice() {
    let space = Space::new().with("x", choice([1.0, 2.0, 3.0]));
    let mut searcher = Distinct::new(Variants::new(space, 7).expect("it is fine").passes(1000));
    let mut seen: Vec<f64> = (0..3).map(|number| suggested(&mut searcher, number)).collect();
    seen.sort_by(f64::total_cmp);
    assert_eq!(seen, [1.0, 2.0, 3.0]);
    assert_eq!(searcher.suggest(trial(3)).expect("that is no failure"), Suggestion::Exhausted);
}

#[test]
fn a_suggestion_outside_of_the_space_ends_the_run() {
    let space = || Space::new().with("x", uniform(0.0, 1.0));
    let trainable = || function("one", |_: Config, trial| Ok(trial.report([("loss", 1.0)])?));
    let inside = Experiment::new("inside", trainable()).space(space()).searcher(Points::new([x(0.5)])).run();
    assert_eq!(inside.expect("it runs").count(Status::Terminated), 1);
    let outside = Experiment::new("outside", trainable()).space(space()).searcher(Points::new([x(0.5), x(7.0)])).run();
    let error = outside.expect_err("it fails").to_string();
    let expected = "it suggests {\"x\":7.0}, where `x` is 7.0, but must be a number from 0 to 1";
    assert!(error.contains("the searcher Points failed") && error.contains(expected), "{error}");
    let unknown = Within::new(space(), Points::new([Config::new().with("y", 1)])).suggest(trial(0)).expect_err("no y");
    assert!(unknown.to_string().contains("`y`"), "{unknown}");
}
