//! Checkpoints in object stores: in memory, in a directory, and, if `TRYOUT_S3_ENDPOINT` names one, in an S3 server
//! (`.ci/s3` starts one).
#![cfg(feature = "cloud")]

mod common;

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::live::{Script, numbered, results};
use common::trial;
use futures::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tryout::edge::store::ObjectCheckpoints;
use tryout::extend::{CheckpointId, RunId, Store, StoreError};
use tryout::prelude::*;
use tryout::store::{CloudError, CloudRun};
use tryout::testing::conformance;

fn id(index: u32) -> CheckpointId {
    CheckpointId { trial: trial(0), index }
}

/// The names of all objects, sorted.
fn all(objects: &dyn ObjectStore) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listed = runtime.block_on(objects.list(None).collect::<Vec<_>>());
    let mut names: Vec<String> = listed.into_iter().map(|object| object.unwrap().location.to_string()).collect();
    names.sort();
    names
}

fn put(objects: &dyn ObjectStore, name: &str, content: &'static str) {
    futures::executor::block_on(objects.put(&Location::from(name), PutPayload::from(content))).unwrap();
}

fn commit(store: &dyn Store, index: u32, files: &[(&str, &str)]) {
    let mut draft = store.begin(id(index)).unwrap();
    for (name, content) in files {
        draft.write(name, content.as_bytes()).unwrap();
    }
    draft.commit().unwrap();
}

fn memory() -> (Arc<InMemory>, ObjectCheckpoints) {
    let objects = Arc::new(InMemory::new());
    (objects.clone(), ObjectCheckpoints::new(objects, "some/where").unwrap())
}

/// What every object store has to do, beyond the suite: files that travel in parts, and a whole run with retries.
fn serves(store: &ObjectCheckpoints, name: &str) {
    conformance::store(store);
    let large: Vec<u8> = (0..21_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut draft = store.begin(id(0)).unwrap();
    fs::write(draft.directory().unwrap().join("large"), &large).unwrap();
    assert_eq!(draft.commit().unwrap(), 21_000_000);
    assert!(store.open(id(0)).unwrap().read("large").unwrap() == large);
    let mut stored = store.open(id(0)).unwrap();
    assert!(fs::read(stored.directory().unwrap().join("large")).unwrap() == large);
    store.delete(id(0)).unwrap();

    let experiment = Script::new()
        .saves()
        .step(|mock| {
            let broken = mock.count == 4 && mock.info.attempt == 1;
            if broken { Err(TrialError::new("broken")) } else { Ok(mock.score()) }
        })
        .export(|mock, directory| Ok(fs::write(directory.join("model"), mock.count.to_string())?))
        .experiment(name)
        .workers(2)
        .points(numbered(3))
        .checkpoint_every(1)
        .retention(Retention::last(2))
        .export(Export::AtEnd)
        .max_failures(1)
        .stop(stop::iterations(6))
        .store(store.clone());
    let results = results(experiment);
    for record in results.trials() {
        assert_eq!((record.status, record.failures.len(), record.checkpoints.len()), (Status::Terminated, 1, 2));
        assert_eq!(record.last.as_ref().unwrap().number("score"), Some(6.0), "it went on from its checkpoint");
        for checkpoint in &record.checkpoints {
            let expected = checkpoint.report.iteration().to_string();
            assert_eq!(store.open(checkpoint.id).unwrap().read("count.json").unwrap(), expected.as_bytes());
        }
    }
    let run = results.trials()[0].id.run();
    assert_eq!(store.sweep(run, &|_| false).unwrap().checkpoints.len(), 6);
}

#[test]
fn in_memory() {
    let (objects, store) = memory();
    serves(&store, "objects-in-memory");
    let left: Vec<String> = all(&*objects).into_iter().filter(|name| !name.contains("/export/")).collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left but exports");
    let exported = all(&*objects).iter().filter(|name| name.contains("/export/model/")).count();
    assert_eq!(exported, 4, "of the suite's trial and the run's three");
}

#[test]
fn in_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let objects = Arc::new(LocalFileSystem::new_with_prefix(root.path()).unwrap().with_fsync(true));
    serves(&ObjectCheckpoints::new(objects, "").unwrap(), "objects-in-a-directory");
}

