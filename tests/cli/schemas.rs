//! What every verb writes with `--json`, on every state of a run, is what `tryout schema VERB` says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::live::Walking;
use super::shell::{Shell, draining, signal};
use super::{SQUARES, endless, first_file, json_schema, later_format};

/// Look at a run.
const LOOKS: [&str; 6] = ["status", "trials", "show", "show 0", "why 0", "trials --columns trial,status"];

/// Say something of a run, or would delete of it.
const KEEPS: [&str; 3] = ["tag fine", "note good", "gc"];

/// Act on a run that goes on.
const ACTS: [&str; 10] =
    ["pause 0", "unpause 0", "save 0", "stop 0", "stop", "retry 0", "extend 0", "add x=1", "set staged=1", "watch"];

/// Holds what a verb writes against its schema. What is refused writes nothing but why.
fn check(shell: &Shell, line: &str, codes: &[i32]) -> Vec<Value> {
    let (code, stdout, stderr) = shell.tryout(&format!("{line} --json"));
    assert!(codes.contains(&code), "tryout {line}: {code}, and not one of {codes:?}: {stdout}{stderr}");
    if code == 2 || code == 1 && stdout.is_empty() {
        assert!(stderr.starts_with("error: ") && stdout.is_empty(), "tryout {line}: {stdout}{stderr}");
    } else {
        assert!(!stdout.is_empty(), "tryout {line} says nothing");
    }
    stdout.lines().map(|said| of_schema(shell, line, said)).collect()
}

fn of_schema(shell: &Shell, line: &str, said: &str) -> Value {
    let verb = line.split_whitespace().next().unwrap();
    let schema: Value = shell.json(&format!("schema {verb}"));
    let said: Value = serde_json::from_str(said).unwrap();
    json_schema::check(&said, &schema, &schema).unwrap_or_else(|why| panic!("tryout {line}: {why}, in {said}"));
    said
}

fn check_each(shell: &Shell, lines: &[&str], codes: &[i32]) {
    lines.iter().for_each(|line| _ = check(shell, line, codes));
}

#[test]
fn without_a_run() {
    let shell = Shell::with(SQUARES);
    check_each(&shell, &LOOKS, &[2]);
    check_each(&shell, &KEEPS, &[2]);
    check_each(&shell, &ACTS, &[2]);
    check_each(
        &shell,
        &["list", "compare a b", "delete a", "run b.toml", "check b.toml", "run a.toml --set x=1"],
        &[2],
    );
    check(&shell, "check a.toml", &[0]);
    check(&shell, "doctor", &[0]);
    let asks = "check a.toml --set space.x={int=[0,9]} --set search=tpe --set samples=3 --set resources={cpu=1} --set stop.iterations.limit=3";
    check(&shell, asks, &[0]);
}

#[test]
fn of_runs_that_have_ended() {
    let shell = Shell::with(&format!("trial_names = \"tag\"\n{SQUARES}"));
    check(&shell, "run a.toml --quiet", &[0]);
    check(&shell, "run a.toml --quiet", &[2]);
    check_each(&shell, &LOOKS, &[0]);
    check_each(&shell, &KEEPS, &[0]);
    check_each(&shell, &ACTS, &[2]);
    // Some fail, one limit ends another one, a third one can't go on.
    let fails = r#"--set command=["sh","-c","exit\u0020{x}"] --set process.metrics=nowhere --set space.x={grid=[0,3]}"#;
    check(&shell, &format!("run a.toml --quiet --set name=some {fails}"), &[3]);
    check_each(&shell, &LOOKS, &[0]);
    check(&shell, &format!("run a.toml --quiet --set name=raised {fails} --set fail_fast=raise"), &[1]);
    check(&shell, "status", &[0]);
    check(
        &shell,
        "run a.toml --quiet --set name=limited --set concurrency=1 --set stop.best_reached={target=99}",
        &[4],
    );
    check_each(&shell, &LOOKS, &[0]);
    check(&shell, "compare runs/squares runs/some", &[0]);
    check(&shell, "list", &[0]);
    check(&shell, "delete runs/squares", &[0]);
    check(&shell, "delete runs/squares --yes", &[0]);
    check(&shell, &format!("run a.toml --quiet --resume --retry --set name=some {fails}"), &[3]);
}

