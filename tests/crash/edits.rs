//! A run is edited over its socket until its process is killed: what was acknowledged is there afterwards, whole and once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures::StreamExt;
use futures::executor::block_on;
use serde_json::{Value, json};
use tempfile::TempDir;
use tryout::api::{Answer, ClientOrder, ControlClient, Request, TrialStatus};
use tryout::event::RunId;
use tryout::logic::engine::Waiting;
use tryout::prelude::*;

use crate::killer::{Fuse, KillerFiles};
use crate::live::{Gate, end};
use crate::outcome;

/// So many runs are killed; `TRYOUT_EDITED_RUNS` asks for more.
const RUNS: u64 = 40;

/// So many edits a run is sent, if it lives so long.
const EDITS: usize = 30;

/// Trials that walk through a gate before each report; those with `fails` fail at their second.
fn experiment(dir: &Path, gate: &Gate) -> Experiment {
    let gate = gate.clone();
    let walk = function("edited", move |config: Config, trial| {
        let x = config.get::<f64>("x")?;
        for step in 1..=4 {
            gate.pass();
            if step == 2 && config.get::<bool>("fails").is_ok() {
                return Err(std::io::Error::other("it was told to").into());
            }
            trial.report([("loss", x / f64::from(step))])?;
        }
        Ok(())
    });
    Experiment::new("edited", walk)
        .space(Space::new().with("x", uniform(0.0, 4.0)))
        .samples(1_000)
        .seed(7)
        .objective(Objective::min("loss"))
        .batching(Batching::Single)
        .workers(2)
        .dir(dir)
        .control_socket()
}

/// The child's whole life: each edit lets two reports pass.
#[test]
#[ignore = "run by the others, in a process of its own"]
fn child() {
    let Ok(dir) = std::env::var("TRYOUT_CRASH_DIR") else { return };
    let fuse = Fuse::new(std::env::var("TRYOUT_CRASH_AT").unwrap().parse().unwrap());
    let (gate, counter) = (Gate::new(), fuse.clone());
    let experiment = experiment(Path::new(&dir), &gate);
    let handle = experiment.journal_files(move |dir| Arc::new(KillerFiles::new(dir, fuse.clone()))).start().unwrap();
    let mut events = handle.control().events(100_000);
    println!("\nlistening");
    std::io::stdout().flush().unwrap();
    block_on(async {
        while let Some(seen) = events.next().await {
            let Seen::Event(event) = seen else { panic!("it is too slow") };
            match event.kind {
                EventKind::Asked { .. } | EventKind::SettingChanged { .. } | EventKind::SpaceChanged { .. } => {
                    gate.let_pass(2);
                }
                EventKind::Closing { .. } => gate.open(),
                _ => {}
            }
        }
    });
    end(handle).unwrap();
    std::fs::write(Path::new(&dir).join("operations"), counter.count().to_string()).unwrap();
}

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

/// One edit: what it is of, what that is from then on, and the order.
#[derive(Clone, Debug, PartialEq)]
struct Edit {
    of: String,
    is: Value,
    order: Value,
}

impl Edit {
    fn drawn(dice: &mut Dice, run: RunId, number: usize) -> Self {
        let trial = dice.below(6) as u32;
        let id = TrialId::new(run, trial);
        let edit = |of: &str, is: Value, order: Value| Self { of: of.to_owned(), is, order };
        let setting = |of: &str, is: Value| edit(of, is.clone(), json!({ "set": { "setting": { of: is } } }));
        let of_trial = |what: &str| edit(&format!("trial {trial}"), what.into(), json!({ what: id }));
        match dice.below(13) {
            0 => setting("samples", (500 + dice.below(5)).into()),
            1 => setting("time_limit", json!({ "after": 3_600 + dice.below(9), "then": "kill" })),
            2 => setting("stop", json!([{ "kind": "iterations", "settings": { "limit": 3 + dice.below(9) } }])),
            3 => {
                let x = json!({ "uniform": [0.0, 1.0 + dice.below(9) as f64] });
                // It is said in full.
                let space: Space = serde_json::from_value(json!({ "x": x })).unwrap();
                edit("space", json!(space), json!({ "set_space": { "changes": { "x": x } } }))
            }
            4 => {
                let most = 1 + dice.below(3);
                edit("limited", most.into(), json!({ "concurrency": most }))
            }
            5 => {
                let most = 1 + dice.below(9);
                edit("staged", most.into(), json!({ "staged": most }))
            }
            6 => {
                let priority = dice.below(9) as i32 - 4;
                edit(&format!("priority {trial}"), priority.into(), json!({ "prioritise": [id, priority] }))
            }
            7 | 8 => {
                let config = json!({ "x": 1.5, "n": number, "fails": true });
                edit(&format!("added {number}"), config.clone(), json!({ "add": config }))
            }
            9 => of_trial("stop"),
            10 => of_trial("pause"),
            11 => of_trial("resume"),
            _ => of_trial("revive"),
        }
    }
}

