//! The hub with observers that fail, panic, hang and dawdle.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tryout::edge::observe::ObserverHub;
use tryout::logic::event::{EventKind, ExperimentEvent, Outcome};
use tryout::ports::error::ObserverError;
use tryout::ports::observer::Observer;

use super::script::{finished, reported, short_run, started, warning};

const LONG: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq)]
enum Told {
    Event(ExperimentEvent),
    Missed(u64),
}

/// Tells what it is told.
struct Recorder(Sender<Told>);

impl Observer for Recorder {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        Ok(self.0.send(Told::Event(event.clone()))?)
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        Ok(self.0.send(Told::Missed(events))?)
    }
}

/// Does something at each event.
struct Doing<F>(&'static str, F);

impl<F: FnMut() -> Result<(), ObserverError> + Send> Observer for Doing<F> {
    fn on_event(&mut self, _: &ExperimentEvent) -> Result<(), ObserverError> {
        self.1()
    }

    fn name(&self) -> &str {
        self.0
    }
}

/// A recorder that says when it has been given its first event, and waits there for a word.
fn gated() -> (Box<dyn Observer>, Receiver<Told>, Receiver<()>, Sender<()>) {
    let ((tell, told), (reach, reached), (open, gate)) = (channel(), channel(), channel::<()>());
    let mut inner = Recorder(tell);
    let mut first = true;
    struct Gated<R>(R);
    impl<R: FnMut(Told) -> Result<(), ObserverError> + Send> Observer for Gated<R> {
        fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
            self.0(Told::Event(event.clone()))
        }

        fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
            self.0(Told::Missed(events))
        }
    }
    let observer = Gated(move |told| {
        if std::mem::take(&mut first) {
            reach.send(())?;
            gate.recv()?;
        }
        match told {
            Told::Event(event) => inner.on_event(&event),
            Told::Missed(events) => inner.on_missed(events),
        }
    });
    (Box::new(observer), told, reached, open)
}

fn recorder() -> (Box<dyn Observer>, Receiver<Told>) {
    let (tell, told) = channel();
    (Box::new(Recorder(tell)), told)
}

fn saw_all(told: &Receiver<Told>) -> bool {
    // As texts: NaN isn't equal to itself.
    let text = |told: Told| format!("{told:?}");
    told.try_iter().map(text).eq(short_run().into_iter().map(Told::Event).map(text))
}

#[test]
fn without_observers_there_is_nothing() {
    let mut hub = ObserverHub::start(Vec::new(), 16);
    assert!(hub.is_empty());
    hub.publish(short_run().into());
    assert_eq!(hub.finish(LONG), []);
}

#[test]
fn one_that_fails_is_disabled_and_the_others_see_all() {
    let (good, told) = recorder();
    let mut left = 3;
    let bad = Doing("bad", move || {
        left -= 1;
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        if left == 0 { Err(broken.into()) } else { Ok(()) }
    });
    let mut hub = ObserverHub::start(vec![Box::new(bad), good], 1024);
    hub.publish(short_run().into());
    let faults = hub.finish(LONG);
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), ["observer `bad` is disabled: broken pipe"]);
    assert!(saw_all(&told));
}

#[test]
fn one_that_panics_is_disabled_and_the_engine_can_tell_during_the_run() {
    let (good, told) = recorder();
    let (gone, is_gone) = channel::<()>();
    let bad = Doing("bad", move || {
        // Moved in, so that the test hears when the observer is dropped.
        let _ = &gone;
        panic!("no {}", "disk")
    });
    let mut hub = ObserverHub::start(vec![Box::new(bad), good], 1024);
    let run = short_run();
    hub.publish(run[..4].into());
    assert!(is_gone.recv().is_err());
    hub.publish(run[4..].into());
    let mut faults = hub.take_faults();
    faults.extend(hub.finish(LONG));
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].name.as_str(), faults[0].message.as_str()), ("bad", "it panicked: no disk"));
    assert!(saw_all(&told));
}

