//! Five hundred trials in eight worker processes, of which every fifth goes wrong in some way: all of them end, once, and nothing
//! is left. The only test here, so that what the process has can be counted before and after.
#![cfg(all(feature = "process", target_os = "linux"))]

#[path = "process/program.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod program;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use program::{acts, rust};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tryout::extend::{ExperimentEvent, Observer, ObserverError};
use tryout::prelude::*;

#[test]
#[ignore = "run by the other, in processes of its own"]
fn worker() {
    if tryout::worker::is_worker() {
        let _ = tryout::worker::serve::<program::Walk>();
    }
}

/// What this process has: descriptors, threads, children, temporary files.
fn has() -> [usize; 4] {
    let entries = |path: &str| std::fs::read_dir(path).map_or(0, Iterator::count);
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads").flatten();
    let children = tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children = children.map(|children| children.split_whitespace().count()).sum();
    let ours = format!("tryout-{}-", std::process::id());
    let temporary = std::fs::read_dir(std::env::temp_dir()).expect("temporary files").flatten();
    let temporary = temporary.filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours)).count();
    [entries("/proc/self/fd"), entries("/proc/self/task"), children, temporary]
}

/// Counts how often the end of each trial is announced.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<BTreeMap<TrialId, Vec<Status>>>>);

impl Observer for Ends {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if let EventKind::Ended { trial, status, .. } = &event.kind {
            self.0.lock().expect("nobody panicked").entry(*trial).or_default().push(*status);
        }
        Ok(())
    }
}

#[test]
fn five_hundred_trials_with_faults_all_end_and_leave_nothing() {
    let before = has();
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let faults = ["exit", "abort", "panic", "error", "fail setup", "panic setup", "hang", "hang in stop"];
    let configs: Vec<Config> = (0..500)
        .map(|_| {
            let act = if random.random_bool(0.2) { faults[random.random_range(0..faults.len())] } else { "" };
            acts(act).with("steps", random.random_range(1..12))
        })
        .collect();
    let ends = Ends::default();
    let limits = Limits::new().step(Duration::from_millis(250), OnLimit::Kill);
    let results = Experiment::new("soak", rust().limits(limits).prestart(2))
        .points(configs)
        .workers(8)
        .grace(Duration::from_millis(100), AbandonPolicy::Hold)
        .retry(RetryPolicy::default().free(FailureKind::Exited, Budget::Limited(1)))
        .checkpoint_every(2)
        .observer(ends.clone())
        .run()
        .expect("a run");
    let ends = ends.0.lock().expect("nobody panicked").clone();
    assert_eq!(ends.len(), 500);
    for trial in results.trials() {
        assert_eq!(ends[&trial.id], [trial.status], "{}", trial.config);
        assert!(matches!(trial.status, Status::Terminated | Status::Error), "{}", trial.config);
    }
    let failed = results.trials().iter().filter(|trial| trial.status == Status::Error).count();
    assert!((20..100).contains(&failed), "{failed} failed");
    drop(results);
    // Threads say that they go before they are gone.
    let until = Instant::now() + Duration::from_secs(2);
    while has() != before {
        assert!(
            Instant::now() < until,
            "left: {:?}, before: {before:?} (descriptors, threads, children, temporary)",
            has()
        );
        std::thread::yield_now();
    }
}
