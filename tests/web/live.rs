//! Server-sent events: what changes, how often, and what becomes of a stream that breaks off.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;
use tryout::prelude::{EventKind, Experiment};
use tryout::stop;

use crate::common::live::{Gate, Script, end, numbered};
use crate::site::{Ask, Site, connect};

/// A stream of events that is read.
struct Stream(BufReader<TcpStream>);

#[derive(Debug)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

impl Stream {
    fn open(site: &Site, query: &str, last: Option<&str>) -> Self {
        let mut ask = Ask::get(&format!("/api/events?{query}")).header("Authorization", &site.bearer());
        if let Some(last) = last {
            ask = ask.header("Last-Event-ID", last);
        }
        let mut stream = connect(site.address());
        stream.write_all(&ask.text()).unwrap();
        let mut stream = Self(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        stream
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line.trim_end().to_owned()
    }

    /// The next event; comments and the sizes of chunks are passed over.
    fn next(&mut self) -> Event {
        let (mut kind, mut id) = (String::new(), String::new());
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("event", rest)) => kind = rest.to_owned(),
                Some(("id", rest)) => id = rest.to_owned(),
                Some(("data", rest)) => return Event { kind, id, data: serde_json::from_str(rest).unwrap() },
                _ => {}
            }
        }
    }

    fn until(&mut self, like: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next();
            if like(&event) {
                return event;
            }
        }
    }
}

fn position(event: &Event) -> u64 {
    event.data["position"].as_u64().unwrap()
}

#[test]
fn what_changes_is_told_and_goes_on_after_a_break() {
    let mut site = Site::new("told");
    let query = format!("run={}&run={0}", site.key);
    let mut stream = Stream::open(&site, &query, None);
    let first = stream.next();
    assert_eq!((first.kind.as_str(), first.data["run"].as_str()), ("change", Some(site.key.as_str())));
    assert_eq!(first.data["trials"]["number"], serde_json::json!([]), "nothing has changed yet");
    let epoch = site.get("/api/session").json()["epoch"].as_str().unwrap().to_owned();
    assert_eq!(first.id, format!("{epoch}-{}:{}", site.key, position(&first)));
    assert!(position(&first) <= site.get(&format!("/api/runs/{}", site.key)).json()["position"].as_u64().unwrap());
    site.gate.let_pass(1);
    let change = stream.until(|event| event.data["trials"]["iteration"] == serde_json::json!([1]));
    assert_eq!(change.data["trials"]["number"], serde_json::json!([0]), "of that trial alone");
    drop(stream);
    // What happens meanwhile isn't missed.
    site.gate.let_pass(2);
    for _ in 0..3 {
        site.watch.until(|event| matches!(event, EventKind::Reported { .. }));
    }
    let mut stream = Stream::open(&site, &query, Some(&change.id));
    let next = stream.until(|event| event.data["trials"]["iteration"] == serde_json::json!([3]));
    assert_eq!((next.kind.as_str(), &next.data["trials"]["number"]), ("change", &serde_json::json!([0])));
    // What isn't known any more is to be fetched again: another server's, what never was, and nonsense.
    for last in [format!("ffffff-{}:1", site.key), format!("{epoch}-{}:999999", site.key), "nonsense".to_owned()] {
        let lagged = Stream::open(&site, &query, Some(&last)).next();
        assert_eq!((lagged.kind.as_str(), lagged.data["run"].as_str()), ("lagged", Some(site.key.as_str())), "{last}");
    }
    assert_eq!(site.get("/api/events?run=nothing").status, 404);
    // Its end is another state.
    site.gate.open();
    let ended = stream.until(|event| event.kind == "runs" && event.data["runs"][0]["state"] != "running");
    assert_eq!(ended.data["runs"][0]["run"], site.key.as_str());
    site.finish();
}

#[test]
fn a_busy_run_is_told_five_times_a_second() {
    let site = Site::new("busy");
    let mut stream = Stream::open(&site, &format!("run={}", site.key), None);
    stream.next();
    let began = Instant::now();
    let mut told = 0;
    // Each step is let through when the one before was told or a moment has passed: there is always something new.
    let steps = std::thread::spawn({
        let gate = site.gate.clone();
        move || (0..40).for_each(|_| gate.let_pass(1))
    });
    loop {
        let event = stream.next();
        told += u32::from(event.kind == "change");
        if event.data["trials"]["iteration"].as_array().is_some_and(|all| all.iter().any(|n| n.as_u64() >= Some(40))) {
            break;
        }
    }
    steps.join().unwrap();
    let most = 2.0 + began.elapsed().as_secs_f64() * 5.0;
    assert!(f64::from(told) <= most, "{told} events in {:?}", began.elapsed());
    site.finish();
}

#[test]
fn a_run_that_comes_later_is_told_of() {
    let site = Site::with("first", |settings| settings.beside = std::env::temp_dir());
    let mut stream = Stream::open(&site, "", None);
    // A second server would find it below its directory; this one is told.
    let gate = Gate::new();
    let later: Experiment = Script::gated(&gate).experiment("later").points(numbered(1)).stop(stop::iterations(1));
    let handle = later.dir(site.dir.path()).control_socket().start().unwrap();
    site.runs.add(&handle.control());
    let event = stream.until(|event| event.kind == "runs" && event.data["runs"].as_array().unwrap().len() == 2);
    let names: Vec<&str> =
        event.data["runs"].as_array().unwrap().iter().filter_map(|run| run["name"].as_str()).collect();
    assert!(names.contains(&"later"), "{names:?}");
    gate.open();
    end(handle).unwrap();
    site.finish();
}
