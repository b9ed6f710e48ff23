//! Wrong settings are refused before anything runs, in words that say what to do; wrong configurations name their key.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::live::{Diary, SpySearcher, numbered, results};
use tryout::prelude::*;

/// An experiment that counts how often its closure was called.
fn counted() -> (Experiment, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let trainable = function("counted", move |_: Config, trial| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(trial.report([("loss", 1.0)])?)
    });
    (Experiment::new("counted", trainable).workers(2), calls)
}

/// The words with which it is refused. Nothing has run.
fn refusal(change: impl FnOnce(Experiment) -> Experiment) -> String {
    let (experiment, calls) = counted();
    let error = change(experiment).run().expect_err("it is refused");
    assert!(matches!(error, RunError::Settings(_)), "{error:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 0, "nothing runs");
    error.to_string()
}

fn space() -> Space {
    Space::new().with("x", uniform(0.0, 1.0))
}

#[test]
fn a_name_is_needed() {
    let trainable = |name: &str| {
        let closure = function("any", |_: Config, _| Ok(()));
        Experiment::new(name, closure).points(numbered(1)).run().expect_err("no name").to_string()
    };
    assert_eq!(trainable(""), "`name` is empty, but must be a name");
    assert_eq!(trainable("  "), "`name` is empty, but must be a name");
}

#[test]
fn something_to_try_is_needed() {
    let expected =
        "there is nothing to try: give the experiment a `.space(..)`, some `.points(..)` or a `.searcher(..)`";
    assert_eq!(refusal(|experiment| experiment), expected);
    assert_eq!(refusal(|experiment| experiment.space(Space::new())), expected);
    assert_eq!(refusal(|experiment| experiment.points([])), expected);
}

#[test]
fn zeros_are_refused_by_name() {
    let points = |experiment: Experiment| experiment.points(numbered(1));
    assert_eq!(refusal(|it| it.space(space()).samples(0)), "`samples` is 0, but must be at least 1");
    assert_eq!(refusal(|it| points(it).concurrency(0)), "`concurrency` is 0, but must be at least 1");
    assert_eq!(refusal(|it| points(it).staged(0)), "`staged` is 0, but must be at least 1");
    assert_eq!(refusal(|it| points(it).checkpoint_every(0)), "`checkpoint_every` is 0, but must be at least 1");
    let expected = "`retention` is 0, but must be at least 1: the latest checkpoint is always kept";
    assert_eq!(refusal(|it| points(it).retention(Retention::last(0))), expected);
    assert_eq!(refusal(|it| points(it).retention(Retention::best(0, Objective::min("loss")))), expected);
    let expected = "the resources: there is nothing to run on: give at least one worker, or some resources";
    assert_eq!(refusal(|it| points(it).workers(0)), expected);
    assert_eq!(refusal(|it| points(it).resources(Resources::new())), expected);
}

#[test]
fn what_excludes_each_other_is_named() {
    let searcher = || SpySearcher::counting(&Diary::new(), 1);
    assert_eq!(
        refusal(|it| it.searcher(searcher()).points(numbered(1))),
        "`searcher` and `points` were both given: give the points to the searcher, if it takes any"
    );
}

#[test]
fn amounts_of_resources_are_finite_and_not_negative() {
    for value in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e14] {
        let error = Resources::new().with("cpu", value).expect_err("no amount").to_string();
        let expected = format!("{value} is not an amount of `cpu`: it must be a finite number between 0 and 9e13");
        assert_eq!(error, expected);
    }
    let nothing = ResourceRequest::single(Resources::new()).expect_err("nothing").to_string();
    assert_eq!(nothing, "a resource request must ask for something: all its bundles are empty");
    let gpus = Resources::new().with("gpu", 1.5).unwrap();
    let partial = ResourceRequest::single(gpus.clone()).expect_err("a part").to_string();
    assert_eq!(partial, "1.5 of `gpu` in one bundle: ask for a whole number of GPUs, or for a share of one below 1");
    let words = refusal(|it| it.points(numbered(1)).resources(gpus));
    assert_eq!(words, "the resources: a pool of 1.5 of `gpu`: GPUs are counted whole");
}

#[test]
fn what_no_trial_could_have_is_named() {
    let request = ResourceRequest::single(Resources::cpus(3).with("gpu", 1.0).unwrap()).unwrap();
    let words = refusal(|it| it.points(numbered(1)).per_trial(request));
    assert_eq!(words, "no trial could ever run: asked for cpu 3, gpu 1, but there is only cpu 2");
}

#[test]
fn bounds_of_a_space_are_numbers_in_their_order() {
    for (low, high) in [(f64::NAN, 1.0), (0.0, f64::INFINITY), (f64::NEG_INFINITY, 0.0), (1.0, 0.0)] {
        let words = refusal(|it| it.space(Space::new().with("rate", uniform(low, high))));
        assert!(words.starts_with("the search space: ") && words.contains("`rate`"), "{words}");
    }
    let words = refusal(|it| it.space(Space::new().with("rate", log_uniform(0.0, 1.0))));
    assert!(words.contains("`rate`"), "{words}");
}

#[test]
fn stop_rules_that_cannot_work_are_refused() {
    let points = |experiment: Experiment| experiment.points(numbered(1));
    let words = refusal(|it| points(it).stop(stop::at_most("loss", f64::NAN)));
    assert_eq!(
        words,
        "the stop rule: stop rule `at_most`: the bound is NaN, but must be a number, as no value is ever beyond NaN"
    );
    for words in [
        refusal(|it| points(it).stop(stop::iterations(0))),
        refusal(|it| points(it).stop(stop::trial_time(Duration::ZERO))),
        refusal(|it| points(it).stop(stop::experiment_time(Duration::ZERO))),
    ] {
        assert!(words.starts_with("the stop rule: stop rule `") && words.contains(" but must be "), "{words}");
    }
}

