//! Wrong settings are refused before anything runs, in words that say what to do; wrong configurations name their key.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::live::{Diary, SpySearcher, Watch, numbered, results};
use tryout::prelude::*;

/// An experiment that counts how often its closure was called.
fn counted() -> (Experiment, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let trainable = function("counted", move |_: Config, trial| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(trial.report([("loss", 1.0)])?)
    });
    (Experiment::new("counted", trainable).seed(0).workers(2), calls)
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
        let error = Resources::new().with("cpu", value).check().expect_err("no amount").to_string();
        let expected = format!("{value} is not an amount of `cpu`: it must be a finite number between 0 and 9e13");
        assert_eq!(error, expected);
    }
    let nothing = ResourceRequest::single(Resources::new()).expect_err("nothing").to_string();
    assert_eq!(nothing, "a resource request must ask for something: all its bundles are empty");
    let gpus = Resources::new().with("gpu", 1.5);
    let partial = ResourceRequest::single(gpus.clone()).expect_err("a part").to_string();
    assert_eq!(partial, "1.5 of `gpu` in one bundle: ask for a whole number of GPUs, or for a share of one below 1");
    let words = refusal(|it| it.points(numbered(1)).resources(gpus));
    assert_eq!(words, "the resources: a pool of 1.5 of `gpu`: GPUs are counted whole");
    let many = Resources::new().with("gpu", 9e13);
    let words = refusal(|it| it.points(numbered(1)).resources(many));
    assert_eq!(words, "the resources: a pool of 90000000000000 of `gpu`: at most 65536 can be told apart");
    let much = ResourceRequest::bundles(vec![Resources::new().with("cpu", 9e13); 3]).unwrap();
    let words = refusal(|it| it.points(numbered(1)).per_trial(much));
    assert!(words.contains("but there is only cpu 2"), "{words}");
}

#[test]
fn what_no_trial_could_have_is_named() {
    let request = ResourceRequest::single(Resources::cpus(3).with("gpu", 1.0)).unwrap();
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

    let (unnamed, _) = counted();
    let lenient = unnamed.points(numbered(1)).objective(Objective::max("acuracy")).require_metrics(false);
    let results = common::live::results(lenient);
    assert_eq!((results.count(Status::Terminated), results.trials()[0].reported), (1, 1));
    let words = results.best().expect_err("nobody reported it").to_string();
    assert!(words.ends_with("a finite `acuracy`; reported were loss"), "{words}");
}

#[test]
fn a_directory_is_used_once() {
    let root = tempfile::tempdir().unwrap();
    let (first, _) = counted();
    let first = first.points(numbered(1)).checkpoint_every(1).dir(root.path()).run().unwrap();
    std::fs::write(first.dir().unwrap().join("notes"), "mine").unwrap();

    let words = refusal(|it| it.points(numbered(1)).dir(root.path()));
    let path = root.path().join("counted");
    let expected = format!(
        "`{}` exists already and isn't empty: `.existing(Existing::Resume)` goes on with the run that is there; or choose \
         another name or directory",
        path.display()
    );
    assert_eq!(words, expected);
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(other.path().join("counted/notes")).unwrap();
    let words = refusal(|it| it.points(numbered(1)).dir(other.path()));
    assert!(words.ends_with("it holds something else than a run, so choose another name or directory"), "{words}");
    assert_eq!(std::fs::read_to_string(path.join("notes")).unwrap(), "mine", "it is left as it was");
}

#[test]
fn a_name_that_cannot_name_a_directory() {
    let root = tempfile::tempdir().unwrap();
    for name in ["../out", "a/b", ".hidden", "a:b", "tab\t"] {
        let closure = function("any", |_: Config, _| Ok(()));
        let error = Experiment::new(name, closure).points(numbered(1)).dir(root.path()).run();
        let words = error.expect_err("a bad name").to_string();
        assert!(words.starts_with("`name` is `") && words.contains(name), "{words}");
        assert!(words.contains("must be the name of a directory: letters, digits, `.`, `_` and `-`"), "{words}");
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

#[derive(Debug, serde::Deserialize)]
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
            "configuration key `net/hidden/1`: found -2, but invalid value: integer `-2`, expected u32",
        ),
        (good().with("net", serde_json::json!({})), "the configuration has no `net/hidden`: it has `rate`"),
        (
            Config::new().with("net", serde_json::json!({ "hidden": [] })),
            "the configuration has no `rate`: it is empty",
        ),
    ];
    let trainable = function("typed", |_: Settings, _| Ok(()));
    let configs = cases.iter().map(|(config, _)| config.clone()).chain([good()]);
    let results = results(Experiment::new("typed", trainable).points(configs));
    assert_eq!(results.trials()[4].status, Status::Terminated);
    for (trial, (config, expected)) in results.trials().iter().zip(&cases) {
        let failure = trial.error().unwrap_or_else(|| panic!("{config} is wrong"));
        assert!(failure.fault.message.contains(expected), "{}", failure.fault.message);
    }
    let fault = &results.trials()[0].failures[0].fault;
    assert!(fault.message.ends_with("expected f64"), "{}", fault.message);
}

