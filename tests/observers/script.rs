//! Events made by hand, and a writer that can be looked at.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};

use tryout::logic::config::Config;
use tryout::logic::event::{AddedBy, Ending, EventKind, ExperimentEvent, Outcome};
use tryout::logic::failure::{Failure, FailureKind, Fault};
use tryout::logic::ids::{RunId, TrialId, WorkerId};
use tryout::logic::metrics::{Counters, Metrics, Objective, Report};
use tryout::logic::time::Moment;
use tryout::logic::trial::Status;

pub(crate) fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(0x3fa01), number)
}

pub(crate) fn at(seconds: f64, kind: EventKind) -> ExperimentEvent {
    ExperimentEvent { at: Moment::from_secs_f64(seconds), kind }
}

pub(crate) fn started(total: Option<u64>) -> ExperimentEvent {
    let objective = Some(Objective::min("loss"));
    at(
        0.0,
        EventKind::Started {
            run: RunId::new(0x3fa01),
            name: "digits".into(),
            total,
            objective,
            info: std::sync::Arc::default(),
        },
    )
}

pub(crate) fn added(number: u32, config: Config) -> ExperimentEvent {
    at(
        0.0,
        EventKind::Added {
            trial: trial(number),
            config: Arc::new(config),
            request: Arc::default(),
            by: AddedBy::Searcher,
            from: None,
            rank: None,
            name: None,
        },
    )
}

pub(crate) fn status(seconds: f64, number: u32, from: Status, to: Status) -> ExperimentEvent {
    at(seconds, EventKind::Status { trial: trial(number), from, to })
}

pub(crate) fn report(number: u32, iteration: u64, loss: f64) -> Arc<Report> {
    let counters = Counters { training_iteration: iteration, time_total_s: iteration as f64, ..Counters::default() };
    Arc::new(Report { counters, metrics: Metrics::from([("loss", loss)]), ..Report::empty(trial(number)) })
}

pub(crate) fn reported(seconds: f64, number: u32, iteration: u64, loss: f64) -> ExperimentEvent {
    at(seconds, EventKind::Reported { report: report(number, iteration, loss) })
}

pub(crate) fn failed(seconds: f64, number: u32, message: &str, retry_at: Option<f64>) -> ExperimentEvent {
    let failure = Failure {
        fault: Fault { place: Some("src/model.rs:31:9".into()), ..Fault::new(FailureKind::Panic, message) },
        attempt: 1,
        iteration: 1,
        worker: Some(WorkerId::new(2)),
        at: Moment::from_secs_f64(seconds),
    };
    let retry_at = retry_at.map(Moment::from_secs_f64);
    at(seconds, EventKind::Failed { trial: trial(number), failure: Arc::new(failure), retry_at })
}

pub(crate) fn ended(seconds: f64, number: u32, status: Status, last: Arc<Report>) -> ExperimentEvent {
    let ending = if status == Status::Error { Ending::Error } else { Ending::Done };
    at(seconds, EventKind::Ended { trial: trial(number), status, ending, reason: None, last })
}

pub(crate) fn warning(seconds: f64, message: &str) -> ExperimentEvent {
    at(seconds, EventKind::Warning { message: message.to_owned() })
}

pub(crate) fn finished(seconds: f64, outcome: Outcome) -> ExperimentEvent {
    at(seconds, EventKind::Finished { outcome })
}

/// A short run: of four trials one is retried, one fails, one is put aside.
pub(crate) fn short_run() -> Vec<ExperimentEvent> {
    use Status::{Error, Paused, Pending, Running, Terminated};
    let config = |lr: f64| Config::new().with("lr", lr).with("seed", 7).with("net", serde_json::json!({"hidden": 32}));
    let mut run = vec![started(Some(5))];
    run.extend((0..4).map(|n| added(n, config(0.1 / f64::from(n + 1)))));
    run.extend((0..4).map(|n| status(0.5, n, Pending, Running)));
    run.extend([
        reported(2.0, 0, 1, 0.75),
        reported(2.5, 1, 1, f64::NAN),
        reported(3.0, 2, 1, 0.5),
        failed(4.0, 1, "index out of bounds\nand a second line", Some(5.5)),
        reported(11.0, 0, 2, 0.25),
        status(12.0, 0, Running, Terminated),
        ended(12.0, 0, Terminated, report(0, 2, 0.25)),
        failed(14.0, 1, "index out of bounds\nand a second line", None),
        status(14.0, 1, Running, Error),
        ended(14.0, 1, Error, report(1, 1, f64::NAN)),
        reported(15.0, 2, 2, 0.03125),
        warning(16.0, "the disk is nearly full"),
        status(22.0, 2, Running, Paused),
        finished(182.0, Outcome::Stopped("the time limit of 3 min was reached".into())),
    ]);
    run
}

/// A writer whose clones share what was written, and which can be waited on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Capture {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until the text as a whole is as wanted, and fails if that takes a minute.
    #[cfg(feature = "console")]
    pub(crate) fn wait_for(&self, wanted: impl Fn(&str) -> bool) {
        let text = self.0.0.lock().unwrap();
        let unwanted = |text: &mut Vec<u8>| !wanted(&String::from_utf8_lossy(text));
        let (text, timeout) = self.0.1.wait_timeout_while(text, std::time::Duration::from_secs(60), unwanted).unwrap();
        assert!(!timeout.timed_out(), "still: {}", String::from_utf8_lossy(&text));
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
