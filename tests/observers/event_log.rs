//! The life cycle in the log of the application.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use tryout::edge::observe::EventLog;
use tryout::extend::{CheckpointId, EventKind, ExperimentEvent, Moment, RunId, TrialId};
use tryout::ports::observer::Observer;

use super::script::short_run;

static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collector;

impl Log for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tryout"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            RECORDS.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[test]
fn each_kind_of_event_has_its_level() {
    // The only test of this binary that installs a logger, as a process has one.
    log::set_logger(&Collector).unwrap();
    log::set_max_level(LevelFilter::Trace);
    short_run().iter().for_each(|event| EventLog.on_event(event).unwrap());
    let forged = EventKind::Warning { message: "boom\n[INFO] all is well\u{1b}[2J\u{9b}K\u{202e}".to_owned() };
    EventLog.on_event(&ExperimentEvent { at: Moment::START, kind: forged }).unwrap();
    let trial = |number| TrialId::new(RunId::new(0x3fa01), number);
    let checkpoint = CheckpointId { trial: trial(7), index: 2 };
    let restored = EventKind::Restored { trial: trial(3), checkpoint, iteration: 4 };
    EventLog.on_event(&ExperimentEvent { at: Moment::START, kind: restored }).unwrap();
    let mut records = RECORDS.lock().unwrap();
    let words = "DEBUG trial 3fa01_00003 goes on from checkpoint_000002 of trial 3fa01_00007, iteration 4";
    assert_eq!(records.pop().unwrap(), words, "who goes on, and from whose checkpoint");
    assert_eq!(records.pop().unwrap(), "WARN boom\\n[INFO] all is well\\u{1b}[2J\\u{9b}K\\u{202e}");
    let has = |start: &str| assert!(records.iter().any(|record| record.starts_with(start)), "{start}: {records:#?}");
    assert_eq!(records.len(), short_run().len());
    has("INFO digits 3fa01 started, 5 trials");
    has("DEBUG trial 3fa01_00000 added: {\"lr\":0.1");
    has("DEBUG trial 3fa01_00000: PENDING -> RUNNING");
    has("TRACE trial 3fa01_00000 reported");
    has("WARN trial 3fa01_00001 failed and is tried again at 5.500 s: panic: index out of bounds");
    has("WARN the disk is nearly full");
    has("INFO the run was stopped after 182.000 s: the time limit of 3 min was reached");
}
