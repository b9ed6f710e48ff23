//! Failures through the whole engine, with real processes that fail (the F cases; `tests/cases_failures.rs` has them for threads).

use std::time::Duration;

use tryout::edge::backend::ProcessBackend;
use tryout::extend::{ExperimentEvent, Observer, ObserverError};
use tryout::prelude::*;

use crate::leftovers::Marked;
use crate::program::{acts, rust, shell};

fn experiment(name: &str, backend: ProcessBackend, acts_of: &[&str]) -> Experiment {
    let points = acts_of.iter().map(|what| acts(what));
    let grace = Duration::from_millis(200);
    Experiment::new(name, backend).seed(0).points(points).workers(1).grace(grace, AbandonPolicy::Hold)
}

fn statuses(results: &Results) -> Vec<Status> {
    results.trials().iter().map(|trial| trial.status).collect()
}

fn kinds(trial: &TrialRecord) -> Vec<FailureKind> {
    trial.failures.iter().map(|failure| failure.fault.kind).collect()
}

/// A worker that dies in the attempts below this one, when it has handed in a result.
fn dies_before(attempt: u32) -> ProcessBackend {
    shell(&format!(
        r#"ready
case $start in *'"attempt":{attempt},'*) result done; read -r stop;; *) result; exit 3;; esac"#
    ))
}

#[test]
fn case_f_02_one_failure_that_is_borne() {
    let results = experiment("f-02", rust(), &["exit"]).checkpoint_every(2).max_failures(1).run().expect("a run");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.attempts, trial.reported), (Status::Terminated, 2, 5));
    assert_eq!(kinds(trial), [FailureKind::Exited]);
    assert!(trial.error().is_none(), "a trial that terminated has no error");
}

#[test]
fn case_f_03_more_failures_than_are_borne() {
    let results = experiment("f-03", rust(), &["abort"]).max_failures(2).run().expect("a run");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, kinds(trial)), (Status::Error, vec![FailureKind::Signalled; 3]));
    let attempts: Vec<u32> = trial.failures.iter().map(|failure| failure.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    let workers: std::collections::BTreeSet<_> = trial.failures.iter().map(|failure| failure.worker).collect();
    assert_eq!(workers.len(), 3, "one that failed is never used again");
}

/// The other trial hangs in its step, and is ended all the same.
#[test]
fn case_f_04_failing_fast() {
    let marked = Marked::new();
    let experiment = experiment("f-04", marked.mark(rust()), &["hang", "panic"]).workers(2);
    let results = experiment.fail_fast(FailFast::Stop).run().expect("a run");
    assert_eq!(statuses(&results), [Status::Terminated, Status::Error]);
    assert_eq!(results.trials()[0].ending, Some(Ending::Experiment));
    let Outcome::Stopped(why) = results.outcome() else { panic!("{:?}", results.outcome()) };
    assert!(why.contains("fail_fast is set: panic: the step panics"), "{why}");
    marked.assert_gone();
}

#[test]
fn case_f_07_failing_fast_waits_for_the_last_retry() {
    let experiment = experiment("f-07", rust(), &["exit", "abort"]).checkpoint_every(2).max_failures(5);
    let results = experiment.fail_fast(FailFast::Stop).run().expect("a run");
    assert_eq!((statuses(&results), results.outcome()), (vec![Status::Terminated; 2], &Outcome::Completed));
    assert_eq!(results.totals().failures, 2);
}

/// The plain death of a worker counts, unless its kind has free retries; a preemption is free.
#[test]
fn case_f_08_deaths_count_and_preemptions_do_not() {
    let failures = |name: &str, policy: RetryPolicy| {
        let killed = shell("ready; kill -KILL $$; read -r never");
        let results = experiment(name, killed, &[""]).retry(policy).run().expect("a run");
        (results.trials()[0].status, results.trials()[0].failures.len())
    };
    let counted = RetryPolicy::new(Budget::Limited(1));
    assert_eq!(failures("f-08-a", counted.clone()), (Status::Error, 2));
    let free = counted.free(FailureKind::Signalled, Budget::Limited(2));
    assert_eq!(failures("f-08-b", free), (Status::Error, 4));
}

