//! The cases of the variant generator (V) and of the wrappers around searchers (A), each named after its case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tryout::logic::config::Config;
use tryout::logic::event::Ending;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Metrics, Report};
use tryout::logic::search::{
    ConcurrencyLimiter, Feedback, Limiting, Points, Repeater, RepeaterState, SearchError, Searcher, Suggestion,
    Variants,
};
use tryout::logic::space::{
    Domain, Space, SpaceError, choice, depends, grid, int, leaves, list, log_uniform, tag, uniform,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn config(value: Value) -> Config {
    Config::from_json(value).expect("the test wrote a map")
}

fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

fn all(variants: &Variants) -> Vec<Config> {
    (0..).map_while(|number| variants.config(number).expect("can be drawn")).collect()
}

fn numbers(configs: &[Config], path: &str) -> Vec<f64> {
    configs.iter().filter_map(|config| config.number(path)).collect()
}

/// What a searcher was told.
#[derive(Clone, Debug, Default)]
struct Heard {
    suggested: u32,
    reports: Vec<TrialId>,
    ends: Vec<(TrialId, Ending, Option<f64>)>,
}

/// Suggests 1, 2, 3, ... and remembers what it hears; limits itself if `limiting` says so.
#[derive(Clone, Debug)]
struct Counting {
    heard: Arc<Mutex<Heard>>,
    most: u32,
    limiting: Limiting,
    limit: Arc<Mutex<Option<usize>>>,
}

impl Counting {
    fn new(most: u32) -> Self {
        Self { heard: Arc::default(), most, limiting: Limiting::Outside, limit: Arc::default() }
    }

    fn heard(&self) -> Heard {
        self.heard.lock().expect("no test panics with it").clone()
    }
}

impl Searcher for Counting {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        let mut heard = self.heard.lock().expect("no test panics with it");
        if heard.suggested == self.most {
            return Ok(Suggestion::Exhausted);
        }
        heard.suggested += 1;
        Ok(Suggestion::Next(Config::new().with("x", heard.suggested)))
    }

    fn on_report(&mut self, trial: TrialId, _: &Report) {
        self.heard.lock().expect("no test panics with it").reports.push(trial);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let score = last.and_then(|report| report.number("score"));
        self.heard.lock().expect("no test panics with it").ends.push((trial, ending, score));
    }

    fn limit(&mut self, live: usize) -> Limiting {
        *self.limit.lock().expect("no test panics with it") = Some(live);
        self.limiting
    }

    fn total(&self) -> Option<u64> {
        Some(u64::from(self.most))
    }
}

/// The suggested x, or what was said instead.
fn ask(searcher: &mut impl Searcher, number: u32) -> Result<i64, &'static str> {
    match searcher.suggest(trial(number)).expect("this searcher doesn't fail") {
        Suggestion::Next(config) => Ok(config.number("x").expect("it suggests x") as i64),
        Suggestion::Wait => Err("wait"),
        Suggestion::Exhausted => Err("exhausted"),
    }
}

fn report(number: u32, score: f64) -> Report {
    Report { metrics: Metrics::from([("score", score)]), ..Report::empty(trial(number)) }
}

fn end(searcher: &mut impl Searcher, number: u32, score: f64) {
    searcher.on_end(trial(number), Ending::Done, Some(&report(number, score)));
}

// The variant generator

#[test]
fn case_v_02_a_computed_constant() -> Outcome {
    let space = Space::new().with("foo", depends(|_| 2 + 2));
    let made = space.sample(1, 0)?;
    assert_eq!(made, config(json!({"foo": 4})));
    assert_eq!(space.evaluated(&made), [("foo".to_owned(), json!(4))]);
    assert_eq!(tag(0, &space.evaluated(&made)), "0_foo=4");
    Ok(())
}