#[test]
fn one_that_hangs_is_left_behind() {
    let (good, told) = recorder();
    let (hung, never) = channel::<()>();
    let hanging = Doing("hanging", move || Ok(never.recv()?));
    let mut hub = ObserverHub::start(vec![Box::new(hanging), good], 1024);
    hub.publish(short_run().into());
    // The other one has seen all before the patience begins, however slow the machine is.
    let seen: Vec<_> = told.iter().take(short_run().len()).collect();
    assert_eq!(seen.len(), short_run().len());
    let begin = Instant::now();
    let faults = hub.finish(Duration::from_millis(50));
    assert!(begin.elapsed() < LONG);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().starts_with("observer `hanging` is disabled: it wasn't done within 50ms"));
    drop(hung);
}

#[test]
fn a_slow_one_is_told_what_it_missed_and_keeps_the_life_cycle() {
    let (slow, told, reached, open) = gated();
    let mut hub = ObserverHub::start(vec![slow], 4);
    hub.publish([started(None)].into());
    reached.recv().unwrap();
    let flood: Vec<_> = (1..=4).map(|n| reported(1.0, 0, n, 0.5)).collect();
    hub.publish(flood.clone().into());
    for n in 0..10 {
        hub.publish([reported(2.0, 0, 5 + n, 0.5), reported(2.0, 1, 5 + n, 0.5)].into());
    }
    hub.publish([reported(3.0, 0, 15, 0.5), warning(3.0, "hot"), reported(3.0, 1, 15, 0.5)].into());
    open.send(()).unwrap();
    assert_eq!(hub.finish(LONG), []);
    let mut expected = vec![Told::Event(started(None))];
    expected.extend(flood.into_iter().map(Told::Event));
    expected.extend([Told::Missed(22), Told::Event(warning(3.0, "hot"))]);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn even_the_life_cycle_is_bounded_but_the_end_always_arrives() {
    let (slow, told, reached, open) = gated();
    let mut hub = ObserverHub::start(vec![slow], 4);
    hub.publish([started(None)].into());
    reached.recv().unwrap();
    for _ in 0..100 {
        hub.publish([warning(1.0, "hot")].into());
    }
    hub.publish([warning(1.0, "hot"), finished(2.0, Outcome::Completed)].into());
    open.send(()).unwrap();
    assert_eq!(hub.finish(LONG), []);
    let told: Vec<_> = told.try_iter().collect();
    let kinds = |wanted: fn(&Told) -> bool| told.iter().filter(|told| wanted(told)).count();
    let warned = kinds(|told| matches!(told, Told::Event(ExperimentEvent { kind: EventKind::Warning { .. }, .. })));
    assert_eq!(warned, 8, "twice the capacity");
    assert_eq!(told[told.len() - 2..], [Told::Missed(93), Told::Event(finished(2.0, Outcome::Completed))]);
}

#[test]
fn a_hub_that_is_dropped_lets_its_observers_come_to_their_end() {
    let (observer, told) = recorder();
    let mut hub = ObserverHub::start(vec![observer], 1024);
    hub.publish(short_run().into());
    drop(hub);
    assert_eq!(told.iter().count(), short_run().len(), "the iteration ends as the observer is dropped");
}

#[test]
fn a_pause_is_told_once_after_what_came_before_it() {
    struct Quiet(Sender<&'static str>);
    impl Observer for Quiet {
        fn on_event(&mut self, _: &ExperimentEvent) -> Result<(), ObserverError> {
            Ok(self.0.send("event")?)
        }

        fn on_quiet(&mut self) -> Result<(), ObserverError> {
            Ok(self.0.send("quiet")?)
        }
    }
    let (sender, told) = channel();
    let mut hub = ObserverHub::start(vec![Box::new(Quiet(sender))], 16);
    for _ in 0..2 {
        hub.publish([warning(1.0, "x")].into());
        assert_eq!(told.recv_timeout(LONG), Ok("event"));
        assert_eq!(told.recv_timeout(LONG), Ok("quiet"));
    }
    assert!(hub.finish(LONG).is_empty());
    assert_eq!(told.iter().count(), 0, "nothing more was told");
}
