//! Stores and exports through the whole engine: all or nothing, readable afterwards (the K cases about files).

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use common::live::{Gate, Script, Watch, below, end, numbered, results, statuses, wait};
use tryout::edge::store::{DirStore, MemoryStore};
use tryout::extend::Store;
use tryout::prelude::*;
use tryout::testing::conformance;

#[test]
fn both_stores_keep_all_or_nothing() {
    let memory = MemoryStore::new();
    conformance::store(&memory);
    assert!(memory.is_empty());
    let root = tempfile::tempdir().unwrap();
    conformance::store(&DirStore::create(root.path().join("new")).unwrap());
    let left: Vec<PathBuf> =
        below(root.path()).into_iter().filter(|path| path.to_string_lossy().contains("checkpoint")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
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
    let handle = Script::gated(&gate)
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