/// Tells when something was reported for the second time.
struct Second(std::sync::mpsc::Sender<()>, u32);

impl Observer for Second {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.1 += u32::from(matches!(event.kind, EventKind::Reported { .. }));
        if self.1 == 2 {
            // Nobody waits any more if the test has failed.
            let _ = self.0.send(());
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "second"
    }
}

#[test]
fn case_f_08_a_hanging_trial_is_preempted_by_a_drain() {
    let (told, second) = std::sync::mpsc::channel();
    let marked = Marked::new();
    let run = experiment("f-08-c", marked.mark(rust()), &["hang"])
        .batching(Batching::Single)
        .observer(Second(told, 0))
        .start()
        .expect("a run");
    second.recv().expect("two reports");
    futures::executor::block_on(run.control().drain(Duration::from_millis(100))).expect("it can be drained");
    let results = run.wait_blocking().expect("an end");
    let trial = &results.trials()[0];
    assert_eq!((results.outcome(), kinds(trial)), (&Outcome::Drained, vec![FailureKind::Preempted]));
    assert!(trial.error().is_none(), "it is no error of the trial's");
    marked.assert_gone();
}

/// It dies when nobody waits for its answer: the trial is failed and tried again, not forgotten.
#[test]
fn case_f_09_a_worker_that_dies_between_two_orders() {
    let results = experiment("f-09", dies_before(2), &[""]).max_failures(1).run().expect("a run");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, kinds(trial)), (Status::Terminated, vec![FailureKind::Exited]));
}

/// It dies when its trial was done: that is nobody's failure, unless something more is wanted of it.
#[test]
fn case_f_09_a_worker_that_dies_after_the_last_result() {
    let dies = || shell("ready; result done; exit 3");
    let results = experiment("f-09-done", dies(), &["", ""]).run().expect("a run");
    for trial in results.trials() {
        assert_eq!((trial.status, trial.reported, kinds(trial)), (Status::Terminated, 1, vec![]));
    }
    let results = experiment("f-09-save", dies(), &[""]).at_end(AtEnd::Checkpoint).run().expect("a run");
    assert_eq!((statuses(&results), kinds(&results.trials()[0])), (vec![Status::Error], vec![FailureKind::Exited]));
}

#[test]
fn case_f_10_a_failed_trial_is_a_result() {
    let results = experiment("f-10", rust(), &["", "abort", ""]).run().expect("a failed trial is no error of the run");
    assert_eq!(statuses(&results), [Status::Terminated, Status::Error, Status::Terminated]);
    let failed: Vec<u32> = results.errors().map(|trial| trial.id.number()).collect();
    assert_eq!((failed, results.outcome()), (vec![1], &Outcome::Completed));
}

#[test]
fn case_f_11_unlimited_retries() {
    let endless = RetryPolicy::new(Budget::Unlimited);
    let results = experiment("f-11", dies_before(30), &[""]).retry(endless).run().expect("a run");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.attempts, trial.failures.len()), (Status::Terminated, 30, 29));
}

#[test]
fn case_f_14_no_end_of_samples_and_a_budget() {
    let marked = Marked::new();
    let results = Experiment::new("f-14", marked.mark(rust()))
        .seed(0)
        .space(Space::new().with("act", "").with("steps", int(1, 20)))
        .samples(Samples::Infinite)
        .workers(2)
        .stop(stop::experiment_time(Duration::from_millis(300)))
        .run()
        .expect("a run");
    assert!(results.count(Status::Terminated) >= 1);
    assert_eq!(results.count(Status::Running) + results.count(Status::Pending), 0, "nobody is left over");
    assert!(matches!(results.outcome(), Outcome::Stopped(_)), "{:?}", results.outcome());
    marked.assert_gone();
}
