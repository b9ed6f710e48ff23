//! JSON lines: that they are what their page says, and that they parse back.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};
use tryout::edge::observe::JsonLines;
use tryout::logic::checkpoint::{Checkpoint, CheckpointId};
use tryout::logic::event::{EventKind, Outcome, PausedBy, RunFailure};
use tryout::logic::ids::{LeaseId, WorkerId};
use tryout::logic::metrics::{Metrics, Report};
use tryout::logic::trial::Arrival;
use tryout::ports::observer::Observer;

use super::script::{Capture, at, failed, finished, report, reported, short_run, trial};

fn lines(events: &[tryout::logic::event::ExperimentEvent]) -> Vec<Value> {
    let capture = Capture::default();
    let mut observer = JsonLines::new(capture.clone());
    events.iter().for_each(|event| observer.on_event(event).unwrap());
    observer.on_missed(3).unwrap();
    capture.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_is_one_object_a_line() {
    let run = short_run();
    let lines = lines(&run);
    assert_eq!(lines.len(), run.len() + 1);
    assert_eq!(
        lines[0],
        json!({"at": 0.0, "event": "started", "run": "3fa01", "name": "digits", "total": 5,
               "objective": {"metric": "loss", "mode": "min"}, "session": 0, "seed": 0, "samples": null, "searcher": "",
               "scheduler": "", "stop": [], "resources": {}, "dir": null, "checkpoints": null})
    );
    assert_eq!(lines[1]["config"], json!({"lr": 0.1, "seed": 7, "net": {"hidden": 32}}));
    assert_eq!(
        lines[5],
        json!({"at": 0.5, "event": "status", "trial": "3fa01_00000", "from": "PENDING", "to": "RUNNING"})
    );
    assert_eq!(lines[10]["report"]["metrics"]["loss"], "NaN");
    assert_eq!(lines[run.len()], json!({"at": 182.0, "event": "missed", "count": 3}));
}

#[test]
fn reports_parse_back() {
    let report = Report { metrics: Metrics::from([("a", f64::INFINITY), ("b", 0.1)]), ..(*report(3, 2, 0.0)).clone() };
    let lines = lines(&[at(1.0, EventKind::Reported { report: Arc::new(report.clone()) })]);
    assert_eq!(serde_json::from_value::<Report>(lines[0]["report"].clone()).unwrap(), report);
    assert_eq!(lines[0]["report"]["trial_id"], "3fa01_00003");
}

#[test]
fn failures_checkpoints_and_outcomes_are_flat() {
    let id = CheckpointId { trial: trial(1), index: 4 };
    let saved = Arc::new(Checkpoint { id, report: Report::empty(trial(1)), bytes: 12 });
    let (worker, lease) = (WorkerId::new(3), LeaseId::new(8));
    let launched = EventKind::Launched {
        trial: trial(1),
        attempt: 2,
        worker,
        lease,
        gpus: vec![4],
        priority: -1,
        reused: 2,
        arrival: Arrival::CameBack,
    };
    let events = [
        failed(4.0, 1, "boom", Some(5.5)),
        at(4.0, EventKind::Saved { checkpoint: saved }),
        at(4.0, EventKind::Deleted { checkpoint: id }),
        at(4.0, EventKind::Restored { trial: trial(1), checkpoint: id, iteration: 9 }),
        at(4.0, EventKind::Paused { trial: trial(1), by: PausedBy::Drain, reason: None }),
        at(4.0, launched),
        finished(5.0, Outcome::Completed),
        finished(5.0, Outcome::Failed(RunFailure::Stuck { message: "no luck".to_owned() })),
    ];
    let lines = lines(&events);
    let failure = json!({"kind": "panic", "message": "boom", "place": "src/model.rs:31:9", "attempt": 1, "iteration": 1,
                         "worker": 2, "at": 4.0});
    let checkpoint = json!({"trial": "3fa01_00001", "index": 4});
    assert_eq!(
        lines[0],
        json!({"at": 4.0, "event": "failed", "trial": "3fa01_00001", "failure": failure, "retry_at": 5.5})
    );
    assert_eq!((&lines[1]["checkpoint"]["id"], &lines[1]["checkpoint"]["bytes"]), (&checkpoint, &json!(12)));
    assert_eq!(lines[2], json!({"at": 4.0, "event": "deleted", "checkpoint": checkpoint}));
    assert_eq!(
        lines[3],
        json!({"at": 4.0, "event": "restored", "trial": checkpoint["trial"], "checkpoint": checkpoint, "iteration": 9})
    );
    assert_eq!(lines[4]["by"], "drain");
    assert_eq!((&lines[5]["attempt"], &lines[5]["worker"], &lines[5]["lease"]), (&json!(2), &json!(3), &json!(8)));
    assert_eq!(lines[6], json!({"at": 5.0, "event": "finished", "outcome": "completed"}));
    assert_eq!(
        lines[7],
        json!({"at": 5.0, "event": "finished", "outcome": "failed", "reason": {"stuck": {"message": "no luck"}}})
    );
}

struct BrokenPipe;

impl Write for BrokenPipe {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_pipe_is_an_error() {
    let error = JsonLines::new(BrokenPipe).on_event(&reported(1.0, 0, 1, 0.5)).unwrap_err();
    assert_eq!(error.to_string(), "broken pipe");
}
