//! The time limit of a whole run, with real threads: finish the step, save, or kill.

mod common;

use std::time::Duration;

use common::live::{Gate, Mock, Script, Watch, end, iterations, numbered, statuses};
use tryout::extend::EventKind;
use tryout::prelude::*;

/// Long enough for a first step to begin on a machine that is busy.
const LIMIT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(600);

/// Two trials on one worker, whose steps wait at a gate: the second never begins, and its end says that the time is over.
fn limited(name: &str, gate: &Gate, then: OnLimit, grace: Duration) -> (ExperimentHandle, Watch) {
    let (watcher, watch) = Watch::new();
    let experiment = Script::gated(gate)
        .experiment(name)
        .points(numbered(2))
        .time_limit(LIMIT, then)
        .grace(grace, AbandonPolicy::GiveBack)
        .observer(watcher);
    (experiment.start().unwrap(), watch)
}

fn reasons(results: &Results) -> Vec<&str> {
    results.trials().iter().map(|trial| trial.reason.as_deref().unwrap_or_default()).collect()
}

fn checkpoints(results: &Results) -> Vec<u64> {
    results.trials()[0].checkpoints.iter().map(|kept| kept.report.iteration()).collect()
}

fn outcome(results: &Results) -> &str {
    match results.outcome() {
        Outcome::Stopped(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_step_is_finished_and_no_other_begun() {
    for (then, words, kept) in
        [(OnLimit::FinishStep, "finish the step", vec![]), (OnLimit::SaveThenStop, "save, then stop", vec![1])]
    {
        let gate = Gate::new();
        let (handle, mut watch) = limited(&format!("limit-{then:?}"), &gate, then, LONG);
        watch.line("1 ended TERMINATED Experiment");
        gate.open();
        let results = end(handle).unwrap();
        let reason = format!("the experiment's time limit of 400ms is reached ({words})");
        assert_eq!((outcome(&results), reasons(&results)), (reason.as_str(), vec![reason.as_str(); 2]));
        assert_eq!((iterations(&results), checkpoints(&results)), (vec![1, 0], kept));
        assert_eq!(statuses(&results), [Status::Terminated; 2]);
        watch.finish();
        assert!(watch.launches().iter().all(|(trial, _)| *trial == 0), "nobody new starts");
    }
}

#[test]
fn killed_at_once() {
    let gate = Gate::new();
    let (handle, mut watch) = limited("limit-kill", &gate, OnLimit::Kill, LONG);
    watch.until(|kind| matches!(kind, EventKind::Abandoned { .. }));
    let results = end(handle).unwrap();
    gate.open();
    assert_eq!(outcome(&results), "the experiment's time limit of 400ms is reached (kill)");
    assert_eq!((iterations(&results), statuses(&results)), (vec![0, 0], vec![Status::Terminated; 2]));
}

#[test]
fn a_step_that_never_ends_is_given_up_after_the_grace() {
    let gate = Gate::new();
    let (handle, mut watch) = limited("limit-hangs", &gate, OnLimit::SaveThenStop, LIMIT);
    watch.until(|kind| matches!(kind, EventKind::Abandoned { .. }));
    let results = end(handle).unwrap();
    gate.open();
    let reason = "the experiment's time limit of 400ms is reached (save, then stop)";
    let late = format!("{reason}, and nothing came of it within the grace of 400ms");
    assert_eq!((outcome(&results), reasons(&results)), (reason, vec![late.as_str(), reason]));
}

/// A checkpoint that is being written is waited for, but no longer than the grace, and by `Kill` not at all.
#[test]
fn a_checkpoint_that_hangs_is_given_up() {
    for (then, grace) in [(OnLimit::FinishStep, LIMIT), (OnLimit::Kill, LONG)] {
        let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
        let inside = gate.clone();
        let handle = Script::new()
            .saves()
            .on_save(move |_| {
                inside.pass();
                Ok(())
            })
            .experiment(&format!("limit-save-{then:?}"))
            .points(numbered(1))
            .checkpoint_every(1)
            .time_limit(LIMIT, then)
            .grace(grace, AbandonPolicy::GiveBack)
            .observer(watcher)
            .start()
            .unwrap();
        watch.until(|kind| matches!(kind, EventKind::Abandoned { .. }));
        let results = end(handle).unwrap();
        gate.open();
        let trial = &results.trials()[0];
        assert_eq!((trial.status, trial.ending), (Status::Terminated, Some(Ending::Experiment)));
        assert!(trial.failures[0].fault.message.ends_with(", while it saved"), "{}", trial.failures[0]);
        assert!(outcome(&results).starts_with("the experiment's time limit of 400ms is reached"));
    }
}

#[test]
fn the_time_of_all_sessions_counts() {
    let (dir, gate, (watcher, mut watch)) = (tempfile::tempdir().unwrap(), Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("limit-again")
        .points(numbered(2))
        .time_limit(LIMIT, OnLimit::SaveThenStop)
        .dir(dir.path())
        .observer(watcher)
        .start()
        .unwrap();
    watch.line("1 ended TERMINATED Experiment");
    gate.open();
    assert_eq!(iterations(&end(handle).unwrap()), [1, 0]);

    let resume = || {
        let stored = Experiment::resume(dir.path().join("limit-again"), stepwise::<Mock>()).unwrap();
        stored.extend(stop::iterations(5))
    };
    let again = resume().run().unwrap();
    assert_eq!(outcome(&again), "the experiment's time limit of 400ms is reached (save, then stop)");
    assert_eq!(iterations(&again), [1, 0], "the setting is stored, and the time used up");
    let (watcher, mut watch) = Watch::new();
    let later = resume().time_limit(LONG, OnLimit::SaveThenStop).observer(watcher).run().unwrap();
    assert_eq!((iterations(&later), later.outcome()), (vec![5, 5], &Outcome::Completed));
    watch.line("0 restored c0 i1");
}

#[test]
fn no_time_at_all_is_refused() {
    let experiment = Script::new().experiment("limit-0").points(numbered(1)).time_limit(Duration::ZERO, OnLimit::Kill);
    let error = experiment.run().unwrap_err().to_string();
    assert_eq!(error, "`time_limit` is 0 s, but must be longer than zero, or nothing would ever run");
}

/// `Duration::MAX` says that there is no limit.
#[test]
fn a_limit_that_never_comes_is_none() {
    let gate = Gate::new();
    gate.open();
    let experiment = Script::gated(&gate).experiment("no-limit").points(numbered(2));
    let experiment = experiment.time_limit(Duration::MAX, OnLimit::Kill).grace(Duration::MAX, AbandonPolicy::GiveBack);
    let rules = stop::any((stop::iterations(2), stop::experiment_time(Duration::MAX)));
    let results = end(experiment.stop(rules).start().unwrap()).unwrap();
    assert_eq!((results.outcome(), iterations(&results)), (&Outcome::Completed, vec![2, 2]));
}
