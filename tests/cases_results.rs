//! Reports on their way through the engine: joined decisions, batches, what counts as a result (the D cases).

mod common;

use std::sync::Arc;

use common::live::{Diary, Gate, Script, SpyScheduler, SpySearcher, Watch, iterations, last, numbered, results, run};
use tryout::extend::{Cohort, EventKind, Verdict};
use tryout::prelude::*;

#[test]
fn case_d_21_the_last_report_of_a_function_is_not_doubled() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let trainable = function("d-21", |_: Config, trial| {
        (1..=5).try_for_each(|step| trial.report([("x", step)]))?;
        Ok(())
    });
    let experiment = Experiment::new("d-21", trainable)
        .workers(1)
        .points(numbered(1))
        .scheduler(SpyScheduler::new(&diary))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    let reported = watch.about(0).iter().filter(|line| line.starts_with("reported")).count();
    assert_eq!(reported, 5);
    let trial = &results.trials()[0];
    assert_eq!((trial.history.len(), trial.stats.get("x").unwrap().count), (5, 5));
    let last = trial.last.as_ref().unwrap();
    assert_eq!((last.iteration(), last.done), (5, true));
    assert_eq!(diary.of("S.end"), ["S.end 0 Done i5"]);
}

#[test]
fn case_d_22_a_function_that_never_reports() {
    let trainable = function("d-22", |_: Config, _| Ok(()));
    let results = results(Experiment::new("d-22", trainable).workers(1).points(numbered(1)));
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.ending), (Status::Terminated, Some(Ending::Done)));
    let last = trial.last.as_ref().unwrap();
    assert!(last.done && last.metrics.is_empty() && last.iteration() == 0);
    assert_eq!(last.trial, trial.id);
}

#[test]
fn case_d_23_all_forms_of_a_trainable_leave_the_same_results() {
    let values = [0.5, -1.25, 1e300, f64::MIN_POSITIVE, 3.0];
    let closure = function("closure", move |_: Config, trial| {
        values.iter().try_for_each(|x| trial.report([("x", *x)]))?;
        Ok(())
    });
    let awaiting = async_function("awaiting", async move |_: Config, trial: &mut AsyncSession| {
        for x in values {
            trial.report([("x", x)]).await?;
        }
        Ok(())
    });
    let script = || {
        Script::new().step(move |mock| {
            let metrics = Metrics::from([("x", values[mock.count as usize - 1])]);
            Ok(if mock.count == 5 { Step::done(metrics) } else { Step::next(metrics) })
        })
    };
    let all = [
        Experiment::new("d-23-function", closure).workers(1),
        Experiment::new("d-23-async", awaiting).workers(1),
        script().experiment("d-23-stepwise"),
        script().async_experiment("d-23-async-stepwise"),
    ];
    for experiment in all {
        let results = results(experiment.points(numbered(1)));
        let trial = &results.trials()[0];
        let seen: Vec<(u64, f64)> =
            trial.history.iter().map(|report| (report.iteration(), report.number("x").unwrap())).collect();
        let expected: Vec<(u64, f64)> = (1..).zip(values).collect();
        assert_eq!(seen, expected, "{}", results.name());
        assert_eq!(trial.history.iter().filter(|report| report.done).count() + usize::from(!trial.history[4].done), 1);
        assert!(trial.last.as_ref().unwrap().done);
        assert_eq!(trial.ending, Some(Ending::Done));
    }
}

#[test]
fn case_d_24_totals_of_what_a_step_did() {
    let totals = |name: &str, steps: fn(u64) -> Option<u64>| {
        let script = Script::new().step(move |mock| {
            let mut metrics = Metrics::new();
            if let Some(steps) = steps(mock.count - 1) {
                metrics.insert("timesteps_this_iter", steps);
            }
            Ok(Step::next(metrics))
        });
        let results = results(script.experiment(name).points(numbered(1)).stop(stop::iterations(10)));
        results.trials()[0].last.as_ref().unwrap().counters.timesteps_total
    };
    assert_eq!(totals("d-24-zeros", |_| Some(0)), Some(0));
    assert_eq!(totals("d-24-three", |_| Some(3)), Some(30));
    assert_eq!(totals("d-24-sum", Some), Some(45));
    assert_eq!(totals("d-24-none", |_| None), None);
}

