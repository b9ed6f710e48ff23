//! Decisions joined, and reports in batches: what is taken of a batch, and where it ends (the D cases up to D-19).

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::live::{
    Diary, Gate, Mock, Script, Spied, SpyScheduler, SpySearcher, Watch, end, iterations, numbered, results, wait,
};
use tryout::extend::{Cohort, EventKind, Verdict};
use tryout::prelude::*;

fn batches_of(reports: u32) -> Batching {
    Batching::Fixed { reports: NonZeroU32::new(reports).unwrap(), time: None }
}

/// A client's pause is pending when the scheduler says stop, and the other way round: a stop wins (DECISIONS 1).
#[test]
fn case_d_02_and_d_05_a_stop_wins_over_a_pause() {
    let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
    let judge = |_, _: &Report, _: &dyn Cohort| Verdict::stop("bad");
    let handle = Script::gated(&gate)
        .experiment("d-02")
        .points(numbered(1))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.ending), (Status::Terminated, Some(Ending::Scheduler)));
    assert_eq!(trial.reason.as_deref(), Some("bad"));
}

/// While a trial saves it is told to pause, then to stop: the checkpoint is kept, then it stops (DECISIONS 1 and 2).
#[test]
fn case_d_04_and_k_11_a_stop_during_a_save_waits_for_it_and_wins() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .saves()
        .on_save(move |_| {
            inside.pass();
            Ok(())
        })
        .experiment("d-04")
        .points(numbered(1))
        .checkpoint_every(2)
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let trial = wait(handle.trials(0, 1)).unwrap()[0].record.id;
    assert_eq!(wait(handle.trial(trial)).unwrap().unwrap().waiting, tryout::logic::engine::Waiting::ForSave);
    wait(handle.pause(trial)).unwrap();
    wait(handle.stop_trial(trial)).unwrap();
    gate.open();
    watch.finish();
    let results = end(handle).unwrap();
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.ending), (Status::Terminated, Some(Ending::Client)));
    assert_eq!(trial.checkpoints.len(), 1, "the checkpoint isn't lost");
    assert!(!watch.about(0).contains(&"RUNNING>PAUSED".to_owned()));
}

/// What was decided about a batch is void once the trial was stopped from outside.
#[test]
fn case_d_06_and_d_07_an_order_from_outside_leaves_no_decision_behind() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("d-06")
        .points(numbered(2))
        .stop(stop::iterations(3))
        .resources(Resources::cpus(2))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(2);
    let mut running = Vec::new();
    watch.until(|kind| {
        if let EventKind::Status { trial, to: Status::Running, .. } = kind {
            running.push(*trial);
        }
        running.len() == 2
    });
    running.sort();
    let [paused, stopped] = [running[0], running[1]];
    wait(handle.pause(paused)).unwrap();
    wait(handle.stop_trial(stopped)).unwrap();
    gate.let_pass(2);
    watch.line("0 RUNNING>PAUSED");
    let status = |trial| wait(handle.trial(trial)).unwrap().unwrap().record;
    assert_eq!(status(paused).last.unwrap().iteration(), 1, "it made one step and no more");
    assert_eq!(status(stopped).status, Status::Terminated);
    wait(handle.resume(paused)).unwrap();
    gate.open();
    assert_eq!(iterations(&end(handle).unwrap())[0], 3);
}

#[test]
fn case_d_09_what_follows_the_stopping_report_of_a_batch_is_ignored() {
    let diary = Diary::new();
    let experiment = Script::new()
        .experiment("d-09")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::new(&diary))
        .batching(batches_of(3))
        .stop(stop::iterations(2));
    let results = results(experiment);
    assert_eq!(iterations(&results), [2]);
    assert_eq!(diary.of("S.report"), ["S.report 0 i1"], "the second was answered by the stop rule");
    assert_eq!(diary.of("A.end"), ["A.end 0 StopRule i2"]);
    assert_eq!(results.totals().surplus, 1);
    assert_eq!(results.trials()[0].history.len(), 2);
}

