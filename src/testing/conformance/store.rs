//! The suite for stores: nobody sees a draft, a commit is all or nothing, and a sweep takes what nobody knows of.

use std::collections::BTreeSet;
use std::fs;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{CheckpointReader, CheckpointWriter, Store, StoreError, Stored};

const RUN: RunId = RunId::new(0xabcde);

fn id(number: u32, index: u32) -> CheckpointId {
    CheckpointId { trial: TrialId::new(RUN, number), index }
}

/// Holds a store against its contract. It gets trials and checkpoints of a run of its own, and is empty of them again
/// afterwards.
///
/// # Panics
/// At the first rule that is broken.
pub fn store(store: &dyn Store) {
    drafts_are_unseen(store);
    directories_are_whole(store);
    the_last_commit_counts(store);
    what_cannot_be_kept_is_refused(store);
    deleted_is_gone(store);
    a_sweep_takes_what_nobody_knows(store);
    threads_do_not_meet(store);
    exports_have_a_place(store);
    sweep(store, &[]);
    assert!(present(store).is_empty(), "a sweep that keeps nothing leaves nothing");
}

fn commit(store: &dyn Store, id: CheckpointId, files: &[(&str, &[u8])]) -> u64 {
    let mut draft = store.begin(id).expect("a draft can be begun");
    for (name, bytes) in files {
        draft.write(name, bytes).expect("a file can be written");
    }
    draft.commit().expect("it can be committed")
}

fn open(store: &dyn Store, id: CheckpointId) -> Box<dyn Stored> {
    store.open(id).expect("a complete checkpoint can be opened")
}

fn missing(store: &dyn Store, id: CheckpointId) {
    match store.open(id) {
        Err(error @ StoreError::Missing { .. }) => {
            let words = error.to_string();
            let named = words.contains(&id.directory()) && words.contains(&id.trial.to_string());
            assert!(named, "the error names the checkpoint: {words}");
        }
        Err(error) => panic!("what isn't there is missing, not: {error}"),
        Ok(_) => panic!("{id:?} doesn't exist"),
    }
}

fn present(store: &dyn Store) -> BTreeSet<CheckpointId> {
    let all = (0..4).flat_map(|number| (0..8).map(move |index| id(number, index)));
    all.filter(|id| store.open(*id).is_ok()).collect()
}

fn sweep(store: &dyn Store, kept: &[CheckpointId]) -> Vec<CheckpointId> {
    let swept = store.sweep(RUN, &|id| kept.contains(&id)).expect("it can be swept");
    swept.checkpoints
}

fn drafts_are_unseen(store: &dyn Store) {
    let first = id(0, 0);
    let mut draft = store.begin(first).expect("a draft can be begun");
    draft.write("a", b"one").expect("a file can be written");
    missing(store, first);
    assert_eq!(draft.commit().expect("it can be committed"), 3, "a commit answers the size");
    assert_eq!(open(store, first).read("a").expect("the file is there"), b"one");
    let none = open(store, first).read("b").expect_err("this one isn't");
    assert!(matches!(&none, StoreError::Missing { what } if what.contains("`b`")), "{none}");

    let mut dropped = store.begin(id(0, 1)).expect("a draft can be begun");
    dropped.write("a", b"two").expect("a file can be written");
    let inside = dropped.directory().expect("it has a directory").to_owned();
    fs::write(inside.join("b"), b"three").expect("which can be written to");
    drop(dropped);
    missing(store, id(0, 1));
    assert!(!inside.exists(), "what is dropped leaves nothing behind");
    assert_eq!(commit(store, id(0, 2), &[]), 0, "a checkpoint may be empty");
    assert!(open(store, id(0, 2)).read("a").is_err());
}

fn directories_are_whole(store: &dyn Store) {
    let whole = id(0, 3);
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut draft = store.begin(whole).expect("a draft can be begun");
    draft.write("plain", b"by name").expect("a file can be written");
    let root = draft.directory().expect("it has a directory").to_owned();
    fs::create_dir_all(root.join("deep/er")).expect("a directory can be made in it");
    fs::write(root.join("deep/er/odd name, größer"), b"four").expect("a file can be written");
    fs::write(root.join("large"), &large).expect("a file can be written");
    fs::write(root.join("empty"), b"").expect("a file can be written");
    assert_eq!(draft.commit().expect("it can be committed"), 11 + 3_000_000, "the size is that of all files");

    let mut stored = open(store, whole);
    assert_eq!(stored.read("plain").expect("it is there"), b"by name");
    assert!(stored.read("large").expect("it is there") == large, "what is in the directory can be read by name");
    let root = stored.directory().expect("it has a directory").to_owned();
    assert_eq!(fs::read(root.join("deep/er/odd name, größer")).expect("it is there"), b"four");
    assert_eq!(fs::read(root.join("plain")).expect("it is there"), b"by name");
    assert!(fs::read(root.join("large")).expect("it is there") == large);
    assert_eq!(fs::read(root.join("empty")).expect("it is there"), b"");
}