/// An array has one type, so beside a float the steps are floats too.
#[test]
fn case_d_24_steps_beside_a_loss() {
    let dir = tempfile::tempdir().unwrap();
    let trainable = || {
        function("d-24-floats", |_: Config, trial| {
            for _ in 0..10 {
                trial.report([("loss", 0.3), ("timesteps_this_iter", 3.0), ("episodes_this_iter", 0.5)])?;
            }
            Ok(())
        })
    };
    let experiment = || Experiment::new("d-24-floats", trainable()).points(numbered(1)).dir(dir.path());
    let counters = |results: Results| results.trials()[0].last.as_ref().unwrap().counters;
    let live = counters(results(experiment()));
    assert_eq!((live.timesteps_total, live.episodes_total), (Some(30), None), "half an episode is none");
    assert_eq!(counters(results(experiment().existing(Existing::Resume))), live, "the journal says the same");
}

fn reporting(name: &str, metrics: Metrics) -> Experiment {
    Script::new().step(move |_| Ok(Step::done(metrics.clone()))).experiment(name).points(numbered(1))
}

/// DECISIONS 15: every report that has a metric at all must have the one that is needed.
#[test]
fn case_d_25_and_d_26_a_missing_metric_is_the_trials_error() {
    let more = Metrics::from([("val", 1.0), ("other", 2.0)]);
    for (name, metrics, has) in [("d-26", Metrics::from([("val", 1.0)]), "val"), ("d-25", more, "val, other")] {
        let results = results(reporting(name, metrics).objective(Objective::max("acc")));
        let failure = results.trials()[0].error().expect("a trial in error");
        assert_eq!(failure.fault.kind, FailureKind::UserError);
        let expected =
            format!("the report of iteration 1 has no metric `acc`, which the experiment needs; it has {has}");
        assert_eq!(failure.fault.message, expected);
    }
}

#[test]
fn case_d_27_a_function_that_reports_nothing_needs_no_metric() {
    let trainable = function("d-27", |_: Config, _| Ok(()));
    let experiment = Experiment::new("d-27", trainable).points(numbered(1)).objective(Objective::max("acc"));
    assert_eq!(results(experiment).count(Status::Terminated), 1);
}

#[test]
fn case_d_28_a_metric_that_only_the_searcher_or_the_scheduler_needs() {
    let diary = Diary::new();
    let searcher = |metric: &str| {
        let mut searcher = SpySearcher::counting(&diary, 1);
        searcher.objective = Some(Objective::max(metric));
        searcher
    };
    let experiment =
        |name: &str| Script::new().step(|mock| Ok(Step::done([("val", mock.count as f64)]))).experiment(name);
    let status = |experiment| results(experiment).trials()[0].status;
    assert_eq!(status(experiment("d-28-a").searcher(searcher("acc"))), Status::Error);
    assert_eq!(status(experiment("d-28-b").searcher(searcher("val"))), Status::Terminated);
    let asha = |metric: &str| Asha::new().max_t(9).objective(Objective::max(metric));
    assert_eq!(status(experiment("d-28-c").points(numbered(1)).scheduler(asha("acc"))), Status::Error);
    assert_eq!(status(experiment("d-28-d").points(numbered(1)).scheduler(asha("val"))), Status::Terminated);
}

#[test]
fn case_d_29_no_metric_is_needed_unless_it_is_named() {
    assert_eq!(results(reporting("d-29", Metrics::from([("val", 1.0)]))).count(Status::Terminated), 1);
}

