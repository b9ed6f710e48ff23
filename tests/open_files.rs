//! How many files a run has open: one test, alone in its process, because it counts them.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::live::{Diary, Script, SpyScheduler, numbered, results, statuses};
use tryout::extend::Verdict;
use tryout::prelude::*;

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Many trials that save at every step, leave their workers, and come back: nothing stays open of it, and nothing is
/// restored from what is gone.
#[test]
fn case_k_20_and_k_21_frequent_saves_and_restores() {
    let root = tempfile::tempdir().unwrap();
    let before = open_files();
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    let experiment = Script::new()
        .saves()
        .on_save(move |_| {
            seen.fetch_max(open_files(), Ordering::Relaxed);
            Ok(())
        })
        .experiment("k-21")
        .workers(4)
        .points(numbered(30))
        .scheduler(SpyScheduler::judging(&Diary::new(), |_, _, _| Verdict::pause("every time")))
        .checkpoint_every(1)
        .retention(Retention::last(2))
        .stop(stop::iterations(10))
        .dir(root.path());
    let results = results(experiment);
    assert_eq!(statuses(&results), vec![Status::Terminated; 30]);
    for trial in results.trials() {
        assert_eq!((trial.failures.len(), trial.checkpoints.len()), (0, 2));
        assert_eq!(trial.last.as_ref().unwrap().number("score"), Some(10.0), "it went on from its checkpoints");
    }
    let most = most.load(Ordering::Relaxed) - before;
    assert!(most < 20, "{most} files were open");
    results.provenance().unwrap(); // what looks it up has files open too
    assert_eq!(open_files(), before, "when it is over, none is");
}
