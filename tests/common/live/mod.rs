//! What the tests through the real engine share: a scripted trainable, gates, a diary, spies, and a watch on events.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod backend;
mod diary;
mod gate;
mod mock;
mod spies;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tryout::logic::pool::PoolCounts;
use tryout::prelude::*;

pub(crate) use backend::{Spied, Spy, WordsOnly};
pub(crate) use diary::Diary;
pub(crate) use gate::Gate;
pub(crate) use mock::{AsyncMock, Mock, Script};
pub(crate) use spies::{SpyScheduler, SpySearcher};
pub(crate) use watch::{Watch, line};

/// A safety net: nothing here takes nearly as long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs something on a thread of its own, and fails if it hangs.
pub(crate) fn within<R: Send + 'static>(what: &str, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, answer) = channel();
    let worker = std::thread::spawn(move || sender.send(work()));
    match answer.recv_timeout(PATIENCE) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(_) => unreachable!("it ended without an answer"),
        },
    }
}

/// The end of a run that was started.
pub(crate) fn end(handle: ExperimentHandle) -> Result<Results, RunError> {
    within("the run", move || handle.wait_blocking())
}

/// Runs an experiment to its end.
pub(crate) fn run(experiment: Experiment) -> Result<Results, RunError> {
    end(experiment.start()?)
}

/// The results of a run that goes well.
pub(crate) fn results(experiment: Experiment) -> Results {
    run(experiment).expect("the run goes well")
}

/// The answer to an order.
pub(crate) fn wait<T>(order: impl Future<Output = T>) -> T {
    futures::executor::block_on(order)
}

/// Asks for the pool until it stands like this: a trial's word to its pool and its word to the engine have no order.
pub(crate) fn pool_until(control: &Control, like: impl Fn(&PoolCounts) -> bool) -> PoolStatus {
    let asked_since = std::time::Instant::now();
    loop {
        let status = wait(control.pool(None)).expect("the run goes on");
        if like(&status.counts) {
            return status;
        }
        assert!(asked_since.elapsed() < PATIENCE, "the pool stays at {:?}", status.counts);
        std::thread::yield_now();
    }
}

/// The trials that there are.
pub(crate) fn ids(control: &Control) -> Vec<TrialId> {
    wait(control.trials(0, 1_000)).unwrap().iter().map(|trial| trial.record.id).collect()
}

/// The names of all files and directories below, sorted.
pub(crate) fn below(root: &Path) -> Vec<PathBuf> {
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

/// Configurations with `n` from 0.
pub(crate) fn numbered(count: u32) -> impl Iterator<Item = Config> {
    (0..count).map(|n| Config::new().with("n", n))
}

/// The statuses of all trials.
pub(crate) fn statuses(results: &Results) -> Vec<Status> {
    results.trials().iter().map(|trial| trial.status).collect()
}

/// The iterations of all trials.
pub(crate) fn iterations(results: &Results) -> Vec<u64> {
    results.trials().iter().map(|trial| trial.last.as_ref().map_or(0, |last| last.iteration())).collect()
}

/// The last value of a metric, trial by trial.
pub(crate) fn last(results: &Results, metric: &str) -> Vec<f64> {
    let of = |trial: &TrialRecord| trial.last.as_ref().and_then(|last| last.number(metric)).unwrap_or(f64::NAN);
    results.trials().iter().map(of).collect()
}
