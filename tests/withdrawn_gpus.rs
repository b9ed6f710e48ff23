//! A GPU on which trial after trial fails is taken out of service.

mod common;

use std::collections::BTreeSet;

use common::live::{Gate, Mock, Script, Watch, end, numbered, results, wait};
use tryout::extend::EventKind;
use tryout::prelude::*;

fn machine(gpus: f64) -> Resources {
    Resources::cpus(8).with("gpu", gpus)
}

/// Needs a whole GPU, and fails at its second step on those that are broken; on the others its first one waits until it may pass.
fn experiment(name: &str, gpus: f64, broken: &'static [u32], gate: &Gate) -> Experiment {
    let gate = gate.clone();
    Script::new()
        .step(move |mock| {
            let bad = mock.info.slot.gpus.iter().flatten().any(|gpu| broken.contains(gpu));
            match mock.count {
                2 if bad => Err(TrialError::new("CUDA error: uncorrectable ECC error")),
                3 => Ok(Step::done([("score", 3.0)])),
                count => {
                    if count == 1 && !bad {
                        gate.pass();
                    }
                    Ok(mock.score())
                }
            }
        })
        .experiment(name)
        .resources(machine(gpus))
        .per_trial(ResourceRequest::single(Resources::cpus(1).with("gpu", 1.0)).unwrap())
}

/// A gate that lets everybody pass.
fn open() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

fn withdrawn(watch: &Watch) -> Vec<(u32, u32, String)> {
    let of = |event: &tryout::extend::ExperimentEvent| match &event.kind {
        EventKind::Withdrawn { gpu, trials, fault } => Some((*gpu, *trials, fault.message.clone())),
        _ => None,
    };
    watch.seen.iter().filter_map(of).collect()
}

#[test]
fn a_gpu_on_which_trial_after_trial_fails_is_withdrawn() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = experiment("ecc", 2.0, &[0], &gate).points(numbered(12)).withdraw_gpus_after(3).observer(watcher);
    let handle = experiment.start().unwrap();
    // The sound one would else have done all the work before the broken one has failed three times.
    watch.until(|kind| matches!(kind, EventKind::Withdrawn { .. }));
    gate.open();
    let results = end(handle).unwrap();
    watch.finish();
    assert_eq!(withdrawn(&watch), [(0, 3, "CUDA error: uncorrectable ECC error".to_owned())]);
    assert_eq!((results.count(Status::Error), results.count(Status::Terminated)), (3, 9));
}

/// Whoever has it goes on; the pool says what is out of service; and what can't be met any more is refused, with the reason.
#[test]
fn what_cant_be_met_without_it_is_refused() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| match mock.n() {
            0 => {
                inside.pass();
                Ok(Step::done([("score", 1.0)]))
            }
            _ => Err(TrialError::new("no answer")),
        })
        .experiment("refused")
        .resources(machine(1.0))
        .per_trial(ResourceRequest::single(Resources::cpus(1).with("gpu", 0.5)).unwrap())
        .points(numbered(4))
        .withdraw_gpus_after(2)
        .observer(watcher)
        .start()
        .unwrap();
    watch.until(|kind| matches!(kind, EventKind::Withdrawn { .. }));
    watch.line("3 ended ERROR Error");
    let pool = wait(handle.pool(None)).unwrap();
    assert_eq!((pool.withdrawn_gpus, pool.total), (BTreeSet::from([0]), Resources::cpus(8)));
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!(results.trials()[0].status, Status::Terminated, "whoever has it goes on");
    let why = &results.trials()[3].failures[0].fault.message;
    let expected = "asked for cpu 1, gpu 0.5, but there is only cpu 8, since GPUs were taken out of service because trial \
                    after trial failed on them: 0";
    assert_eq!(why, expected);
}

/// A trial that is tried again gets the same GPU, and fails for its own reasons.
#[test]
fn one_trial_alone_is_no_row() {
    let (watcher, mut watch) = Watch::new();
    let experiment = Script::new()
        .step(|mock| match (mock.n(), mock.info.attempt) {
            (1, 1..=4) => Err(TrialError::new("its own fault")),
            _ => Ok(Step::done([("score", 1.0)])),
        })
        .experiment("own")
        .resources(machine(1.0))
        .per_trial(ResourceRequest::single(Resources::cpus(1).with("gpu", 1.0)).unwrap())
        .points(numbered(3))
        .max_failures(4)
        .withdraw_gpus_after(2)
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!((withdrawn(&watch), results.count(Status::Terminated)), (vec![], 3));
}

/// The next session may be on another machine: it has all its GPUs. The setting comes back.
#[test]
fn a_resumed_run_has_all_its_gpus() {
    let dir = tempfile::tempdir().unwrap();
    let first = experiment("gpus-again", 1.0, &[0], &open()).points(numbered(4)).withdraw_gpus_after(2).dir(dir.path());
    let first = results(first);
    assert_eq!(first.count(Status::Error), 4);
    Script::new().step(|_| Ok(Step::done([("score", 1.0)]))).install("gpus-again");
    let path = dir.path().join("gpus-again");
    let again = Experiment::resume(&path, stepwise::<Mock>()).unwrap();
    let again = results(again.on_resume(Resume::new().errored(OnResume::Resume)));
    assert_eq!(again.count(Status::Terminated), 4);

    let (watcher, mut watch) = Watch::new();
    Script::new().step(|_| Err(TrialError::new("again"))).install("gpus-again");
    let third = Experiment::resume(&path, stepwise::<Mock>()).unwrap().observer(watcher);
    let third = results(third.extend(stop::iterations(9)));
    watch.finish();
    assert_eq!((withdrawn(&watch).len(), third.count(Status::Error)), (1, 4));
}

#[test]
fn one_trial_is_refused() {
    let error = experiment("one", 1.0, &[], &open()).points(numbered(1)).withdraw_gpus_after(1).run().unwrap_err();
    assert_eq!(error.to_string(), "`withdraw_gpus_after` is 1, but must be at least 2 trials");
}
