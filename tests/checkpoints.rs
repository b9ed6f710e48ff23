//! Checkpoints: when they are written, which are kept, how trials go on from them; both stores; exports (the K cases).

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::live::{Gate, Script, Watch, end, iterations, last, numbered, results, statuses, wait};
use common::trial;
use tryout::edge::store::{DirStore, MemoryStore};
use tryout::extend::{CheckpointId, Store};
use tryout::logic::engine::Waiting;
use tryout::prelude::*;

/// The names of all files and directories below, sorted.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            all.push(path.strip_prefix(root).unwrap().to_owned());
        }
    }
    all.sort();
    all
}

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
    let inside = gate.clone();
    let handle = Script::new()
        .saves()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
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
        assert_eq!(reported.len(), 3 + 3, "{about:?}");
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
    assert_eq!(reports, 3, "one before the pause, two after it");
}

/// What holds for every store: nobody sees a draft, a commit is all or nothing, what was dropped leaves nothing.
fn conformance(store: &dyn Store, leftovers: impl Fn() -> usize) {
    let id = |index| CheckpointId { trial: trial(0), index };
    let opened = |index| store.open(id(index));

    let mut draft = store.begin(id(0)).unwrap();
    draft.write("a", b"one").unwrap();
    assert!(opened(0).is_err(), "a draft isn't seen");
    assert_eq!(draft.commit().unwrap(), 3);
    assert_eq!(opened(0).unwrap().read("a").unwrap(), b"one");
    assert!(opened(0).unwrap().read("b").is_err());
    let before = leftovers();

    let mut dropped = store.begin(id(1)).unwrap();
    dropped.write("a", b"two").unwrap();
    std::fs::write(dropped.directory().unwrap().join("b"), b"three").unwrap();
    drop(dropped);
    assert!(opened(1).is_err(), "what was dropped doesn't exist");
    assert_eq!(leftovers(), before, "and leaves nothing behind");

    let mut with_directory = store.begin(id(2)).unwrap();
    let inner = with_directory.directory().unwrap().join("deep/er");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join("c"), b"four").unwrap();
    assert_eq!(with_directory.commit().unwrap(), 4);
    let mut stored = opened(2).unwrap();
    assert_eq!(std::fs::read(stored.directory().unwrap().join("deep/er/c")).unwrap(), b"four");
    drop(stored);

    let mut again = store.begin(id(2)).unwrap();
    again.write("d", b"five").unwrap();
    again.commit().unwrap();
    let stored = opened(2).unwrap();
    assert_eq!((stored.read("d").unwrap(), stored.read("deep/er/c").is_err()), (b"five".to_vec(), true));
    store.delete(id(2)).unwrap();
    store.delete(id(2)).unwrap();
    assert!(opened(2).is_err());
    assert!(opened(2).err().unwrap().to_string().contains("checkpoint_000002 of trial 00001_00000"));
    assert!(store.export_directory(trial(0)).unwrap().is_dir());
}

#[test]
fn both_stores_keep_all_or_nothing() {
    let memory = MemoryStore::new();
    conformance(&memory, || memory.len());
    let root = tempfile::tempdir().unwrap();
    let store = DirStore::create(root.path().join("new")).unwrap();
    conformance(&store, || below(root.path()).len());
}

/// A save that fails half-way leaves no checkpoint and no files.
#[test]
fn a_failed_save_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Script::new()
        .saves()
        .on_save(|_| Err(TrialError::new("disk full")))
        .experiment("half-way")
        .points(numbered(1))
        .checkpoint_every(1)
        .stop(stop::iterations(2))
        .dir(root.path());
    let results = results(experiment);
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.failures[0].fault.kind), (Status::Error, FailureKind::SaveFailed));
    assert_eq!(trial.failures[0].fault.message, "disk full");
    let files: Vec<PathBuf> =
        below(results.dir().unwrap()).into_iter().filter(|path| path.to_string_lossy().contains("check")).collect();
    assert_eq!(files, Vec::<PathBuf>::new());
}

