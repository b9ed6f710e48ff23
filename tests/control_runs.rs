//! Control over whole runs: stop, drain, the event stream, runs side by side and inside an actix system.

mod common;

use std::time::Duration;

use common::live::{Gate, Script, Watch, end, ids, iterations, line, numbered, statuses, wait, within};
use futures::StreamExt;
use tryout::actors::messages::{Inspect, Order};
use tryout::edge::observe::Seen;
use tryout::extend::ExperimentEvent;
use tryout::logic::engine::{ClientOrder, OrderError, Waiting};
use tryout::prelude::*;

#[test]
fn stop_ends_the_whole_run() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("stop-all")
        .space(Space::new().with("x", uniform(0.0, 1.0)))
        .samples(Samples::Infinite)
        .observer(watcher)
        .start()
        .unwrap();
    watch.running(0);
    let control = handle.control();
    wait(control.stop()).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!(results.outcome(), &Outcome::Stopped("a client stopped the run".into()));
    assert!(results.trials().iter().all(|trial| trial.ending == Some(Ending::Experiment)));
    assert_eq!(wait(control.stop()), Err(ControlError::Over));
}

/// Drain: every running trial is saved and paused; the run ends with what is there.
#[test]
fn drain_saves_and_pauses() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate).experiment("drain").points(numbered(3)).observer(watcher).start().unwrap();
    let first = watch.running(0);
    let control = handle.control();
    wait(control.drain(Duration::from_secs(20))).unwrap();
    assert_eq!(wait(control.add(Config::new())), Err(ControlError::Refused(OrderError::Over)));
    watch.until(|kind| matches!(kind, EventKind::Closing { closing } if closing.outcome == Outcome::Drained));
    watch.line("2 PENDING>PAUSED");
    let closing = wait(control.status()).unwrap().closing.unwrap();
    assert!(closing.outcome == Outcome::Drained && closing.by.is_some(), "{closing:?}");
    let third = wait(control.trials(2, 1)).unwrap().remove(0);
    assert_eq!(third.waiting, Waiting::ForResume, "while the first is still at its step");
    gate.open();
    watch.line("0 RUNNING>PAUSED");
    let results = end(handle).unwrap();
    assert_eq!(results.outcome(), &Outcome::Drained);
    assert_eq!(statuses(&results), [Status::Paused; 3], "those that waited for a worker as well");
    let first = results.trial(first).unwrap();
    assert_eq!((first.checkpoints.len(), first.ending), (1, None), "it can go on from there");
}