/// What became of a run that was edited until it was killed.
struct Edited {
    dir: TempDir,
    killed: bool,
    /// Each with the trial that it made.
    acknowledged: Vec<(Edit, Option<TrialId>)>,
    /// What was asked and not answered.
    open: Option<Edit>,
}

/// Edits a child that is killed at its operation `at`.
fn edited(seed: u64, at: u64) -> Edited {
    let dir = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "edits::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("TRYOUT_CRASH_DIR", dir.path())
        .env("TRYOUT_CRASH_AT", at.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut edited = Edited { dir, killed: false, acknowledged: Vec::new(), open: None };
    if said.any(|line| line == "listening") {
        edited.send(seed);
    }
    said.for_each(drop);
    edited.killed = !child.wait().unwrap().success();
    // A program that it was about to start, such as `git`, may have the lock for a moment longer.
    if let Ok(lock) = File::open(edited.dir.path().join("edited/experiment.lock")) {
        lock.lock_shared().unwrap();
    }
    edited
}

impl Edited {
    /// Sends one edit after the other, until all are answered or nobody answers any more.
    fn send(&mut self, seed: u64) {
        let Ok(mut client) = ControlClient::connect(&self.dir.path().join("edited")) else { return };
        let Ok(Answer::Hello(name)) = client.ask(&Request::Hello) else { return };
        let mut dice = Dice(seed);
        for number in 0..EDITS {
            let edit = Edit::drawn(&mut dice, name.run, number);
            let order = serde_json::from_value(edit.order.clone()).unwrap();
            match client.ask(&Request::Order(order).by("ann")) {
                Ok(Answer::Done { trial }) => self.acknowledged.push((edit, trial)),
                // Not every trial can be everything at every moment.
                Ok(Answer::Refused { .. }) => {}
                Ok(other) => panic!("{other:?}"),
                Err(_) => return self.open = Some(edit),
            }
        }
        // It may be killed meanwhile.
        let _ = client.ask(&Request::Order(ClientOrder::StopAll));
    }

    /// What something may be now: what was acknowledged last, or what was asked and not answered.
    fn may_be(&self, of: &str) -> Vec<Option<&Value>> {
        let last = self.acknowledged.iter().rev().find(|(edit, _)| edit.of == of).map(|(edit, _)| &edit.is);
        let open = self.open.iter().filter(|edit| edit.of == of).map(|edit| Some(&edit.is));
        std::iter::once(last).chain(open).collect()
    }

    fn holds(&self, of: &str, is: Option<&Value>) {
        let may_be = self.may_be(of);
        assert!(may_be.contains(&is), "{of} is {is:?} and not one of {may_be:?}");
    }

    /// Every trial that was acknowledged to be added is there, with its configuration; and none twice.
    fn added(&self, trials: &[TrialStatus]) {
        for (edit, trial) in self.acknowledged.iter().filter_map(|(edit, trial)| Some((edit, (*trial)?))) {
            let there = trials.iter().find(|there| there.record.id == trial).expect("it is there");
            assert_eq!(json!(&*there.record.config), edit.is, "{trial}");
        }
        let asked: BTreeSet<String> =
            self.acknowledged.iter().map(|(edit, _)| edit).chain(&self.open).map(|edit| edit.is.to_string()).collect();
        let added: Vec<String> = trials.iter().map(|trial| trial.record.config.to_string()).collect();
        let added: Vec<&String> = added.iter().filter(|config| config.contains("fails")).collect();
        assert_eq!(added.iter().collect::<BTreeSet<_>>().len(), added.len(), "each once: {added:?}");
        let asked = |config: &str| asked.contains(&serde_json::from_str::<Value>(config).unwrap().to_string());
        assert!(added.iter().all(|config| asked(config)), "{added:?}");
    }

    /// What was said of a trial last is so, unless it has ended by itself.
    fn steered(&self, trial: &TrialStatus) {
        let record = &trial.record;
        let number = record.id.number();
        let ended = record.status.is_terminal();
        let may_be = self.may_be(&format!("trial {number}"));
        let is = |what: &str| may_be.iter().all(|said| said.is_some_and(|said| said == what));
        if is("stop") {
            // One that had made its last step, or failed for good, has ended of itself; one that works ends at its next report.
            let by_client = matches!(record.ending, Some(Ending::Client)) || !ended;
            assert!(
                by_client || matches!(record.ending, Some(Ending::Done | Ending::Error | Ending::StopRule)),
                "{trial:?}"
            );
        }
        if is("pause") && !ended {
            assert_eq!((record.status, &trial.waiting), (Status::Paused, &Waiting::ForClient), "{trial:?}");
        }
        if is("revive") {
            assert!(record.attempts > 1, "{trial:?}");
        }
        if !ended {
            let may_be = self.priorities(number);
            assert!(may_be.contains(&trial.priority), "its priority isn't one of {may_be:?}: {trial:?}");
        }
    }

    /// The priorities that a trial may have: all begin with 0, and so does one that is revived.
    fn priorities(&self, number: u32) -> Vec<i32> {
        let (priority, steer) = (format!("priority {number}"), format!("trial {number}"));
        let says = |edit: &Edit| match &edit.is {
            is if edit.of == priority => is.as_i64().map(|is| is as i32),
            is if edit.of == steer && is == "revive" => Some(0),
            _ => None,
        };
        let last = self.acknowledged.iter().rev().find_map(|(edit, _)| says(edit)).unwrap_or(0);
        std::iter::once(last).chain(self.open.iter().filter_map(says)).collect()
    }
}

/// What the journal says last in events of a kind.
fn last_event(run: &Path, kind: &str) -> Option<Value> {
    let mut files: Vec<_> = std::fs::read_dir(run.join("journal")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = lines.flat_map(|line| line[2]["events"].as_array().cloned().unwrap_or_default());
    events.rev().find_map(|event| event.get(kind).cloned())
}

/// What was changed of the whole run, by its name.
fn changed(control: &Control) -> Value {
    let status = block_on(control.status()).unwrap();
    let mut changed: serde_json::Map<String, Value> =
        status.settings.iter().flat_map(|setting| json!(setting).as_object().unwrap().clone()).collect();
    if let Some(space) = &status.space {
        changed.insert("space".to_owned(), json!(&*space.changes));
    }
    changed.into()
}

/// Goes on with it, looks at it before any trial reports, and lets it come to its end.
fn resumed(edited: &Edited) {
    let run = edited.dir.path().join("edited");
    let (gate, again) = (Gate::new(), Gate::new());
    let handle = experiment(edited.dir.path(), &gate).existing(Existing::Resume).start().unwrap();
    let first = changed(&handle.control());
    for of in ["samples", "time_limit", "stop", "space"] {
        edited.holds(of, first.get(of));
    }
    for of in ["limited", "staged"] {
        edited.holds(of, last_event(&run, of).as_ref());
    }
    let trials = block_on(handle.trials(0, 1_000)).unwrap();
    edited.added(&trials);
    trials.iter().for_each(|trial| edited.steered(trial));
    block_on(handle.drain(std::time::Duration::ZERO)).unwrap();
    gate.open();
    end(handle).unwrap();

    // A second session knows the same, and what is written tells what it came to.
    let handle = experiment(edited.dir.path(), &again).existing(Existing::Resume).start().unwrap();
    assert_eq!(changed(&handle.control()), first);
    let later = block_on(handle.trials(0, 1_000)).unwrap();
    for (before, after) in trials.iter().zip(&later) {
        assert_eq!((before.record.id, &before.record.config), (after.record.id, &after.record.config));
    }
    again.let_pass(9);
    again.wait_for(3);
    block_on(handle.stop()).unwrap();
    again.open();
    let results = end(handle).unwrap();
    assert_eq!(outcome(&Experiment::open(&run).unwrap()), outcome(&results));
    for (before, after) in trials.iter().map(|trial| &trial.record).zip(results.trials()) {
        let stopped = edited.may_be(&format!("trial {}", before.id.number())) == [Some(&json!("stop"))];
        assert!(!stopped || before.reported == after.reported, "it goes on after it was stopped: {after:?}");
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let whole = edited(0, u64::MAX);
    assert!(!whole.killed && whole.open.is_none(), "nobody kills this one");
    let operations: u64 = std::fs::read_to_string(whole.dir.path().join("operations")).unwrap().parse().unwrap();
    let runs = std::env::var("TRYOUT_EDITED_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    let (mut killed, mut acknowledged, mut open) = (0, 0, 0);
    for seed in 0..runs {
        let edited = edited(seed, 1 + Dice(!seed).below(operations));
        killed += u64::from(edited.killed);
        acknowledged += edited.acknowledged.len();
        open += usize::from(edited.open.is_some());
        println!("seed {seed}: {} acknowledged, killed: {}", edited.acknowledged.len(), edited.killed);
        if Experiment::can_resume(edited.dir.path().join("edited")) {
            resumed(&edited);
        } else {
            assert!(edited.acknowledged.is_empty(), "what was acknowledged is gone");
        }
    }
    assert!(
        killed > runs / 2 && acknowledged > 0 && open > 0,
        "{killed} killed, {acknowledged} acknowledged, {open} open"
    );
}
