//! The form of an event: one JSON object with one key, trials by their number.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::Reports;
use super::track::Tracks;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::event::{AddedBy, Ending, EventKind, Exploit, Hold, Outcome, PausedBy, Revival};
use crate::logic::failure::{Failure, Fault};
use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use crate::logic::metrics::Report;
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

type Reason = Option<Cow<'static, str>>;

/// An event as it is written and read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// Those of several reports, in rows; they are written by [`rows`](super::rows) itself.
    #[serde(skip_serializing)]
    Reports(Reports),
    Added {
        trial: u32,
        config: Arc<Config>,
        #[serde(default = "by_searcher", skip_serializing_if = "is_by_searcher")]
        by: AddedBy,
    },
    Revived {
        trial: u32,
        why: Revival,
        attempt: u32,
    },
    Chosen(u32),
    Status(u32, Status, Status),
    Launched {
        trial: u32,
        attempt: u32,
        worker: WorkerId,
        lease: LeaseId,
    },
    Restored {
        trial: u32,
        index: u32,
        iteration: u64,
        /// Whose checkpoint it is, if not the trial's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u32>,
    },
    Saved {
        trial: u32,
        index: u32,
        bytes: u64,
        /// If it isn't the trial's last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Report>,
    },
    Deleted(u32, u32),
    Paused {
        trial: u32,
        by: PausedBy,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Reason,
    },
    Resumed(u32),
    Exploited {
        trial: u32,
        #[serde(flatten)]
        exploit: Arc<Exploit>,
    },
    Resized {
        trial: u32,
        request: Arc<ResourceRequest>,
    },
    Stopping {
        trial: u32,
        ending: Ending,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Reason,
    },
    Prioritised(u32, i32),
    Limited(Option<NonZeroU32>),
    Held(Arc<Hold>),
    Proceeded(()),
    Withdrawn {
        gpu: u32,
        trials: u32,
        fault: Fault,
    },
    Failed {
        trial: u32,
        failure: Arc<Failure>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Moment>,
    },
    Ended {
        trial: u32,
        status: Status,
        ending: Ending,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Reason,
        /// If it isn't the trial's last with `done` set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Report>,
    },
    Abandoned {
        worker: WorkerId,
        trial: Option<u32>,
    },
    Warning(String),
    Finished(Outcome),
}

fn by_searcher() -> AddedBy {
    AddedBy::Searcher
}

fn is_by_searcher(by: &AddedBy) -> bool {
    *by == AddedBy::Searcher
}

impl Told {
    /// The form of an event; none of reports, which are rows, and of what a journal says otherwise.
    pub(super) fn of(kind: &EventKind, tracks: &Tracks) -> Option<Self> {
        let number = |trial: &TrialId| trial.number();
        Some(match kind {
            EventKind::Reported { .. } | EventKind::Started { .. } | EventKind::Returned { .. } => return None,
            EventKind::Added { trial, config, by } => {
                Told::Added { trial: number(trial), config: config.clone(), by: *by }
            }
            EventKind::Revived { trial, why, attempt } => {
                Told::Revived { trial: number(trial), why: *why, attempt: *attempt }
            }
            EventKind::Chosen { trial } => Told::Chosen(number(trial)),
            EventKind::Status { trial, from, to } => Told::Status(number(trial), *from, *to),
            EventKind::Launched { trial, attempt, worker, lease } => {
                Told::Launched { trial: number(trial), attempt: *attempt, worker: *worker, lease: *lease }
            }
            EventKind::Restored { trial, checkpoint, iteration } => {
                let of = (checkpoint.trial != *trial).then(|| number(&checkpoint.trial));
                Told::Restored { trial: number(trial), index: checkpoint.index, iteration: *iteration, of }
            }
            EventKind::Saved { checkpoint } => {
                let Checkpoint { id, report, bytes } = &**checkpoint;
                let follows = as_saved(tracks, id.trial) == *report;
                let report = (!follows).then(|| report.clone());
                Told::Saved { trial: number(&id.trial), index: id.index, bytes: *bytes, report }
            }
            EventKind::Deleted { checkpoint } => Told::Deleted(number(&checkpoint.trial), checkpoint.index),
            EventKind::Paused { trial, by, reason } => {
                Told::Paused { trial: number(trial), by: *by, reason: reason.clone() }
            }
            EventKind::Resumed { trial } => Told::Resumed(number(trial)),
            EventKind::Exploited { trial, exploit } => {
                Told::Exploited { trial: number(trial), exploit: exploit.clone() }
            }
            EventKind::Resized { trial, request } => Told::Resized { trial: number(trial), request: request.clone() },
            EventKind::Stopping { trial, ending, reason } => {
                Told::Stopping { trial: number(trial), ending: *ending, reason: reason.clone() }
            }
            EventKind::Prioritised { trial, priority } => Told::Prioritised(number(trial), *priority),
            EventKind::Limited { concurrency } => Told::Limited(*concurrency),
            EventKind::Held { why } => Told::Held(why.clone()),
            EventKind::Proceeded => Told::Proceeded(()),
            EventKind::Withdrawn { gpu, trials, fault } => {
                Told::Withdrawn { gpu: *gpu, trials: *trials, fault: fault.clone() }
            }
            EventKind::Failed { trial, failure, retry_at } => {
                Told::Failed { trial: number(trial), failure: failure.clone(), retry_at: *retry_at }
            }
            EventKind::Ended { trial, status, ending, reason, last } => {
                let follows = at_end(tracks, *trial, *ending) == **last;
                let last = (!follows).then(|| Report::clone(last));
                Told::Ended { trial: number(trial), status: *status, ending: *ending, reason: reason.clone(), last }
            }
            EventKind::Abandoned { worker, trial } => {
                Told::Abandoned { worker: *worker, trial: trial.as_ref().map(number) }
            }
            EventKind::Warning { message } => Told::Warning(message.clone()),
            EventKind::Finished { outcome } => Told::Finished(outcome.clone()),
        })
    }