/// A step that doesn't end in time: the trial goes back to its last checkpoint, and the drain ends on time.
#[test]
fn a_drain_does_not_wait_beyond_its_deadline() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .saves()
        .step(move |mock| {
            if mock.count == 3 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("deadline")
        .points(numbered(1))
        .checkpoint_every(1)
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let began = std::time::Instant::now();
    wait(handle.drain(Duration::from_millis(50))).unwrap();
    let results = end(handle).unwrap();
    assert!(began.elapsed() < Duration::from_secs(15), "grace is 30 s, the drain's deadline goes first");
    watch.finish();
    gate.open();
    assert_eq!(results.outcome(), &Outcome::Drained);
    let trial = &results.trials()[0];
    assert!(matches!(trial.status, Status::Paused | Status::Pending), "{:?}", trial.status);
    assert_eq!(trial.checkpoints.last().unwrap().report.iteration(), 2);
    assert_eq!(trial.failures[0].fault.kind, FailureKind::Preempted);
    assert!(watch.lines().contains(&"abandoned Some(0)".to_owned()), "{:?}", watch.lines());
}

/// The stream has all events from the subscription on, in order, and ends with the run.
#[test]
fn the_event_stream() {
    let gate = Gate::new();
    let handle =
        Script::gated(&gate).experiment("stream").points(numbered(2)).stop(stop::iterations(2)).start().unwrap();
    let mut stream = handle.events(1_024);
    let dropped = handle.events(1);
    drop(dropped);
    gate.open();
    let control = handle.control();
    end(handle).unwrap();
    let events: Vec<ExperimentEvent> = within("the stream", move || {
        wait(async move {
            let mut all = Vec::new();
            while let Some(seen) = stream.next().await {
                match seen {
                    Seen::Event(event) => all.push((*event).clone()),
                    Seen::Missed(events) => panic!("missed {events}"),
                }
            }
            all
        })
    });
    assert!(events.is_sorted_by_key(|event| event.at));
    let lines: Vec<String> = events.iter().filter_map(|event| line(&event.kind)).collect();
    assert_eq!(lines.last().unwrap(), "finished");
    assert!(lines.contains(&"1 ended TERMINATED StopRule".to_owned()), "{lines:?}");
    let mut late = control.events(8);
    assert!(wait(late.next()).is_none(), "of a run that is over there is nothing to see");
}

/// Two runs in one process: neither sees anything of the other.
#[test]
fn two_experiments_side_by_side() {
    let (one, two) = (Gate::new(), Gate::new());
    let start = |name: &str, gate: &Gate| {
        Script::gated(gate).experiment(name).points(numbered(3)).stop(stop::iterations(2)).start().unwrap()
    };
    let (first, second) = (start("side-one", &one), start("side-two", &two));
    one.wait_for(1);
    two.wait_for(1);
    let of_second = ids(&second)[0];
    let refused = wait(first.stop_trial(of_second)).unwrap_err();
    assert!(refused.to_string().contains("there is no trial"), "{refused}");
    wait(first.stop()).unwrap();
    one.open();
    assert!(matches!(end(first).unwrap().outcome(), Outcome::Stopped(_)));
    two.open();
    assert_eq!(iterations(&end(second).unwrap()), [2; 3], "the other one went on");
}

/// Inside an actix application: the host's arbiter stays free, and its actors talk to the controller's address.
#[test]
fn inside_an_actix_system() {
    within("the system", || {
        actix_rt::System::new().block_on(async {
            let gate = Gate::new();
            let handle = Script::gated(&gate)
                .experiment("in-actix")
                .points(numbered(2))
                .stop(stop::iterations(1))
                .start()
                .unwrap();
            let controller = handle.controller();
            let status = controller.send(Inspect).await.unwrap();
            assert_eq!(status.counts.iter().sum::<usize>(), 2);
            let trial = handle.trials(1, 1).await.unwrap()[0].record.id;
            controller.send(Order(ClientOrder::Stop(trial))).await.unwrap().unwrap();
            gate.open();
            let results = handle.wait().await.unwrap();
            assert_eq!(statuses(&results), [Status::Terminated; 2]);
        });
    });
}

/// A handle that is dropped leaves the run going: a control is enough.
#[test]
fn a_dropped_handle_leaves_the_run_going() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("dropped")
        .points(numbered(1))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    let control = handle.control();
    drop(handle);
    watch.running(0);
    assert_eq!(wait(control.status()).unwrap().counts[Status::Running as usize], 1);
    gate.open();
    assert_eq!(watch.finish(), Outcome::Completed);
}

/// A save and a pause can be waited for, and what they wrote can be opened while the run goes on.
#[test]
fn orders_are_waited_for() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("waited")
        .points(numbered(2))
        .stop(stop::iterations(4))
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    let control = handle.control();
    // The order is on its way before the step may end.
    let step = || async { gate.let_pass(1) };
    let (saved, ()) = wait(async { futures::join!(control.save_and_wait(trial), step()) });
    let saved = saved.unwrap();
    assert_eq!(saved.id.trial, trial);
    let count: u64 = control.open_checkpoint(saved.id).unwrap().json("count.json").unwrap();
    assert_eq!(count, saved.report.iteration());

    let (paused, ()) = wait(async { futures::join!(control.pause_and_wait(trial), step()) });
    let paused = paused.unwrap().expect("it can save");
    assert!(paused.id.index > saved.id.index);
    assert_eq!(wait(control.trial(trial)).unwrap().unwrap().record.status, Status::Paused);
    assert_eq!(
        wait(control.pause_and_wait(trial)).unwrap().map(|checkpoint| checkpoint.id),
        Some(paused.id),
        "at once"
    );

    let waits = format!("trial {trial} is PAUSED: it can't be saved: it has no worker");
    assert_eq!(wait(control.save_and_wait(trial)).unwrap_err().to_string(), waits);
    wait(control.resume(trial)).unwrap();
    gate.open();
    end(handle).unwrap();
}