#[test]
fn a_value_is_read_as_the_type_that_is_wanted() {
    let config = Config::from_json(serde_json::json!({"lr": 0.1, "net": {"hidden": [16, 32], "act": "relu"}})).unwrap();
    assert_eq!(config.get::<f64>("lr"), Ok(0.1));
    assert_eq!(config.get::<f64>("net/hidden/1"), Ok(32.0), "an integer is a number");
    assert_eq!(config.get::<Vec<u32>>("net/hidden"), Ok(vec![16, 32]));
    assert_eq!(config.get::<Option<String>>("net/norm"), Ok(None), "it may be missing");
    let words = |result: Result<u32, ConfigError>| result.expect_err("it is wrong").to_string();
    assert_eq!(
        words(config.get("lr")),
        "configuration key `lr`: found 0.1, but invalid type: floating point `0.1`, expected u32"
    );
    assert_eq!(
        words(config.get("rate")),
        "the configuration has no `rate`: it has `lr`, `net/act`, `net/hidden/0`, `net/hidden/1`"
    );
    let words = config.get::<Vec<String>>("net/hidden").expect_err("they are numbers").to_string();
    assert!(words.starts_with("configuration key `net/hidden/0`: found 16, but invalid type"), "{words}");
    let words = config.get::<Net>("net/act").expect_err("it is a text").to_string();
    assert!(words.starts_with("configuration key `net/act`: found \"relu\", but invalid type"), "{words}");
}

/// What replaces configurations leaves a searcher that learns nothing to learn from (DECISIONS 28).
#[test]
fn population_based_training_refuses_a_searcher_that_learns() {
    let pbt = || Pbt::new().mutations(space());
    let mut searcher = SpySearcher::counting(&Diary::new(), 3);
    searcher.objective = Some(Objective::min("loss"));
    let words = refusal(|it| it.searcher(searcher).scheduler(pbt()).objective(Objective::min("loss")));
    assert!(
        words.contains("which learns from the results of its suggestions, but must be one that doesn't, with `Pbt`"),
        "{words}"
    );
    let (experiment, _) = counted();
    let searcher = SpySearcher::counting(&Diary::new(), 3);
    experiment.searcher(searcher).scheduler(pbt()).objective(Objective::min("loss")).run().expect("it doesn't learn");
}

/// A scheduler that never finds a time judges nothing, and says so, once.
#[test]
fn a_time_that_nobody_reports_is_warned_of_once() {
    let warnings = |scheduler: Asha| {
        let (experiment, _) = counted();
        let (watcher, mut watch) = Watch::new();
        let experiment = experiment.points(numbered(3)).objective(Objective::min("loss")).scheduler(scheduler);
        experiment.workers(1).observer(watcher).run().expect("it runs");
        watch.finish();
        let kinds = watch.seen.iter().map(|event| &event.kind);
        kinds
            .filter_map(|kind| if let EventKind::Warning { message } = kind { Some(message.clone()) } else { None })
            .collect::<Vec<_>>()
    };
    let said = warnings(Asha::new().time_attr("epoch"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("Asha counts time by `epoch`, which trial ") && said[0].ends_with("it reported loss"),
        "{said:?}"
    );
    assert_eq!(warnings(Asha::new()), [""; 0]);
    assert_eq!(warnings(Asha::new().time_attr("time_total_s")), [""; 0]);
}

#[test]
fn a_configuration_is_a_map() {
    let error = Config::from_json(serde_json::json!([1, 2])).expect_err("a list").to_string();
    assert_eq!(error, "a configuration must be a map of names to values, found a list");
}

/// A configuration of so many levels, itself included.
fn levels(count: usize) -> Config {
    let mut value = serde_json::json!(1);
    for level in 1..count {
        value = if level % 2 == 0 { serde_json::json!([value]) } else { serde_json::json!({ "in": value }) };
    }
    Config::new().with("deep", value)
}

const TOO_DEEP: &str = "configuration key `deep`: lists and maps are nested more than 64 levels deep; use fewer levels";

struct Deep(u32);

impl tryout::extend::Searcher for Deep {
    fn suggest(&mut self, _: TrialId) -> Result<tryout::extend::Suggestion, tryout::extend::SearchError> {
        self.0 += 1;
        Ok(tryout::extend::Suggestion::Next(levels(if self.0 == 1 { 64 } else { 125 })))
    }
}

/// JSON is read on 128 levels at most: what is deeper must not come into a journal.
#[test]
fn a_configuration_that_is_nested_too_deep_is_refused_where_it_comes_in() {
    assert_eq!(refusal(|it| it.points([levels(64), levels(65)])), format!("point 1: {TOO_DEEP}"));
    let words = refusal(|it| it.searcher(tryout::logic::search::Points::new([levels(125)])));
    assert_eq!(words, "`searcher` has lists and maps nested more than 96 levels deep; use fewer levels");

    let root = tempfile::tempdir().unwrap();
    let (experiment, _) = counted();
    let error = experiment.searcher(Deep(0)).workers(1).dir(root.path()).run().expect_err("too deep");
    assert!(error.to_string().contains(TOO_DEEP), "{error}");
    // What had been reached is there, and is read again.
    let again = Experiment::open(root.path().join("counted")).expect("the journal is sound");
    assert_eq!((again.trials().len(), &*again.trials()[0].config), (1, &levels(64)));

    let gate = common::live::Gate::new();
    let inside = gate.clone();
    let trainable = function("waits", move |_: Config, _| {
        inside.pass();
        Ok(())
    });
    let handle = Experiment::new("client", trainable).points([levels(64)]).workers(1).start().unwrap();
    let refused = common::live::wait(handle.add(levels(65))).expect_err("too deep").to_string();
    assert!(refused.contains(TOO_DEEP), "{refused}");
    gate.open();
    assert_eq!(common::live::end(handle).unwrap().trials().len(), 1);
}
