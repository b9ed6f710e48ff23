//! How workers end: constructors that fail or hang, workers that are lost or left behind, clean-ups (C-40, the M cases).

mod common;

use std::time::Duration;

use common::live::{Gate, PATIENCE, Script, Watch, WordsOnly, end, numbered, results, statuses, wait};
use std::sync::Arc;
use std::sync::mpsc::channel;

use tryout::edge::store::MemoryStore;
use tryout::extend::{
    Backend, BatchLimits, CheckpointId, EventKind, FactSink, FirstBatch, LeaseId, Rests, RunId, Said, Slot, WorkerFact,
    WorkerHandle, WorkerId, WorkerOrder, WorkerStart,
};
use tryout::prelude::*;

const SHORT: Duration = Duration::from_millis(20);

/// The closure before is still at work when its worker is wanted: it is left behind, and the next has one of its own.
#[test]
fn case_c_40_a_closure_that_goes_on_is_not_reset() {
    let (forever, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = forever.clone();
    let trainable = function("c-40", move |config: Config, trial| {
        let told = trial.report([("x", 1.0)]);
        if config.number("n") == Some(0.0) {
            inside.pass();
        }
        Ok(told?)
    });
    let experiment = Experiment::new("c-40", trainable)
        .workers(1)
        .points(numbered(2))
        .batching(Batching::Single)
        .stop(stop::iterations(1))
        .grace(SHORT, AbandonPolicy::GiveBack)
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    forever.open();
    assert_eq!((statuses(&results), watch.workers()), (vec![Status::Terminated; 2], vec![0, 1]));
    assert!(watch.lines().contains(&"abandoned Some(0)".to_owned()), "{:?}", watch.lines());
}

#[test]
fn case_m_04_a_constructor_that_fails() {
    let experiment =
        Script::new().setup(|_| Err(TrialError::new("no data here"))).experiment("m-04").points(numbered(1));
    let results = results(experiment);
    let failure = results.trials()[0].error().unwrap();
    assert_eq!((failure.fault.kind, &*failure.fault.message), (FailureKind::SetupFailed, "no data here"));
    assert_eq!(results.totals().failures, 1);
}

/// A worker that is gone in the middle of its work is one failure, not two.
#[test]
fn case_m_05_a_worker_that_is_lost_at_work() {
    let backend = WordsOnly::new(|order| match order {
        WorkerOrder::Start { .. } => Some(WorkerFact::Ready),
        _ => Some(WorkerFact::Gone),
    });
    assert_eq!(tryout::extend::Backend::rests(&backend), Rests::AtOnce);
    let (watcher, mut watch) = Watch::new();
    let results = results(Experiment::new("m-05", backend).workers(1).points(numbered(1)).observer(watcher));
    watch.finish();
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.failures.len()), (Status::Error, 1));
    assert_eq!(trial.failures[0].fault.kind, FailureKind::WorkerLost);
    assert_eq!(watch.about(0).iter().filter(|line| line.starts_with("failed")).count(), 1);
}

