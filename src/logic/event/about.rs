//! Which trial an event is about.

use super::{EventKind, WorkerChange};
use crate::logic::ids::TrialId;

impl EventKind {
    /// The trial that it is about, if it is about one.
    pub fn trial(&self) -> Option<TrialId> {
        match self {
            EventKind::Added { trial, .. }
            | EventKind::Returned { trial, .. }
            | EventKind::Revived { trial, .. }
            | EventKind::Chosen { trial }
            | EventKind::Status { trial, .. }
            | EventKind::Launched { trial, .. }
            | EventKind::Paused { trial, .. }
            | EventKind::Resumed { trial, .. }
            | EventKind::Queued { trial }
            | EventKind::SaveRequested { trial }
            | EventKind::Unsaved { trial }
            | EventKind::ExploitOrdered { trial, .. }
            | EventKind::ExploitDropped { trial, .. }
            | EventKind::Restored { trial, .. }
            | EventKind::Exploited { trial, .. }
            | EventKind::Disinherited { trial, .. }
            | EventKind::Resized { trial, .. }
            | EventKind::Stopping { trial, .. }
            | EventKind::Prioritised { trial, .. }
            | EventKind::Failed { trial, .. }
            | EventKind::Ended { trial, .. } => Some(*trial),
            EventKind::Reported { report } => Some(report.trial),
            EventKind::Saved { checkpoint } => Some(checkpoint.id.trial),
            EventKind::Deleted { checkpoint } => Some(checkpoint.trial),
            EventKind::Abandoned { trial, .. } | EventKind::Asked { trial, .. } => *trial,
            EventKind::Worker { change: WorkerChange::ResetFailed { trial, .. }, .. } => Some(*trial),
            EventKind::Started { .. }
            | EventKind::Limited { .. }
            | EventKind::Rescaled { .. }
            | EventKind::Staged { .. }
            | EventKind::SpaceChanged { .. }
            | EventKind::SettingChanged { .. }
            | EventKind::Held { .. }
            | EventKind::Proceeded
            | EventKind::Closing { .. }
            | EventKind::Withdrawn { .. }
            | EventKind::Worker { .. }
            | EventKind::Warning { .. }
            | EventKind::Finished { .. } => None,
        }
    }
}
