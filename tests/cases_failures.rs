//! Failures through the whole engine: retries, budgets by kind, backing off, failing fast (the F cases, K-10, K-15, K-16).

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::live::{
    Diary, Gate, Script, SpyScheduler, SpySearcher, Watch, WordsOnly, end, last, numbered, results, run, statuses, wait,
};
use tryout::extend::{EventKind, Fault, WorkerFact, WorkerOrder};
use tryout::logic::engine::Waiting;
use tryout::logic::event::RunFailure;
use tryout::prelude::*;

fn policy(most: u32) -> RetryPolicy {
    RetryPolicy::new(Budget::Limited(most))
}

/// Fails at its second step unless it was restored; with `persistent`, also after a restore.
fn failing(persistent: bool) -> Script {
    Script::new().saves().step(move |mock| {
        if mock.count == 2 && (persistent || mock.info.attempt == 1) {
            return Err(TrialError::new("second step"));
        }
        Ok(mock.score())
    })
}

#[test]
fn case_f_02_one_failure_that_is_borne() {
    let diary = Diary::new();
    let experiment = failing(false)
        .experiment("f-02")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::new(&diary))
        .max_failures(1)
        .stop(stop::iterations(3));
    let results = results(experiment);
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.failures.len(), trial.attempts), (Status::Terminated, 1, 2));
    assert!(trial.error().is_none(), "a trial that terminated has no error");
    assert_eq!((diary.of("S.retry").len(), diary.of("A.end")), (1, vec!["A.end 0 StopRule i3".to_owned()]));
}

#[test]
fn case_f_03_more_failures_than_are_borne() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let experiment = failing(true)
        .experiment("f-03")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::new(&diary))
        .max_failures(2)
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.failures.len(), trial.attempts), (Status::Error, 3, 3));
    let attempts: Vec<u32> = trial.failures.iter().map(|failure| failure.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(diary.of("A.end"), ["A.end 0 Error i1"], "the searcher hears of one error");
    assert_eq!((diary.of("S.retry").len(), diary.of("S.end").len()), (2, 1));
    let failed: Vec<String> = watch.about(0).into_iter().filter(|line| line.starts_with("failed")).collect();
    assert_eq!(failed, ["failed error retry", "failed error retry", "failed error no more"]);
}