#[cfg(feature = "cloud-aws")]
#[test]
fn in_s3() {
    let Ok(endpoint) = std::env::var("TRYOUT_S3_ENDPOINT") else { return };
    let objects = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_bucket_name("tryout")
        .with_region("us-east-1")
        .with_access_key_id("any")
        .with_secret_access_key("any")
        .build()
        .unwrap();
    let objects = Arc::new(objects);
    serves(&ObjectCheckpoints::new(objects.clone(), "a prefix/of two").unwrap(), "objects-in-s3");
    moves(&(objects as Arc<dyn ObjectStore>));

    let nowhere = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(std::env::var("TRYOUT_S3_ENDPOINT").unwrap())
        .with_allow_http(true)
        .with_bucket_name("there-is-no-such-bucket")
        .with_access_key_id("any")
        .with_secret_access_key("any")
        .build()
        .unwrap();
    let store = ObjectCheckpoints::new(Arc::new(nowhere), "x").unwrap();
    let error = store.begin(id(0)).unwrap().write("a", b"1").unwrap_err();
    assert!(matches!(&error, StoreError::Io { action: "write the object", .. }), "{error}");
}

#[test]
fn the_manifest_makes_a_checkpoint_of_files() {
    let (objects, store) = memory();
    let mut draft = store.begin(id(3)).unwrap();
    draft.write("a", b"one").unwrap();
    fs::create_dir(draft.directory().unwrap().join("deep")).unwrap();
    fs::write(draft.directory().unwrap().join("deep/b"), b"four").unwrap();
    assert_eq!(all(&*objects).len(), 1, "a file is there before the manifest");
    draft.commit().unwrap();
    let trial = "some/where/00001_00000";
    let names = all(&*objects);
    assert_eq!(names.len(), 3);
    assert_eq!(names[0], format!("{trial}/checkpoint_000003.json"));
    assert!(names[1].starts_with(&format!("{trial}/checkpoint_000003/")) && names[1].ends_with("/a"), "{names:?}");
    assert!(names[2].ends_with("/deep/b"), "{names:?}");

    futures::executor::block_on(objects.delete(&Location::from(names[0].as_str()))).unwrap();
    let error = store.open(id(3)).err().unwrap();
    assert!(matches!(error, StoreError::Missing { .. }));
    assert!(error.to_string().contains("some/where/00001_00000/checkpoint_000003.json"), "{error}");
}

/// What a session that was cut off left is swept, what others put there stays.
#[test]
fn a_sweep_takes_halves_and_leaves_what_is_not_a_checkpoint() {
    let (objects, store) = memory();
    commit(&store, 0, &[("a", "1")]);
    commit(&store, 1, &[("a", "1")]);
    // Replaced: the files of the first stay until they are swept.
    commit(&store, 1, &[("a", "2"), ("b", "2")]);
    let mut half = store.begin(id(2)).unwrap();
    half.write("a", b"half").unwrap();
    std::mem::forget(half);
    let others = [
        "some/where/00001_00000/export/model",
        "some/where/00001_00000/params.json",
        "some/where/00001_00000/checkpoint_7.json",
        "some/where/00002_00000/checkpoint_000000.json",
        "some/where/00002_00000/checkpoint_000000/draft/a",
        "some/where/journal/checkpoint_000000.json",
        "some/wherever/00001_00000/checkpoint_000000.json",
    ];
    others.iter().for_each(|name| put(&*objects, name, "stays"));
    let swept = store.sweep(RunId::new(1), &|id| id.index == 1).unwrap();
    assert_eq!((swept.checkpoints, swept.halves), (vec![id(0)], 2));
    let left = all(&*objects);
    assert!(others.iter().all(|name| left.contains(&(*name).to_owned())), "{left:?}");
    assert_eq!(left.len(), others.len() + 3, "two files and their manifest: {left:?}");
    assert_eq!(store.open(id(1)).unwrap().read("b").unwrap(), b"2");
    assert_eq!(store.sweep(RunId::new(1), &|_| true).unwrap(), Default::default());
}

/// An object that isn't what was written is told from one that is.
#[test]
fn damage_is_noticed() {
    let (objects, store) = memory();
    commit(&store, 0, &[("a", "what was written")]);
    let name = all(&*objects).into_iter().find(|name| name.ends_with("/a")).unwrap();
    for content in ["what is writtem", "what", "what was written, and more"] {
        put(&*objects, &name, content);
        let error = store.open(id(0)).unwrap().read("a").unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("16 bytes"), "{error}");
        assert!(store.open(id(0)).unwrap().directory().is_err());
    }
    let manifest = all(&*objects).into_iter().find(|name| name.ends_with(".json")).unwrap();
    put(&*objects, &manifest, r#"{"version": 2, "draft": "x", "files": {}}"#);
    let error = store.open(id(0)).err().unwrap();
    assert!(matches!(&error, StoreError::Content { name, .. } if name == &manifest), "{error}");
    put(&*objects, &manifest, r#"{"version": 1, "draft": "x", "files": {"../../a": {"bytes": 1, "crc32": 1}}}"#);
    let error = store.open(id(0)).unwrap().directory().unwrap_err().to_string();
    assert!(error.contains("../../a"), "{error}");
}

/// Threads that belong to an async runtime can wait for it too.
#[test]
fn it_can_be_called_from_inside_a_runtime() {
    let (_, store) = memory();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        commit(&store, 0, &[("a", "1")]);
        drop(store);
    });
}