fn the_last_commit_counts(store: &dyn Store) {
    let twice = id(0, 4);
    commit(store, twice, &[("old", b"1"), ("both", b"1")]);
    let mut left_behind = store.begin(twice).expect("a draft can be begun");
    left_behind.write("old", b"3").expect("a file can be written");
    commit(store, twice, &[("new", b"2"), ("both", b"2")]);
    drop(left_behind);
    let stored = open(store, twice);
    assert_eq!(stored.read("new").expect("it is there"), b"2");
    assert_eq!(stored.read("both").expect("it is there"), b"2");
    assert!(stored.read("old").is_err(), "nothing is left of what was replaced, nor of another draft");
}

fn what_cannot_be_kept_is_refused(store: &dyn Store) {
    let refused = id(0, 5);
    let mut writer = CheckpointWriter::new(store.begin(refused).expect("a draft can be begun"));
    writer.bytes("good", b"1").expect("a file can be written");
    assert!(matches!(writer.bytes("../bad", b"1"), Err(StoreError::Name { .. })));
    let incomplete = writer.commit().expect_err("a checkpoint without one of its files isn't complete");
    assert!(matches!(&incomplete, StoreError::Incomplete { name } if name == "../bad"), "{incomplete}");
    missing(store, refused);
    let reader = CheckpointReader::new(open(store, id(0, 0)));
    assert!(matches!(reader.bytes("../a"), Err(StoreError::Name { .. })));

    #[cfg(unix)]
    {
        let mut draft = store.begin(refused).expect("a draft can be begun");
        let link = draft.directory().expect("it has a directory").join("link");
        std::os::unix::fs::symlink("/", &link).expect("a link can be made");
        let kind = draft.commit().expect_err("a link isn't followed");
        assert!(matches!(&kind, StoreError::Kind { path } if path.ends_with("link")), "{kind}");
        missing(store, refused);
        assert!(!link.exists(), "what couldn't be committed leaves nothing behind");
    }
}

fn deleted_is_gone(store: &dyn Store) {
    let gone = id(0, 4);
    store.delete(gone).expect("it can be deleted");
    missing(store, gone);
    store.delete(gone).expect("what isn't there is no error");
    store.delete(id(3, 7)).expect("nor is what never was");
}

fn a_sweep_takes_what_nobody_knows(store: &dyn Store) {
    let other = CheckpointId { trial: TrialId::new(RunId::new(0xabcdf), 0), index: 0 };
    commit(store, other, &[("a", b"another run's")]);
    commit(store, id(1, 0), &[("a", b"1")]);
    commit(store, id(1, 1_000_000), &[("a", b"1")]);
    let before = present(store);
    let kept: Vec<CheckpointId> = vec![id(1, 0), id(0, 3)];
    let swept = sweep(store, &kept);
    let expected: Vec<CheckpointId> =
        before.into_iter().filter(|id| !kept.contains(id)).chain([id(1, 1_000_000)]).collect();
    assert_eq!(swept, expected, "all that isn't to be kept goes");
    assert_eq!(present(store).into_iter().collect::<Vec<_>>(), [id(0, 3), id(1, 0)]);
    assert_eq!(open(store, id(1, 0)).read("a").expect("it is whole"), b"1");
    assert_eq!(open(store, other).read("a").expect("it is another run's"), b"another run's");
    assert!(sweep(store, &kept).is_empty(), "a second time there is nothing to do");
    store.delete(other).expect("it can be deleted");
}

fn threads_do_not_meet(store: &dyn Store) {
    std::thread::scope(|scope| {
        for number in 2..4 {
            scope.spawn(move || {
                for index in 0..5 {
                    let content = format!("{number} {index}");
                    commit(store, id(number, index), &[("a", content.as_bytes())]);
                    let stored = open(store, id(number, index));
                    assert_eq!(stored.read("a").expect("it is there"), content.as_bytes());
                    if index > 0 {
                        store.delete(id(number, index - 1)).expect("it can be deleted");
                    }
                }
            });
        }
    });
    let left: Vec<CheckpointId> = present(store).into_iter().filter(|id| id.trial.number() >= 2).collect();
    assert_eq!(left, [id(2, 4), id(3, 4)]);
}

fn exports_have_a_place(store: &dyn Store) {
    let trial = TrialId::new(RUN, 0);
    let begin = || store.export_directory(trial, "model").expect("there is a place to export to");
    let there = || store.export(trial, "model").map(|place| fs::read(place.join("file")).expect("it is there"));
    fs::write(begin().join("file"), b"half").expect("it can be written to");
    assert_eq!(there(), None, "what isn't whole isn't found");
    let place = begin();
    assert_eq!(fs::read_dir(&place).expect("it can be listed").count(), 0, "it is empty");
    fs::write(place.join("file"), b"first").expect("it can be written to");
    store.exported(trial, "model").expect("it can be kept");
    sweep(store, &[]);
    let first = there();
    assert!(first.as_deref().is_none_or(|bytes| bytes == b"first"), "a sweep doesn't touch exports");
    fs::write(begin().join("file"), b"second").expect("it can be written to");
    assert_eq!(there(), first, "it stays until another is kept");
    store.exported(trial, "model").expect("it can be kept");
    assert!(there().is_none_or(|bytes| bytes == b"second"), "the new one takes its place");
}
