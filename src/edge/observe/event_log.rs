//! The life cycle of a run in the `log` of the application.

use log::{debug, info, trace, warn};

use crate::logic::event::{EventKind, ExperimentEvent, Outcome};
use crate::ports::error::ObserverError;
use crate::ports::observer::Observer;

const TARGET: &str = "tryout";

/// Writes events through [`log`], target `tryout`: the start and the end of the run as `info`; failures, warnings and
/// missed events as `warn` (a run that failed as `error`); what becomes of each trial as `debug`; reports as `trace`.
///
/// It installs no logger: that is the application's.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventLog;

impl Observer for EventLog {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        match &event.kind {
            EventKind::Started { run, name, total: Some(total), .. } => {
                info!(target: TARGET, "{name} {run} started, {total} trials");
            }
            EventKind::Started { run, name, .. } => info!(target: TARGET, "{name} {run} started"),
            EventKind::Finished { outcome } => log_outcome(outcome, event),
            EventKind::Failed { trial, failure, retry_at: Some(at) } => {
                warn!(target: TARGET, "trial {trial} failed and is tried again at {at}: {failure}");
            }
            EventKind::Failed { trial, failure, retry_at: None } => {
                warn!(target: TARGET, "trial {trial} failed: {failure}");
            }
            EventKind::Warning { message } => warn!(target: TARGET, "{message}"),
            EventKind::Held { why } => warn!(target: TARGET, "the run is held until a client lets it go on: {why}"),
            EventKind::Withdrawn { gpu, trials, fault } => {
                warn!(target: TARGET, "GPU {gpu} is out of service: {trials} trials in a row failed on it, the last with {fault}");
            }
            EventKind::Proceeded => info!(target: TARGET, "the run goes on"),
            EventKind::Abandoned { worker, trial: Some(trial) } => {
                warn!(target: TARGET, "worker {worker} didn't stop and was left behind with trial {trial}");
            }
            EventKind::Abandoned { worker, trial: None } => {
                warn!(target: TARGET, "worker {worker} didn't stop and was left behind");
            }
            EventKind::Reported { report } => {
                trace!(target: TARGET, "trial {} reported {:?}", report.trial, report.metrics);
            }
            life => log_life(life),
        }
        Ok(())
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        warn!(target: TARGET, "the log is too slow: {events} events are missing here");
        Ok(())
    }

    fn name(&self) -> &str {
        "log"
    }
}

fn log_outcome(outcome: &Outcome, event: &ExperimentEvent) {
    let at = event.at;
    match outcome {
        Outcome::Completed => info!(target: TARGET, "the run is complete after {at}"),
        Outcome::Stopped(reason) => info!(target: TARGET, "the run was stopped after {at}: {reason}"),
        Outcome::Drained => info!(target: TARGET, "the run was drained after {at} and can be resumed"),
        // Said of results alone, never of a run that goes on.
        Outcome::Unfinished => {}
        Outcome::Failed(reason) => log::error!(target: TARGET, "the run failed after {at}: {reason}"),
    }
}

fn log_life(kind: &EventKind) {
    match kind {
        EventKind::Added { trial, config, .. } => debug!(target: TARGET, "trial {trial} added: {config}"),
        EventKind::Status { trial, from, to } => debug!(target: TARGET, "trial {trial}: {from} -> {to}"),
        EventKind::Launched { trial, attempt, worker, .. } => {
            debug!(target: TARGET, "trial {trial} runs on worker {worker}, attempt {attempt}");
        }
        EventKind::Restored { checkpoint, iteration, .. } => {
            debug!(target: TARGET, "trial {} goes on from {}, iteration {iteration}", checkpoint.trial, checkpoint.directory());
        }
        EventKind::Saved { checkpoint } => {
            let (id, bytes) = (checkpoint.id, checkpoint.bytes);
            debug!(target: TARGET, "trial {} saved {}, {bytes} bytes", id.trial, id.directory());
        }
        EventKind::Deleted { checkpoint } => {
            debug!(target: TARGET, "trial {} let {} go", checkpoint.trial, checkpoint.directory());
        }
        EventKind::Paused { trial, by, reason } => {
            debug!(target: TARGET, "trial {trial} paused by {by:?}: {}", reason.as_deref().unwrap_or("no reason given"));
        }
        EventKind::Returned { trial, status, iteration, .. } => {
            debug!(target: TARGET, "trial {trial} is back: {status}, after iteration {iteration}");
        }
        EventKind::Revived { trial, why, attempt } => {
            debug!(target: TARGET, "trial {trial} goes on after its end ({why:?}), attempt {attempt}");
        }
        EventKind::Resumed { trial } => debug!(target: TARGET, "trial {trial} may go on"),
        EventKind::Stopping { trial, ending, reason } => {
            let reason = reason.as_deref().unwrap_or("no reason given");
            debug!(target: TARGET, "trial {trial} is to end, by {ending:?}: {reason}");
        }
        EventKind::Prioritised { trial, priority } => debug!(target: TARGET, "trial {trial} has priority {priority}"),
        EventKind::Limited { concurrency } => debug!(target: TARGET, "at most {concurrency:?} trials at once"),
        EventKind::Ended { trial, status, ending, reason, .. } => {
            let reason = reason.as_deref().unwrap_or("no reason given");
            debug!(target: TARGET, "trial {trial} ended as {status} by {ending:?}: {reason}");
        }
        _ => {}
    }
}
