//! What a directory store leaves on the disk: whole checkpoints only, wherever it lies, whatever goes wrong.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::live::below;
use common::trial;
use tryout::edge::store::DirStore;
use tryout::extend::{CheckpointId, RunId, Store, StoreError, Swept};

fn id(index: u32) -> CheckpointId {
    CheckpointId { trial: trial(0), index }
}

fn commit(store: &DirStore, index: u32, content: &str) {
    let mut draft = store.begin(id(index)).unwrap();
    draft.write("a", content.as_bytes()).unwrap();
    draft.commit().unwrap();
}

fn read(store: &DirStore, index: u32) -> Vec<u8> {
    store.open(id(index)).unwrap().read("a").unwrap()
}

fn store() -> (tempfile::TempDir, DirStore) {
    let root = tempfile::tempdir().unwrap();
    let store = DirStore::create(root.path().join("run")).unwrap();
    (root, store)
}

/// What a crash leaves: drafts that nobody commits any more, deletions that came half-way.
#[test]
fn a_sweep_takes_halves_and_leaves_what_is_not_a_checkpoint() {
    let (root, store) = store();
    let run = root.path().join("run");
    for index in 0..3 {
        commit(&store, index, "whole");
    }
    let mut crashed = store.begin(id(3)).unwrap();
    crashed.write("a", b"half").unwrap();
    std::mem::forget(crashed);
    let of_trial = run.join("00001_00000");
    fs::create_dir(of_trial.join(".checkpoint_000009.gone-77-1")).unwrap();
    let mut others = vec![
        "params.json",
        "journal/snapshot",
        "00001_00000/params.json",
        "00001_00000/export/checkpoint_000001/model",
        "00001_00000/checkpoint_1/by-hand",
        "00001_00000/checkpoint_000001.bak/by-hand",
        "00001_00000/.checkpoint_by_hand.tmp-1/a",
        "00001_0/checkpoint_000000/no-trial",
        "00002_00000/checkpoint_000000/another-run",
        "00002_00000/.checkpoint_000001.tmp-5-5/another-run",
    ];
    for other in &others {
        let path = run.join(other);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "stays").unwrap();
    }
    let swept = store.sweep(RunId::new(1), &|id| id.index == 1).unwrap();
    assert_eq!(swept, Swept { checkpoints: vec![id(0), id(2)], halves: 2 });
    others.push("00001_00000/checkpoint_000001/a");
    let mut left: Vec<PathBuf> = below(&run).into_iter().filter(|path| run.join(path).is_file()).collect();
    let mut expected: Vec<PathBuf> = others.iter().map(PathBuf::from).collect();
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(read(&store, 1), b"whole");
    assert_eq!(store.sweep(RunId::new(1), &|_| true).unwrap(), Swept::default());
}

#[test]
fn a_store_that_was_moved_and_renamed_is_the_same_store() {
    let (root, store) = store();
    commit(&store, 0, "zero");
    commit(&store, 1, "one");
    let there = root.path().join("else/where");
    fs::create_dir(root.path().join("else")).unwrap();
    fs::rename(root.path().join("run"), &there).unwrap();
    assert!(matches!(store.open(id(0)), Err(StoreError::Missing { .. })));

    let moved = DirStore::create(&there).unwrap();
    assert_eq!((read(&moved, 0), read(&moved, 1)), (b"zero".to_vec(), b"one".to_vec()));
    commit(&moved, 2, "two");
    moved.delete(id(0)).unwrap();
    let swept = moved.sweep(RunId::new(1), &|id| id.index == 2).unwrap();
    assert_eq!(swept.checkpoints, [id(1)]);
    assert!(!root.path().join("run").exists(), "nothing is made again at the old place");
}