/// `FailFast::Stop`: the failure that isn't tried again ends the run; the other trial is terminated.
#[test]
fn case_f_04_failing_fast() {
    let gate = Gate::new();
    let inside = gate.clone();
    let experiment = Script::new()
        .step(move |mock| {
            if mock.n() == 0 {
                // Both are at work before the first fails.
                inside.wait_for(1);
                return Err(TrialError::new("broken"));
            }
            if mock.count == 1 {
                inside.let_pass(1);
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("f-04")
        .workers(2)
        .points(numbered(2))
        .fail_fast(FailFast::Stop);
    let results = results(experiment);
    assert_eq!(statuses(&results), [Status::Error, Status::Terminated]);
    assert_eq!(results.trials()[1].ending, Some(Ending::Experiment));
    let Outcome::Stopped(why) = results.outcome() else { panic!("{:?}", results.outcome()) };
    assert!(why.contains("failed and fail_fast is set: error: broken"), "{why}");
}

/// A failure that is being retried doesn't end the run (DECISIONS 8).
#[test]
fn case_f_07_failing_fast_waits_for_the_last_retry() {
    let experiment = failing(false)
        .experiment("f-07")
        .points(numbered(2))
        .max_failures(5)
        .fail_fast(FailFast::Stop)
        .stop(stop::iterations(3));
    let results = results(experiment);
    assert_eq!((statuses(&results), results.outcome()), (vec![Status::Terminated; 2], &Outcome::Completed));
    assert_eq!(results.totals().failures, 2);
}

#[test]
fn fail_fast_raise_returns_the_failure_itself() {
    let experiment = Script::new()
        .step(|_| Err(TrialError::new("the reason")))
        .experiment("f-raise")
        .points(numbered(3))
        .fail_fast(FailFast::Raise);
    let error = run(experiment).expect_err("a failure");
    let RunError::Failed { failure: RunFailure::Trial { trial, failure }, results } = &error else { panic!("{error}") };
    assert_eq!((trial.number(), &*failure.fault.message), (0, "the reason"));
    assert!(error.to_string().contains("failed: error: the reason [attempt 1, after iteration 0"), "{error}");
    assert_eq!(results.count(Status::Error), 1);
    assert_eq!(results.count(Status::Running) + results.count(Status::Pending), 0, "what was reached is there");
}

/// Preemptions don't count unless it is said; the loss of a worker does.
#[test]
fn case_f_08_preemptions_are_free() {
    let failures = |name: &str, kind: FailureKind, times: u32, policy: RetryPolicy| {
        let made = AtomicU32::new(0);
        let backend = WordsOnly::new(move |order| match order {
            WorkerOrder::Start { .. } => Some(WorkerFact::Ready),
            _ if made.fetch_add(1, Ordering::SeqCst) < times => Some(WorkerFact::Failed(Fault::new(kind, "so it is"))),
            _ => Some(WorkerFact::Reported(tryout::extend::Batch {
                reports: Vec::new(),
                end: tryout::extend::BatchEnd::Done,
                handed_in: None,
                over: None,
            })),
        });
        let results = results(Experiment::new(name, backend).workers(1).points(numbered(1)).retry(policy));
        (results.trials()[0].status, results.trials()[0].failures.len())
    };
    let counted = policy(1).free(FailureKind::Preempted, Budget::Limited(0));
    assert_eq!(failures("f-08-a", FailureKind::Preempted, 5, policy(0)), (Status::Terminated, 5));
    assert_eq!(failures("f-08-b", FailureKind::Preempted, 2, counted), (Status::Error, 2));
    assert_eq!(failures("f-08-c", FailureKind::WorkerLost, 2, policy(1)), (Status::Error, 2));
    assert_eq!(failures("f-08-d", FailureKind::OutOfMemory, 1, policy(1)), (Status::Terminated, 1));
}

#[test]
fn each_kind_has_its_own_free_retries() {
    let experiment = |name: &str, policy| {
        let script = Script::new().step(|mock| match mock.info.attempt {
            1 | 2 => panic!("shaky"),
            3 => Err(TrialError::new("wrong")),
            _ => Ok(Step::done(Metrics::new())),
        });
        let results = results(script.experiment(name).points(numbered(1)).retry(policy));
        (results.trials()[0].status, results.trials()[0].failures.len())
    };
    let two_panics = || policy(0).free(FailureKind::Panic, Budget::Limited(2));
    assert_eq!(experiment("budget-a", two_panics()), (Status::Error, 3), "the error counts");
    let free_errors = two_panics().free(FailureKind::UserError, Budget::Unlimited);
    assert_eq!(experiment("budget-b", free_errors), (Status::Terminated, 3));
    let one_more = policy(1).free(FailureKind::Panic, Budget::Limited(1));
    assert_eq!(experiment("budget-c", one_more), (Status::Error, 3), "one free, one counted, one too many");
}

#[test]
fn case_f_10_a_failed_trial_is_a_result() {
    let experiment = Script::new()
        .step(|mock| if mock.n() == 1 { Err(TrialError::new("broken")) } else { Ok(Step::done([("x", 1.0)])) })
        .experiment("f-10")
        .points(numbered(3));
    let results = run(experiment).expect("a failed trial is no error of the run");
    assert_eq!(statuses(&results), [Status::Terminated, Status::Error, Status::Terminated]);
    let failed: Vec<u32> = results.errors().map(|trial| trial.id.number()).collect();
    assert_eq!((failed, results.outcome()), (vec![1], &Outcome::Completed));
}

#[test]
fn case_f_11_unlimited_retries() {
    let experiment = Script::new()
        .step(|mock| if mock.info.attempt < 30 { Err(TrialError::new("again")) } else { Ok(Step::done([("x", 1.0)])) })
        .experiment("f-11")
        .points(numbered(1))
        .retry(RetryPolicy::new(Budget::Unlimited));
    let results = results(experiment);
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.attempts, trial.failures.len()), (Status::Terminated, 30, 29));
}

#[test]
fn case_f_14_no_end_of_samples_and_a_budget() {
    let experiment = Script::new()
        .step(|mock| Ok(Step::done([("x", mock.number("x"))])))
        .experiment("f-14")
        .space(Space::new().with("x", uniform(0.0, 1.0)))
        .samples(Samples::Infinite)
        .stop(stop::experiment_time(Duration::from_millis(50)));
    let results = results(experiment);
    assert!(results.count(Status::Terminated) >= 1);
    assert_eq!(results.count(Status::Running) + results.count(Status::Pending), 0, "nobody is left over");
    assert!(matches!(results.outcome(), Outcome::Stopped(_)), "{:?}", results.outcome());
}

/// Its worker dies while nobody waits for its answer: the trial is failed, not forgotten.
#[test]
fn case_f_09_a_worker_that_dies_between_two_orders() {
    let first = AtomicU32::new(0);
    let backend = WordsOnly::new(move |order| match order {
        WorkerOrder::Start { .. } if first.fetch_add(1, Ordering::SeqCst) == 0 => Some(WorkerFact::Gone),
        WorkerOrder::Start { .. } => Some(WorkerFact::Ready),
        _ => Some(WorkerFact::Reported(tryout::extend::Batch {
            reports: Vec::new(),
            end: tryout::extend::BatchEnd::Done,
            handed_in: None,
            over: None,
        })),
    });
    let results = results(Experiment::new("f-09", backend).workers(1).points(numbered(1)).max_failures(1));
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.failures[0].fault.kind), (Status::Terminated, FailureKind::WorkerLost));
}