#[test]
fn of_a_killed_run_a_locked_one_and_a_later_version() {
    let shell = Shell::new();
    shell.write("a.toml", &endless(&shell, "killed"));
    let mut child = shell.started("run a.toml --quiet");
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert_eq!(check(&shell, "status", &[0])[0]["state"], "cut_off");
    check_each(&shell, &LOOKS, &[0]);
    check_each(&shell, &KEEPS, &[0]);
    check_each(&shell, &ACTS, &[2]);
    check_each(&shell, &["list", "compare runs/killed runs/killed", "delete runs/killed"], &[0]);

    // Another process has its lock, and answers nothing.
    let lock = fs::File::options().write(true).open(shell.path("runs/killed/experiment.lock")).unwrap();
    lock.lock().unwrap();
    check_each(&shell, &LOOKS, &[0]);
    check_each(&shell, &KEEPS, &[0, 2]);
    check_each(&shell, &ACTS, &[1, 2]);
    check_each(&shell, &["run a.toml --quiet --resume", "delete runs/killed --yes"], &[2]);
    lock.unlock().unwrap();

    let journal = first_file(&shell.path("runs/killed/journal"));
    let text = fs::read_to_string(&journal).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(&journal, format!("{}\n{rest}", later_format())).unwrap();
    check_each(&shell, &LOOKS, &[2]);
    check_each(&shell, &ACTS, &[2]);
    check_each(&shell, &["gc", "compare runs/killed runs/killed", "run a.toml --quiet --resume"], &[2]);
    assert_eq!(check(&shell, "list", &[0])[0]["state"], "unreadable");
    check_each(&shell, &["tag fine", "note good", "delete runs/killed"], &[0]);
}

#[test]
fn of_a_run_that_goes_on() {
    let run = Walking::begin("live");
    let shell = &run.shell;
    let mut watch = shell.command("watch --json").stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first = events.next().unwrap();
    // Who doesn't read isn't waited for when the run ends.
    let reads = std::thread::spawn(move || events.collect::<Vec<String>>());
    let changes = [
        "save 0",
        "pause 0 1",
        "why 0",
        "unpause 0",
        "add x=7 last=3",
        "set concurrency=1 limits.time=2h",
        "set stop={iterations={limit=100000000}}",
        "set space.x={grid=[1,2,3,4]}",
        "set priority=9 --trial 2",
        "set resources={cpu=0.5} --trial 2",
        "stop 1",
    ];
    check_each(shell, &changes, &[0]);
    check_each(shell, &LOOKS, &[0]);
    check_each(shell, &["list", "tag fine", "compare runs/live runs/live", "why 1", "why 2"], &[0]);
    check_each(shell, &["retry 0", "extend 0", "gc", "delete runs/live", "run a.toml --resume", "pause 77"], &[2]);
    check(shell, "stop", &[0]);
    let told = reads.join().unwrap();
    assert!(watch.wait().unwrap().success());
    let schema = shell.json("schema watch");
    let mut kinds = Vec::new();
    for said in std::iter::once(&first).chain(&told).map(|said| serde_json::from_str::<Value>(said).unwrap()) {
        json_schema::check(&said, &schema, &schema).unwrap_or_else(|why| panic!("{why}, in {said}"));
        kinds.push(said["event"].as_str().unwrap().to_owned());
    }
    let wanted =
        ["watching", "saved", "paused", "added", "asked", "space_changed", "setting_changed", "closing", "finished"];
    wanted.iter().for_each(|kind| assert!(kinds.iter().any(|told| told == kind), "{kind}: {kinds:?}"));
}

#[test]
fn of_a_run_that_is_ending() {
    let shell = Shell::new();
    shell.write("a.toml", &endless(&shell, "ending"));
    let (mut run, mut watch, events) = draining(&shell);
    let status = check(&shell, "status", &[0]);
    assert_eq!(status[0]["live"]["status"]["closing"]["outcome"], "drained", "{status:?}");
    check_each(&shell, &LOOKS, &[0]);
    check_each(&shell, &["list", "tag fine"], &[0]);
    check_each(&shell, &["gc", "retry 1", "extend 0", "unpause 0", "run a.toml --resume"], &[2]);
    check_each(&shell, &["add x=1", "set staged=1"], &[0, 2]);
    check(&shell, "stop --now", &[0]);
    events.for_each(drop);
    watch.wait().unwrap();
    run.wait().unwrap();
    check_each(&shell, &LOOKS, &[0]);
}
