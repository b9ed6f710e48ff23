//! What can be asked of the results of a run (the G cases).

mod common;

use common::live::{Script, numbered, results};
use tryout::prelude::*;

/// Trial `n` reports the `n`th of these series.
fn series(name: &str, all: Vec<Vec<f64>>) -> Results {
    let count = all.len() as u32;
    let script = Script::new().step(move |mock| {
        let series = &all[mock.n() as usize];
        let metrics = Metrics::from([("x", series[mock.count as usize - 1])]);
        Ok(if mock.count as usize == series.len() { Step::done(metrics) } else { Step::next(metrics) })
    });
    results(script.experiment(name).points(numbered(count)))
}

fn repeated(first: f64, between: f64, last: f64) -> Vec<f64> {
    let mut all = vec![between; 9];
    (all[0], all[8]) = (first, last);
    all
}

#[test]
fn case_g_01_the_best_by_scope() {
    let all = vec![
        repeated(5.0, 4.0, 0.0),
        repeated(4.0, 3.0, 1.0),
        repeated(2.0, 1.0, 8.0),
        repeated(9.0, 7.0, 6.0),
        repeated(7.0, 5.0, 3.0),
    ];
    let results = series("g-01", all.clone());
    let (max, min) = (Objective::max("x"), Objective::min("x"));
    let best = |objective: &Objective, scope| {
        let trial = results.best_by(objective, scope).unwrap();
        let value = trial.stats.value("x", scope, objective.mode, trial.last.as_deref()).unwrap();
        (trial.id.number(), value)
    };
    assert_eq!(best(&max, Scope::All), (3, 9.0));
    assert_eq!(best(&min, Scope::All), (0, 0.0));
    assert_eq!(best(&max, Scope::Last), (2, 8.0));
    assert_eq!(best(&min, Scope::Last), (0, 0.0));
    let mean = |trial: u32, last: usize| {
        let all = &all[trial as usize];
        let tail = &all[all.len() - last.min(all.len())..];
        tail.iter().sum::<f64>() / tail.len() as f64
    };
    for (scope, last) in [(Scope::Average, 9), (Scope::Last5Average, 5), (Scope::Last10Average, 10)] {
        for (objective, number) in [(&max, 3), (&min, 2)] {
            let (trial, value) = best(objective, scope);
            assert_eq!(trial, number, "{scope:?} {objective:?}");
            assert!((value - mean(number, last)).abs() < 1e-12, "{scope:?}: {value} and {}", mean(number, last));
        }
    }
}

#[test]
fn case_g_04_the_best_of_two() {
    let experiment = Script::new()
        .step(|mock| Ok(Step::done([("x", mock.number("x"))])))
        .experiment("g-04")
        .space(Space::new().with("x", grid([1, 2])))
        .objective(Objective::max("x"));
    let results = results(experiment);
    let best = results.best().unwrap();
    assert_eq!((best.config.number("x"), results.value(best)), (Some(2.0), Some(2.0)));
}

#[test]
fn case_g_05_no_reports_no_best() {
    let trainable = function("g-05", |_: Config, _| Ok(()));
    let results = results(Experiment::new("g-05", trainable).points(numbered(2)).objective(Objective::max("x")));
    let error = results.best().expect_err("nobody reported");
    assert_eq!(error.to_string(), "there is no best trial: none of 2 reported a finite `x`");
}

/// Every number is turned into one, and what a program says in `main` with `?` is this.
fn shown(error: impl Into<Box<dyn std::error::Error>>) -> String {
    format!("{:?}", error.into())
}

#[test]
fn a_run_whose_trials_all_fail_says_why() {
    let trainable = function("fails", |config: Config, _| {
        Err(TrialError::new(format!("no such file: data-{}.csv", config.number("n").unwrap_or(-1.0))))
    });
    let results = results(Experiment::new("fails", trainable).points(numbered(4)).objective(Objective::min("loss")));
    let error = results.best().expect_err("nobody reported");
    let words = error.to_string();
    let first = results.trials()[0].id;
    assert!(
        words.contains("none of 4 reported a finite `loss`; 4 trials failed, all with the same error; the first"),
        "{words}"
    );
    assert!(words.contains(&format!("{first}: error: no such file: data-0.csv [attempt 1")), "{words}");
    assert_eq!(shown(error), words);
    let failed = results.failed().expect("all did");
    assert_eq!((failed.count, failed.same, failed.first), (4, 4, first));
}

#[test]
fn a_metric_that_is_misspelt_is_answered_with_those_that_were_reported() {
    let trainable = function("misspelt", |config: Config, trial| {
        if config.number("n") == Some(2.0) {
            return Err(TrialError::new("something else"));
        }
        trial.report([("los", 1.0), ("accuracy", 0.5)])?;
        Ok(())
    });
    let results = results(Experiment::new("misspelt", trainable).points(numbered(3)).objective(Objective::min("loss")));
    let error = results.best().expect_err("nobody reported it");
    let ResultsError::NoBest { reported, failed: Some(failed), .. } = &error else { panic!("{error}") };
    assert_eq!(reported, &["accuracy", "los"]);
    assert_eq!((failed.count, failed.same), (3, 2));
    assert!(
        error.to_string().contains("reported were accuracy, los; 3 trials failed, 2 of them with the same error"),
        "{error}"
    );
}

#[test]
fn errors_say_their_causes_where_main_shows_them() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let trainable = function("nowhere", |_: Config, _| Ok(()));
    let error = Experiment::new("nowhere", trainable).points(numbered(1)).dir(file.path()).run().expect_err("a file");
    let (words, shown) = (error.to_string(), shown(error));
    assert!(words.contains("can't make the directory `") && words.contains("Not a directory"), "{words}");
    assert_eq!(shown, words);
}

