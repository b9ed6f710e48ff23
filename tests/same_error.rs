//! The same error on several workers holds the run, or ends it, and says so.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::live::{Gate, Mock, Script, Watch, end, ids, iterations, numbered, results, run, statuses, wait};
use tryout::extend::EventKind;
use tryout::logic::engine::{OrderError, Waiting};
use tryout::logic::pool::WaitsFor;
use tryout::prelude::*;

/// A world that is broken until somebody mends it.
fn broken() -> (Arc<AtomicBool>, impl Fn(&Mock) -> Result<(), TrialError>) {
    let broken = Arc::new(AtomicBool::new(true));
    let inside = broken.clone();
    let fail = move |mock: &Mock| match inside.load(Ordering::SeqCst) {
        true => Err(TrialError::new(format!("no room in /scratch/{}", mock.n()))),
        false => Ok(()),
    };
    (broken, fail)
}

/// Fails at set-up with these words, where there are any; else it is done at its first step.
fn failing(words: impl Fn(u32, u32) -> Option<String> + Send + Sync + 'static) -> Script {
    Script::new()
        .setup(move |mock| words(mock.n(), mock.info.attempt).map_or(Ok(()), |words| Err(TrialError::new(words))))
        .step(|mock| Ok(Step::done([("score", mock.count as f64)])))
}