#[test]
fn a_scheduler_says_what_it_needs() {
    let words = refusal(|it| it.points(numbered(1)).scheduler(Asha::new().max_t(9)));
    let expected = "needs an objective: give one to the experiment, as in `.objective(Objective::min(\"loss\"))`";
    assert!(words.ends_with(expected), "{words}");
    let words = refusal(|it| {
        let asha = Asha::new().max_t(9).objective(Objective::max("score"));
        it.points(numbered(1)).objective(Objective::min("loss")).scheduler(asha)
    });
    assert!(words.contains("max `score`") && words.contains("min `loss`"), "{words}");
}

/// A trainable that says what it reports: an objective that isn't among that is refused at once.
struct Named;

impl Trainable for Named {
    type Config = Config;
    const METRICS: &'static [&'static str] = &["loss", "accuracy"];

    fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        Ok(Step::done([("loss", 1.0), ("accuracy", 0.5)]))
    }
}

#[test]
fn an_unknown_metric_is_refused_at_once_or_at_the_first_report() {
    let experiment = |metric: &str| {
        Experiment::new("named", stepwise::<Named>()).points(numbered(1)).objective(Objective::max(metric))
    };
    let words = experiment("acuracy").run().expect_err("a slip").to_string();
    assert!(words.contains("`acuracy`") && words.contains("loss, accuracy"), "{words}");
    assert_eq!(results(experiment("accuracy")).count(Status::Terminated), 1);
    assert_eq!(results(experiment("training_iteration")).count(Status::Terminated), 1);
    let words = experiment("").run().expect_err("no name").to_string();
    assert_eq!(words, "`objective` is a metric without a name, but must be the name of a metric");

    let (unnamed, _) = counted();
    let results = results(unnamed.points(numbered(1)).objective(Objective::max("acuracy")));
    let failure = results.trials()[0].error().expect("an error");
    let expected = "the report of iteration 1 has no metric `acuracy`, which the experiment needs; it has loss";
    assert_eq!(failure.fault.message, expected);
}

#[test]
fn a_directory_is_used_once() {
    let root = tempfile::tempdir().unwrap();
    let (first, _) = counted();
    let first = first.points(numbered(1)).checkpoint_every(1).dir(root.path()).run().unwrap();
    std::fs::write(first.dir().unwrap().join("notes"), "mine").unwrap();

    let words = refusal(|it| it.points(numbered(1)).dir(root.path()));
    let path = root.path().join("counted");
    let expected =
        format!("`{}` exists already and isn't empty: choose another name or directory, or remove it", path.display());
    assert_eq!(words, expected);
    assert_eq!(std::fs::read_to_string(path.join("notes")).unwrap(), "mine", "it is left as it was");
}

#[test]
fn a_name_that_cannot_name_a_directory() {
    let root = tempfile::tempdir().unwrap();
    for name in ["../out", "a/b", ".hidden", "a:b", "tab\t"] {
        let closure = function("any", |_: Config, _| Ok(()));
        let error = Experiment::new(name, closure).points(numbered(1)).dir(root.path()).run();
        let words = error.expect_err("a bad name").to_string();
        assert!(words.starts_with("the directory: ") && words.contains(name), "{words}");
    }
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_refused_experiment_makes_no_directory() {
    let root = tempfile::tempdir().unwrap();
    let words = refusal(|it| it.points(numbered(1)).dir(root.path()).concurrency(0));
    assert!(words.contains("concurrency"), "{words}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only read from a configuration")]
struct Settings {
    rate: f64,
    net: Net,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only read from a configuration")]
struct Net {
    hidden: Vec<u32>,
}

/// A configuration of the wrong form is that trial's error; it names the key, what was found and what was expected.
#[test]
fn a_wrong_configuration_names_the_key() {
    let good = || Config::new().with("rate", 0.1).with("net", serde_json::json!({ "hidden": [1, 2] }));
    let cases = [
        (good().with("rate", "fast"), "configuration key `rate`: found \"fast\", but invalid type: string"),
        (
            good().with("net", serde_json::json!({ "hidden": [1, -2] })),
            "configuration key `net.hidden[1]`: found -2, but invalid value: integer `-2`, expected u32",
        ),
        (good().with("net", serde_json::json!({})), "missing field `hidden`"),
        (Config::new().with("net", serde_json::json!({ "hidden": [] })), "missing field `rate`"),
    ];
    let trainable = function("typed", |_: Settings, _| Ok(()));
    let configs = cases.iter().map(|(config, _)| config.clone()).chain([good()]);
    let results = results(Experiment::new("typed", trainable).points(configs));
    assert_eq!(results.trials()[4].status, Status::Terminated);
    for (trial, (config, expected)) in results.trials().iter().zip(&cases) {
        let failure = trial.error().unwrap_or_else(|| panic!("{config} is wrong"));
        assert!(failure.fault.message.contains(expected), "{}", failure.fault.message);
        assert!(failure.fault.message.contains("but "), "{}", failure.fault.message);
    }
    let fault = &results.trials()[0].failures[0].fault;
    assert!(fault.message.ends_with("expected f64"), "{}", fault.message);
}

#[test]
fn a_configuration_is_a_map() {
    let error = Config::from_json(serde_json::json!([1, 2])).expect_err("a list").to_string();
    assert_eq!(error, "a configuration must be a map of names to values, found a list");
}
