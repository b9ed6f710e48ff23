//! What happened, as one stream of values: observers see nothing else.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::checkpoint::{Checkpoint, CheckpointId};
use super::config::Config;
use super::failure::{Failure, Fault};
use super::ids::{LeaseId, RunId, TrialId, WorkerId};
use super::metrics::{Objective, Report};
use super::pool::ResourceRequest;
use super::time::Moment;
use super::trial::Status;

mod ending;
mod outcome;

pub use ending::{AddedBy, Ending, PausedBy, Revival};
pub use outcome::{Hold, Outcome, Part, RunFailure};

/// A trial became a copy of another: it goes on from that one's checkpoint, with a configuration of its own. A trial can
/// also go on from its own checkpoint with another configuration.
///
/// The exploits of all trials are the policy log of population-based training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exploit {
    /// How far the trial itself had come: its last iteration.
    pub iteration: u64,
    /// Whose copy it became.
    pub donor: TrialId,
    /// Where it goes on from. Usually the donor's own; that of another trial if the donor was a copy itself and had no
    /// checkpoint of its own since.
    pub checkpoint: Arc<Checkpoint>,
    /// How many exploits of the checkpoint's trial came before that checkpoint.
    pub generation: usize,
    /// Its configuration until then.
    pub before: Arc<Config>,
    /// Its configuration from then on.
    pub config: Arc<Config>,
    /// Why, in words a person can read.
    pub reason: Option<Cow<'static, str>>,
}

/// Something that happened in a run, and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExperimentEvent {
    /// When.
    pub at: Moment,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum EventKind {
    /// The run begins.
    Started {
        /// The run; in JSON as it is printed, like the first half of its trials' ids.
        #[serde(serialize_with = "as_printed")]
        run: RunId,
        /// The experiment's name.
        name: Arc<str>,
        /// How many trials there will be, if that is known.
        total: Option<u64>,
        /// What counts.
        objective: Option<Objective>,
    },
    /// A trial was added.
    Added {
        /// The trial.
        trial: TrialId,
        /// Its configuration.
        config: Arc<Config>,
        /// Who added it.
        by: AddedBy,
    },
    /// An unfinished trial of an earlier session is back.
    Returned {
        /// The trial.
        trial: TrialId,
        /// Its configuration.
        config: Arc<Config>,
        /// PENDING or PAUSED.
        status: Status,
        /// The last iteration that it has reported; 0 if there was none.
        iteration: u64,
    },
    /// A trial that had ended goes on, by somebody's explicit word.
    Revived {
        /// The trial.
        trial: TrialId,
        /// Why.
        why: Revival,
        /// The number of the attempt that follows.
        attempt: u32,
    },
    /// A trial was chosen to be launched next.
    Chosen {
        /// Which.
        trial: TrialId,
    },
    /// A trial's public status changed.
    Status {
        /// The trial.
        trial: TrialId,
        /// From.
        from: Status,
        /// To.
        to: Status,
    },
    /// A trial began to run on a worker.
    Launched {
        /// The trial.
        trial: TrialId,
        /// From 1; one more with each retry.
        attempt: u32,
        /// On which worker.
        worker: WorkerId,
        /// Under which lease.
        lease: LeaseId,
    },
    /// A trial goes on from a checkpoint.
    Restored {
        /// The trial.
        trial: TrialId,
        /// From which; another trial's, if it became a copy of that.
        checkpoint: CheckpointId,
        /// At which iteration.
        iteration: u64,
    },
    /// A trial reported.
    Reported {
        /// What.
        report: Arc<Report>,
    },
    /// A checkpoint is complete.
    Saved {
        /// What is known of it.
        checkpoint: Arc<Checkpoint>,
    },
    /// A checkpoint is no longer kept.
    Deleted {
        /// Which.
        checkpoint: CheckpointId,
    },
    /// A trial was asked to pause, or did at once.
    Paused {
        /// The trial.
        trial: TrialId,
        /// By whom.
        by: PausedBy,
        /// Why, if anybody said.
        reason: Option<Cow<'static, str>>,
    },
    /// A paused trial may go on when there is room.
    Resumed {
        /// The trial.
        trial: TrialId,
    },
    /// A trial became a copy of another.
    Exploited {
        /// The trial.
        trial: TrialId,
        /// Of which, and what it is from now on.
        exploit: Arc<Exploit>,
    },
    /// A trial that doesn't run will be given other resources from now on.
    Resized {
        /// The trial.
        trial: TrialId,
        /// What it needs from now on.
        request: Arc<ResourceRequest>,
    },
    /// A trial's end was decided; it follows as soon as the trial has come to rest.
    Stopping {
        /// The trial.
        trial: TrialId,
        /// Who or what ended it.
        ending: Ending,
        /// Why, if anybody said.
        reason: Option<Cow<'static, str>>,
    },
    /// A client gave a trial another priority.
    Prioritised {
        /// The trial.
        trial: TrialId,
        /// Its priority from now on.
        priority: i32,
    },
    /// A client set how many trials may run at once.
    Limited {
        /// So many; none: as many as the resources allow.
        concurrency: Option<NonZeroU32>,
    },
    /// No trial is launched any more until a client lets the run go on. What runs goes on.
    Held {
        /// Why.
        why: Arc<Hold>,
    },
    /// A client let the run go on.
    Proceeded,
    /// A GPU is granted to nobody any more, because trial after trial failed on it. Whoever has it goes on.
    Withdrawn {
        /// Its index.
        gpu: u32,
        /// So many trials failed on it, one after another.
        trials: u32,
        /// How the last one did.
        fault: Fault,
    },
    /// A trial failed.
    Failed {
        /// The trial.
        trial: TrialId,
        /// How.
        failure: Arc<Failure>,
        /// When it is tried again; never if it isn't.
        retry_at: Option<Moment>,
    },
    /// A trial ended; the last word on it, said once.
    Ended {
        /// The trial.
        trial: TrialId,
        /// TERMINATED or ERROR.
        status: Status,
        /// How it came to its end.
        ending: Ending,
        /// Why, if anybody said.
        reason: Option<Cow<'static, str>>,
        /// Its last report, with `done` set.
        last: Arc<Report>,
    },
    /// A worker didn't stop within its grace period and was left behind.
    Abandoned {
        /// Which.
        worker: WorkerId,
        /// What it was working on.
        trial: Option<TrialId>,
    },
    /// Something a person should know.
    Warning {
        /// In words.
        message: String,
    },
    /// The run is over; nothing follows.
    Finished {
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
    },
}

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
            | EventKind::Resumed { trial }
            | EventKind::Restored { trial, .. }
            | EventKind::Exploited { trial, .. }
            | EventKind::Resized { trial, .. }
            | EventKind::Stopping { trial, .. }
            | EventKind::Prioritised { trial, .. }
            | EventKind::Failed { trial, .. }
            | EventKind::Ended { trial, .. } => Some(*trial),
            EventKind::Reported { report } => Some(report.trial),
            EventKind::Saved { checkpoint } => Some(checkpoint.id.trial),
            EventKind::Deleted { checkpoint } => Some(checkpoint.trial),
            EventKind::Abandoned { trial, .. } => *trial,
            EventKind::Started { .. }
            | EventKind::Limited { .. }
            | EventKind::Held { .. }
            | EventKind::Proceeded
            | EventKind::Withdrawn { .. }
            | EventKind::Warning { .. }
            | EventKind::Finished { .. } => None,
        }
    }
}

fn as_printed<S: Serializer>(run: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(run)
}