#[test]
fn case_v_04_two_grids_and_a_function() -> Outcome {
    let space =
        Space::new().with("foo", grid([1, 2, 3])).with("bar", grid([true, false])).with("qux", depends(|_| 2 + 2));
    let variants = Variants::new(space.clone(), 1)?;
    let configs = all(&variants);
    assert_eq!(variants.total(), Some(6));
    assert_eq!(tag(0, &space.evaluated(&configs[0])), "0_bar=True,foo=1,qux=4");
    // The first by path, bar, varies fastest.
    let pairs: Vec<_> = configs.iter().map(|config| (config.get("bar").cloned(), config.number("foo"))).collect();
    assert_eq!(pairs[1], (Some(json!(false)), Some(1.0)));
    assert_eq!(pairs[2], (Some(json!(true)), Some(2.0)));
    assert_eq!(pairs[5], (Some(json!(false)), Some(3.0)));
    Ok(())
}

#[test]
fn case_v_05_functions_of_functions() -> Outcome {
    // Named so that the order of the names is not the order of the dependencies.
    let space = Space::new()
        .with("x", 1)
        .with("b", depends(|values| values.integer("x").map(|x| x + 1)))
        .with("a", depends(|values| values.integer("b").map(|b| b + 1)));
    let made = space.sample(1, 0)?;
    assert_eq!(made, config(json!({"x": 1, "b": 2, "a": 3})));
    let evaluated: Vec<String> = space.evaluated(&made).into_iter().map(|(path, _)| path).collect();
    assert_eq!(evaluated, ["a", "b"]);
    Ok(())
}

#[test]
fn case_v_06_a_function_of_a_grid() -> Outcome {
    let space = Space::new().with("x", grid([1, 2])).with("y", depends(|values| values.integer("x").map(|x| 100 * x)));
    let configs = all(&Variants::new(space, 1)?);
    assert_eq!(numbers(&configs, "x"), [1.0, 2.0]);
    assert_eq!(numbers(&configs, "y"), [100.0, 200.0]);
    Ok(())
}

#[test]
fn case_v_07_a_grid_of_functions() -> Outcome {
    let times = |factor: i64| depends(move |values| values.integer("y").map(|y| factor * y));
    let space = Space::new().with("x", grid([times(100), times(200)])).with("y", depends(|_| 1));
    assert_eq!(numbers(&all(&Variants::new(space, 1)?), "x"), [100.0, 200.0]);
    Ok(())
}

#[test]
fn case_v_08_nested_functions() -> Outcome {
    let inner = Space::new().with("y", Space::new().with("z", depends(|_| 1)));
    let space = Space::new()
        .with("x", inner)
        .with("y", depends(|_| 12))
        .with("z", depends(|values| values.integer("x/y/z").map(|z| z * 100)));
    let made = space.sample(1, 0)?;
    let evaluated: BTreeMap<String, Value> = space.evaluated(&made).into_iter().collect();
    assert_eq!(json!(evaluated), json!({"x/y/z": 1, "y": 12, "z": 100}));
    Ok(())
}

#[test]
fn case_v_09_self_reference() {
    let itself = Space::new().with("foo", depends(|values| values.number("foo").map(|foo| foo + 1.0)));
    let error = itself.check().expect_err("foo needs itself");
    assert_eq!(error.to_string(), "`foo` depends on itself: foo -> foo");

    let wait_for = |path: &'static str| depends(move |values| values.number(path).unwrap_or(0.0));
    let circle = Space::new().with("a", wait_for("net/b")).with("net", Space::new().with("b", wait_for("c")));
    let error = circle.with("c", wait_for("net")).check().expect_err("net/b and c need each other");
    assert_eq!(error.to_string(), "`net/b` depends on itself: net/b -> c -> net/b");
}

#[test]
fn case_v_10_log_uniform_reaches_both_ends() -> Outcome {
    let space = Space::new().with("x", log_uniform(1e-10, 1e-1));
    let values = numbers(&all(&Variants::new(space, 5)?.samples(1000)), "x");
    assert_eq!(values.len(), 1000);
    let logs = values.iter().map(|value| value.log10());
    let (low, high) = logs.fold((0.0, -20.0), |(low, high), log| (f64::min(low, log), f64::max(high, log)));
    assert!((-10.0..=-9.9).contains(&low), "smallest at {low}");
    assert!((-1.1..=-1.0).contains(&high), "largest at {high}");
    Ok(())
}