/// A step beyond the last one that counts isn't begun: it might fail, or never come back.
#[test]
fn no_step_follows_the_one_that_is_known_to_be_the_last() {
    let made = |name: &str, stop: fn(Experiment) -> Experiment| {
        let steps = Arc::new(AtomicU64::new(0));
        let count = steps.clone();
        let script = Script::new().step(move |mock| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(mock.score())
        });
        results(stop(script.experiment(name).points(numbered(1)).workers(1)));
        steps.load(Ordering::Relaxed)
    };
    assert_eq!(made("last-iterations", |experiment| experiment.stop(stop::iterations(3))), 3);
    assert_eq!(
        made("last-any", |experiment| experiment.stop(stop::any((stop::iterations(5), stop::iterations(2))))),
        2
    );
    assert_eq!(
        made("last-all", |experiment| experiment.stop(stop::all((stop::iterations(5), stop::iterations(2))))),
        5
    );
}

/// A batch ends at a checkpoint that is due, so no report follows it before it is written (DECISIONS 4).
#[test]
fn case_d_10_and_d_11_a_batch_ends_at_a_due_checkpoint() {
    let (watcher, mut watch) = Watch::new();
    let experiment = Script::new()
        .saves()
        .experiment("d-10")
        .points(numbered(1))
        .batching(batches_of(3))
        .checkpoint_every(2)
        .stop(stop::iterations(4))
        .observer(watcher);
    results(experiment);
    watch.finish();
    let expected = ["reported i1", "reported i2", "saved c0 i2", "reported i3", "reported i4 done", "saved c1 i4"];
    let mut about = watch.about(0);
    about.retain(|line| line.starts_with("reported") || line.starts_with("saved"));
    assert_eq!(about, expected, "also when it stops there, as in the reference");
}

#[test]
fn case_d_12_the_length_of_a_batch() {
    let lengths = |name: &str, change: fn(Experiment) -> Experiment| {
        Script::new().saves().install(name);
        let (backend, spy) = Spied::new(stepwise::<Mock>());
        let experiment = Experiment::new(name, backend)
            .workers(1)
            .points(numbered(1))
            .batching(batches_of(7))
            .stop(stop::iterations(14));
        results(change(experiment));
        spy.batches(0)[0].len()
    };
    assert_eq!(lengths("d-12-never", |experiment| experiment), 7);
    assert_eq!(lengths("d-12-three", |experiment| experiment.checkpoint_every(3)), 3);
    assert_eq!(lengths("d-12-twenty", |experiment| experiment.checkpoint_every(20)), 7);
    assert_eq!(lengths("d-12-end", |experiment| experiment.at_end(AtEnd::Checkpoint)), 1);
}

#[test]
fn case_d_16_checkpoints_in_long_batches() {
    let (watcher, mut watch) = Watch::new();
    let experiment = Script::new()
        .saves()
        .experiment("d-16")
        .points(numbered(1))
        .batching(batches_of(7))
        .checkpoint_every(3)
        .stop(stop::iterations(10))
        .observer(watcher);
    results(experiment);
    watch.finish();
    let saved: Vec<String> = watch.about(0).into_iter().filter(|line| line.starts_with("saved")).collect();
    assert_eq!(saved, ["saved c0 i3", "saved c1 i6", "saved c2 i9"]);
}

/// The trainable asks for a checkpoint at every report whose index, from 0, is a positive multiple of `every`.
fn asking(name: &str, every: u64, batch: u32, stop: u64) -> (Vec<Vec<u64>>, Vec<String>) {
    let script = Script::new().saves().step(move |mock| {
        let metrics = Metrics::from([("score", mock.count as f64)]);
        let index = mock.count - 1;
        Ok(if index > 0 && index.is_multiple_of(every) { Step::save(metrics) } else { Step::next(metrics) })
    });
    script.install(name);
    let (backend, spy) = Spied::new(stepwise::<Mock>());
    let (watcher, mut watch) = Watch::new();
    let experiment = Experiment::new(name, backend)
        .workers(1)
        .points(numbered(1))
        .batching(batches_of(batch))
        .stop(stop::iterations(stop))
        .observer(watcher);
    results(experiment);
    watch.finish();
    let saved = watch.about(0).into_iter().filter(|line| line.starts_with("saved")).collect();
    (spy.batches(0), saved)
}

