//! The life cycle of a run in the `log` of the application.

use crate::logic::event::{Closing, EventKind, ExperimentEvent, Outcome};
use crate::logic::one_line::OneLine;
use crate::logic::trial::Arrival;
use crate::ports::error::ObserverError;
use crate::ports::observer::Observer;

/// The target of all its records.
pub(crate) const TARGET: &str = "tryout";

/// A record of one line, whatever the names, reasons and errors in it say.
macro_rules! say {
    ($level:ident, $($words:tt)+) => {
        log::log!(target: TARGET, log::Level::$level, "{}", OneLine(format_args!($($words)+)))
    };
}

/// Writes events through [`log`], target `tryout`: the start and the end of the run as `info`; failures, warnings and
/// missed events as `warn` (a run that failed as `error`); what becomes of each trial as `debug`; reports as `trace`.
///
/// It installs no logger: that is the application's. Where `tryout` is logged as `debug` when an experiment starts, it watches
/// without being asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventLog;

impl Observer for EventLog {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        match &event.kind {
            EventKind::Started { run, name, total: Some(total), .. } => {
                say!(Info, "{name} {run} started, {total} trials");
            }
            EventKind::Started { run, name, .. } => say!(Info, "{name} {run} started"),
            EventKind::Finished { outcome } => log_outcome(outcome, event),
            EventKind::Failed { trial, failure, retry_at: Some(at) } => {
                say!(Warn, "trial {trial} failed and is tried again at {at}: {failure}");
            }
            EventKind::Failed { trial, failure, retry_at: None } => {
                say!(Warn, "trial {trial} failed: {failure}");
            }
            EventKind::Warning { message } => say!(Warn, "{message}"),
            EventKind::Held { why } => say!(Warn, "the run is held until a client lets it go on: {why}"),
            EventKind::Withdrawn { gpu, trials, fault } => {
                say!(Warn, "GPU {gpu} is out of service: {trials} trials in a row failed on it, the last with {fault}");
            }
            EventKind::Closing { closing: Closing { outcome, by: Some(by), .. } } => {
                say!(Info, "the run ends, at the latest at {by}: {outcome}");
            }
            EventKind::Closing { closing } => say!(Info, "the run ends: {}", closing.outcome),
            EventKind::Proceeded => say!(Info, "the run goes on"),
            EventKind::Abandoned { worker, trial: Some(trial) } => {
                say!(Warn, "worker {worker} didn't stop and was left behind with trial {trial}");
            }
            EventKind::Abandoned { worker, trial: None } => {
                say!(Warn, "worker {worker} didn't stop and was left behind");
            }
            EventKind::Reported { report } => {
                say!(Trace, "trial {} reported {:?}", report.trial, report.metrics);
            }
            life => log_life(life),
        }
        Ok(())
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        say!(Warn, "the log is too slow: {events} events are missing here");
        Ok(())
    }

    fn name(&self) -> &str {
        "log"
    }
}

fn log_outcome(outcome: &Outcome, event: &ExperimentEvent) {
    let at = event.at;
    match outcome {
        Outcome::Completed => say!(Info, "the run is complete after {at}"),
        Outcome::Stopped(reason) => say!(Info, "the run was stopped after {at}: {reason}"),
        Outcome::Drained => say!(Info, "the run was drained after {at} and can be resumed"),
        // Said of results alone, never of a run that goes on.
        Outcome::Unfinished => {}
        Outcome::Failed(reason) => say!(Error, "the run failed after {at}: {reason}"),
    }
}

fn came_back(arrival: Arrival) -> &'static str {
    if arrival == Arrival::CameBack { ", which still had it" } else { "" }
}

fn log_life(kind: &EventKind) {
    match kind {
        EventKind::Added { trial, config, from: None, .. } => say!(Debug, "trial {trial} added: {config}"),
        EventKind::Added { trial, config, from: Some(from), .. } => {
            say!(Debug, "trial {trial} added, to begin from {}: {config}", from.id.path());
        }
        EventKind::Status { trial, from, to } => say!(Debug, "trial {trial}: {from} -> {to}"),
        EventKind::Launched { trial, attempt, worker, arrival, .. } => {
            say!(Debug, "trial {trial} runs on worker {worker}{}, attempt {attempt}", came_back(*arrival));
        }
        EventKind::Restored { trial, checkpoint, iteration } => {
            let (directory, of) = (checkpoint.directory(), checkpoint.trial);
            say!(Debug, "trial {trial} goes on from {directory} of trial {of}, iteration {iteration}");
        }
        EventKind::Exploited { trial, exploit, .. } => {
            say!(Debug, "trial {trial} becomes a copy of trial {}: {}", exploit.donor, exploit.config);
        }
        EventKind::Saved { checkpoint } => {
            let (id, bytes) = (checkpoint.id, checkpoint.bytes);
            say!(Debug, "trial {} saved {}, {bytes} bytes", id.trial, id.directory());
        }
        EventKind::Deleted { checkpoint } => {
            say!(Debug, "trial {} let {} go", checkpoint.trial, checkpoint.directory());
        }
        EventKind::Paused { trial, by, reason } => {
            say!(Debug, "trial {trial} paused by {by:?}: {}", reason.as_deref().unwrap_or("no reason given"));
        }
        EventKind::Returned { trial, status, iteration, .. } => {
            say!(Debug, "trial {trial} is back: {status}, after iteration {iteration}");
        }
        EventKind::Revived { trial, why, attempt, .. } => {
            say!(Debug, "trial {trial} goes on after its end ({why:?}), attempt {attempt}");
        }
        EventKind::Resumed { trial, .. } => say!(Debug, "trial {trial} may go on"),
        EventKind::Stopping { trial, ending, reason } => {
            let reason = reason.as_deref().unwrap_or("no reason given");
            say!(Debug, "trial {trial} is to end, by {ending:?}: {reason}");
        }
        EventKind::Prioritised { trial, priority } => say!(Debug, "trial {trial} has priority {priority}"),
        EventKind::Limited { concurrency } => say!(Debug, "at most {concurrency:?} trials at once"),
        EventKind::Rescaled { total } => say!(Debug, "there is {total} to run on from now on"),
        EventKind::SpaceChanged { version, changes, .. } => {
            let changes = serde_json::to_string(changes).unwrap_or_default();
            say!(Debug, "the space is changed: version {version}, {changes}");
        }
        EventKind::SettingChanged { setting, .. } => {
            say!(Debug, "a setting is changed: {}", serde_json::to_string(setting).unwrap_or_default());
        }
        EventKind::Asked { order, trial, by } => {
            let of = trial.map_or_else(String::new, |trial| format!(" of trial {trial}"));
            say!(Debug, "{:?} asked for {order}{of}", by);
        }
        EventKind::Staged { most } => say!(Debug, "at most {most} trials are made ahead of workers"),
        EventKind::Ended { trial, status, ending, reason, .. } => {
            let reason = reason.as_deref().unwrap_or("no reason given");
            say!(Debug, "trial {trial} ended as {status} by {ending:?}: {reason}");
        }
        _ => {}
    }
}