#[test]
fn case_v_11_grids_in_lists() -> Outcome {
    let space =
        Space::new().with("a", list([Domain::from(1), grid([2, 3])])).with("b", Space::new().with("c", grid([4, 5])));
    let variants = Variants::new(space, 1)?;
    assert_eq!(variants.total(), Some(4));
    let found: Vec<Value> = all(&variants).iter().map(|made| json!([made.get("a"), made.get("b/c")])).collect();
    assert_eq!(found, [json!([[1, 2], 4]), json!([[1, 3], 4]), json!([[1, 2], 5]), json!([[1, 3], 5])]);
    Ok(())
}

#[test]
fn case_v_13_points_that_agree_with_a_constant() -> Outcome {
    let space = Space::new().with("a", 1).with("b", int(0, 100));
    let variants = Variants::new(space, 1)?.samples(2).points([config(json!({"a": 1, "b": 2}))])?;
    let configs = all(&variants);
    assert_eq!(numbers(&configs, "a"), [1.0, 1.0]);
    assert_eq!(numbers(&configs, "b")[0], 2.0);
    assert!(variants.warnings().is_empty());
    Ok(())
}

#[test]
fn case_v_14_a_point_that_differs_from_a_constant() -> Outcome {
    let space = Space::new().with("a", 1).with("b", int(0, 100));
    let variants = Variants::new(space, 1)?.points([config(json!({"a": 2}))])?;
    let warnings: Vec<String> = variants.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["preset point 0: `a` is 2, but must be 1"]);
    assert_eq!(numbers(&all(&variants), "a"), [2.0]);
    Ok(())
}

#[test]
fn case_v_16_points_and_grids() -> Outcome {
    let space = Space::new().with("a", grid([1, 2])).with("b", int(0, 2));
    let points = [json!({"a": 2, "b": 2}), json!({"a": 1}), json!({"b": 2})].map(config);
    let variants = Variants::new(space, 1)?.samples(4).points(points)?;
    assert_eq!(variants.total(), Some(6));
    let configs = all(&variants);
    assert_eq!(numbers(&configs, "a"), [2.0, 1.0, 1.0, 2.0, 1.0, 2.0]);
    let b = numbers(&configs, "b");
    assert_eq!((b[0], b[2], b[3]), (2.0, 2.0, 2.0));
    assert!(b[1] < 2.0 && b[4] < 2.0 && b[5] < 2.0, "drawn ones are within bounds: {b:?}");
    // 2 is outside of 0..2, in the first point and in the third.
    let warned: Vec<usize> = variants.warnings().iter().map(|warning| warning.point).collect();
    assert_eq!(warned, [0, 2]);
    Ok(())
}

#[test]
fn case_v_17_an_unknown_key_in_a_point() -> Outcome {
    let space = Space::new().with("a", 1).with("net", Space::new().with("depth", int(1, 5)));
    let variants = Variants::new(space, 1)?;
    let error = variants.points([config(json!({"a": 1})), config(json!({"net": {"width": 3}}))]).expect_err("no width");
    assert_eq!(error.to_string(), "preset point 1: `net/width` is not in the space; there are depth");
    Ok(())
}