#[test]
fn a_prefix_that_cannot_be_one_is_refused() {
    let error = ObjectCheckpoints::new(Arc::new(InMemory::new()), "a//b").unwrap_err();
    assert!(matches!(&error, StoreError::Io { action: "use the prefix", path, .. } if path.as_os_str() == "a//b"));
}

/// Counts to four and saves at each step; before the third it says that it is there, and waits to be let go on.
fn counting(held: Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>, steps: &Arc<AtomicU64>) -> Experiment {
    let (held, steps) = (Arc::new(Mutex::new(held)), steps.clone());
    let count = function("count", move |_: Config, trial| {
        let saved = trial.checkpoint()?;
        let mut at: u64 = saved.map_or(Ok(0), |saved| saved.json("at.json"))?;
        while at < 4 {
            at += 1;
            if let Some((there, go)) = held.lock().unwrap().take_if(|_| at == 3) {
                let _ = there.send(());
                let _ = go.recv();
            }
            trial.report_with([("score", at as f64)], |to| Ok(to.json("at.json", &at)?))?;
            steps.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    Experiment::new("counting", count)
        .points(numbered(1))
        .workers(1)
        .batching(Batching::Single)
        .retention(Retention::last(2))
}

fn files_below(path: &std::path::Path) -> usize {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

/// A run that was cut off on one machine goes on on another; the first one is refused when it comes back.
fn moves(objects: &Arc<dyn ObjectStore>) {
    let cloud = || CloudRun::new(objects.clone(), "runs of/several").unwrap().every(Duration::from_secs(3600));
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let steps = Arc::new(AtomicU64::new(0));
    let (there, is_there) = mpsc::channel();
    let (go, goes) = mpsc::channel();
    let first = cloud();
    let experiment = counting(Some((there, goes)), &steps).dir(one.path()).files(Files::all()).cloud(first.clone());
    let run = experiment.start().unwrap();
    is_there.recv().unwrap();
    futures::executor::block_on(run.sync()).unwrap();
    let status = first.sync();
    assert!(status.session == Some(1) && status.synced >= 1 && status.failed.is_none() && !status.lost, "{status:?}");
    assert!(status.through.is_some());

    // Another machine: nothing is there but the object store.
    let second = cloud();
    let program = || counting(None, &steps).dir(two.path()).files(Files::all()).cloud(second.clone());
    let error = program().run().unwrap_err();
    assert!(
        matches!(&error, RunError::Settings(SettingsError::Cloud(CloudError::Exists { sessions: 1, .. }))),
        "{error}"
    );
    let results = program().existing(Existing::Resume).run().unwrap();
    assert_eq!(steps.load(Ordering::Relaxed), 2 + 2, "two on each: it went on from its checkpoint");
    let trial = &results.trials()[0];
    assert_eq!(trial.status, Status::Terminated);
    let scores: Vec<_> = trial.history.iter().filter_map(|report| report.number("score")).collect();
    assert_eq!(scores, [1.0, 2.0, 3.0, 4.0]);
    let rows = fs::read_to_string(two.path().join("counting").join(trial.id.to_string()).join("result.json")).unwrap();
    assert_eq!(rows.lines().count(), 4, "each result once");
    assert_eq!(second.status().session, Some(2));

    // The first machine comes back: it writes nothing any more, and says so.
    go.send(()).unwrap();
    let error = run.wait_blocking().unwrap_err();
    let RunError::Unsynced { why, results: alone } = &error else { panic!("{error}") };
    assert!(why.contains("another machine has begun session 2"), "{why}");
    assert_eq!(alone.count(Status::Terminated), 1, "what it reached is there");
    assert!(first.status().lost && first.status().failed.is_some());
    let error = counting(None, &steps).dir(one.path()).existing(Existing::Resume).cloud(cloud()).run().unwrap_err();
    let stale = RunError::Settings(SettingsError::Cloud(CloudError::Stale {
        path: one.path().join("counting"),
        local: 1,
        remote: 2,
    }));
    assert_eq!(error.to_string(), stale.to_string());

    // What is there is what the second machine had, to the end; nothing of an earlier session is left.
    let three = tempfile::tempdir().unwrap();
    let path = cloud().fetch("counting", three.path()).unwrap();
    let fetched = Experiment::open(&path).unwrap();
    let kept = |results: &Results| {
        let trial = &results.trials()[0];
        let checkpoints: Vec<_> = trial.checkpoints.iter().map(|checkpoint| checkpoint.id).collect();
        (trial.status, trial.reported, checkpoints, trial.last.as_ref().map(|last| last.entries().len()))
    };
    assert_eq!(kept(&fetched), kept(&results));
    let last = trial.checkpoints.last().unwrap().id;
    assert_eq!(fetched.open_checkpoint(last).unwrap().json::<u64>("at.json").unwrap(), 4);
    assert!(matches!(cloud().fetch("counting", three.path()), Err(CloudError::Stale { local: 2, remote: 2, .. })));
    assert!(matches!(cloud().fetch("another", three.path()), Err(CloudError::Missing { .. })));
    let objects = all(&**objects);
    let below = |folder: &str| objects.iter().filter(|name| name.contains(&format!("/counting/{folder}/"))).count();
    let files = files_below(&path) - 2; // without the lock and the mark of the copy
    assert_eq!((below("sessions"), below("manifests"), below("files")), (2, 1, files));
}

#[test]
fn a_run_moves_from_machine_to_machine() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    moves(&objects);
}

/// The same machine goes on with its own directory, which is newer than the object store, and uploads only what has changed.
#[test]
fn a_restart_goes_on_with_the_directory() {
    let (objects, dir, steps) = (Arc::new(InMemory::new()), tempfile::tempdir().unwrap(), Arc::new(AtomicU64::new(0)));
    let cloud = || CloudRun::new(objects.clone(), "").unwrap();
    counting(None, &steps).dir(dir.path()).cloud(cloud()).run().unwrap();
    let before: Vec<String> = all(&*objects).into_iter().filter(|name| name.contains("/checkpoint_")).collect();
    assert_eq!(before.len(), 2);
    let again = || counting(None, &steps).dir(dir.path()).existing(Existing::Resume);
    again().run().unwrap(); // without the object store
    again().cloud(cloud()).run().unwrap();
    assert_eq!(steps.load(Ordering::Relaxed), 4, "it was finished");
    let after: Vec<String> = all(&*objects).into_iter().filter(|name| name.contains("/checkpoint_")).collect();
    assert_eq!(after, before, "what is as it was isn't uploaded again");
    let elsewhere = tempfile::tempdir().unwrap();
    let fetched = Experiment::open(cloud().fetch("counting", elsewhere.path()).unwrap()).unwrap();
    assert_eq!(fetched.provenance().unwrap().len(), 3, "the session without it is there too");
}

#[test]
fn what_is_wrong_with_a_run_s_objects_is_said() {
    let (objects, dir, steps) = (Arc::new(InMemory::new()), tempfile::tempdir().unwrap(), Arc::new(AtomicU64::new(0)));
    let cloud = || CloudRun::new(objects.clone(), "").unwrap();
    let error = counting(None, &steps).cloud(cloud()).run().unwrap_err();
    assert!(error.to_string().contains("cloud") && error.to_string().contains("dir"), "{error}");
    counting(None, &steps).dir(dir.path()).cloud(cloud()).run().unwrap();
    let names = all(&*objects);
    let saved = names.iter().find(|name| name.contains("at.json")).unwrap();
    put(&*objects, saved, "no");
    let elsewhere = tempfile::tempdir().unwrap();
    let error = cloud().fetch("counting", elsewhere.path()).unwrap_err();
    assert!(matches!(&error, CloudError::Store(StoreError::Damaged { .. })), "{error}");
    assert!(!elsewhere.path().join("counting").exists(), "nothing half is left under its name");
    let manifest = names.iter().find(|name| name.contains("/manifests/")).unwrap();
    put(
        &*objects,
        manifest,
        "{\"session\":1,\"sequence\":1,\"files\":{\"../../x\":{\"object\":\"1\",\"bytes\":0,\"crc32\":0}}}",
    );
    let error = cloud().fetch("counting", elsewhere.path()).unwrap_err();
    assert!(matches!(&error, CloudError::Store(StoreError::Name { name }) if name == "../../x"), "{error}");
    put(&*objects, manifest, "[]");
    let error = cloud().fetch("counting", elsewhere.path()).unwrap_err();
    assert!(matches!(&error, CloudError::Damaged { object, .. } if object == manifest), "{error}");
}
