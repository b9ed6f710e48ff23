//! Checkpoints: when they are written, which are kept, how trials go on from them; both stores; exports (the K cases).

mod common;

use std::path::PathBuf;

use common::live::{Gate, Script, Watch, below, end, iterations, last, numbered, results, wait};

use tryout::logic::engine::Waiting;
use tryout::prelude::*;

fn saved(watch: &Watch, number: u32) -> Vec<String> {
    watch.about(number).into_iter().filter(|line| line.starts_with("saved") || line.starts_with("deleted")).collect()
}

#[test]
fn case_k_02_a_checkpoint_at_the_end() {
    let experiment = Script::new()
        .saves()
        .experiment("k-02")
        .points(numbered(1))
        .at_end(AtEnd::Checkpoint)
        .stop(stop::iterations(2));
    let results = results(experiment);
    let trial = &results.trials()[0];
    assert_eq!(trial.checkpoints.len(), 1);
    assert_eq!(trial.checkpoints[0].report.iteration(), 2);
    assert!(trial.last.as_ref().unwrap().done);
}

/// A trial is paused with a checkpoint, and goes on from it.
#[test]
fn case_k_03_and_k_13_a_paused_trial_goes_on_from_its_checkpoint() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .saves()
        .step(move |mock| {
            inside.pass();
            Ok(Step::next([("score", mock.count as f64), ("restored", f64::from(u8::from(mock.restored)))]))
        })
        .experiment("k-03")
        .points(numbered(1))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.let_pass(1);
    watch.line("0 RUNNING>PAUSED");
    let paused = wait(handle.trial(trial)).unwrap().unwrap();
    assert_eq!((paused.record.checkpoints.len(), paused.waiting), (1, Waiting::ForClient));
    assert!(!paused.record.last.unwrap().done);

    wait(handle.resume(trial)).unwrap();
    watch.line("0 restored c0 i1");
    gate.open();
    let results = end(handle).unwrap();
    let report = results.trials()[0].last.clone().unwrap();
    assert_eq!((report.iteration(), report.number("score"), report.number("restored")), (2, Some(2.0), Some(1.0)));
    assert_eq!(report.counters.iterations_since_restore, 1);
    assert!(report.counters.time_since_restore <= report.counters.time_total_s);
}

#[test]
fn case_k_04_and_k_06_the_last_two_are_kept() {
    let (directory, (watcher, mut watch)) = (tempfile::tempdir().unwrap(), Watch::new());
    let experiment = Script::new()
        .saves()
        .experiment("k-06")
        .points(numbered(1))
        .checkpoint_every(1)
        .retention(Retention::last(2))
        .stop(stop::iterations(10))
        .dir(directory.path())
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    let trial = &results.trials()[0];
    let kept: Vec<u32> = trial.checkpoints.iter().map(|checkpoint| checkpoint.id.index).collect();
    assert_eq!(kept, [8, 9]);
    let deleted: Vec<String> = saved(&watch, 0).into_iter().filter(|line| line.starts_with("deleted")).collect();
    assert_eq!(deleted, (0..8).map(|index| format!("deleted c{index}")).collect::<Vec<_>>());
    let root = results.dir().unwrap().join(trial.id.to_string());
    let expected: Vec<PathBuf> = [8, 9]
        .iter()
        .flat_map(|index| {
            let name = PathBuf::from(format!("checkpoint_{index:06}"));
            [name.clone(), name.join("count.json")]
        })
        .collect();
    assert_eq!(below(&root), expected, "what isn't kept is gone from the disk when the run is over");
}

#[test]
fn case_k_05_all_are_kept_unless_it_is_said() {
    let experiment =
        Script::new().saves().experiment("k-05").points(numbered(1)).checkpoint_every(1).stop(stop::iterations(10));
    assert_eq!(results(experiment).trials()[0].checkpoints.len(), 10);
}

/// The scores of the checkpoints that are left of a trial that reports these, one checkpoint each.
fn kept(name: &str, scores: &'static [f64], keep: Retention) -> Vec<f64> {
    let experiment = Script::new()
        .saves()
        .step(|mock| Ok(Step::next([("x", scores[mock.count as usize - 1])])))
        .experiment(name)
        .points(numbered(1))
        .checkpoint_every(1)
        .retention(keep)
        .at_end(AtEnd::Checkpoint)
        .stop(stop::iterations(scores.len() as u64));
    let results = results(experiment);
    let scores = results.trials()[0].checkpoints.iter().map(|checkpoint| checkpoint.report.number("x").unwrap());
    scores.collect()
}

#[test]
fn case_k_07_the_best_two_and_the_latest() {
    static SCORES: [f64; 10] = [0.3, 0.9, 0.1, 0.7, 0.8, 0.2, 0.6, 0.05, 0.5, 0.4];
    assert_eq!(kept("k-07-max", &SCORES, Retention::best(2, Objective::max("x"))), [0.9, 0.8, 0.4]);
    assert_eq!(kept("k-07-min", &SCORES, Retention::best(2, Objective::min("x"))), [0.1, 0.05, 0.4]);
}