#[test]
fn case_v_18_grids_within_grids_are_counted() -> Outcome {
    let space = Space::new().with("x", grid([Domain::from(Space::new().with("y", grid([1, 2]))), 3.into()]));
    let variants = Variants::new(space.clone().with("z", grid([7, 8])), 1)?.samples(2);
    assert_eq!(variants.total(), Some(12));
    let configs = all(&variants);
    assert_eq!(configs.len(), 12);
    let first: Vec<String> = configs.iter().take(4).map(ToString::to_string).collect();
    assert_eq!(
        first,
        [r#"{"x":{"y":1},"z":7}"#, r#"{"x":{"y":2},"z":7}"#, r#"{"x":3,"z":7}"#, r#"{"x":{"y":1},"z":8}"#]
    );
    Ok(())
}

#[test]
fn case_v_19_more_points_than_samples() -> Outcome {
    let space = Space::new().with("a", int(0, 10));
    let points = [1, 2, 3].map(|a| Config::new().with("a", a));
    let variants = Variants::new(space, 1)?.samples(1).points(points)?;
    assert_eq!(variants.total(), Some(3));
    assert_eq!(numbers(&all(&variants), "a"), [1.0, 2.0, 3.0]);
    Ok(())
}

#[test]
fn case_v_20_quantised_integers() -> Outcome {
    let draws = |range| -> Result<BTreeMap<i64, usize>, SpaceError> {
        let space = Space::new().with("x", range);
        let mut counts = BTreeMap::new();
        for number in 0..3000 {
            let value = space.sample(3, number)?.number("x").expect("x is a number") as i64;
            *counts.entry(value).or_default() += 1;
        }
        Ok(counts)
    };
    let fives = draws(int(0, 10).quantized(5))?;
    assert_eq!(fives.keys().copied().collect::<Vec<_>>(), [0, 5, 10]);
    assert!(fives.values().all(|&count| (850..=1150).contains(&count)), "about equally: {fives:?}");
    assert_eq!(draws(int(0, 10).quantized(1))?.into_keys().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn case_v_22_tags() {
    let values = [("a", json!(0.123456789)), ("net/c", json!("x/y z")), ("list/1", json!(true))];
    let values = values.map(|(path, value)| (path.to_owned(), value));
    assert_eq!(tag(12, &values), "12_a=0.1235,c=x_y_z,1=True");
}

#[test]
fn case_v_23_a_grid_of_functions_that_share_one() -> Outcome {
    let plus = |more: i64| depends(move |values| values.integer("shared").map(|shared| shared + more));
    let space = Space::new().with("x", grid([plus(1), plus(2)])).with("shared", depends(|_| 20));
    let configs = all(&Variants::new(space, 1)?);
    assert_eq!(numbers(&configs, "shared"), [20.0, 20.0]);
    assert_eq!(numbers(&configs, "x"), [21.0, 22.0]);
    Ok(())
}

// The wrappers

#[test]
fn case_a_07_the_limit_is_how_far_a_limited_searcher_runs_ahead() -> Outcome {
    for limit in [8, 1, 4, 16, 5] {
        assert_eq!(ConcurrencyLimiter::new(Counting::new(20), limit)?.lookahead(), limit);
    }
    Ok(())
}

#[test]
fn case_a_08_a_repeater_around_a_limiter() -> Outcome {
    let inner = Counting::new(7);
    let mut searcher = Repeater::new(ConcurrencyLimiter::new(inner, 2)?, 3)?;
    let mut used: BTreeMap<i64, u32> = BTreeMap::new();
    let (mut running, mut next, mut most): (Vec<u32>, u32, usize) = (Vec::new(), 0, 0);
    while next < 20 {
        while let Ok(x) = ask(&mut searcher, next) {
            *used.entry(x).or_default() += 1;
            running.push(next);
            next += 1;
        }
        most = most.max(running.len());
        end(&mut searcher, running.remove(0), 1.0);
        if next == 12 {
            // The state goes through JSON, as in a snapshot, into wrappers that were built otherwise.
            let repeater: RepeaterState = serde_json::from_value(serde_json::to_value(searcher.state())?)?;
            let limiter = serde_json::from_value(serde_json::to_value(searcher.inner().state())?)?;
            let inner = searcher.inner().inner().clone();
            searcher = Repeater::new(ConcurrencyLimiter::new(inner, 9)?.restored(limiter), 1)?.restored(repeater);
        }
    }
    assert_eq!(most, 6);
    assert!(used.values().all(|&count| count <= 3), "each suggestion at most three times: {used:?}");
    assert_eq!(used.len(), 7);
    Ok(())
}

#[test]
fn case_a_10_the_tag_of_a_nested_suggestion() {
    let leaves = leaves(&config(json!({"a": {"b": {"c": {"d": 4, "e": 5}}}})));
    assert_eq!(tag(0, &leaves), "0_d=4,e=5");
}

#[test]
fn case_a_11_distinct_suggestions_of_a_repeater() -> Outcome {
    for (repeat, trials, distinct) in [(1, 2, 2), (4, 12, 3), (5, 11, 3)] {
        let mut searcher = Repeater::new(Counting::new(9), repeat)?;
        let seen: BTreeSet<i64> = (0..trials).map(|number| ask(&mut searcher, number).expect("one each")).collect();
        assert_eq!((seen.len(), searcher.inner().heard().suggested), (distinct, distinct as u32));
    }
    assert_eq!(Repeater::new(Counting::new(3), 4)?.total(), Some(12));
    Ok(())
}

#[test]
fn case_a_12_a_repeaters_state_moves_to_another() -> Outcome {
    let inner = Counting::new(9);
    let mut first = Repeater::new(inner.clone(), 3)?;
    let given: Vec<_> = (0..5).map(|number| ask(&mut first, number)).collect();
    assert_eq!(given, [Ok(1), Ok(1), Ok(1), Ok(2), Ok(2)]);

    let state = serde_json::from_value(serde_json::to_value(first.state())?)?;
    let mut second = Repeater::new(inner.clone(), 1)?.restored(state);
    assert_eq!(second.repeat(), 3);
    assert_eq!((ask(&mut second, 5), ask(&mut second, 6)), (Ok(2), Ok(3)));

    (0..3).for_each(|number| end(&mut second, number, 2.0));
    [(3, 0.0), (4, -10.0)].into_iter().for_each(|(number, score)| end(&mut second, number, score));
    assert_eq!(inner.heard().ends, [(trial(0), Ending::Done, Some(2.0))]);
    end(&mut second, 5, -20.0);
    assert_eq!(inner.heard().ends.len(), 2);
    assert_eq!(inner.heard().ends[1], (trial(3), Ending::Done, Some(-10.0)));
    Ok(())
}

#[test]
fn case_a_12_the_mean_leaves_out_nan_missing_and_failed() -> Outcome {
    let inner = Counting::new(9);
    let mut searcher = Repeater::new(inner.clone(), 4)?.index("which");
    for number in 0..8 {
        let Suggestion::Next(config) = searcher.suggest(trial(number))? else { panic!("there are 9 times 4") };
        assert_eq!(config.number("which"), Some(f64::from(number % 4)));
    }
    end(&mut searcher, 0, 3.0);
    end(&mut searcher, 1, f64::NAN);
    searcher.on_end(trial(2), Ending::Error, Some(&report(2, 100.0)));
    searcher.on_end(trial(3), Ending::Scheduler, Some(&Report::empty(trial(3))));
    assert_eq!(inner.heard().ends, [(trial(0), Ending::Scheduler, Some(3.0))]);

    (4..8).for_each(|number| searcher.on_end(trial(number), Ending::Error, None));
    assert_eq!(inner.heard().ends[1], (trial(4), Ending::Error, None));
    Ok(())
}

#[test]
fn case_a_13_a_limiters_state_moves_to_another() -> Outcome {
    let inner = Counting::new(9);
    let mut first = ConcurrencyLimiter::new(inner.clone(), 2)?;
    assert_eq!([0, 1, 2].map(|number| ask(&mut first, number)), [Ok(1), Ok(2), Err("wait")]);

    let state = serde_json::from_value(serde_json::to_value(first.state())?)?;
    let mut second = ConcurrencyLimiter::new(inner.clone(), 3)?.restored(state);
    assert_eq!(second.limit(), 2);
    assert_eq!(ask(&mut second, 2), Err("wait"));
    end(&mut second, 0, 1.0);
    end(&mut second, 1, 1.0);
    assert_eq!(ask(&mut second, 2), Ok(3));
    assert_eq!(inner.heard().ends.len(), 2);
    Ok(())
}

#[test]
fn case_a_14_a_limiter_ignores_what_it_did_not_suggest() -> Outcome {
    let inner = Counting::new(2);
    let mut searcher = ConcurrencyLimiter::new(inner.clone(), 1)?;
    assert_eq!(ask(&mut searcher, 0), Ok(1));
    end(&mut searcher, 7, 1.0);
    searcher.on_report(trial(7), &report(7, 1.0));
    assert_eq!(ask(&mut searcher, 1), Err("wait"));
    searcher.on_report(trial(0), &report(0, 1.0));
    end(&mut searcher, 0, 1.0);
    end(&mut searcher, 0, 1.0);
    let heard = inner.heard();
    assert_eq!((heard.reports, heard.ends.len()), (vec![trial(0)], 1));
    // What isn't a suggestion takes no place.
    assert_eq!(ask(&mut searcher, 1), Ok(2));
    end(&mut searcher, 1, 1.0);
    assert_eq!((ask(&mut searcher, 2), ask(&mut searcher, 2)), (Err("exhausted"), Err("exhausted")));
    assert_eq!(searcher.live(), 0);
    Ok(())
}

fn batch(inner: &Counting, limit: usize) -> Result<ConcurrencyLimiter<Counting>, Box<dyn std::error::Error>> {
    Ok(ConcurrencyLimiter::new(inner.clone(), limit)?.feedback(Feedback::Batch))
}

#[test]
fn case_a_15_a_batch_waits_for_all() -> Outcome {
    let inner = Counting::new(9);
    let mut searcher = batch(&inner, 2)?;
    assert_eq!([0, 1].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2)]);
    end(&mut searcher, 1, 5.0);
    assert_eq!(ask(&mut searcher, 2), Err("wait"));
    assert!(inner.heard().ends.is_empty());
    end(&mut searcher, 0, 6.0);
    assert_eq!(inner.heard().ends, [(trial(1), Ending::Done, Some(5.0)), (trial(0), Ending::Done, Some(6.0))]);
    assert_eq!(ask(&mut searcher, 2), Ok(3));
    Ok(())
}

#[test]
fn case_a_16_a_batch_that_is_not_full_is_forwarded() -> Outcome {
    let inner = Counting::new(2);
    let mut searcher = batch(&inner, 5)?;
    assert_eq!([0, 1, 2].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2), Err("exhausted")]);
    end(&mut searcher, 0, 1.0);
    end(&mut searcher, 1, 1.0);
    assert_eq!(inner.heard().ends.len(), 2);
    Ok(())
}

