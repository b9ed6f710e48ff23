//! Events made by hand, and the observers of a directory.

use std::path::Path;
use std::sync::Arc;

use tryout::edge::files::Files;
use tryout::extend::*;

pub(crate) fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(0x3fa01), number)
}

pub(crate) fn at(seconds: f64, kind: EventKind) -> ExperimentEvent {
    ExperimentEvent { at: Moment::from_secs_f64(seconds), kind }
}

pub(crate) fn started() -> ExperimentEvent {
    let objective = Some(Objective::min("loss"));
    at(
        0.0,
        EventKind::Started {
            run: RunId::new(0x3fa01),
            name: "run".into(),
            total: None,
            objective,
            info: std::sync::Arc::default(),
        },
    )
}

pub(crate) fn added(number: u32, config: &Config) -> ExperimentEvent {
    let config = Arc::new(config.clone());
    at(
        0.0,
        EventKind::Added {
            trial: trial(number),
            config,
            request: Arc::default(),
            by: AddedBy::Searcher,
            from: None,
            rank: None,
            name: None,
        },
    )
}

pub(crate) fn returned(number: u32, config: &Config, iteration: u64) -> ExperimentEvent {
    let config = Arc::new(config.clone());
    at(
        0.0,
        EventKind::Returned {
            trial: trial(number),
            config,
            status: Status::Pending,
            iteration,
            request: Arc::default(),
            rank: 0,
        },
    )
}

pub(crate) fn report(number: u32, iteration: u64, metrics: Metrics) -> Report {
    let counters = Counters {
        training_iteration: iteration,
        time_total_s: iteration as f64 * 0.5,
        iterations_since_restore: iteration,
        ..Counters::default()
    };
    let timestamp = 1.7e9 + iteration as f64;
    Report { counters, metrics, timestamp, time_this_iter_s: 0.5, ..Report::empty(trial(number)) }
}

pub(crate) fn reported(number: u32, iteration: u64, metrics: Metrics) -> ExperimentEvent {
    at(iteration as f64, EventKind::Reported { report: Arc::new(report(number, iteration, metrics)) })
}

pub(crate) fn failed(number: u32, attempt: u32, message: &str) -> ExperimentEvent {
    let failure = Failure {
        fault: Fault { place: Some("src/model.rs:31:9".into()), ..Fault::new(FailureKind::Panic, message) },
        attempt,
        iteration: 7,
        worker: None,
        at: Moment::from_secs_f64(12.345),
    };
    at(13.0, EventKind::Failed { trial: trial(number), failure: Arc::new(failure), retry_at: None })
}

pub(crate) fn ended(number: u32, last: Report) -> ExperimentEvent {
    let (status, ending) = (Status::Terminated, Ending::Done);
    at(50.0, EventKind::Ended { trial: trial(number), status, ending, reason: None, last: Arc::new(last) })
}

pub(crate) fn finished() -> ExperimentEvent {
    at(60.0, EventKind::Finished { outcome: Outcome::Completed })
}

/// Tells all observers that `files` makes for a directory.
pub(crate) struct Observers(Vec<Box<dyn Observer>>);

impl Observers {
    pub(crate) fn new(files: &Files, directory: &Path) -> Self {
        Self(files.observers(directory))
    }

    pub(crate) fn tell(&mut self, event: &ExperimentEvent) {
        self.0.iter_mut().for_each(|observer| observer.on_event(event).expect("it can be written"));
    }

    pub(crate) fn tell_past(&mut self, event: &ExperimentEvent) {
        for observer in self.0.iter_mut().filter(|observer| observer.wants_past() == Past::Wanted) {
            observer.on_past(event).expect("it can be written");
        }
    }

    pub(crate) fn save(&mut self) -> Vec<Option<serde_json::Value>> {
        self.0.iter_mut().map(|observer| observer.save()).collect()
    }

    pub(crate) fn restore(&mut self, states: Vec<Option<serde_json::Value>>) {
        for (observer, state) in self.0.iter_mut().zip(states) {
            state.into_iter().for_each(|state| observer.restore(state).expect("it is its own"));
        }
    }

    /// The errors of those that fail.
    pub(crate) fn errors(&mut self, event: &ExperimentEvent) -> Vec<String> {
        let told = self.0.iter_mut().map(|observer| observer.on_event(event));
        told.filter_map(Result::err).map(|error| error.to_string()).collect()
    }
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A table's records, each cell as it is written but for the quotation marks around it.
pub(crate) fn table(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            c => cell.push(c),
        }
    }
    assert!(cell.is_empty() && record.is_empty(), "a torn end: {cell:?}");
    let lengths: Vec<usize> = records.iter().map(Vec::len).collect();
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "ragged: {lengths:?}");
    records
}

/// The cells under a name.
pub(crate) fn column(table: &[Vec<String>], name: &str) -> Vec<String> {
    let place =
        table[0].iter().position(|known| known == name).unwrap_or_else(|| panic!("no {name} in {:?}", table[0]));
    table[1..].iter().map(|record| record[place].clone()).collect()
}
