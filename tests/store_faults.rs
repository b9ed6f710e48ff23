//! Stores that fail or hang, through the whole engine: a checkpoint that can't be had is its trial's failure, never the
//! run's, and holds nobody else up.

mod common;

use common::live::{Gate, Script, Watch, end, iterations, last, numbered, results, statuses, wait};
use tryout::edge::store::{DirStore, MemoryStore};
use tryout::extend::Store;
use tryout::logic::failure::Budget;
use tryout::prelude::*;
use tryout::testing::{Called, FaultyStore, StoreCall, StoreFault, conformance};

/// What goes wrong with the checkpoints of trial 1.
fn of_trial_1(
    wrong: impl Fn(Called) -> Option<StoreFault> + Send + Sync + 'static,
) -> impl Fn(Called) -> Option<StoreFault> + Send + Sync + 'static {
    move |called| (called.id.trial.number() == 1).then(|| wrong(called)).flatten()
}

fn three_trials(name: &str, store: FaultyStore) -> Experiment {
    Script::new()
        .saves()
        .experiment(name)
        .points(numbered(3))
        .checkpoint_every(1)
        .stop(stop::iterations(4))
        .store(store)
}

#[test]
fn without_faults_it_is_the_store_inside() {
    conformance::store(&FaultyStore::new(MemoryStore::new(), |_| None));
}

