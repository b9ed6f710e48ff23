//! What several sessions of one run must agree on, whatever was compacted, drained or left behind in between.

mod common;

use common::live::{Gate, Script, Watch, end, numbered, wait};
use tempfile::TempDir;
use tryout::logic::engine::Waiting;
use tryout::prelude::*;

fn reports(config: Config, session: &mut Session) -> Result<(), TrialError> {
    for step in 0..2_000 {
        session.report([("loss", f64::from(step))])?;
    }
    if config.number("fails").is_some() { Err(TrialError::new("as always")) } else { Ok(()) }
}

/// A failed trial that was restarted stays TERMINATED, also after its journal was compacted: each session restarts one.
#[test]
fn a_failed_trial_is_restarted_once() {
    let dir = TempDir::new().unwrap();
    let points = [Config::new(), Config::new().with("fails", 1)];
    let first = Experiment::new("restarts", function("restarts", reports)).points(points).dir(dir.path());
    let mut trials = vec![first.snapshot_after(1).run().unwrap().trials().len()];
    for _ in 0..4 {
        let again = Experiment::resume(dir.path().join("restarts"), function("restarts", reports)).unwrap();
        let results = again.on_resume(Resume::new().errored(OnResume::Restart)).run().unwrap();
        assert_eq!(results.count(Status::Error), 1);
        trials.push(results.trials().len());
    }
    assert_eq!(trials, [2, 3, 4, 5, 6]);
}

/// A failure under a client's pause that leaves a retry counts one attempt, in the machine and in the record.
#[test]
fn an_attempt_is_counted_once_over_a_drain() {
    let dir = TempDir::new().unwrap();
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let script = |gate: &Gate| {
        let gate = gate.clone();
        Script::new().step(move |mock| {
            gate.pass();
            if mock.info.attempt == 1 { Err(TrialError::new("the first attempt")) } else { Ok(mock.score()) }
        })
    };
    let handle = script(&gate)
        .experiment("attempts")
        .points(numbered(1))
        .max_failures(1)
        .stop(stop::iterations(2))
        .dir(dir.path())
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.open();
    watch.until(|kind| matches!(kind, EventKind::Status { to: Status::Paused, .. }));
    let status = wait(handle.trial(trial)).unwrap().unwrap();
    assert_eq!((status.record.attempts, status.waiting), (2, Waiting::ForClient));
    wait(handle.drain(std::time::Duration::from_secs(60))).unwrap();
    assert_eq!(*end(handle).unwrap().outcome(), Outcome::Drained);

    let (watcher, mut watch) = Watch::new();
    let again = script(&gate).experiment("attempts").points(numbered(1)).max_failures(1).stop(stop::iterations(2));
    let handle = again.dir(dir.path()).existing(Existing::Resume).observer(watcher).start().unwrap();
    wait(handle.resume(trial)).unwrap();
    watch.line("0 launched a2");
    let results = end(handle).unwrap();
    let record = &results.trials()[0];
    assert_eq!((record.status, record.attempts, record.failures.len()), (Status::Terminated, 2, 1));
}

/// A client's `resume` that was cut off before the trial was launched holds in the next session.
#[test]
fn a_resumed_trial_stays_resumed() {
    let dir = TempDir::new().unwrap();
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = |gate: &Gate| {
        let one = Script::gated(gate).saves().experiment("resumed").points(numbered(2)).concurrency(1);
        one.stop(stop::iterations(3)).dir(dir.path())
    };
    let handle = experiment(&gate).observer(watcher).start().unwrap();
    gate.wait_for(1);
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.let_pass(1);
    watch.until(|kind| matches!(kind, EventKind::Status { to: Status::Paused, .. }));
    // The other one has the only place, so this one waits in the line.
    wait(handle.resume(trial)).unwrap();
    wait(handle.drain(std::time::Duration::from_millis(1))).unwrap();
    gate.open();
    assert_eq!(*end(handle).unwrap().outcome(), Outcome::Drained);
    let results = end(experiment(&gate).existing(Existing::Resume).start().unwrap()).unwrap();
    assert_eq!(results.count(Status::Terminated), 2);
}