#[test]
fn case_d_18_the_trainable_asks_for_checkpoints() {
    let (_, saved) = asking("d-18", 2, 1, 4);
    assert_eq!(saved, ["saved c0 i3"]);
}

#[test]
fn case_d_19_asking_ends_a_batch() {
    let (batches, saved) = asking("d-19", 10, 8, 30);
    let ends: Vec<u64> = batches.iter().map(|batch| batch[batch.len() - 1]).collect();
    assert_eq!(ends[..5], [8, 11, 19, 21, 29]);
    assert_eq!(saved, ["saved c0 i11", "saved c1 i21"]);
}

/// Batches of a length that was asked for and can't be had are warned of, with the reason.
#[test]
fn a_length_that_cannot_be_had_is_warned_of() {
    let warned = |name: &str, batching: Batching, set: fn(Experiment) -> Experiment| {
        let (watcher, mut watch) = Watch::new();
        let experiment = Script::new().saves().experiment(name).points(numbered(1)).stop(stop::iterations(2));
        let experiment = set(experiment.batching(batching).objective(Objective::max("score")));
        results(experiment.observer(watcher));
        watch.finish();
        watch.warnings()
    };
    let hyperband = |experiment: Experiment| experiment.scheduler(HyperBand::new().max_t(9));
    let at_end = |experiment: Experiment| experiment.at_end(AtEnd::Checkpoint);
    assert_eq!(
        warned("b-hyperband", batches_of(8), hyperband),
        [
            "`batching` is fixed at 8 reports, but the scheduler HyperBand decides on each report before its trial goes on: \
          they travel one by one"
        ]
    );
    assert_eq!(
        warned("b-at-end", batches_of(8), at_end),
        [
            "`batching` is fixed at 8 reports, but `at_end` wants a checkpoint at a trial's last report: they travel one by one"
        ]
    );
    assert_eq!(warned("b-one", batches_of(1), hyperband), [""; 0]);
    assert_eq!(warned("b-fifo", batches_of(8), |experiment| experiment), [""; 0]);
}

/// A checkpoint belongs to the report that it came with. If that is no result, the trial doesn't go on from there.
#[test]
fn a_checkpoint_behind_the_end_of_a_trial_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let body = |_: Config, session: &mut Session| {
        let mut at: u64 = match session.checkpoint()? {
            Some(from) => from.json("at.json")?,
            None => 0,
        };
        while at < 20 {
            at += 1;
            if at == 10 {
                session.report_with([("at", at as f64)], |to| Ok(to.json("at.json", &at)?))?;
            } else {
                session.report([("at", at as f64)])?;
            }
        }
        Ok(())
    };
    let experiment = |until| {
        let experiment =
            Experiment::new("given-back", function("given-back", body)).points(numbered(1)).batching(batches_of(10));
        experiment.dir(dir.path()).stop(stop::iterations(until))
    };
    let first = results(experiment(4));
    assert_eq!((first.trials()[0].reported, first.trials()[0].checkpoints.len()), (4, 0));
    assert!(!dir.path().join("given-back").join(first.trials()[0].id.to_string()).join("checkpoint_000000").exists());
    let extended = experiment(12).existing(Existing::Resume).on_resume(Resume::new().extend());
    let extended = results(extended);
    let trial = &extended.trials()[0];
    let at: Vec<f64> = trial.history.iter().filter_map(|report| report.number("at")).collect();
    assert_eq!(at, (1..=12).map(f64::from).collect::<Vec<_>>());
    let kept: Vec<(u32, u64)> =
        trial.checkpoints.iter().map(|checkpoint| (checkpoint.id.index, checkpoint.report.iteration())).collect();
    assert_eq!(kept, [(1, 10)], "no name is used twice");
}
