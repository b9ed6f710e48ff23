//! The event stream for programs.

use std::time::Duration;

use futures::executor::block_on_stream;
use tryout::edge::observe::{ObserverHub, Seen};

use super::script::{reported, short_run, warning};

#[test]
fn a_subscriber_sees_what_comes_after_it_and_the_end() {
    let mut hub = ObserverHub::start(Vec::new(), 16);
    let run = short_run();
    hub.publish(run[..3].into());
    let stream = hub.subscribe(1024);
    let reader = std::thread::spawn(move || block_on_stream(stream).collect::<Vec<_>>());
    hub.publish(run[3..10].into());
    hub.publish(run[10..].into());
    assert_eq!(hub.finish(Duration::ZERO), []);
    let seen = reader.join().unwrap();
    assert_eq!(seen.len(), run.len() - 3);
    for (seen, event) in seen.iter().zip(&run[3..]) {
        assert_eq!(format!("{seen:?}"), format!("Event({event:?})"));
    }
}

#[test]
fn a_slow_subscriber_finds_markers_where_events_are_missing() {
    let mut hub = ObserverHub::start(Vec::new(), 16);
    let mut stream = block_on_stream(hub.subscribe(2));
    for n in 0..5 {
        hub.publish([reported(1.0, 0, n, 0.5)].into());
    }
    hub.publish([warning(2.0, "hot")].into());
    for iteration in 0..2 {
        assert!(matches!(stream.next(), Some(Seen::Event(event)) if *event == reported(1.0, 0, iteration, 0.5)));
    }
    assert!(matches!(stream.next(), Some(Seen::Missed(3))));
    assert!(matches!(stream.next(), Some(Seen::Event(event)) if *event == warning(2.0, "hot")));
    drop(hub);
    assert!(stream.next().is_none());
}

#[test]
fn a_dropped_stream_is_forgotten() {
    let mut hub = ObserverHub::start(Vec::new(), 16);
    let stream = hub.subscribe(2);
    assert!(!hub.is_empty());
    drop(stream);
    hub.publish([warning(0.0, "hot")].into());
    assert!(hub.is_empty());
}
