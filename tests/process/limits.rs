//! Limits that bite, and ends that are carried out.

use std::time::{Duration, Instant};

use tryout::prelude::*;

use crate::leftovers::Marked;
use crate::program::{acts, one, rust, shell};

fn kind(trial: &TrialRecord) -> Option<FailureKind> {
    trial.error().map(|failure| failure.fault.kind)
}

#[test]
fn a_step_that_hangs_is_ended() {
    let began = Instant::now();
    let limits = Limits::new().step(Duration::from_millis(200), OnLimit::Kill);
    let (trial, _dir) = one(rust().limits(limits), acts("hang"));
    assert_eq!(kind(&trial), Some(FailureKind::Timeout));
    assert!(trial.error().is_some_and(|failure| failure.fault.message.contains("0.2 s")), "{:?}", trial.error());
    assert!(began.elapsed() >= Duration::from_millis(200));
}

/// `Duration::MAX` says that there is no limit, wherever a duration is asked for.
#[test]
fn limits_that_never_come_are_none() {
    let never = Duration::MAX;
    let limits = Limits::new().answer(never);
    let limits = limits.step(never, OnLimit::Kill).trial(never, OnLimit::Kill).cpu_time(never, OnLimit::Kill);
    for every in [Duration::from_millis(1), never] {
        let backend = rust().limits(limits).start_up(never).after_term(never).heartbeat(every, never);
        let (trial, _dir) = one(backend, acts("").with("steps", 3));
        assert_eq!((trial.status, trial.reported), (Status::Terminated, 3), "{:?}", trial.error());
    }
}

#[test]
fn many_short_steps_are_no_long_one() {
    let limits = Limits::new().step(Duration::from_secs(5), OnLimit::Kill);
    let (trial, _dir) = one(rust().limits(limits), acts("").with("steps", 3000));
    assert_eq!((trial.status, trial.reported), (Status::Terminated, 3000));
}

#[test]
fn a_trial_that_works_too_long_stops_as_it_is_said() {
    let endless = || acts("").with("steps", 2_000_000_000_u64);
    let limits = |then| Limits::new().trial(Duration::from_millis(100), then);
    let (trial, _dir) = one(rust().limits(limits(OnLimit::FinishStep)), endless());
    assert_eq!((trial.status, trial.checkpoints.len()), (Status::Terminated, 0));
    let reason = trial.reason.as_deref().unwrap_or_default();
    assert!(reason.starts_with("it has worked for 0.1 s, of 0.1 s at most"), "{reason}");
    let (trial, _dir) = one(rust().limits(limits(OnLimit::SaveThenStop)), endless());
    assert_eq!((trial.status, trial.checkpoints.len()), (Status::Terminated, 1));
    let (trial, _dir) = one(rust().limits(limits(OnLimit::Kill)), endless());
    assert_eq!(kind(&trial), Some(FailureKind::Timeout));
}

#[test]
fn processor_time_is_limited() {
    let limits = Limits::new().cpu_time(Duration::from_secs(1), OnLimit::Kill);
    let (trial, _dir) = one(rust().limits(limits), acts("burn"));
    assert_eq!(kind(&trial), Some(FailureKind::Timeout));
    let limits = Limits::new().cpu_time(Duration::from_millis(100), OnLimit::FinishStep);
    let (trial, _dir) = one(rust().limits(limits), acts("").with("steps", 2_000_000_000_u64));
    let reason = trial.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("processor time"), "{reason}");
}

#[test]
fn memory_is_limited() {
    let (trial, _dir) = one(rust().limits(Limits::new().memory(1 << 30)), acts("allocate"));
    assert_eq!(kind(&trial), Some(FailureKind::OutOfMemory), "{:?}", trial.error());
}

#[test]
fn asked_terminated_killed() {
    // It neither stops when it is asked, nor minds SIGTERM; and it has children.
    let text = "trap '' TERM; ready; result done; while :; do sleep 1000; done";
    let marked = Marked::new();
    let (trial, _dir) = one(marked.mark(shell(text)), Config::new());
    assert_eq!(trial.status, Status::Terminated, "{:?}", trial.error());
    marked.assert_gone();
}

#[test]
fn a_worker_that_hangs_in_its_stop_is_ended() {
    let marked = Marked::new();
    let (trial, _dir) = one(marked.mark(rust()), acts("hang in stop"));
    assert_eq!(trial.status, Status::Terminated);
    marked.assert_gone();
}

#[test]
fn a_hanging_trial_that_is_stopped_frees_its_place() {
    let marked = Marked::new();
    let run = Experiment::new("walk", marked.mark(rust()))
        .points([acts("hang"), acts("")])
        .workers(1)
        .grace(Duration::from_millis(100), AbandonPolicy::Hold)
        .batching(Batching::Fixed { reports: std::num::NonZeroU32::MIN, time: None })
        .scheduler(StopsAt2)
        .run()
        .expect("a run");
    assert!(run.trials().iter().all(|trial| trial.status == Status::Terminated));
    marked.assert_gone();
}

/// Stops every trial at its second report: a worker that goes on to a third step hangs there.
struct StopsAt2;

impl tryout::extend::Scheduler for StopsAt2 {
    fn on_report(&mut self, _: TrialId, report: &Report, _: &dyn tryout::extend::Cohort) -> tryout::extend::Verdict {
        if report.iteration() < 2 {
            return tryout::extend::Verdict::CONTINUE;
        }
        tryout::extend::Verdict::stop("enough")
    }
}
