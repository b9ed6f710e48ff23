//! The form of an event: one JSON object with one key, trials by their number.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::Reports;
use super::track::Tracks;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::config::Config;
use crate::logic::engine::SpaceChange;
use crate::logic::event::{
    AddedBy, Closing, Ending, EventKind, Exploit, ExploitOrder, Hold, Outcome, PausedBy, Process, ResumedBy, Revival,
    WorkerChange,
};
use crate::logic::failure::{Failure, Fault};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::metrics::Report;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::settings::LiveSetting;
use crate::logic::time::Moment;
use crate::logic::trial::{Arrival, Status};

type Reason = Option<Cow<'static, str>>;

/// An event as it is written and read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventRecord {
    /// Those of several reports, in rows; they are written by [`rows`](super::rows) itself.
    #[serde(skip_serializing)]
    Reports(Reports),
    Added {
        trial: u32,
        config: Arc<Config>,
        /// If it isn't one cpu. Format 1 never said it.
        #[serde(default, skip_serializing_if = "is_default")]
        request: Arc<ResourceRequest>,
        #[serde(default = "by_searcher", skip_serializing_if = "is_by_searcher")]
        by: AddedBy,
        /// The checkpoint that it begins from, if it was given one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Arc<Checkpoint>>,
        /// Its place in the line, if it took that of another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rank: Option<u32>,
        /// What it is called besides its id, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
    },
    Returned {
        trial: u32,
        config: Arc<Config>,
        status: Status,
        iteration: u64,
        #[serde(default, skip_serializing_if = "is_default")]
        request: Arc<ResourceRequest>,
        rank: u32,
    },
    Revived {
        trial: u32,
        why: Revival,
        attempt: u32,
        #[serde(default, skip_serializing_if = "is_default")]
        request: Arc<ResourceRequest>,
    },
    Chosen(u32),
    Status(u32, Status, Status),
    Launched {
        trial: u32,
        attempt: u32,
        worker: WorkerId,
        lease: LeaseId,
        #[serde(default, skip_serializing_if = "is_default")]
        gpus: Vec<u32>,
        #[serde(default, skip_serializing_if = "is_default")]
        priority: i32,
        #[serde(default, skip_serializing_if = "is_default")]
        reused: u32,
        #[serde(default, skip_serializing_if = "is_default")]
        arrival: Arrival,
    },
    /// The process that a worker's trials are in: files say it of their rows. What else happens to workers isn't written.
    Placed {
        worker: WorkerId,
        #[serde(flatten)]
        process: Arc<Process>,
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
    SaveRequested(u32),
    Unsaved(u32),
    Paused {
        trial: u32,
        by: PausedBy,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Reason,
    },
    Resumed(Resumed),
    Queued(u32),
    ExploitOrdered {
        trial: u32,
        order: Arc<ExploitOrder>,
    },
    ExploitDropped {
        trial: u32,
        reason: String,
    },
    Disinherited {
        trial: u32,
        index: u32,
        of: u32,
    },
    Exploited {
        trial: u32,
        #[serde(flatten)]
        exploit: Arc<Exploit>,
        #[serde(default, skip_serializing_if = "is_default")]
        request: Arc<ResourceRequest>,
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
    Rescaled(Resources),
    Staged(NonZeroU32),
    SpaceChanged(SpaceChange),
    SettingChanged {
        setting: LiveSetting,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    Asked {
        order: Cow<'static, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trial: Option<u32>,
        by: Arc<str>,
    },
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
    Closing(Closing),
    Finished(Outcome),
}

/// Format 1 said the trial alone; only what a client let go on was told to the scheduler then.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Resumed {
    Format1(u32),
    By { trial: u32, by: ResumedBy },
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn by_searcher() -> AddedBy {
    AddedBy::Searcher
}

fn is_by_searcher(by: &AddedBy) -> bool {
    *by == AddedBy::Searcher
}

impl EventRecord {
    /// The form of an event; none of reports, which are rows, and of what a journal says otherwise.
    pub(super) fn of(kind: &EventKind, tracks: &Tracks) -> Option<Self> {
        let number = |trial: &TrialId| trial.number();
        Some(match kind {
            EventKind::Reported { .. } | EventKind::Started { .. } => return None,
            EventKind::Added { trial, config, request, by, from, rank, name } => {
                let (trial, config, request) = (number(trial), config.clone(), request.clone());
                let (from, name) = (from.clone(), name.clone());
                EventRecord::Added { trial, config, request, by: *by, from, rank: *rank, name }
            }
            EventKind::Returned { trial, config, status, iteration, request, rank } => EventRecord::Returned {
                trial: number(trial),
                config: config.clone(),
                status: *status,
                iteration: *iteration,
                request: request.clone(),
                rank: *rank,
            },
            EventKind::Revived { trial, why, attempt, request } => {
                let (trial, request) = (number(trial), request.clone());
                EventRecord::Revived { trial, why: *why, attempt: *attempt, request }
            }
            EventKind::Chosen { trial } => EventRecord::Chosen(number(trial)),
            EventKind::Status { trial, from, to } => EventRecord::Status(number(trial), *from, *to),
            EventKind::Launched { trial, attempt, worker, lease, gpus, priority, reused, arrival } => {
                EventRecord::Launched {
                    trial: number(trial),
                    attempt: *attempt,
                    worker: *worker,
                    lease: *lease,
                    gpus: gpus.clone(),
                    priority: *priority,
                    reused: *reused,
                    arrival: *arrival,
                }
            }
            EventKind::Worker { worker, change: WorkerChange::Placed { process } } => {
                EventRecord::Placed { worker: *worker, process: process.clone() }
            }
            EventKind::Worker { .. } => return None,
            EventKind::Restored { trial, checkpoint, iteration } => {
                let of = (checkpoint.trial != *trial).then(|| number(&checkpoint.trial));
                EventRecord::Restored { trial: number(trial), index: checkpoint.index, iteration: *iteration, of }
            }
            EventKind::Saved { checkpoint } => {
                let Checkpoint { id, report, bytes } = &**checkpoint;
                let follows = tracks.as_saved(id.trial) == *report;
                let report = (!follows).then(|| report.clone());
                EventRecord::Saved { trial: number(&id.trial), index: id.index, bytes: *bytes, report }
            }
            EventKind::Disinherited { trial, checkpoint } => {
                let (index, of) = (checkpoint.index, number(&checkpoint.trial));
                EventRecord::Disinherited { trial: number(trial), index, of }
            }
            EventKind::Deleted { checkpoint } => EventRecord::Deleted(number(&checkpoint.trial), checkpoint.index),
            EventKind::Paused { trial, by, reason } => {
                EventRecord::Paused { trial: number(trial), by: *by, reason: reason.clone() }
            }
            EventKind::SaveRequested { trial } => EventRecord::SaveRequested(number(trial)),
            EventKind::Unsaved { trial } => EventRecord::Unsaved(number(trial)),
            EventKind::Resumed { trial, by } => EventRecord::Resumed(Resumed::By { trial: number(trial), by: *by }),
            EventKind::Queued { trial } => EventRecord::Queued(number(trial)),
            EventKind::ExploitOrdered { trial, order } => {
                EventRecord::ExploitOrdered { trial: number(trial), order: order.clone() }
            }
            EventKind::ExploitDropped { trial, reason } => {
                EventRecord::ExploitDropped { trial: number(trial), reason: reason.clone() }
            }
            EventKind::Exploited { trial, exploit, request } => {
                EventRecord::Exploited { trial: number(trial), exploit: exploit.clone(), request: request.clone() }
            }
            EventKind::Resized { trial, request } => {
                EventRecord::Resized { trial: number(trial), request: request.clone() }
            }
            EventKind::Stopping { trial, ending, reason } => {
                EventRecord::Stopping { trial: number(trial), ending: *ending, reason: reason.clone() }
            }
            EventKind::Prioritised { trial, priority } => EventRecord::Prioritised(number(trial), *priority),
            EventKind::Limited { concurrency } => EventRecord::Limited(*concurrency),
            EventKind::Rescaled { total } => EventRecord::Rescaled(total.clone()),
            EventKind::Staged { most } => EventRecord::Staged(*most),
            EventKind::SettingChanged { setting, by } => {
                EventRecord::SettingChanged { setting: setting.clone(), by: by.clone() }
            }
            EventKind::SpaceChanged { version, changes, by } => {
                EventRecord::SpaceChanged(SpaceChange { version: *version, changes: changes.clone(), by: by.clone() })
            }
            EventKind::Asked { order, trial, by } => {
                EventRecord::Asked { order: order.clone(), trial: trial.as_ref().map(number), by: by.clone() }
            }
            EventKind::Held { why } => EventRecord::Held(why.clone()),
            EventKind::Proceeded => EventRecord::Proceeded(()),
            EventKind::Withdrawn { gpu, trials, fault } => {
                EventRecord::Withdrawn { gpu: *gpu, trials: *trials, fault: fault.clone() }
            }
            EventKind::Failed { trial, failure, retry_at } => {
                EventRecord::Failed { trial: number(trial), failure: failure.clone(), retry_at: *retry_at }
            }
            EventKind::Ended { trial, status, ending, reason, last } => {
                let follows = tracks.at_end(*trial, *ending) == **last;
                let last = (!follows).then(|| Report::clone(last));
                EventRecord::Ended {
                    trial: number(trial),
                    status: *status,
                    ending: *ending,
                    reason: reason.clone(),
                    last,
                }
            }
            EventKind::Abandoned { worker, trial } => {
                EventRecord::Abandoned { worker: *worker, trial: trial.as_ref().map(number) }
            }
            EventKind::Warning { message } => EventRecord::Warning(message.clone()),
            EventKind::Closing { closing } => EventRecord::Closing(closing.clone()),
            EventKind::Finished { outcome } => EventRecord::Finished(outcome.clone()),
        })
    }
}