#[test]
fn case_d_30_nested_results_are_flat_for_everybody() {
    let (diary, values) = (Diary::new(), Diary::new());
    let notes = values.clone();
    let judge = move |_, report: &Report, _: &dyn Cohort| {
        notes.note(format!("{}", report.number("test/1/2/3").unwrap()));
        Verdict::CONTINUE
    };
    let experiment = Script::new()
        .step(|mock| {
            let inner = Metrics::from([("3", mock.count as f64 - 1.0)]);
            let metrics = Metrics::new().nest("test", Metrics::new().nest("1", Metrics::new().nest("2", inner)));
            Ok(Step::next(metrics))
        })
        .experiment("d-30")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .stop(stop::at_least("test/1/2/3", 20.0));
    let results = results(experiment);
    assert_eq!((iterations(&results)[0], last(&results, "test/1/2/3")[0]), (21, 20.0));
    assert_eq!((diary.of("S.report").len(), diary.of("A.report").len()), (20, 20));
    assert_eq!(values.lines()[19], "19");
}

/// An unknown key in a stop rule is one warning and no stop.
#[test]
fn case_d_31_a_stop_rule_about_an_unknown_metric() {
    let (watcher, mut watch) = Watch::new();
    let experiment = Script::new()
        .experiment("d-31")
        .points(numbered(2))
        .stop(stop::at_least("test", 3.0).or(stop::iterations(5)))
        .observer(watcher);
    assert_eq!(iterations(&results(experiment)), [5, 5]);
    watch.finish();
    let warnings = watch.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("has no `test`; its numbers are `resets`, `score`"), "{warnings:?}");
}

/// Statistics use the number of results (DECISIONS 14).
#[test]
fn case_d_33_statistics_count_results() {
    let experiment = Script::new().experiment("d-33").points(numbered(1)).stop(stop::iterations(4));
    let results = results(experiment);
    let stats = results.trials()[0].stats.get("score").unwrap();
    assert_eq!((stats.count, stats.mean, stats.min, stats.max, stats.last), (4, 2.5, 1.0, 4.0, 4.0));
}

#[test]
fn case_d_34_infinite_values_pass() {
    let experiment = Script::new()
        .step(|_| Ok(Step::next([("score", f64::INFINITY)])))
        .experiment("d-34")
        .points(numbered(1))
        .objective(Objective::max("score"))
        .stop(stop::iterations(100));
    let results = results(experiment);
    assert_eq!((results.count(Status::Terminated), last(&results, "score")[0]), (1, f64::INFINITY));
    assert!(results.best_by(&Objective::max("score"), Scope::Last).is_err(), "an infinite value never wins");
}

#[test]
fn case_d_35_statistics_have_no_automatic_keys() {
    let experiment = Script::new().experiment("d-35").points(numbered(1)).stop(stop::iterations(9));
    let results = results(experiment);
    let names: Vec<&str> = results.trials()[0].stats.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["score", "resets"]);
}

/// A trial that the stop rule ends while its closure doesn't care.
#[test]
fn case_d_37_a_closure_that_ignores_its_end() {
    let (forever, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = Arc::new(forever.clone());
    let trainable = function("d-37", move |_: Config, trial| {
        for step in 1..=3 {
            // On purpose: whoever passes it on ends here.
            let _ = trial.report([("step", step)]);
        }
        inside.pass();
        Ok(())
    });
    let experiment = Experiment::new("d-37", trainable)
        .workers(1)
        .batching(Batching::Single)
        .points(numbered(1))
        .stop(stop::iterations(2))
        .grace(std::time::Duration::from_millis(20), AbandonPolicy::GiveBack)
        .observer(watcher);
    let results = run(experiment).unwrap();
    assert_eq!((results.count(Status::Terminated), iterations(&results)[0]), (1, 2));
    watch.until(|kind| matches!(kind, EventKind::Abandoned { .. }));
    forever.open();
}

/// A text that is a float's name in JSON is that float, live as well as in the journal.
#[test]
fn the_name_of_a_float_is_that_float() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = || Metrics::new().with("loss", 1.0).with("best", "Infinity").with("note", "infinity");
    let trainable = function("names", move |_: Config, trial| Ok(trial.report(metrics())?));
    let results = results(Experiment::new("names", trainable).points(numbered(1)).dir(dir.path()));
    let trial = &results.trials()[0];
    assert_eq!(trial.last.as_ref().unwrap().number("best"), Some(f64::INFINITY));
    assert_eq!(trial.last.as_ref().unwrap().number("note"), None);
    assert_eq!(Experiment::open(dir.path().join("names")).unwrap().trials()[0].last, trial.last);
}