#[test]
fn case_a_17_an_incomplete_batch_is_not_forwarded() -> Outcome {
    let inner = Counting::new(9);
    let mut searcher = batch(&inner, 5)?;
    assert_eq!([0, 1, 2].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2), Ok(3)]);
    end(&mut searcher, 0, 1.0);
    end(&mut searcher, 1, 1.0);
    assert!(inner.heard().ends.is_empty());
    Ok(())
}

#[test]
fn case_a_18_a_searcher_that_limits_itself() -> Outcome {
    let inner = Counting { limiting: Limiting::Own, ..Counting::new(9) };
    let mut searcher = ConcurrencyLimiter::new(Box::new(inner.clone()) as Box<dyn Searcher>, 2)?;
    assert_eq!(*inner.limit.lock().expect("no test panics with it"), Some(2));
    assert_eq!([0, 1, 2].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2), Ok(3)]);
    end(&mut searcher, 0, 1.0);
    assert_eq!(inner.heard().ends.len(), 1);
    Ok(())
}

#[test]
fn case_a_22_given_points_are_all_suggested() -> Outcome {
    for count in [4, 1] {
        let points = Points::new((1..=count).map(|x| Config::new().with("x", x)));
        assert_eq!(points.total(), Some(u64::from(count as u32)));
        let mut searcher = points;
        for number in 0..count as u32 {
            assert_eq!(ask(&mut searcher, number), Ok(i64::from(number) + 1));
        }
        assert_eq!(ask(&mut searcher, 9), Err("exhausted"));
    }
    Ok(())
}

#[test]
fn wrappers_of_nothing_are_refused() {
    let error = ConcurrencyLimiter::new(Counting::new(1), 0).expect_err("nothing could run");
    assert_eq!(error.to_string(), "ConcurrencyLimiter: `limit` is 0, but must be at least 1");
    let error = Repeater::new(Counting::new(1), 0).expect_err("nothing could run");
    assert_eq!(error.to_string(), "Repeater: `repeat` is 0, but must be at least 1");
}

#[test]
fn the_example_of_the_documentation() -> Outcome {
    let space = Space::new()
        .with("lr", log_uniform(1e-4, 1e-1))
        .with("hidden", choice([16, 32, 64]))
        .with("drop", uniform(0.0, 0.5).quantized(0.1))
        .with("batch", grid([32, 64]))
        .with("wd", 0.1);
    let variants = Variants::new(space.clone(), 1)?.samples(3);
    for made in all(&variants) {
        space.contains(&made)?;
    }
    Ok(())
}