fn same_error(error: &RunError) -> (u32, &Results) {
    match error {
        RunError::Failed { failure: RunFailure::SameError { why: Hold::SameError { workers, .. } }, results } => {
            (*workers, results)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_held_run_launches_nobody_until_a_client_says_so() {
    let ((broken, fail), (watcher, mut watch)) = (broken(), Watch::new());
    let handle = Script::new()
        .setup(move |mock| fail(mock))
        .step(|_| Ok(Step::done([("score", 1.0)])))
        .experiment("held")
        .points(numbered(9))
        .same_error(3, OnSameError::Hold)
        .observer(watcher)
        .start()
        .unwrap();
    let EventKind::Held { why } = watch.until(|kind| matches!(kind, EventKind::Held { .. })) else { unreachable!() };
    let said =
        "the same error ended attempts on 3 workers, with nothing in between that went well; the last, of trial ";
    assert!(why.to_string().starts_with(said), "{why}");
    assert!(why.to_string().ends_with(": set-up failed: no room in /scratch/2"), "{why}");
    // Trials that stood in the pool's line already aren't let out of it either.
    let trial = ids(&handle)[5];
    let status = wait(handle.trial(trial)).unwrap().unwrap();
    assert_eq!(status.waiting, Waiting::OnHold { why: why.clone() });
    assert_eq!(wait(handle.status()).unwrap().hold.as_ref(), Some(&why));
    let pool = wait(handle.pool(Some(trial))).unwrap();
    assert_eq!((pool.counts.leased, pool.why.map(|why| why.waits_for)), (0, Some(WaitsFor::Proceed)));
    let launched: Vec<u32> = watch.launches().iter().map(|(trial, _)| *trial).collect();
    assert_eq!(launched, [0, 1, 2]);

    broken.store(false, Ordering::SeqCst);
    wait(handle.proceed()).unwrap();
    watch.until(|kind| *kind == EventKind::Proceeded);
    let results = end(handle).unwrap();
    assert_eq!((results.count(Status::Error), results.count(Status::Terminated)), (3, 6));
    assert_eq!(results.outcome(), &Outcome::Completed);
}

/// It is held again if nothing has changed; the count begins anew. What runs goes on meanwhile, and the run can be stopped.
#[test]
fn what_runs_goes_on_and_the_count_begins_anew() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| match mock.n() {
            0 => {
                inside.pass();
                Ok(mock.score())
            }
            n => Err(TrialError::new(format!("broken pipe {n}"))),
        })
        .experiment("goes-on")
        .workers(2)
        .points(numbered(9))
        .same_error(2, OnSameError::Hold)
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let held = |watch: &mut Watch| watch.until(|kind| matches!(kind, EventKind::Held { .. }));
    held(&mut watch);
    assert_eq!(watch.launches().len(), 3, "{:?}", watch.lines());
    gate.let_pass(1);
    watch.line("0 reported i1");
    wait(handle.proceed()).unwrap();
    held(&mut watch);
    assert_eq!(watch.launches().len(), 5, "two more failed");
    gate.open();
    watch.line("0 ended TERMINATED StopRule");
    assert!(wait(handle.status()).unwrap().hold.is_some(), "only a client lets it go on");
    wait(handle.stop()).unwrap();
    let results = end(handle).unwrap();
    assert_eq!(results.count(Status::Error), 4);
    assert!(matches!(results.outcome(), Outcome::Stopped(_)));
}

#[test]
fn a_run_that_nobody_controls_ends_and_says_why() {
    let experiment = failing(|n, _| Some(format!("CUDA error on 0x7f{n}: out of memory")))
        .experiment("ends")
        .points(numbered(9))
        .max_failures(1)
        .same_error(3, OnSameError::End);
    let error = run(experiment).expect_err("everything fails");
    let (workers, results) = same_error(&error);
    assert_eq!((workers, results.totals().failures), (3, 3));
    assert!(error.to_string().contains("set-up failed: CUDA error on 0x7f"), "{error}");
}

#[test]
fn whatever_ends_well_in_between_shows_that_things_work() {
    let experiment = failing(|n, _| (n % 3 != 2).then(|| format!("error {n}")))
        .experiment("between")
        .points(numbered(12))
        .same_error(3, OnSameError::End);
    let results = results(experiment);
    assert_eq!((results.count(Status::Error), results.outcome()), (8, &Outcome::Completed));
}

/// One fails after its first report; a second gets past that place, and fails otherwise; the next two fail where the first did.
#[test]
fn a_report_beyond_the_place_shows_that_it_can_be_passed() {
    let experiment = Script::new()
        .step(|mock| match (mock.n(), mock.count) {
            (1, 3) => Err(TrialError::new("another")),
            (1, _) | (_, 1) => Ok(mock.score()),
            _ => Err(TrialError::new("stuck")),
        })
        .experiment("beyond")
        .points(numbered(9))
        .same_error(2, OnSameError::End);
    let error = run(experiment).expect_err("trial 2 and 3 have the same");
    let (workers, results) = same_error(&error);
    assert_eq!((workers, results.totals().failures), (2, 4));
    assert_eq!(iterations(results)[..4], [1, 2, 1, 1]);
}

#[test]
fn one_trial_alone_says_more_of_its_configuration() {
    let own = |name: &str, trials, attempts| {
        failing(move |n, attempt| (n == 0 && attempt <= attempts).then(|| "no convergence".to_owned()))
            .experiment(name)
            .points(numbered(trials))
            .retry(RetryPolicy::new(Budget::Unlimited))
            .same_error(2, OnSameError::End)
    };
    let others = results(own("not-alone", 2, 5));
    assert_eq!((statuses(&others), others.trials()[0].attempts), (vec![Status::Terminated; 2], 6));
    // With nobody else there, it would be tried again for ever.
    let error = run(own("alone", 1, u32::MAX)).expect_err("nobody else can show the contrary");
    assert_eq!(same_error(&error).0, 2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |experiment: Experiment| experiment.run().unwrap_err().to_string();
    let experiment = |name: &str| failing(|_, _| None).experiment(name).points(numbered(1));
    assert_eq!(
        refused(experiment("one").same_error(1, OnSameError::End)),
        "`same_error` is 1, but must be at least 2 workers"
    );
    assert_eq!(
        refused(experiment("run").same_error(2, OnSameError::Hold)),
        "`same_error` is `OnSameError::Hold`, but must be `OnSameError::End` with `run()`, since nobody could let it go \
         on; `start()` gives control"
    );
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("free").points(numbered(1)).stop(stop::iterations(1)).start().unwrap();
    let error = wait(handle.proceed()).unwrap_err();
    assert!(matches!(error, ControlError::Refused(OrderError::NotHeld)), "{error}");
    gate.open();
    end(handle).unwrap();
}

/// The setting comes back, the hold and the count don't.
#[test]
fn a_resumed_run_starts_not_held() {
    let dir = tempfile::tempdir().unwrap();
    let ((broken, fail), (watcher, mut watch)) = (broken(), Watch::new());
    let handle = Script::new()
        .setup(move |mock| fail(mock))
        .step(|_| Ok(Step::done([("score", 1.0)])))
        .experiment("again")
        .points(numbered(6))
        .same_error(2, OnSameError::Hold)
        .dir(dir.path())
        .observer(watcher)
        .start()
        .unwrap();
    watch.until(|kind| matches!(kind, EventKind::Held { .. }));
    wait(handle.drain(Duration::from_secs(20))).unwrap();
    assert_eq!(end(handle).unwrap().outcome(), &Outcome::Drained);

    let again = || Experiment::resume(dir.path().join("again"), stepwise::<Mock>()).unwrap();
    let refused = again().run().unwrap_err();
    assert!(matches!(refused, RunError::Settings(_)), "the setting is stored: {refused}");
    let (watcher, mut watch) = Watch::new();
    let handle = again().observer(watcher).start().unwrap();
    watch.until(|kind| matches!(kind, EventKind::Held { .. }));
    assert_eq!(watch.launches().len(), 2, "it wasn't held, and counted anew: {:?}", watch.lines());
    broken.store(false, Ordering::SeqCst);
    wait(handle.proceed()).unwrap();
    let results = end(handle).unwrap();
    assert_eq!((results.count(Status::Error), results.count(Status::Terminated)), (4, 2));
}