/// A constructor that hangs, and a trial that is stopped meanwhile: it never started, and nothing is left of it.
#[test]
fn case_m_06_a_constructor_that_hangs() {
    let (forever, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = forever.clone();
    let handle = Script::new()
        .setup(move |mock| {
            if mock.n() == 0 {
                inside.pass();
            }
            Ok(())
        })
        .experiment("m-06")
        .points(numbered(2))
        .stop(stop::iterations(1))
        .grace(SHORT, AbandonPolicy::GiveBack)
        .observer(watcher)
        .start()
        .unwrap();
    forever.wait_for(1);
    let first = wait(handle.trials(0, 1)).unwrap().remove(0);
    assert_eq!(first.waiting, tryout::logic::engine::Waiting::ForWorker);
    wait(handle.stop_trial(first.record.id)).unwrap();
    watch.line("0 ended TERMINATED Client");
    let results = end(handle).unwrap();
    watch.finish();
    forever.open();
    let about = watch.about(0);
    assert!(!about.contains(&"PENDING>RUNNING".to_owned()), "{about:?}");
    assert!(results.trials()[0].started.is_none());
    assert_eq!(results.trials()[1].status, Status::Terminated);
    assert!(watch.lines().contains(&"abandoned Some(0)".to_owned()));
}

/// A clean-up that takes longer than the grace: the worker is given up, its resources go to the next trial.
#[test]
fn case_m_31_and_m_32_a_clean_up_that_hangs_frees_the_resources() {
    let (forever, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = forever.clone();
    let experiment = Script::new()
        .stop(move |mock| {
            if mock.n() == 0 {
                inside.pass();
            }
            Ok(())
        })
        .experiment("m-31")
        .reuse(Reuse::No)
        .points(numbered(2))
        .stop(stop::iterations(1))
        .grace(SHORT, AbandonPolicy::GiveBack)
        .observer(watcher);
    let began = std::time::Instant::now();
    let results = results(experiment);
    assert!(began.elapsed() < PATIENCE / 2, "it waited for the clean-up");
    watch.finish();
    forever.open();
    assert_eq!(statuses(&results), [Status::Terminated; 2]);
    watch.seen.iter().find(|event| matches!(event.kind, EventKind::Abandoned { .. })).expect("an abandoned worker");
}

/// Clean-ups that take a while, within the grace, are waited for.
#[test]
fn case_m_33_all_clean_ups_are_waited_for() {
    for reuse in [Reuse::Yes, Reuse::No] {
        let gate = Gate::new();
        let script = Script::new();
        let (diary, inside) = (script.diary.clone(), gate.clone());
        let notes = diary.clone();
        let name = format!("m-33-{reuse:?}");
        let handle = script
            .stop(move |mock| {
                inside.pass();
                notes.note(format!("cleaned up {}", mock.n()));
                Ok(())
            })
            .experiment(&name)
            .workers(10)
            .staged(10)
            .reuse(reuse)
            .points(numbered(10))
            .stop(stop::iterations(1))
            .start()
            .unwrap();
        gate.wait_for(1);
        gate.open();
        end(handle).unwrap();
        assert_eq!(diary.lines().len(), 10, "{reuse:?}");
    }
}

/// Waits in the middle of a save.
fn slow_savers(gate: &Gate) -> [(&'static str, Box<dyn Backend>); 4] {
    let script = |name: &str| {
        let inside = gate.clone();
        let wait = move |_: &mut common::live::Mock| {
            inside.pass();
            Ok(())
        };
        Script::new().saves().on_save(wait).install(name);
    };
    script("left-behind");
    let (inside, awaited) = (gate.clone(), gate.clone());
    let closure = function("closure", move |_: Config, trial| {
        trial.report_with([("x", 1.0)], |to| {
            to.json("count.json", &1)?;
            inside.pass();
            Ok(())
        })
    });
    let awaiting = async_function("awaiting", async move |_: Config, trial: &mut AsyncSession| {
        let write = |to: &mut CheckpointWriter| {
            to.json("count.json", &1)?;
            awaited.pass();
            Ok(())
        };
        trial.report_with([("x", 1.0)], write).await
    });
    [
        ("stepwise", Box::new(stepwise::<common::live::Mock>())),
        ("async stepwise", Box::new(async_stepwise::<common::live::AsyncMock>())),
        ("closure", Box::new(closure)),
        ("async closure", Box::new(awaiting)),
    ]
}

/// However a lease ends: what the worker is just saving under it is no checkpoint any more.
#[test]
fn a_worker_whose_lease_is_over_commits_nothing() {
    // What awaits needs one.
    let _system = actix::System::new();
    type End = fn(Box<dyn WorkerHandle>) -> Option<Box<dyn WorkerHandle>>;
    let release: End = |mut handle| {
        handle.send(LeaseId::new(1), WorkerOrder::Release);
        Some(handle)
    };
    let shut_down: End = |mut handle| {
        handle.send(LeaseId::new(1), WorkerOrder::Shutdown);
        Some(handle)
    };
    let kill: End = |mut handle| {
        handle.kill();
        Some(handle)
    };
    let forget: End = |_| None;
    for (how, end) in [("release", release), ("shutdown", shut_down), ("kill", kill), ("forget", forget)] {
        for index in 0..4 {
            let gate = Gate::new();
            let (form, mut backend) = slow_savers(&gate).into_iter().nth(index).unwrap();
            let (store, (sender, said)) = (MemoryStore::new(), channel());
            let facts = FactSink::new(move |word| drop(sender.send(word)));
            let start = WorkerStart {
                worker: WorkerId::new(0),
                slot: Arc::new(Slot::default()),
                facts,
                store: Arc::new(store.clone()),
            };
            let mut handle = backend.spawn(start).unwrap();
            let id = TrialId::new(RunId::new(1), 0);
            let info = TrialInfo::new(id, "left-behind", 1);
            let spare = CheckpointId { trial: id, index: 0 };
            let first = Some(FirstBatch { limits: BatchLimits::SINGLE, spare });
            let lease = LeaseId::new(1);
            handle.send(lease, WorkerOrder::Start { info, config: Arc::default(), first, last: None });
            assert!(matches!(said.recv_timeout(PATIENCE), Ok(Said::Fact(_, WorkerFact::Ready))), "{form} {how}");
            if backend.rests() == Rests::AtOnce {
                assert!(matches!(said.recv_timeout(PATIENCE), Ok(Said::Fact(_, WorkerFact::Reported(_)))), "{form}");
                handle.send(lease, WorkerOrder::Save { checkpoint: Some(spare), export: Arc::default() });
            }
            gate.wait_for(1);
            let handle = end(handle);
            gate.open();
            if let (Some(mut handle), "release") = (handle, how) {
                handle.send(LeaseId::new(2), WorkerOrder::Shutdown);
            }
            let mut words = Vec::new();
            while let Ok(word) = said.recv_timeout(PATIENCE) {
                let last = word == Said::Gone;
                words.push(word);
                if last {
                    break;
                }
            }
            assert_eq!(words.last(), Some(&Said::Gone), "{form} {how}: {words:?}");
            assert_eq!(store.len(), 0, "{form} {how}: {words:?}");
        }
    }
}
