//! What an event changes in the eyes of whoever keeps a view of a run: tables, files, tallies.

use std::borrow::Cow;
use std::sync::Arc;

use super::{AddedBy, Ending, EventKind, Exploit, Outcome, RunInfo, WorkerChange};
use crate::logic::config::Config;
use crate::logic::failure::Failure;
use crate::logic::ids::{RunId, TrialId, WorkerId};
use crate::logic::metrics::{Objective, Report};
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// What an event changes in a view of a run. There are few, so that a view can say what it does with each of them.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// The run, or another session of it, begins.
    Began {
        /// The run.
        run: RunId,
        /// The experiment's name.
        name: &'a Arc<str>,
        /// How many trials there will be, if that is known.
        total: Option<u64>,
        /// What counts.
        objective: Option<&'a Objective>,
        /// What else it is.
        info: &'a Arc<RunInfo>,
    },
    /// A trial is new.
    Added {
        /// The trial.
        trial: TrialId,
        /// Its configuration.
        config: &'a Arc<Config>,
        /// Who added it.
        by: AddedBy,
        /// What it is called besides its id, if it is.
        name: Option<&'a Arc<str>>,
    },
    /// An unfinished trial of an earlier session is back.
    Returned {
        /// The trial.
        trial: TrialId,
        /// Its configuration.
        config: &'a Arc<Config>,
        /// PENDING or PAUSED.
        status: Status,
        /// The last iteration that it has reported.
        iteration: u64,
    },
    /// A trial that had ended goes on.
    Revived {
        /// The trial.
        trial: TrialId,
    },
    /// A trial's public status changed.
    Moved {
        /// The trial.
        trial: TrialId,
        /// From.
        from: Status,
        /// To.
        to: Status,
    },
    /// A trial has a worker, which counts from the beginning.
    Launched {
        /// The trial.
        trial: TrialId,
        /// The worker.
        worker: WorkerId,
    },
    /// Something happened to a worker.
    Worker {
        /// The worker.
        worker: WorkerId,
        /// What.
        change: &'a WorkerChange,
    },
    /// A trial goes on from a checkpoint.
    Restored {
        /// The trial.
        trial: TrialId,
    },
    /// A result.
    Reported {
        /// The result.
        report: &'a Arc<Report>,
    },
    /// A trial has another configuration from now on: it is a copy of another.
    Reconfigured {
        /// The trial.
        trial: TrialId,
        /// What it was, and what it is.
        exploit: &'a Arc<Exploit>,
    },
    /// A trial failed.
    Failed {
        /// The trial.
        trial: TrialId,
        /// How.
        failure: &'a Arc<Failure>,
        /// When it is tried again; never if it isn't.
        retry_at: Option<Moment>,
    },
    /// A trial ended.
    Ended {
        /// The trial.
        trial: TrialId,
        /// TERMINATED or ERROR.
        status: Status,
        /// How it came to its end.
        ending: Ending,
        /// Why, if anybody said.
        reason: Option<&'a Cow<'static, str>>,
        /// Its last report.
        last: &'a Arc<Report>,
    },
    /// The session is over.
    Finished {
        /// How it ended.
        outcome: &'a Outcome,
    },
    /// Checkpoints, orders, settings and words: nothing that changes what results there are.
    Other,
}

impl EventKind {
    /// What a trial needs from now on, if it says that.
    pub fn request(&self) -> Option<(TrialId, &Arc<ResourceRequest>)> {
        match self {
            EventKind::Added { trial, request, .. }
            | EventKind::Returned { trial, request, .. }
            | EventKind::Revived { trial, request, .. }
            | EventKind::Exploited { trial, request, .. }
            | EventKind::Resized { trial, request } => Some((*trial, request)),
            _ => None,
        }
    }

    /// What it changes in a view of the run.
    pub fn change(&self) -> Change<'_> {
        match self {
            EventKind::Started { run, name, total, objective, info } => {
                Change::Began { run: *run, name, total: *total, objective: objective.as_ref(), info }
            }
            EventKind::Added { trial, config, by, name, .. } => {
                Change::Added { trial: *trial, config, by: *by, name: name.as_ref() }
            }
            EventKind::Returned { trial, config, status, iteration, .. } => {
                Change::Returned { trial: *trial, config, status: *status, iteration: *iteration }
            }
            EventKind::Revived { trial, .. } => Change::Revived { trial: *trial },
            EventKind::Status { trial, from, to } => Change::Moved { trial: *trial, from: *from, to: *to },
            EventKind::Launched { trial, worker, .. } => Change::Launched { trial: *trial, worker: *worker },
            EventKind::Worker { worker, change } => Change::Worker { worker: *worker, change },
            EventKind::Restored { trial, .. } => Change::Restored { trial: *trial },
            EventKind::Reported { report } => Change::Reported { report },
            EventKind::Exploited { trial, exploit, .. } => Change::Reconfigured { trial: *trial, exploit },
            EventKind::Failed { trial, failure, retry_at } => {
                Change::Failed { trial: *trial, failure, retry_at: *retry_at }
            }
            EventKind::Ended { trial, status, ending, reason, last } => {
                Change::Ended { trial: *trial, status: *status, ending: *ending, reason: reason.as_ref(), last }
            }
            EventKind::Finished { outcome } => Change::Finished { outcome },
            EventKind::Chosen { .. }
            | EventKind::Saved { .. }
            | EventKind::SaveRequested { .. }
            | EventKind::Unsaved { .. }
            | EventKind::Deleted { .. }
            | EventKind::Paused { .. }
            | EventKind::Resumed { .. }
            | EventKind::Queued { .. }
            | EventKind::ExploitOrdered { .. }
            | EventKind::ExploitDropped { .. }
            | EventKind::Disinherited { .. }
            | EventKind::Resized { .. }
            | EventKind::Stopping { .. }
            | EventKind::Prioritised { .. }
            | EventKind::Limited { .. }
            | EventKind::Rescaled { .. }
            | EventKind::Staged { .. }
            | EventKind::SpaceChanged { .. }
            | EventKind::SettingChanged { .. }
            | EventKind::Asked { .. }
            | EventKind::Held { .. }
            | EventKind::Proceeded
            | EventKind::Closing { .. }
            | EventKind::Withdrawn { .. }
            | EventKind::Abandoned { .. }
            | EventKind::Warning { .. } => Change::Other,
        }
    }
}