#[test]
fn without_an_objective_the_best_is_only_known_of_one_trial() {
    let one = series("best-one", vec![vec![1.0]]);
    assert_eq!(one.best().unwrap().id.number(), 0);
    let two = series("best-two", vec![vec![1.0], vec![2.0]]);
    let error = two.best().expect_err("what is best?");
    assert_eq!(error, ResultsError::NoObjective);
    assert!(error.to_string().contains(".objective(Objective::min(\"loss\"))"), "{error}");
    let error = two.best_by(&Objective::min("loss"), Scope::Last).expect_err("nobody reported it");
    assert!(error.to_string().ends_with("a finite `loss`; reported were x"), "{error}");
}

/// The row of the last, the largest and the smallest value.
#[test]
fn case_g_07_the_report_with_the_best_value() {
    let of = |p: f64| vec![p, 4.0 * p, 3.0 * p];
    let results = series("g-07", vec![of(1.0), of(2.0)]);
    let rows = |objective: Objective| -> Vec<(u64, f64)> {
        let row = |trial| results.best_report(trial, &objective).unwrap();
        results.trials().iter().map(|trial| (row(trial).iteration(), row(trial).number("x").unwrap())).collect()
    };
    assert_eq!(common::live::last(&results, "x"), [3.0, 6.0]);
    assert_eq!(rows(Objective::max("x")), [(2, 4.0), (2, 8.0)]);
    assert_eq!(rows(Objective::min("x")), [(1, 1.0), (1, 2.0)]);
}

#[test]
fn case_g_08_counts_of_errors_and_of_the_others() {
    let experiment = Script::new()
        .step(|mock| if mock.n() < 3 { Err(TrialError::new("broken")) } else { Ok(Step::done([("x", 1.0)])) })
        .experiment("g-08")
        .points(numbered(10));
    let results = results(experiment);
    assert_eq!((results.errors().count(), results.count(Status::Error)), (3, 3));
    assert_eq!(results.count(Status::Terminated), 7);
    assert_eq!((results.trials().len(), results.iterations()), (10, 7));
}

#[test]
fn case_g_10_a_function_without_checkpoints() {
    let trainable = function("g-10", |_: Config, trial| Ok(trial.report([("x", 1.0)])?));
    let results = results(Experiment::new("g-10", trainable).points(numbered(1)).checkpoint_every(1));
    assert!(results.trials()[0].checkpoints.is_empty());
    assert_eq!(results.dir(), None);
}

/// Values that aren't finite never win, and of equals the first does.
#[test]
fn non_finite_values_never_win_and_of_equals_the_first_does() {
    let results = series("non-finite", vec![vec![f64::NAN], vec![f64::INFINITY], vec![2.0], vec![2.0]]);
    for objective in [Objective::max("x"), Objective::min("x")] {
        assert_eq!(results.best_by(&objective, Scope::Last).unwrap().id.number(), 2);
    }
    let odd = series("all-nan", vec![vec![f64::NAN], vec![f64::NEG_INFINITY]]);
    assert!(odd.best_by(&Objective::min("x"), Scope::Last).is_err());
}

#[test]
fn a_trial_is_found_by_its_id_and_no_other_is() {
    let results = series("by-id", vec![vec![1.0], vec![2.0]]);
    let id = results.trials()[1].id;
    assert_eq!(results.trial(id).unwrap().id, id);
    assert!(results.trial(TrialId::new(id.run(), 2)).is_none());
    assert!(results.trial(common::trial(1)).is_none(), "a trial of another run");
    assert_eq!(results.name(), "by-id");
    assert!(results.took() > std::time::Duration::ZERO);
}

/// A trial for each pair of numbers; where there is no number, it isn't reported.
fn pairs(name: &str, all: &'static [(Option<f64>, Option<f64>)]) -> Results {
    let script = Script::new().step(|mock| {
        let (a, b) = all[mock.n() as usize];
        let given = [("a", a), ("b", b)].into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(Step::done(given.collect::<Metrics>()))
    });
    results(script.experiment(name).points(numbered(all.len() as u32)))
}

#[test]
fn the_front_is_whoever_no_other_dominates() {
    let results = pairs(
        "front",
        &[
            (Some(1.0), Some(1.0)),
            (Some(3.0), Some(5.0)),
            (Some(0.0), Some(9.0)),
            (Some(9.0), None),
            (Some(1.0), Some(1.0)),
            (Some(9.0), Some(f64::INFINITY)),
            (Some(2.0), Some(5.0)),
        ],
    );
    let numbers = |objectives: &[Objective], scope| -> Vec<u32> {
        results.pareto(objectives, scope).iter().map(|trial| trial.id.number()).collect()
    };
    let (a, b) = (Objective::max("a"), Objective::min("b"));
    for scope in [Scope::Last, Scope::Average, Scope::All] {
        assert_eq!(numbers(&[a.clone(), b.clone()], scope), [0, 1, 4], "{scope:?}");
    }
    assert_eq!(numbers(&[a.clone(), Objective::max("b")], Scope::Last), [1, 2]);
    assert_eq!(numbers(&[Objective::min("b")], Scope::Last), [0, 4], "with one objective it is the best ones");
    assert!(numbers(&[], Scope::Last).is_empty() && numbers(&[Objective::max("c"), b], Scope::Last).is_empty());
    let strange = pairs("front-nan", &[(Some(f64::NAN), Some(1.0)), (Some(1.0), Some(f64::NAN)), (None, None)]);
    assert!(strange.pareto(&[a], Scope::Last).iter().all(|trial| trial.id.number() == 1));
}