/// A pause is on its way, the save for it fails, a retry is left: the trial is paused without that checkpoint.
#[test]
fn case_k_10_a_save_that_fails_on_the_way_to_a_pause() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .on_save(|mock| if mock.info.attempt == 1 { Err(TrialError::new("disk full")) } else { Ok(()) })
        .experiment("k-10")
        .points(numbered(1))
        .max_failures(1)
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.open();
    watch.line("0 failed save failed retry");
    let status = wait(handle.trial(trial)).unwrap().unwrap();
    assert_eq!((status.record.status, status.waiting), (Status::Paused, Waiting::ForClient));
    assert!(status.record.checkpoints.is_empty());
    wait(handle.resume(trial)).unwrap();
    let results = end(handle).unwrap();
    assert_eq!((results.trials()[0].status, results.trials()[0].failures.len()), (Status::Terminated, 1));
}

/// A trial whose third step fails in its first attempt, and whose restores fail so often.
fn restoring(name: &str, bad_restores: u32, free: u32) -> Results {
    let restores = AtomicU32::new(0);
    let experiment =
        Script::new()
            .saves()
            .step(|mock| {
                if mock.count == 3 && mock.info.attempt == 1 { Err(TrialError::new("third")) } else { Ok(mock.score()) }
            })
            .on_restore(move |_| {
                let bad = restores.fetch_add(1, Ordering::SeqCst) < bad_restores;
                if bad { Err(TrialError::new("can't read it")) } else { Ok(()) }
            })
            .experiment(name)
            .points(numbered(1))
            .checkpoint_every(1)
            .stop(stop::iterations(5))
            .retry(policy(1).free(FailureKind::RestoreFailed, Budget::Limited(free)));
    results(experiment)
}

#[test]
fn case_k_15_restore_failures_have_a_budget_of_their_own() {
    let results = restoring("k-15", 3, 2);
    let trial = &results.trials()[0];
    let kinds: Vec<FailureKind> = trial.failures.iter().map(|failure| failure.fault.kind).collect();
    let restore = FailureKind::RestoreFailed;
    assert_eq!(kinds, [FailureKind::UserError, restore, restore, restore]);
    assert_eq!(trial.status, Status::Error);
}

#[test]
fn case_k_16_how_far_a_trial_comes_with_and_without_restore_retries() {
    assert_eq!(last(&restoring("k-16-none", 2, 0), "score"), [2.0]);
    let results = restoring("k-16-two", 2, 2);
    assert_eq!((last(&results, "score"), statuses(&results)), (vec![5.0], vec![Status::Terminated]));
}

#[test]
fn a_wait_of_nothing_stays_nothing() {
    let backoff = Backoff { first: Duration::ZERO, factor: 2.0, longest: Duration::from_secs(3600) };
    assert_eq!([1, 1_024, 1_025, u32::MAX].map(|nth| backoff.after(nth)), [Duration::ZERO; 4]);
}

/// A trial that backs off is no candidate; others go on, and it comes back when its time has come.
#[test]
fn a_trial_backs_off_before_its_next_attempt() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let wait_for = Duration::from_millis(40);
    let backoff = Backoff { first: wait_for, factor: 2.0, longest: Duration::from_secs(1) };
    let handle = Script::new()
        .step(move |mock| {
            if mock.n() == 0 && mock.info.attempt <= 2 {
                return Err(TrialError::new("later"));
            }
            if mock.n() == 1 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("backoff")
        .points(numbered(2))
        .stop(stop::iterations(1))
        .retry(policy(2).backoff_all(backoff))
        .observer(watcher)
        .start()
        .unwrap();
    let next = |watch: &mut Watch| match watch.until(|kind| matches!(kind, EventKind::Failed { .. })) {
        EventKind::Failed { failure, retry_at: Some(until), .. } => (failure, until),
        other => panic!("{other:?}"),
    };
    let (failure, until) = next(&mut watch);
    assert_eq!(until, failure.at + wait_for);
    gate.wait_for(1);
    gate.open();
    let (failure, until) = next(&mut watch);
    assert_eq!(until, failure.at + 2 * wait_for);
    watch.finish();
    let results = end(handle).unwrap();
    assert_eq!(statuses(&results), [Status::Terminated; 2]);
    let launches = watch.seen.iter().filter_map(|event| match event.kind {
        EventKind::Launched { trial, attempt, .. } if trial.number() == 0 => Some((attempt, event.at)),
        _ => None,
    });
    for ((attempt, at), failure) in launches.skip(1).zip(&results.trials()[0].failures) {
        assert!(at >= failure.at + wait_for * (attempt - 1), "attempt {attempt} came too early");
    }
}