/// Whatever step it fails in, and however: one trial ends in error, and says why.
#[test]
fn a_checkpoint_that_cannot_be_written_is_its_trials_failure() {
    let wrongs = [
        ("begin", StoreCall::Begin, StoreFault::Full),
        ("write", StoreCall::Write, StoreFault::Broken),
        ("short", StoreCall::Write, StoreFault::Short(1)),
        ("commit", StoreCall::Commit, StoreFault::Full),
    ];
    for (name, what, fault) in wrongs {
        let inner = MemoryStore::new();
        let plan = of_trial_1(move |called| (called.what == what && called.id.index == 1).then_some(fault));
        let results = results(three_trials(&format!("full-{name}"), FaultyStore::new(inner.clone(), plan)));
        assert_eq!(statuses(&results), [Status::Terminated, Status::Error, Status::Terminated], "{name}");
        assert_eq!(results.outcome(), &Outcome::Completed);
        let trial = &results.trials()[1];
        assert_eq!((trial.failures.len(), trial.failures[0].fault.kind), (1, FailureKind::SaveFailed), "{name}");
        let words = &trial.failures[0].fault.message;
        let place = format!("{}/checkpoint_000001", trial.id);
        let why = if fault == StoreFault::Broken { "timed out" } else { "no storage space" };
        assert!(words.contains(&place) && words.contains(why), "{name}: {words}");
        let kept: Vec<u32> = trial.checkpoints.iter().map(|checkpoint| checkpoint.id.index).collect();
        assert_eq!((kept, inner.len()), (vec![0], 9), "{name}: half a checkpoint is none");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_once_is_tried_again() {
    let plan = of_trial_1(|called| {
        (called.what == StoreCall::Commit && called.id.index == 2 && called.nth == 1).then_some(StoreFault::Full)
    });
    let store = FaultyStore::new(MemoryStore::new(), plan);
    let results = results(three_trials("full-once", store).max_failures(1));
    assert_eq!(statuses(&results), [Status::Terminated; 3]);
    assert_eq!((iterations(&results), last(&results, "score")), (vec![4; 3], vec![4.0; 3]));
    assert_eq!(results.trials().iter().map(|trial| trial.failures.len()).collect::<Vec<_>>(), [0, 1, 0]);
    for checkpoint in results.trials().iter().flat_map(|trial| &trial.checkpoints) {
        let count: u64 = results.open_checkpoint(checkpoint.id).unwrap().json("count.json").unwrap();
        assert_eq!(count, checkpoint.report.iteration());
    }
}

/// One that was written and can't be read any more.
#[test]
fn a_checkpoint_that_cannot_be_read_is_its_trials_failure() {
    for (name, what) in [("open", StoreCall::Open), ("read", StoreCall::Read)] {
        let plan = of_trial_1(move |called| (called.what == what && called.nth == 1).then_some(StoreFault::Broken));
        let store = FaultyStore::new(MemoryStore::new(), plan);
        let script = Script::new().saves().step(|mock| {
            let broken = mock.count == 3 && mock.info.attempt == 1;
            if broken { Err(TrialError::new("broken")) } else { Ok(mock.score()) }
        });
        let experiment = script
            .experiment(&format!("unreadable-{name}"))
            .points(numbered(3))
            .checkpoint_every(1)
            .max_failures(2)
            .stop(stop::iterations(4))
            .store(store);
        let results = results(experiment);
        assert_eq!(statuses(&results), [Status::Terminated; 3], "{name}");
        let kinds: Vec<Vec<FailureKind>> = results
            .trials()
            .iter()
            .map(|trial| trial.failures.iter().map(|failure| failure.fault.kind).collect())
            .collect();
        let once = vec![FailureKind::UserError];
        assert_eq!(kinds, [once.clone(), vec![FailureKind::UserError, FailureKind::RestoreFailed], once], "{name}");
        assert_eq!(last(&results, "score"), [4.0; 3]);
    }
}

/// What can't be deleted stays; nobody fails for it.
#[test]
fn a_checkpoint_that_cannot_be_deleted_stays() {
    let inner = MemoryStore::new();
    let plan = of_trial_1(|called| (called.what == StoreCall::Delete).then_some(StoreFault::Broken));
    let store = FaultyStore::new(inner.clone(), plan);
    let results = results(three_trials("undeletable", store).retention(Retention::last(1)));
    assert_eq!(statuses(&results), [Status::Terminated; 3]);
    assert!(results.trials().iter().all(|trial| trial.checkpoints.len() == 1 && trial.failures.is_empty()));
    assert_eq!(inner.len(), 1 + 4 + 1);
}

/// A store that hangs holds up the trial that saves, and nobody else.
#[test]
fn a_store_that_hangs_holds_nobody_else_up() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let store = FaultyStore::new(MemoryStore::new(), move |called| {
        if called.what == StoreCall::Commit && called.id.trial.number() == 0 {
            inside.pass();
        }
        None
    });
    let handle = three_trials("hangs", store).workers(2).observer(watcher).start().unwrap();
    gate.wait_for(1);
    watch.line("1 ended TERMINATED StopRule");
    watch.line("2 ended TERMINATED StopRule");
    assert!(watch.about(0).iter().all(|line| !line.starts_with("saved")), "{:?}", watch.about(0));
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!((statuses(&results), iterations(&results)), (vec![Status::Terminated; 3], vec![4; 3]));
    assert_eq!(results.trials()[0].checkpoints.len(), 4);
}

/// Nor does one that hangs in deleting.
#[test]
fn a_deletion_that_hangs_holds_nobody_up() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let inner = MemoryStore::new();
    let store = FaultyStore::new(inner.clone(), move |called| {
        if called.what == StoreCall::Delete {
            inside.pass();
        }
        None
    });
    let handle = three_trials("hangs-deleting", store).retention(Retention::last(1)).observer(watcher).start().unwrap();
    gate.wait_for(1);
    watch.line("2 ended TERMINATED StopRule");
    assert_eq!(inner.len(), 12, "nothing is deleted yet");
    gate.open();
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated; 3]);
    assert_eq!(inner.len(), 3, "the run waits for its deletions");
}

