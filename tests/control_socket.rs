//! A run is seen and steered from outside its process, through its Unix socket.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use common::live::{Gate, Script, Watch, end, numbered, within};
use serde_json::{Value, json};
use tempfile::TempDir;
use tryout::api::{Answer, ControlClient, Refusal, Request};
use tryout::logic::engine::ClientOrder;
use tryout::prelude::*;

fn socket_of(run: &Path) -> PathBuf {
    let text = std::fs::read(run.join("control.json")).unwrap();
    let pointer: Value = serde_json::from_slice(&text).unwrap();
    pointer["socket"].as_str().unwrap().into()
}

/// Sends a line as it stands.
fn raw(stream: &mut BufReader<UnixStream>, line: &[u8]) -> Value {
    stream.get_mut().write_all(line).unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// A script is found by the name of its experiment, so each test has a name of its own.
fn experiment(name: &str, gate: &Gate, dir: &TempDir) -> Experiment {
    Script::gated(gate).experiment(name).points(numbered(2)).stop(stop::iterations(2)).dir(dir.path()).control_socket()
}

#[test]
fn a_run_is_seen_and_steered() {
    let (gate, (watcher, mut watch), dir) = (Gate::new(), Watch::new(), TempDir::new().unwrap());
    let handle = experiment("seen", &gate, &dir).observer(watcher).start().unwrap();
    let run = dir.path().join("seen");
    let first = watch.running(0);
    let mut client = ControlClient::connect(&run).unwrap();

    let Answer::Hello(name) = client.ask(&Request::Hello).unwrap() else { panic!() };
    assert_eq!((name.name.as_str(), name.run, name.pid), ("seen", first.run(), std::process::id()));
    let Answer::Status(status) = client.ask(&Request::Status).unwrap() else { panic!() };
    assert_eq!(status.counts.iter().sum::<usize>(), 2);
    let Answer::Trials(trials) = client.ask(&Request::Trials { from: 0, most: 10 }).unwrap() else { panic!() };
    assert_eq!(trials.iter().map(|trial| trial.id.number()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(client.ask(&Request::Trial(TrialId::new(first.run(), 7))).unwrap(), Answer::Trial(None));

    // Whoever watches on a connection of its own sees what follows, to the end.
    let events = ControlClient::connect(&run).unwrap().watch().unwrap();
    let watcher = std::thread::spawn(move || events.filter_map(Result::ok).collect::<Vec<Answer>>());
    let second = trials[1].id;
    assert_eq!(client.ask(&Request::Order(ClientOrder::Pause(second))).unwrap(), Answer::Done { trial: None });
    watch.line("1 PENDING>PAUSED");
    let Answer::Trial(Some(paused)) = client.ask(&Request::Trial(second)).unwrap() else { panic!() };
    assert_eq!(
        (paused.status, paused.waiting, paused.waits.as_str()),
        (Status::Paused, Waiting::ForClient, "waits for a client to resume it")
    );

    // What can't be is refused with the words that a client in the process hears.
    let refused = client.ask(&Request::Order(ClientOrder::Resume(first))).unwrap();
    let why = format!("trial {first} is RUNNING: it can't be resumed: it isn't paused");
    assert_eq!(refused, Answer::Refused { code: Refusal::Impossible, why });
    client.ask(&Request::Order(ClientOrder::Stop(second))).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!(results.trials().iter().map(|trial| trial.reported).collect::<Vec<_>>(), [2, 0]);
    let seen = within("the watcher", move || watcher.join().unwrap());
    let named = |answer: &Answer| match answer {
        Answer::Event(event) => event["event"].as_str().unwrap_or_default().to_owned(),
        other => panic!("{other:?}"),
    };
    let seen: Vec<String> = seen.iter().map(named).collect();
    assert!(seen.contains(&"paused".to_owned()) && seen.last().is_some_and(|last| last == "finished"), "{seen:?}");
}

/// What the journal says of who asked for what: order, trial, name.
fn asked(run: &Path) -> Vec<(String, Option<u64>, String)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(run.join("journal")).unwrap().map(|file| file.unwrap().path()).collect();
    // The newest snapshot stands before the segments that follow it.
    files.sort_by_key(|path| path.to_string_lossy().contains("journal-"));
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = lines.flat_map(|line| line[2]["events"].as_array().cloned().unwrap_or_default());
    let asked = events.filter_map(|event| event.get("asked").cloned());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    asked.map(|asked| (text(&asked["order"]), asked["trial"].as_u64(), text(&asked["by"]))).collect()
}

#[test]
fn the_journal_says_who_asked_for_what() {
    let (gate, (watcher, mut watch), dir) = (Gate::new(), Watch::new(), TempDir::new().unwrap());
    let script = || {
        let script = Script::gated(&gate).saves().experiment("audit").points(numbered(3)).stop(stop::iterations(2));
        script.dir(dir.path()).existing(Existing::Resume).control_socket().snapshot_after(1)
    };
    let run = dir.path().join("audit");
    let handle = script().observer(watcher).start().unwrap();
    let first = watch.running(0);
    let id = |number| TrialId::new(first.run(), number);
    let mut client = ControlClient::connect(&run).unwrap();
    let mut ask = |request: Request| client.ask(&request).unwrap();
    assert_eq!(ask(Request::Order(ClientOrder::Pause(id(1))).by("ann")), Answer::Done { trial: None });
    assert_eq!(
        ask(Request::Order(ClientOrder::Add(Config::new().with("n", 7))).by("ann")),
        Answer::Done { trial: Some(id(3)) }
    );
    assert_eq!(ask(Request::PauseAndWait(id(2)).by("bob")), Answer::Saved(None));
    assert_eq!(ask(Request::Order(ClientOrder::Stop(id(2)))), Answer::Done { trial: None });
    // What was refused and what only reads leave nothing; of those within each other the outermost counts.
    assert!(matches!(ask(Request::Order(ClientOrder::Resume(id(9))).by("eve")), Answer::Refused { .. }));
    assert!(matches!(ask(Request::Status.by("eve")), Answer::Status(_)));
    let long = "x".repeat(1_000);
    let setting = tryout::settings::LiveSetting::Samples(None);
    assert_eq!(
        ask(Request::Order(ClientOrder::Set { setting: setting.clone(), by: None }).by("ann")),
        Answer::Done { trial: None }
    );
    watch.until(|kind| *kind == EventKind::SettingChanged { setting: setting.clone(), by: Some("ann".into()) });
    assert_eq!(ask(Request::Order(ClientOrder::Resume(id(1))).by("eve").by(&long)), Answer::Done { trial: None });
    let seen = watch.seen.iter().filter(|event| matches!(event.kind, EventKind::Asked { .. })).count();
    assert_eq!(seen, 4, "observers hear of it too");
    gate.open();
    end(handle).unwrap();
    let said = |order: &str, trial: u64, by: &str| (order.to_owned(), Some(trial), by.to_owned());
    let this = format!("process {}", std::process::id());
    let expected = [
        said("pause", 1, "ann"),
        said("add", 3, "ann"),
        said("pause", 2, "bob"),
        said("stop", 2, &this),
        said("resume", 1, &long[..Request::LONGEST_NAME]),
    ];
    assert_eq!(asked(&run), expected);
    for _ in 0..2 {
        script().run().unwrap();
        assert_eq!(asked(&run), expected, "a snapshot and a resume keep it");
    }
}

#[test]
fn a_socket_is_private_and_goes_with_the_run() {
    let (gate, dir) = (Gate::new(), TempDir::new().unwrap());
    let handle = experiment("private", &gate, &dir).start().unwrap();
    let run = dir.path().join("private");
    let socket = socket_of(&run);
    let private = socket.parent().unwrap().to_owned();
    assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    // A client that is connected doesn't keep the run from ending.
    let mut idle = BufReader::new(UnixStream::connect(&socket).unwrap());
    gate.open();
    end(handle).unwrap();
    assert_eq!(idle.read_line(&mut String::new()).unwrap(), 0, "it was closed");
    assert!(!socket.exists() && !private.exists() && !run.join("control.json").exists());
    let error = ControlClient::connect(&run).unwrap_err().to_string();
    assert!(error.ends_with("has no control socket: its run has ended, or it was started without one"), "{error}");
}

#[test]
fn what_a_killed_session_left_is_said_and_removed() {
    let (gate, dir) = (Gate::new(), TempDir::new().unwrap());
    let run = dir.path().join("killed");
    let handle = experiment("killed", &gate, &dir).start().unwrap();
    let old = std::fs::read(run.join("control.json")).unwrap();
    gate.open();
    end(handle).unwrap();
    // As after a kill: the file is there, and nobody listens.
    std::fs::write(run.join("control.json"), &old).unwrap();
    let error = ControlClient::connect(&run).unwrap_err().to_string();
    assert!(error.starts_with("nobody listens at `"), "{error}");
    let other: Value = serde_json::from_slice(&old).unwrap();
    std::fs::write(
        run.join("control.json"),
        json!({ "socket": other["socket"], "pid": 7, "host": "elsewhere" }).to_string(),
    )
    .unwrap();
    let error = ControlClient::connect(&run).unwrap_err().to_string();
    assert!(error.ends_with("goes on in process 7 on `elsewhere`, not on this machine: ask there"), "{error}");
    let handle = experiment("killed", &gate, &dir).existing(Existing::Resume).start().unwrap();
    end(handle).unwrap();
    assert!(!run.join("control.json").exists());
}

#[test]
fn bad_requests_are_refused_one_by_one() {
    let (gate, dir) = (Gate::new(), TempDir::new().unwrap());
    let handle = experiment("bad", &gate, &dir).start().unwrap();
    let socket = socket_of(&dir.path().join("bad"));
    let connect = || BufReader::new(UnixStream::connect(&socket).unwrap());
    let mut stream = connect();
    let lines: [&[u8]; 7] = [
        b"\n",
        b"nonsense\n",
        b"{\"order\":{\"stop\":\"17\"}}\n",
        b"{\"order\":{\"drain\":{\"by\":0}}}\n",
        b"{\"trials\":{\"first\":3}}\n",
        b"{\"drain\":{\"within_s\":-1}}\n",
        b"\xff\xfe\n",
    ];
    for line in lines {
        let answer = raw(&mut stream, line);
        assert_eq!(answer["refused"]["code"], "malformed", "{answer}");
    }
    assert!(raw(&mut stream, b"\"hello\"\n")["hello"]["version"].is_string(), "and the connection goes on");
    // Too long a line ends its connection alone.
    let mut long = connect();
    let answer = raw(&mut long, &vec![b' '; (1 << 20) + 1]);
    assert_eq!(answer["refused"]["why"], "the request is longer than 1048576 bytes");
    // A client that goes in the middle of a line, or of its answer, harms nobody.
    let mut gone = connect();
    gone.get_mut().write_all(b"{\"trials\"").unwrap();
    gone.get_mut().shutdown(Shutdown::Both).unwrap();
    assert!(raw(&mut connect(), b"\"status\"\n")["status"]["now"].is_number());
    gate.open();
    end(handle).unwrap();
}

#[test]
fn too_many_clients_are_refused_with_words() {
    let (gate, dir) = (Gate::new(), TempDir::new().unwrap());
    let handle = experiment("many", &gate, &dir).start().unwrap();
    let socket = socket_of(&dir.path().join("many"));
    let connect = || BufReader::new(UnixStream::connect(&socket).unwrap());
    let mut clients: Vec<_> = (0..64).map(|_| connect()).collect();
    for client in &mut clients {
        assert!(raw(client, b"\"hello\"\n")["hello"].is_object());
    }
    let mut answer = String::new();
    connect().read_line(&mut answer).unwrap();
    assert!(answer.contains("64 clients are connected already"), "{answer}");
    gate.open();
    end(handle).unwrap();
}

#[test]
fn a_socket_needs_a_directory() {
    let refused = Script::gated(&Gate::new()).experiment("nowhere").points(numbered(1)).control_socket().start();
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("control_socket") && error.contains("together with a `dir`"), "{error}");
}

/// From a checkpoint of this run, and of the run in another directory.
#[test]
fn a_trial_that_begins_from_a_checkpoint_is_added() {
    let (gate, (watcher, mut watch), dir) = (Gate::new(), Watch::new(), TempDir::new().unwrap());
    let donor = Script::new().saves().experiment("donor").points(numbered(1)).stop(stop::iterations(1));
    let donor = donor.at_end(AtEnd::Checkpoint).dir(dir.path()).run().unwrap();
    let checkpoint = donor.trials()[0].checkpoints[0].id;
    let handle = experiment("given", &gate, &dir).observer(watcher).start().unwrap();
    let first = watch.running(0);
    let mut client = ControlClient::connect(&dir.path().join("given")).unwrap();
    let order = |run: Option<PathBuf>| Request::AddFrom { config: Config::new().with("n", 2), checkpoint, run };
    let why = format!("there is no trial {} in this run", checkpoint.trial);
    let refused = client.ask(&order(None)).unwrap();
    assert_eq!(refused, Answer::Refused { code: Refusal::Impossible, why });
    let Answer::Refused { code: Refusal::Impossible, why } = client.ask(&order(Some(dir.path().join("no")))).unwrap()
    else {
        panic!("there is no such run")
    };
    assert!(why.starts_with(&format!("a trial can't begin from {}", checkpoint.path())), "{why}");
    let added = client.ask(&order(Some(dir.path().join("donor")))).unwrap();
    assert_eq!(added, Answer::Done { trial: Some(TrialId::new(first.run(), 2)) });
    gate.open();
    let results = end(handle).unwrap();
    let iterations: Vec<usize> = results.trials().iter().map(|trial| trial.history.len()).collect();
    assert_eq!(iterations, [2, 2, 1], "the last began after the first iteration");
}
