//! What searchers that model count as an outcome, and whose state they take up.

mod common;

use common::{report, trial};
use tryout::extend::*;
use tryout::logic::metrics::Counters;
use tryout::logic::search::{Auto, Model, Tpe, WarmStart};
#[cfg(feature = "gp")]
use tryout::logic::space::Domain;
use tryout::logic::space::{choice, int, log_int, uniform};

fn space() -> Space {
    Space::new().with("x", uniform(0.0, 1.0))
}

fn tpe(space: Space, model: Model) -> Tpe {
    let mut tpe = Tpe::new(space, 5).expect("it can be modelled").model(model).startup(2);
    tpe.prepare(Some(&Objective::min("loss"))).expect("it is set well");
    tpe
}

fn x(searcher: &mut dyn Searcher, number: u32) -> f64 {
    match searcher.suggest(trial(number)).expect("it goes on") {
        Suggestion::Next(config) => config.number("x").expect("it is there"),
        other => panic!("it suggests {other:?}"),
    }
}

/// How many outcomes the state holds of each budget, or of none.
fn outcomes(searcher: &dyn Searcher) -> Vec<(u64, usize)> {
    let state = searcher.save().expect("it gives its state");
    let count = |list: &serde_json::Value| list.as_array().map_or(0, Vec::len);
    let budgets = state["budgets"].as_object().expect("it keeps budgets");
    let by_budget = budgets.iter().map(|(budget, list)| (budget.parse().unwrap_or(0), count(list)));
    std::iter::once((0, count(&state["inner"]["outcomes"]))).chain(by_budget).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_trial_counts_once_at_each_budget() {
    let mut tpe = tpe(space(), Model::ByBudget);
    x(&mut tpe, 0);
    x(&mut tpe, 1);
    for number in 0..2 {
        let at_rung = report(trial(number), 3, "loss", 1.0);
        tpe.on_pause(trial(number), Some(&at_rung));
        tpe.on_pause(trial(number), Some(&at_rung));
    }
    // The worse is ended where it was paused, the better goes on.
    tpe.on_end(trial(0), Ending::Scheduler, Some(&report(trial(0), 3, "loss", 1.0)));
    tpe.on_end(trial(1), Ending::Done, Some(&report(trial(1), 9, "loss", 0.5)));
    assert_eq!(outcomes(&tpe), [(3, 2), (9, 1)]);
}

#[test]
fn what_was_ended_before_it_reported_is_no_outcome() {
    let endings = [Ending::Client, Ending::Experiment, Ending::Scheduler, Ending::StopRule, Ending::Restarted];
    for ending in endings {
        let mut tpe = tpe(space(), Model::AtEnd);
        x(&mut tpe, 0);
        tpe.on_end(trial(0), ending, None);
        assert_eq!(outcomes(&tpe), [], "{ending:?}");
        x(&mut tpe, 1);
        tpe.on_end(trial(1), Ending::Error, None);
        x(&mut tpe, 2);
        tpe.on_end(trial(2), ending, Some(&report(trial(2), 1, "loss", f64::NAN)));
        assert_eq!(outcomes(&tpe), [(0, 2)], "{ending:?}");
    }
}

#[test]
fn a_state_of_another_space_or_model_means_nothing() {
    let mut first = tpe(space(), Model::AtEnd);
    for number in 0..4 {
        let x = x(&mut first, number);
        first.on_end(trial(number), Ending::Done, Some(&report(trial(number), 1, "loss", x)));
    }
    let state = || first.save().expect("it gives its state");
    let wider = Space::new().with("x", uniform(0.0, 100.0));
    for (mut other, setting) in [(tpe(wider, Model::AtEnd), "`space`"), (tpe(space(), Model::ByBudget), "`model`")] {
        let error = other.restore(state()).expect_err("it means nothing").to_string();
        assert!(error.contains(setting), "{error}");
        assert_eq!(outcomes(&other), [], "nothing has changed");
    }
    tpe(space(), Model::AtEnd).restore(state()).expect("it is its own");
}

fn warm(first: f64, outcomes: usize) -> WarmStart {
    let known = (0..outcomes).map(|_| (Config::new().with("x", 0.5), Metrics::from([("loss", 1.0)])));
    let mut warm = WarmStart::new(tpe(space(), Model::AtEnd)).first(Config::new().with("x", first)).outcomes(known);
    warm.prepare(Some(&Objective::min("loss"))).expect("it is set well");
    warm
}

#[test]
fn what_is_known_beforehand_changes_between_sessions() {
    let mut before = warm(0.25, 1);
    assert_eq!(x(&mut before, 0), 0.25);
    let state = || before.save().expect("it gives its state");
    for (mut after, setting) in [(warm(0.75, 1), "`first points`"), (warm(0.25, 2), "`number of outcomes`")] {
        let error = after.restore(state()).expect_err("it knows something else").to_string();
        assert!(error.contains(setting), "{error}");
    }
    let mut longer = warm(0.25, 1).first(Config::new().with("x", 0.75));
    longer.restore(state()).expect("a point more is no other state");
    assert_eq!(x(&mut longer, 1), 0.75);

    // The engine tells the past again: what was tried is learnt as it was, and the new point is tried.
    let mut told = warm(0.75, 0);
    told.replay(trial(0), &Config::new().with("x", 0.25)).expect("it goes on");
    told.on_end(trial(0), Ending::Done, Some(&report(trial(0), 1, "loss", 0.0)));
    let state = told.save().expect("it gives its state");
    assert_eq!(state["inner"]["inner"]["outcomes"][0]["point"], serde_json::json!([0.25]), "{state}");
    assert_eq!(x(&mut told, 1), 0.75);
}

/// What was learnt stays where it was in a range that becomes ten times as wide.
#[cfg(feature = "search")]
#[test]
fn what_was_learnt_outlasts_a_change_of_the_space() {
    use tryout::logic::search::{CmaEs, GaussianProcess, Nsga2};

    let space = |high: f64| Space::new().with("x", uniform(0.0, high)).with("kind", choice(["a", "b"]));
    let objectives = [Objective::min("loss")];
    let learners: Vec<Box<dyn Searcher>> = vec![
        Box::new(Tpe::new(space(10.0), 5).expect("it can be modelled")),
        Box::new(GaussianProcess::new(space(10.0), 5).expect("it can be modelled")),
        Box::new(CmaEs::new(space(10.0), 5).expect("it can be modelled")),
        Box::new(Nsga2::new(space(10.0), &objectives, 5).expect("it can be modelled").population(10)),
    ];
    for mut learner in learners {
        learner.prepare(Some(&objectives[0])).expect("it is set well");
        let mut number = 0;
        let mut ask = |learner: &mut dyn Searcher, times: usize| -> Vec<f64> {
            let mut found: Vec<f64> = (0..times)
                .map(|_| {
                    number += 1;
                    let x = x(learner, number);
                    learner.on_end(
                        trial(number),
                        Ending::Done,
                        Some(&report(trial(number), 1, "loss", (x - 3.0).abs())),
                    );
                    (x - 3.0).abs()
                })
                .collect();
            found.sort_by(f64::total_cmp);
            found
        };
        ask(&mut *learner, 50);
        learner.set_space(&Space::new().with("x", uniform(0.0, 100.0)).with("kind", choice(["b", "c"])));
        let wide = ask(&mut *learner, 20);
        // The process looks at what it doesn't know as well.
        let near = if learner.name() == "GaussianProcess" { wide[0] < 1.0 } else { wide[10] < 25.0 };
        assert!(near, "{}: by chance the middle one would be 40: {wide:?}", learner.name());
        learner.set_space(&Space::new().with("x", uniform(2.0, 4.0)));
        let narrow = ask(&mut *learner, 30);
        assert!(narrow.last().is_some_and(|far| *far <= 1.0) && narrow[10] < 0.3, "{}: {narrow:?}", learner.name());
    }
}

/// What it suggests in so many trials that report what `metrics` says of each configuration.
fn run(searcher: &mut dyn Searcher, trials: u32, metrics: impl Fn(&Config) -> Metrics) -> Vec<Config> {
    let mut tried = Vec::new();
    for number in 0..trials {
        let Ok(Suggestion::Next(config)) = searcher.suggest(trial(number)) else { panic!("it goes on") };
        let last = Counters::default().stamp(trial(number), metrics(&config), std::time::Duration::ZERO, 0.0);
        searcher.on_end(trial(number), Ending::Done, Some(&last));
        tried.push(config);
    }
    tried
}

#[test]
fn a_finite_space_is_tried_in_full_before_anything_is_tried_twice() {
    let inner = Space::new().with("steps", int(0, 3)).with("kind", "b");
    let space = || {
        let choices = choice([Space::new().with("kind", "a"), inner.clone()]);
        Space::new().with("n", log_int(1, 5)).with("x", uniform(0.0, 1.0).quantized(0.5)).with("o", choices)
    };
    // Four times three times one and three.
    let all = 4 * 3 * 4;
    let searchers: Vec<Box<dyn Searcher>> = vec![
        Box::new(Tpe::new(space(), 5).expect("fine").startup(4)),
        #[cfg(feature = "gp")]
        Box::new(tryout::logic::search::GaussianProcess::new(space(), 5).expect("fine").startup(4)),
    ];
    for mut searcher in searchers {
        searcher.prepare(Some(&Objective::min("loss"))).expect("it is set well");
        let loss = |config: &Config| Metrics::from([("loss", config.number("n").unwrap_or(9.0))]);
        let tried = run(searcher.as_mut(), all, loss);
        let different: std::collections::BTreeSet<String> = tried.iter().map(ToString::to_string).collect();
        assert_eq!(different.len(), all as usize, "{}", searcher.name());
        assert!(matches!(searcher.suggest(trial(all)), Ok(Suggestion::Next(_))), "and goes on");
    }
}

#[test]
fn what_breaks_a_constraint_is_of_no_use() {
    let mut tpe = Tpe::new(space(), 5).expect("fine").constraints(&["excess"]);
    tpe.prepare(Some(&Objective::min("loss"))).expect("it is set well");
    let tried = run(&mut tpe, 80, |config| {
        let x = config.number("x").unwrap_or(0.0);
        Metrics::from([("loss", x), ("excess", 0.6 - x)])
    });
    let late: Vec<f64> = tried[40..].iter().filter_map(|config| config.number("x")).collect();
    let near = late.iter().filter(|x| (0.55..0.7).contains(*x)).count();
    assert!(near > 20, "the least that is allowed is 0.6: {late:?}");
}

#[test]
fn several_objectives_are_sought_along_their_front() {
    let space = Space::new().with("x", uniform(-10.0, 10.0)).with("y", uniform(-10.0, 10.0));
    let mut tpe = Tpe::new(space, 5).expect("fine").judged_by(&[Objective::min("cost"), Objective::max("gain")]);
    tpe.prepare(None).expect("it needs none of the experiment");
    let tried = run(&mut tpe, 150, |config| {
        let (x, y) = (config.number("x").unwrap_or(0.0), config.number("y").unwrap_or(0.0));
        Metrics::from([("cost", x * x + y * y), ("gain", -(x - 4.0).powi(2) - y * y)])
    });
    let x: Vec<f64> = tried[75..]
        .iter()
        .filter(|config| config.number("y").is_some_and(|y| y.abs() < 2.0))
        .filter_map(|config| config.number("x"))
        .filter(|x| (-0.5..4.5).contains(x))
        .collect();
    assert!(x.len() > 45, "{} of 75 are near the front", x.len());
    assert!(x.iter().any(|x| *x < 1.0) && x.iter().any(|x| *x > 3.0), "all along it: {x:?}");
}

#[test]
fn the_state_of_a_version_with_another_estimator_is_taken_up() {
    let mut now = tpe(space(), Model::AtEnd);
    let mut state = now.save().expect("it gives its state");
    state["inner"]["outcomes"] =
        serde_json::json!([{"point": [0.25], "value": 1.0}, {"point": [null], "value": "Infinity"}]);
    now.restore(state).expect("what is new has defaults");
    assert_eq!(outcomes(&now), [(0, 2)]);
    let spec = now.spec().expect("it says what it is");
    let mut settings = spec.settings.clone();
    for name in ["random_share", "recent", "running_as_bad"] {
        assert!(settings.as_object_mut().is_some_and(|map| map.remove(name).is_some()), "{name}");
    }
    let made = tryout::search::from_spec(&tryout::state::PartSpec { settings, ..spec }).expect("they have defaults");
    assert_eq!(made.spec().map(|spec| spec.settings), now.spec().map(|spec| spec.settings));
}

#[test]
fn who_does_not_choose_is_told_what_was_chosen() {
    let numbers = || Space::new().with("x", uniform(0.0, 1.0)).with("y", uniform(0.0, 1.0));
    let auto = |space: Space| Auto::new(space, 5).expect("it can be modelled");
    let choice = |auto: Auto| auto.choice().unwrap_or_default();
    assert!(choice(auto(numbers())).starts_with("Tpe: "));
    assert!(choice(auto(numbers()).judged_by(&[Objective::min("a"), Objective::min("b")])).starts_with("Tpe: "));
    assert!(choice(auto(numbers()).samples(60).parallel(20)).starts_with("Tpe: "));
    #[cfg(all(feature = "gp", feature = "cma-es"))]
    {
        assert!(
            choice(auto(numbers()).samples(60)).starts_with("GaussianProcess: the best for 60 trials of 2 variables")
        );
        assert!(choice(auto(numbers()).samples(200)).starts_with("GaussianProcess: "));
        assert!(choice(auto(numbers()).samples(400)).starts_with("CmaEs: "));
        let kinds = |options: [Domain; 2]| numbers().with("kind", tryout::logic::space::choice(options));
        assert!(choice(auto(kinds(["a".into(), "b".into()])).samples(400)).starts_with("CmaEs: "));
        let nested = Space::new().with("z", uniform(0.0, 1.0));
        assert!(choice(auto(kinds(["a".into(), nested.into()])).samples(400)).starts_with("Tpe: "));
    }
    let several = || auto(numbers()).judged_by(&[Objective::min("a"), Objective::min("b")]).samples(60);
    let (mut one, mut other) = (several(), several());
    one.prepare(None).expect("it has objectives");
    other.prepare(None).expect("it has objectives");
    run(&mut one, 20, |config| {
        let x = config.number("x").unwrap_or(0.0);
        Metrics::from([("a", x), ("b", 1.0 - x)])
    });
    other.restore(one.save().expect("it gives its state")).expect("it is its own");
    assert_eq!(one.suggest(trial(20)).ok(), other.suggest(trial(20)).ok());
    assert_eq!(Searcher::objectives(&one).len(), 2);
}
