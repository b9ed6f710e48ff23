//! Recorded decisions of reference schedulers, replayed: the same events must get the same answers.
//!
//! The environment variable `TRYOUT_VECTORS` names another folder to replay.

mod common;
#[path = "vectors/trace.rs"]
mod trace;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use common::roster::Roster;
use common::{report, trial};
use serde::Deserialize;
use tryout::logic::config::Config;
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::{Objective, Report};
use tryout::logic::schedule::{Cohort, Scheduler};
use tryout::logic::trial::Status;

use trace::{Answer, Common, Ends, Event, Final, Trace, scheduler};

/// A trace while it is replayed.
struct Replay {
    scheduler: Box<dyn Scheduler>,
    ends: Ends,
    roster: Roster,
    ids: HashMap<String, TrialId>,
    last: HashMap<TrialId, (u64, Answer)>,
    compared: usize,
}

impl Replay {
    fn id(&mut self, key: &str) -> TrialId {
        let next = trial(self.ids.len() as u32);
        *self.ids.entry(key.to_owned()).or_insert(next)
    }

    fn differs<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) -> Result<(), String> {
        self.compared += 1;
        if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {found:?}")) }
    }

    fn step(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Add { trial: key } => {
                let id = self.id(key);
                self.roster.add(id);
                self.scheduler.on_add(id, &Config::new());
                if self.scheduler.name() == "Asha" {
                    self.roster.set(id, Status::Running); // its files don't say when
                }
            }
            Event::Chosen { trial: key } => {
                let expected = self.id(key);
                let chosen = self.roster.launch(&mut *self.scheduler);
                self.differs(&format!("choice of {key}"), chosen, Some(expected))?;
            }
            Event::Result { trial: key, training_iteration: time, loss, decision, also_stopped } => {
                let (id, value) = (self.id(key), loss.unwrap_or(f64::NAN));
                let report = report(id, *time, "loss", value);
                let (found, others) = self.hear(report);
                let what = format!("trial {key}, time {time}, loss {value}");
                self.differs(&what, found, *decision)?;
                let mut expected: Vec<TrialId> = also_stopped.iter().map(|key| self.id(key)).collect();
                expected.sort();
                self.differs(&format!("{what}, also stopped"), others, expected)?;
                self.last.insert(id, (*time, found));
            }
            Event::Complete { trial: key } => {
                let id = self.id(key);
                let (_, answer) = self.last.get(&id).ok_or(format!("{key} never reported"))?;
                let ending = if *answer == Answer::Stop { Ending::Scheduler } else { Ending::Done };
                self.roster.end(&mut *self.scheduler, id, ending);
            }
        }
        Ok(())
    }

    /// The decision, and the other trials that ended, in the order of their names.
    fn hear(&mut self, report: Report) -> (Answer, Vec<TrialId>) {
        let id = report.trial;
        if self.ends == Ends::Told {
            return (Answer::from(self.roster.hear(&mut *self.scheduler, report).decision), Vec::new());
        }
        let (verdict, mut ended) = self.roster.report(&mut *self.scheduler, report);
        ended.retain(|ended| *ended != id);
        ended.sort();
        (Answer::from(verdict.decision), ended)
    }

    fn check_final(&mut self, expected: &BTreeMap<String, Final>) -> Result<(), String> {
        for (key, Final { status, training_iteration }) in expected {
            let id = self.id(key);
            let found = self.roster.status(id).map(|status| format!("{status:?}").to_uppercase());
            self.differs(&format!("final status of {key}"), found.as_deref(), Some(status.as_str()))?;
            let time = self.last.get(&id).map(|(time, _)| *time);
            self.differs(&format!("final time of {key}"), time, Some(*training_iteration))?;
        }
        Ok(())
    }
}

/// Replays one file; how many answers were compared, or the first that differs. None if its scheduler isn't known.
fn replay(name: &str, text: &str) -> Option<Result<usize, String>> {
    let trace: Trace = match serde_json::from_str(text) {
        Ok(trace) => trace,
        Err(error) => return Some(Err(format!("{name}: {error}"))),
    };
    let made = scheduler(name, &trace.params)?;
    let common = Common::deserialize(&trace.params);
    let (Ok((mut scheduler, ends)), Ok(common)) = (made, common) else {
        return Some(Err(format!("{name}: parameters that can't be read: {}", trace.params)));
    };
    assert_eq!((common.time_attr.as_str(), common.metric.as_str()), ("training_iteration", "loss"));
    let objective = Objective { metric: common.metric, mode: common.mode };
    scheduler.prepare(Some(&objective)).expect("recorded parameters are valid");
    let (roster, ids, last) = (Roster::default(), HashMap::new(), HashMap::new());
    let mut replay = Replay { scheduler, ends, roster, ids, last, compared: 0 };
    for (index, event) in trace.events.iter().enumerate() {
        if let Err(difference) = replay.step(event) {
            return Some(Err(format!("{name}: event {index}, {difference}")));
        }
    }
    Some(
        replay
            .check_final(&trace.r#final)
            .map(|()| replay.compared)
            .map_err(|difference| format!("{name}: {difference}")),
    )
}

fn folder() -> PathBuf {
    std::env::var_os("TRYOUT_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from)
}

#[test]
fn recorded_decisions_are_repeated() {
    let folder = folder();
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut replayed: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut skipped, mut wrong) = (0, Vec::new());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Some(outcome) = replay(&name, &text) else {
            skipped += 1;
            continue;
        };
        let (files, answers) = replayed.entry(name.split('_').next().unwrap_or_default().to_owned()).or_default();
        *files += 1;
        match outcome {
            Ok(compared) => *answers += compared,
            Err(difference) => wrong.push(difference),
        }
    }
    let told: Vec<String> =
        replayed.iter().map(|(kind, (files, answers))| format!("{kind} {files} files ({answers} answers)")).collect();
    // Written past the test harness, which would hold it back while the test passes.
    let said = writeln!(std::io::stdout(), "vectors: replayed {}; skipped {skipped} others", told.join(", "));
    said.expect("standard output is open");
    assert!(wrong.is_empty(), "{} files differ:\n{}", wrong.len(), wrong.join("\n"));
    let answers: usize = replayed.values().map(|(_, answers)| *answers).sum();
    assert!(answers > 0, "no recorded answer in {}", folder.display());
}

#[test]
fn a_difference_is_named() {
    let text = r#"{"params": {"time_attr": "training_iteration", "metric": "loss", "mode": "min", "max_t": 9,
        "grace_period": 1, "reduction_factor": 3, "brackets": 1, "stop_last_trials": true}, "events": [
        {"event": "add", "trial": "a"},
        {"event": "result", "trial": "a", "training_iteration": 9, "loss": 0.5, "decision": "CONTINUE"}]}"#;
    let message = replay("asha_made_up.json", text).expect("a known scheduler").expect_err("a stop was due at max_t");
    for part in ["asha_made_up.json", "event 1", "trial a", "time 9", "loss 0.5", "expected Continue", "got Stop"] {
        assert!(message.contains(part), "{part} in: {message}");
    }
}
