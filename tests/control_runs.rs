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
    watch.line("2 PENDING>PAUSED");
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