    /// The event; none of reports.
    pub(super) fn kind(self, run: RunId, tracks: &Tracks) -> Option<EventKind> {
        let id = |number| TrialId::new(run, number);
        Some(match self {
            Told::Reports(_) => return None,
            Told::Added { trial, config, by } => EventKind::Added { trial: id(trial), config, by },
            Told::Revived { trial, why, attempt } => EventKind::Revived { trial: id(trial), why, attempt },
            Told::Chosen(trial) => EventKind::Chosen { trial: id(trial) },
            Told::Status(trial, from, to) => EventKind::Status { trial: id(trial), from, to },
            Told::Launched { trial, attempt, worker, lease } => {
                EventKind::Launched { trial: id(trial), attempt, worker, lease }
            }
            Told::Restored { trial, index, iteration, of } => {
                let checkpoint = CheckpointId { trial: id(of.unwrap_or(trial)), index };
                EventKind::Restored { trial: id(trial), checkpoint, iteration }
            }
            Told::Saved { trial, index, bytes, report } => {
                let trial = id(trial);
                let report = report.unwrap_or_else(|| as_saved(tracks, trial));
                let checkpoint = Arc::new(Checkpoint { id: CheckpointId { trial, index }, report, bytes });
                EventKind::Saved { checkpoint }
            }
            Told::Deleted(trial, index) => EventKind::Deleted { checkpoint: CheckpointId { trial: id(trial), index } },
            Told::Paused { trial, by, reason } => EventKind::Paused { trial: id(trial), by, reason },
            Told::Resumed(trial) => EventKind::Resumed { trial: id(trial) },
            Told::Exploited { trial, exploit } => EventKind::Exploited { trial: id(trial), exploit },
            Told::Resized { trial, request } => EventKind::Resized { trial: id(trial), request },
            Told::Stopping { trial, ending, reason } => EventKind::Stopping { trial: id(trial), ending, reason },
            Told::Prioritised(trial, priority) => EventKind::Prioritised { trial: id(trial), priority },
            Told::Limited(concurrency) => EventKind::Limited { concurrency },
            Told::Held(why) => EventKind::Held { why },
            Told::Proceeded(()) => EventKind::Proceeded,
            Told::Withdrawn { gpu, trials, fault } => EventKind::Withdrawn { gpu, trials, fault },
            Told::Failed { trial, failure, retry_at } => EventKind::Failed { trial: id(trial), failure, retry_at },
            Told::Ended { trial, status, ending, reason, last } => {
                let trial = id(trial);
                let last = Arc::new(last.unwrap_or_else(|| at_end(tracks, trial, ending)));
                EventKind::Ended { trial, status, ending, reason, last }
            }
            Told::Abandoned { worker, trial } => EventKind::Abandoned { worker, trial: trial.map(id) },
            Told::Warning(message) => EventKind::Warning { message },
            Told::Finished(outcome) => EventKind::Finished { outcome },
        })
    }
}

/// The report of a checkpoint that was taken after the trial's last report.
fn as_saved(tracks: &Tracks, trial: TrialId) -> Report {
    let last = tracks.last(trial).map_or_else(|| Report::empty(trial), |last| Report::clone(last));
    Report { done: false, ..last }
}

/// The trial's last report as its end tells it.
fn at_end(tracks: &Tracks, trial: TrialId, ending: Ending) -> Report {
    let last = tracks.last(trial).map_or_else(|| Report::empty(trial), |last| Report::clone(last));
    Report { done: last.done || ending != Ending::Error, ..last }
}
