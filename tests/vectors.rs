//! Recorded decisions of a reference scheduler, replayed: the same events must get the same answers.
//!
//! The environment variable `TRYOUT_VECTORS` names another folder to replay.

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::{Nobody, report, trial};
use serde::Deserialize;
use tryout::logic::config::Config;
use tryout::logic::decision::Decision;
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::{Mode, Objective, Report};
use tryout::logic::schedule::{Asha, AtMaxT, Scheduler};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AshaParams {
    time_attr: String,
    metric: String,
    mode: Mode,
    max_t: u64,
    grace_period: u64,
    reduction_factor: f64,
    brackets: u32,
    stop_last_trials: bool,
}

#[derive(Deserialize)]
struct AshaTrace {
    params: AshaParams,
    events: Vec<AshaEvent>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum AshaEvent {
    Add { trial: String },
    Result { trial: String, training_iteration: u64, loss: Option<f64>, decision: Answer },
    Complete { trial: String },
}

#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Answer {
    Continue,
    Pause,
    Stop,
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Continue => Answer::Continue,
            Decision::Pause => Answer::Pause,
            Decision::Stop => Answer::Stop,
        }
    }
}

fn scheduler(params: &AshaParams) -> Asha {
    assert_eq!((params.time_attr.as_str(), params.metric.as_str()), ("training_iteration", "loss"));
    let objective = Objective { metric: params.metric.clone(), mode: params.mode };
    let mut asha = Asha::new()
        .max_t(params.max_t)
        .grace_period(params.grace_period)
        .reduction_factor(params.reduction_factor)
        .brackets(params.brackets)
        .at_max_t(if params.stop_last_trials { AtMaxT::Stop } else { AtMaxT::RunOn });
    asha.prepare(Some(&objective)).expect("recorded parameters are valid");
    asha
}

/// Replays one file; the number of decisions compared, or the first that differs.
fn replay_asha(name: &str, text: &str) -> Result<usize, String> {
    let trace: AshaTrace = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
    let mut asha = scheduler(&trace.params);
    let mut ids: HashMap<&str, TrialId> = HashMap::new();
    let mut last: HashMap<TrialId, (Report, Answer)> = HashMap::new();
    let mut compared = 0;
    for (index, event) in trace.events.iter().enumerate() {
        let (AshaEvent::Add { trial: key } | AshaEvent::Result { trial: key, .. } | AshaEvent::Complete { trial: key }) =
            event;
        let next = trial(ids.len() as u32);
        let id = *ids.entry(key).or_insert(next);
        match event {
            AshaEvent::Add { .. } => asha.on_add(id, &Config::new()),
            AshaEvent::Result { training_iteration: time, loss, decision, .. } => {
                let value = loss.unwrap_or(f64::NAN);
                let report = report(id, *time, "loss", value);
                let verdict = asha.on_report(id, &report, &Nobody);
                let got = Answer::from(verdict.decision);
                if got != *decision {
                    let why = verdict.reason.unwrap_or_default();
                    return Err(format!(
                        "{name}: event {index}, trial {key}, time {time}, loss {value}: expected {decision:?}, got {got:?} {why}"
                    ));
                }
                if (got == Answer::Stop) != verdict.reason.is_some() {
                    return Err(format!("{name}: event {index}, trial {key}: a stop and its reason go together"));
                }
                compared += 1;
                last.insert(id, (report, got));
            }
            AshaEvent::Complete { .. } => {
                let (report, answer) = last.get(&id).ok_or(format!("{name}: event {index}: {key} never reported"))?;
                let ending = if *answer == Answer::Stop { Ending::Scheduler } else { Ending::Done };
                asha.on_end(id, ending, Some(report), &Nobody);
            }
        }
    }
    Ok(compared)
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
    let (mut replayed, mut skipped, mut compared, mut wrong) = (0, 0, 0, Vec::new());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("asha_") {
            skipped += 1;
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        replayed += 1;
        match replay_asha(&name, &text) {
            Ok(decisions) => compared += decisions,
            Err(difference) => wrong.push(difference),
        }
    }
    // Written past the test harness, which would hold it back while the test passes.
    let told = writeln!(
        std::io::stdout(),
        "vectors: {replayed} files replayed ({compared} decisions), {skipped} of other schedulers skipped"
    );
    told.expect("standard output is open");
    assert!(wrong.is_empty(), "{} of {replayed} files differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(replayed > 0 && compared > 0, "no file asha_*.json with a result in {}", folder.display());
}

#[test]
fn a_difference_is_named() {
    let text = r#"{"params": {"time_attr": "training_iteration", "metric": "loss", "mode": "min", "max_t": 9,
        "grace_period": 1, "reduction_factor": 3, "brackets": 1, "stop_last_trials": true}, "events": [
        {"event": "add", "trial": "a"},
        {"event": "result", "trial": "a", "training_iteration": 9, "loss": 0.5, "decision": "CONTINUE"}]}"#;
    let message = replay_asha("made_up.json", text).expect_err("a stop was due at max_t");
    for part in ["made_up.json", "event 1", "trial a", "time 9", "loss 0.5", "expected Continue", "got Stop"] {
        assert!(message.contains(part), "{part} in: {message}");
    }
}