/// A wait that can't be fulfilled ends with a reason.
#[test]
fn a_wait_in_vain_says_why() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let script = Script::new().step(move |mock| {
        inside.pass();
        if mock.n() == 1 { Err(TrialError::new("no more")) } else { Ok(mock.score()) }
    });
    let handle = script.experiment("in-vain").points(numbered(3)).stop(stop::iterations(2)).observer(watcher).start();
    let handle = handle.unwrap();
    let control = handle.control();
    let why = |error: ControlError| match error {
        ControlError::Refused(OrderError::Missed { what, why, .. }) => format!("{what}: {why}"),
        other => other.to_string(),
    };
    let first = watch.running(0);
    let step = || async { gate.let_pass(1) };
    let (missed, ()) = wait(async { futures::join!(control.save_and_wait(first), step()) });
    assert_eq!(why(missed.unwrap_err()), "saved: its trainable has no checkpoint to give");
    gate.let_pass(1);
    let second = watch.running(1);
    let (missed, ()) = wait(async { futures::join!(control.save_and_wait(second), step()) });
    let missed = why(missed.unwrap_err());
    assert!(missed.starts_with("saved: it failed before: ") && missed.contains("no more"), "{missed}");
    let third = watch.running(2);
    let (paused, ()) = wait(async {
        let pause = control.pause_and_wait(third);
        let stop = async { control.stop_trial(third).await.unwrap() };
        futures::join!(pause, stop)
    });
    assert_eq!(why(paused.unwrap_err()), "paused: it is TERMINATED");
    gate.open();
    end(handle).unwrap();
}

/// What is an order is a method too.
#[test]
fn every_order_is_a_method() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("methods")
        .points(numbered(3))
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    let first = watch.running(0);
    let all = ids(&handle);
    wait(handle.concurrency(std::num::NonZeroU32::new(1))).unwrap();
    watch.until(|kind| matches!(kind, tryout::extend::EventKind::Limited { concurrency: Some(_) }));
    wait(handle.prioritise(all[2], 5)).unwrap();
    watch.until(|kind| matches!(kind, tryout::extend::EventKind::Prioritised { priority: 5, .. }));
    wait(handle.stop_trial(first)).unwrap();
    watch.line("0 ended TERMINATED Client");
    wait(handle.revive(first)).unwrap();
    watch.until(|kind| matches!(kind, tryout::extend::EventKind::Revived { .. }));
    gate.open();
    assert_eq!(iterations(&end(handle).unwrap()), [1; 3]);
}

/// The first event says all that a logger wants to write down of a run, in this session and the next.
#[test]
fn a_start_says_what_the_run_is() {
    let dir = tempfile::tempdir().unwrap();
    let started = |existing: Existing, stop: u64| {
        let (watcher, mut watch) = Watch::new();
        let experiment = Script::new().saves().experiment("told").dir(dir.path()).existing(existing);
        let experiment = experiment.points(numbered(2)).seed(7).scheduler(Asha::new().max_t(9)).checkpoint_every(1);
        let experiment = experiment.objective(Objective::max("score")).stop(stop::iterations(stop));
        let results = end(experiment.observer(watcher).start().unwrap()).unwrap();
        let kind = watch.until(|kind| matches!(kind, tryout::extend::EventKind::Started { .. }));
        let tryout::extend::EventKind::Started { info, .. } = kind.clone() else { unreachable!() };
        (results, info, serde_json::to_value(&kind).unwrap())
    };
    let (results, info, json) = started(Existing::Refuse, 2);
    assert_eq!((info.seed, info.session, info.is_resumed()), (7, 1, false));
    assert_eq!((info.searcher.as_str(), info.scheduler.as_str()), ("Points", "Asha"));
    assert_eq!(info.stop, ["2 iterations"]);
    assert_eq!(info.dir.as_deref(), results.dir());
    let last = results.trials()[0].checkpoints.last().unwrap();
    let place = info.checkpoint(last.id).unwrap();
    assert!(std::path::Path::new(&place).join("count.json").is_file(), "{place}");
    assert_eq!((&json["seed"], &json["stop"][0]), (&7.into(), &"2 iterations".into()));
    let (_, info, _) = started(Existing::Resume, 3);
    assert_eq!((info.session, info.is_resumed(), info.stop.clone()), (2, true, vec!["3 iterations".to_owned()]));
}
