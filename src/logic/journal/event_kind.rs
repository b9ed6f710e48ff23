//! The event that a record says.

use std::sync::Arc;

use super::event_record::{EventRecord, Resumed};
use super::track::Tracks;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::engine::SpaceChange;
use crate::logic::event::{EventKind, ResumedBy, WorkerChange};
use crate::logic::ids::{RunId, TrialId};

impl EventRecord {
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
            EventRecord::Launched { trial, attempt, worker, lease, gpus, priority, reused, arrival } => {
                EventKind::Launched { trial: id(trial), attempt, worker, lease, gpus, priority, reused, arrival }
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
            EventRecord::Asked { order, trial, by } => EventKind::Asked { order, trial: trial.map(id), by },
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