/// Whoever looks for a checkpoint that isn't there, or isn't one any more, is told where it should have been.
#[test]
fn what_is_missing_is_named_with_its_path() {
    let (root, store) = store();
    let trial = root.path().join("run/00001_00000");
    let words = |index| store.open(id(index)).err().unwrap().to_string();
    let place = trial.join("checkpoint_000004");
    let expected = format!("there is no checkpoint_000004 of trial 00001_00000 (`{}`) in the store", place.display());
    assert_eq!(words(4), expected);
    fs::create_dir_all(&trial).unwrap();
    fs::write(&place, "a file in its place").unwrap();
    assert_eq!(words(4), expected);

    commit(&store, 5, "whole");
    fs::remove_file(trial.join("checkpoint_000005/a")).unwrap();
    let error = store.open(id(5)).unwrap().read("a").err().unwrap();
    assert!(matches!(error, StoreError::Missing { .. }));
    let path = trial.join("checkpoint_000005").join("a");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

/// Every step that fails says what it was and where, and leaves no checkpoint and no draft.
#[test]
fn a_step_that_fails_leaves_nothing() {
    let (root, store) = store();
    let run = root.path().join("run");
    let io = |error: StoreError| match error {
        StoreError::Io { action, path, .. } => (action, path),
        other => panic!("{other}"),
    };
    let halves =
        |run: &Path| below(run).into_iter().filter(|path| path.to_string_lossy().contains("checkpoint")).count();

    fs::write(run.join("00001_00000"), "a file where a trial's directory should be").unwrap();
    let begin = store.begin(id(0)).err().unwrap();
    assert!(matches!(io(begin), ("make the directory", path) if path.starts_with(run.join("00001_00000"))));
    fs::remove_file(run.join("00001_00000")).unwrap();

    let mut unwritable = store.begin(id(0)).unwrap();
    fs::create_dir(unwritable.directory().unwrap().join("taken")).unwrap();
    let write = unwritable.write("taken", b"a directory has this name").unwrap_err();
    assert!(matches!(io(write), ("make the file", path) if path.ends_with("taken")));
    drop(unwritable);
    assert_eq!(halves(&run), 0);

    let mut vanished = store.begin(id(0)).unwrap();
    fs::remove_dir_all(vanished.directory().unwrap()).unwrap();
    assert_eq!(io(vanished.commit().unwrap_err()).0, "list");
    assert_eq!(halves(&run), 0);

    let blocked = store.begin(id(0)).unwrap();
    let place = run.join("00001_00000/checkpoint_000000");
    fs::write(&place, "a file in its place").unwrap();
    assert_eq!(io(blocked.commit().unwrap_err()), ("put in place", place.clone()));
    store.delete(id(0)).unwrap();
    assert_eq!(below(&run), [Path::new("00001_00000"), Path::new("00001_00000/checkpoint_000000")]);
    assert_eq!(fs::read(&place).unwrap(), b"a file in its place", "what isn't a checkpoint isn't deleted as one");
}

/// A disk that is full, if there is one: `mount -t tmpfs -o size=64k,nr_inodes=24 tmpfs DIR`, and name it in
/// `TRYOUT_SMALL_DISK`.
#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let Some(disk) = std::env::var_os("TRYOUT_SMALL_DISK").map(PathBuf::from) else { return };
    let root = tempfile::tempdir_in(disk).unwrap();
    let store = DirStore::create(root.path().join("run")).unwrap();
    let mut steps = std::collections::BTreeSet::new();
    for size in [100_usize, 5_000, 30_000, 100_000] {
        let mut written = 0_u32;
        let error = loop {
            let made = store.begin(id(written)).and_then(|mut draft| {
                draft.write("a", &vec![7; size])?;
                draft.write("b", &vec![7; size])?;
                draft.commit()
            });
            match made {
                Ok(bytes) => assert_eq!(bytes, 2 * size as u64),
                Err(error) => break error,
            }
            written += 1;
        };
        let StoreError::Io { action, path, source } = error else { panic!("{error}") };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        assert!(path.starts_with(root.path().join("run")), "{}", path.display());
        steps.insert(action);
        let all = below(root.path());
        assert!(!all.iter().any(|path| path.to_string_lossy().contains("tmp-")), "{all:?}");
        for index in 0..written {
            assert_eq!(read(&store, index).len(), size, "what was committed before is whole");
        }
        assert!(store.open(id(written)).is_err());
        for index in 0..written {
            store.delete(id(index)).unwrap();
        }
    }
    assert!(steps.len() > 1, "it fails at different steps: {steps:?}");
}

/// The names in the trial's directory.
#[cfg(target_os = "linux")]
fn there(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("run/00001_00000")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What waits for its group to be made durable has a mark, and can be read, deleted, and written once more.
#[cfg(target_os = "linux")]
#[test]
fn a_store_of_groups_marks_what_is_not_durable_yet() {
    let (root, store) = store();
    let store = store.in_groups();
    commit(&store, 0, "whole");
    commit(&store, 1, "whole");
    let marked =
        [".checkpoint_000000.unsynced", ".checkpoint_000001.unsynced", "checkpoint_000000", "checkpoint_000001"];
    assert_eq!(there(root.path()), marked);
    commit(&store, 1, "written once more");
    store.let_go(id(0));
    store.make_durable().unwrap();
    let let_go = [".checkpoint_000000.unsynced", "checkpoint_000000", "checkpoint_000001"];
    assert_eq!(there(root.path()), let_go, "what is let go isn't synced, and stays until it is deleted");
    assert_eq!((read(&store, 0), read(&store, 1)), (b"whole".to_vec(), b"written once more".to_vec()));
    commit(&store, 2, "deleted before it is durable");
    for index in 0..3 {
        store.delete(id(index)).unwrap();
    }
    store.make_durable().unwrap();
    assert_eq!(there(root.path()), Vec::<String>::new());
    assert!(matches!(store.open(id(2)), Err(StoreError::Missing { .. })));
}

/// A process dies, and what waited is whole. A machine dies, and what waited then may not be, and counts as gone.
#[cfg(target_os = "linux")]
#[test]
fn what_waited_outlives_the_process_and_not_the_machine() {
    let (root, store) = store();
    let grouped = store.clone().in_groups();
    for index in 0..3 {
        commit(&grouped, index, "whole");
    }
    drop(grouped);
    let mark = |index: u32| root.path().join(format!("run/00001_00000/.{}.unsynced", id(index).directory()));
    assert_eq!(read(&store, 0), b"whole", "another process may look at it");
    fs::write(mark(1), "another life").unwrap();
    fs::write(mark(7), "of one that never got its name").unwrap();
    assert!(matches!(store.open(id(1)), Err(StoreError::Missing { .. })));
    let swept = store.sweep(RunId::new(1), &|id| id.index < 2).unwrap();
    assert_eq!(swept, Swept { checkpoints: vec![id(2)], halves: 1 });
    assert_eq!((there(root.path()), read(&store, 0)), (vec!["checkpoint_000000".to_owned()], b"whole".to_vec()));
}
