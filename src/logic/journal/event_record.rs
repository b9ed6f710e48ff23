//! The form of an event: one JSON object with one key, trials by their number.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::Reports;
use super::track::Tracks;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::engine::SpaceChange;
use crate::logic::event::{
    AddedBy, Closing, Ending, EventKind, Exploit, ExploitOrder, Hold, Outcome, PausedBy, Process, ResumedBy, Revival,
    WorkerChange,
};
use crate::logic::failure::{Failure, Fault};
use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use crate::logic::metrics::Report;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::settings::LiveSetting;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

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
            EventKind::Launched { trial, attempt, worker, lease, gpus, priority, reused } => EventRecord::Launched {
                trial: number(trial),
                attempt: *attempt,
                worker: *worker,
                lease: *lease,
                gpus: gpus.clone(),
                priority: *priority,
                reused: *reused,
            },
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

    /// The event; none of reports.
    pub(super) fn kind(self, run: RunId, tracks: &Tracks) -> Option<EventKind> {
        let id = |number| TrialId::new(run, number);
        Some(match self {
            EventRecord::Reports(_) => return None,
            EventRecord::Added { trial, config, request, by, from, rank, name } => {
                EventKind::Added { trial: id(trial), config, request, by, from, rank, name }
            }
            EventRecord::Returned { trial, config, status, iteration, request, rank } => {
                EventKind::Returned { trial: id(trial), config, status, iteration, request, rank }
            }
            EventRecord::Revived { trial, why, attempt, request } => {
                EventKind::Revived { trial: id(trial), why, attempt, request }
            }
            EventRecord::Chosen(trial) => EventKind::Chosen { trial: id(trial) },
            EventRecord::Status(trial, from, to) => EventKind::Status { trial: id(trial), from, to },
            EventRecord::Launched { trial, attempt, worker, lease, gpus, priority, reused } => {
                EventKind::Launched { trial: id(trial), attempt, worker, lease, gpus, priority, reused }
            }
            EventRecord::Placed { worker, process } => {
                EventKind::Worker { worker, change: WorkerChange::Placed { process } }
            }
            EventRecord::Restored { trial, index, iteration, of } => {
                let checkpoint = CheckpointId { trial: id(of.unwrap_or(trial)), index };
                EventKind::Restored { trial: id(trial), checkpoint, iteration }
            }
            EventRecord::Saved { trial, index, bytes, report } => {
                let trial = id(trial);
                let report = report.unwrap_or_else(|| tracks.as_saved(trial));
                let checkpoint = Arc::new(Checkpoint { id: CheckpointId { trial, index }, report, bytes });
                EventKind::Saved { checkpoint }
            }
            EventRecord::Disinherited { trial, index, of } => {
                EventKind::Disinherited { trial: id(trial), checkpoint: CheckpointId { trial: id(of), index } }
            }
            EventRecord::Deleted(trial, index) => {
                EventKind::Deleted { checkpoint: CheckpointId { trial: id(trial), index } }
            }
            EventRecord::Paused { trial, by, reason } => EventKind::Paused { trial: id(trial), by, reason },
            EventRecord::SaveRequested(trial) => EventKind::SaveRequested { trial: id(trial) },
            EventRecord::Unsaved(trial) => EventKind::Unsaved { trial: id(trial) },
            EventRecord::Resumed(Resumed::Format1(trial)) => {
                EventKind::Resumed { trial: id(trial), by: ResumedBy::Client }
            }
            EventRecord::Resumed(Resumed::By { trial, by }) => EventKind::Resumed { trial: id(trial), by },
            EventRecord::Queued(trial) => EventKind::Queued { trial: id(trial) },
            EventRecord::ExploitOrdered { trial, order } => EventKind::ExploitOrdered { trial: id(trial), order },
            EventRecord::ExploitDropped { trial, reason } => EventKind::ExploitDropped { trial: id(trial), reason },
            EventRecord::Exploited { trial, exploit, request } => {
                EventKind::Exploited { trial: id(trial), exploit, request }
            }
            EventRecord::Resized { trial, request } => EventKind::Resized { trial: id(trial), request },
            EventRecord::Stopping { trial, ending, reason } => EventKind::Stopping { trial: id(trial), ending, reason },
            EventRecord::Prioritised(trial, priority) => EventKind::Prioritised { trial: id(trial), priority },
            EventRecord::Limited(concurrency) => EventKind::Limited { concurrency },
            EventRecord::Rescaled(total) => EventKind::Rescaled { total },
            EventRecord::Staged(most) => EventKind::Staged { most },
            EventRecord::SettingChanged { setting, by } => EventKind::SettingChanged { setting, by },
            EventRecord::SpaceChanged(SpaceChange { version, changes, by }) => {
                EventKind::SpaceChanged { version, changes, by }
            }
            EventRecord::Held(why) => EventKind::Held { why },
            EventRecord::Proceeded(()) => EventKind::Proceeded,
            EventRecord::Withdrawn { gpu, trials, fault } => EventKind::Withdrawn { gpu, trials, fault },
            EventRecord::Failed { trial, failure, retry_at } => {
                EventKind::Failed { trial: id(trial), failure, retry_at }
            }
            EventRecord::Ended { trial, status, ending, reason, last } => {
                let trial = id(trial);
                let last = Arc::new(last.unwrap_or_else(|| tracks.at_end(trial, ending)));
                EventKind::Ended { trial, status, ending, reason, last }
            }
            EventRecord::Abandoned { worker, trial } => EventKind::Abandoned { worker, trial: trial.map(id) },
            EventRecord::Warning(message) => EventKind::Warning { message },
            EventRecord::Closing(closing) => EventKind::Closing { closing },
            EventRecord::Finished(outcome) => EventKind::Finished { outcome },
        })
    }
}