/// A stop waits for a checkpoint that is being written, but not for ever: one trial that is stopped while its store hangs
/// ends within the grace, and so does a whole run.
#[test]
fn a_stop_does_not_wait_for_ever_for_a_store_that_hangs() {
    for whole in [false, true] {
        let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
        let inside = gate.clone();
        let store = FaultyStore::new(MemoryStore::new(), move |called| {
            if called.what == StoreCall::Commit && called.id.trial.number() == 0 {
                inside.pass();
            }
            None
        });
        let experiment = three_trials(&format!("hangs-at-stop-{whole}"), store).workers(1);
        let experiment = experiment.grace(std::time::Duration::from_millis(50), AbandonPolicy::GiveBack);
        let handle = experiment.observer(watcher).start().unwrap();
        gate.wait_for(1);
        let first = watch.running(0);
        if whole {
            wait(handle.stop()).unwrap();
        } else {
            wait(handle.stop_trial(first)).unwrap();
            watch.line("0 ended TERMINATED Client");
            watch.line("2 ended TERMINATED StopRule");
        }
        let results = end(handle).unwrap();
        gate.open();
        assert_eq!(statuses(&results), [Status::Terminated; 3]);
        let first = &results.trials()[0];
        let words = first.failures[0].fault.message.clone();
        assert_eq!(words, "it was to end, and its last checkpoint wasn't there within the grace of 50ms");
        assert_eq!((first.failures[0].fault.kind, first.checkpoints.len()), (FailureKind::Preempted, 0));
    }
}

/// Faults everywhere, on a real disk: every run ends, and whatever is said to be kept is whole.
#[test]
fn at_random_every_checkpoint_that_is_kept_is_whole() {
    for seed in 0..12 {
        let root = tempfile::tempdir().unwrap();
        let inner = DirStore::create(root.path()).unwrap();
        let store = FaultyStore::at_random(inner.clone(), seed, 0.15);
        let experiment = three_trials(&format!("at-random-{seed}"), store)
            .workers(2)
            .retention(Retention::last(2))
            .checkpoint_budget(3)
            .retry(RetryPolicy::new(Budget::Limited(30)));
        let results = results(experiment);
        assert_eq!((statuses(&results), last(&results, "score")), (vec![Status::Terminated; 3], vec![4.0; 3]));
        let kept: Vec<_> = results.trials().iter().flat_map(|trial| &trial.checkpoints).collect();
        assert!(kept.len() <= 3, "the budget holds");
        for checkpoint in kept {
            let count = inner.open(checkpoint.id).unwrap().read("count.json").unwrap();
            assert_eq!(count, checkpoint.report.iteration().to_string().as_bytes(), "seed {seed}");
        }
        let halves = inner.sweep(results.trials()[0].id.run(), &|_| true).unwrap().halves;
        assert_eq!(halves, 0, "seed {seed}: nothing is left half-way");
    }
}

/// A closure's checkpoint that the store doesn't take is no error of the closure: it has retries of its own.
#[test]
fn a_checkpoint_beside_a_report_that_cannot_be_written_is_a_failed_save() {
    for (name, what) in [("begin", StoreCall::Begin), ("write", StoreCall::Write), ("commit", StoreCall::Commit)] {
        let store = || {
            FaultyStore::new(MemoryStore::new(), move |called| {
                (called.what == what && called.nth == 1 && called.id.index == 0).then_some(StoreFault::Full)
            })
        };
        let closure = function("closure", |_: Config, session: &mut Session| {
            session.report_with([("loss", 1.0)], |to| Ok(to.json("x.json", &1)?))
        });
        let awaiting = async_function("awaiting", async |_: Config, session: &mut AsyncSession| {
            session.report_with([("loss", 1.0)], |to| Ok(to.json("x.json", &1)?)).await
        });
        for experiment in [Experiment::new("closure", closure), Experiment::new("awaiting", awaiting)] {
            let retry = RetryPolicy::new(Budget::Limited(0)).free(FailureKind::SaveFailed, Budget::Limited(1));
            let results = results(experiment.points(numbered(1)).retry(retry).store(store()));
            let trial = &results.trials()[0];
            let kinds: Vec<FailureKind> = trial.failures.iter().map(|failure| failure.fault.kind).collect();
            assert_eq!((trial.status, kinds), (Status::Terminated, vec![FailureKind::SaveFailed]), "{name}");
            assert_eq!(trial.checkpoints[0].id.index, 1, "{name}: the first name is spent");
        }
    }
}