#[test]
fn case_k_08_the_latest_is_kept_even_if_it_is_the_worst() {
    let best = || Retention::best(2, Objective::max("x"));
    assert_eq!(kept("k-08-three", &[3.0, 2.0, 1.0], best()), [3.0, 2.0, 1.0]);
    assert_eq!(kept("k-08-four", &[3.0, 2.0, 1.0, 0.0], best()), [3.0, 2.0, 0.0]);
    let odd = kept("k-08-odd", &[f64::NAN, 2.0, f64::NEG_INFINITY, 1.0], best());
    assert_eq!(odd, [2.0, 1.0], "NaN is the worst, then minus infinity");
}

#[test]
fn case_k_17_due_at_multiples() {
    let (watcher, mut watch) = Watch::new();
    let experiment = Script::new()
        .saves()
        .experiment("k-17")
        .points(numbered(1))
        .checkpoint_every(3)
        .stop(stop::iterations(8))
        .observer(watcher);
    results(experiment);
    watch.finish();
    assert_eq!(saved(&watch, 0), ["saved c0 i3", "saved c1 i6"]);
}

#[test]
fn a_checkpoint_on_request_is_written_at_the_next_report() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("on-request")
        .points(numbered(1))
        .stop(stop::iterations(4))
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    wait(handle.save(trial)).unwrap();
    gate.open();
    end(handle).unwrap();
    watch.finish();
    assert_eq!(saved(&watch, 0), ["saved c0 i1"], "once");
}

/// A trial that fails goes on from its latest checkpoint, on another worker.
#[test]
fn a_retry_goes_on_from_the_latest_checkpoint() {
    for name in ["retry-restores", "retry-restores-async"] {
        let (watcher, mut watch) = Watch::new();
        let script = Script::new().saves().step(|mock| {
            if mock.count == 4 && mock.info.attempt == 1 { Err(TrialError::new("broken")) } else { Ok(mock.score()) }
        });
        let experiment = if name.ends_with("async") { script.async_experiment(name) } else { script.experiment(name) };
        let experiment = experiment
            .points(numbered(1))
            .checkpoint_every(2)
            .max_failures(1)
            .stop(stop::iterations(5))
            .observer(watcher);
        let results = results(experiment);
        watch.finish();
        let about = watch.about(0);
        assert!(about.contains(&"restored c0 i2".to_owned()), "{about:?}");
        let reported: Vec<&String> = about.iter().filter(|line| line.starts_with("reported")).collect();
        assert_eq!(reported.len(), 5, "iteration 3 comes twice and counts once: {about:?}");
        assert_eq!(results.totals().repeats, 1);
        assert_eq!((iterations(&results), last(&results, "score")), (vec![5], vec![5.0]));
        let failure = &results.trials()[0].failures[0];
        assert_eq!(failure.iteration, 3, "what was reported before it");
    }
}

/// Closures hand checkpoints in with a report, and find them when they are called again.
#[test]
fn closures_go_on_from_what_they_handed_in() {
    let blocking = function("blocking", |_: Config, trial| {
        let from: u64 = trial.checkpoint()?.map_or(Ok(0), |reader| reader.json("step.json"))?;
        for step in from + 1..=4 {
            if step == 3 && trial.info().attempt == 1 {
                return Err(TrialError::new("broken"));
            }
            trial.report_with([("step", step), ("from", from)], |to| Ok(to.json("step.json", &step)?))?;
        }
        Ok(())
    });
    let awaiting = async_function("awaiting", async |_: Config, trial: &mut AsyncSession| {
        let from: u64 = trial.checkpoint()?.map_or(Ok(0), |reader| reader.json("step.json"))?;
        for step in from + 1..=4 {
            if step == 3 && trial.info().attempt == 1 {
                return Err(TrialError::new("broken"));
            }
            trial.report_with([("step", step), ("from", from)], |to| Ok(to.json("step.json", &step)?)).await?;
        }
        Ok(())
    });
    for experiment in [Experiment::new("closure", blocking), Experiment::new("async-closure", awaiting)] {
        let results = results(experiment.points(numbered(1)).max_failures(1));
        assert_eq!((last(&results, "step"), last(&results, "from")), (vec![4.0], vec![2.0]), "{}", results.name());
        assert_eq!(results.trials()[0].checkpoints.len(), 4);
        assert_eq!(iterations(&results), [4]);
    }
}

/// Without a save there is nothing to go on from: it begins again, and one warning says so, whoever is paused.
#[test]
fn a_pause_without_a_save_begins_again_with_one_warning() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("no-save")
        .workers(2)
        .points(numbered(2))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    let mut both = vec![watch.running(0)];
    both.extend(wait(handle.trials(1, 1)).unwrap().iter().map(|second| second.record.id));
    gate.wait_for(2);
    while wait(handle.status()).unwrap().counts[Status::Running as usize] < 2 {
        std::thread::yield_now();
    }
    for trial in &both {
        wait(handle.pause(*trial)).unwrap();
    }
    gate.let_pass(2);
    let mut paused = 0;
    watch.until(|kind| {
        paused += u32::from(common::live::line(kind).is_some_and(|line| line.ends_with("RUNNING>PAUSED")));
        paused == 2
    });
    for trial in &both {
        wait(handle.resume(*trial)).unwrap();
    }
    gate.open();
    let results = end(handle).unwrap();
    watch.finish();
    let warnings = watch.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("starts from the beginning"), "{warnings:?}");
    assert_eq!((iterations(&results), last(&results, "score")), (vec![2, 2], vec![2.0, 2.0]));
    let reports = watch.about(0).iter().filter(|line| line.starts_with("reported")).count();
    assert_eq!(reports, 2, "the first comes again after the pause, and counts once");
}