/// The whole way through a directory: written, named in the results, readable afterwards.
#[test]
fn checkpoints_in_a_directory_can_be_read_after_the_run() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Script::new()
        .saves()
        .experiment("in-a-dir")
        .points(numbered(2))
        .checkpoint_every(2)
        .stop(stop::iterations(3))
        .dir(root.path());
    let results = results(experiment);
    let store = DirStore::create(results.dir().unwrap()).unwrap();
    for trial in results.trials() {
        let checkpoint = &trial.checkpoints[0];
        let stored = store.open(checkpoint.id).unwrap();
        assert_eq!(stored.read("count.json").unwrap(), b"2");
        assert_eq!(checkpoint.bytes, 1);
    }
}

#[test]
fn case_k_25_exports() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Script::new()
        .export(|mock, directory| Ok(std::fs::write(directory.join("model"), mock.count.to_string())?))
        .experiment("k-25")
        .points(numbered(2))
        .export(Export::AtEnd)
        .stop(stop::iterations(3))
        .dir(root.path());
    let results = results(experiment);
    for trial in results.trials() {
        let path = results.dir().unwrap().join(trial.id.to_string()).join("export").join("model");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "3");
    }
}

/// An export that fails ends the trial in error, and everybody hears of one end (DECISIONS 5); with a retry left, the
/// stop stands all the same.
#[test]
fn case_k_26_a_failed_export() {
    for (name, most, status) in [("k-26-none", 0, Status::Error), ("k-26-two", 2, Status::Terminated)] {
        let (watcher, mut watch) = Watch::new();
        let experiment = Script::new()
            .export(|_, _| Err(TrialError::new("no such format")))
            .experiment(name)
            .points(numbered(1))
            .export(Export::AtEnd)
            .max_failures(most)
            .stop(stop::iterations(1))
            .observer(watcher);
        let results = results(experiment);
        watch.finish();
        let trial = &results.trials()[0];
        assert_eq!((trial.status, trial.failures.len()), (status, 1), "{name}");
        assert_eq!(trial.failures[0].fault.kind, FailureKind::ExportFailed);
        let ends = watch.about(0).iter().filter(|line| line.starts_with("ended")).count();
        assert_eq!(ends, 1, "{name}: {:?}", watch.about(0));
    }
}

/// A trainable without an export is the user's mistake, and named.
#[test]
fn case_k_25_an_export_that_is_not_there() {
    let experiment =
        Script::new().experiment("k-25-none").points(numbered(1)).export(Export::AtEnd).stop(stop::iterations(1));
    let results = results(experiment);
    let failure = results.trials()[0].error().expect("an error");
    assert_eq!(failure.fault.message, "this trainable doesn't support `export`");
}

/// A paused trial that is stopped has no worker to export with: it ends.
#[test]
fn case_k_27_a_paused_trial_that_exports_is_stopped() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .saves()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .export(|_, _| Ok(()))
        .experiment("k-27")
        .points(numbered(1))
        .export(Export::AtEnd)
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.open();
    watch.line("0 RUNNING>PAUSED");
    wait(handle.stop_trial(trial)).unwrap();
    watch.line("0 ended TERMINATED Client");
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated]);
}

/// A memory store of one's own is looked at from outside.
#[test]
fn a_store_of_ones_own() {
    let store = MemoryStore::new();
    let experiment = Script::new()
        .saves()
        .experiment("own-store")
        .points(numbered(3))
        .checkpoint_every(1)
        .retention(Retention::last(1))
        .stop(stop::iterations(5))
        .store(store.clone());
    let results = results(experiment);
    assert_eq!(store.len(), 3, "one for each trial");
    let last: Arc<_> = results.trials()[2].checkpoints[0].clone();
    assert!(store.open(last.id).is_ok());
}
