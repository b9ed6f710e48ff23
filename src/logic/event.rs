//! What happened, as one stream of values: observers see nothing else.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::checkpoint::{Checkpoint, CheckpointId};
use super::config::Config;
use super::failure::Failure;
use super::ids::{LeaseId, RunId, TrialId, WorkerId};
use super::metrics::{Objective, Report};
use super::time::Moment;
use super::trial::Status;

/// How a trial came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// The trainable was done.
    Done,
    /// A stop rule ended it.
    StopRule,
    /// The scheduler ended it.
    Scheduler,
    /// A client ended it.
    Client,
    /// The whole experiment was ended.
    Experiment,
    /// It failed, and wasn't tried again.
    Error,
    /// A new trial with the same configuration took its place when the run was resumed.
    Restarted,
}

/// Who paused a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The scheduler, which is offered it again.
    Scheduler,
    /// A client: it stays paused until a client resumes it.
    Client,
    /// A drain: it waits for a resumed run.
    Drain,
}

/// Who added a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddedBy {
    /// The searcher suggested it.
    Searcher,
    /// A client asked for it.
    Client,
    /// It takes the place of an earlier session's trial, which is tried afresh.
    Restart,
}

/// Why a trial that had ended goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revival {
    /// It had failed and is tried once more.
    Retry,
    /// It was finished and is to go further.
    Extend,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "reason")]
#[non_exhaustive]
pub enum Outcome {
    /// All trials ended and the searcher has no more.
    Completed,
    /// A stop rule, a client or `fail_fast` ended it.
    Stopped(Cow<'static, str>),
    /// It was drained: what isn't finished can go on in a resumed run.
    Drained,
    /// It was cut off, or goes on at this moment: only of results that were opened from a directory.
    Unfinished,
    /// It couldn't go on.
    Failed(RunFailure),
}

/// Why a run couldn't go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunFailure {
    /// A searcher, scheduler or stop rule failed or panicked.
    #[error("the {part} {name} failed: {message}")]
    Part {
        /// Which of them.
        part: Part,
        /// Its name.
        name: String,
        /// What it said.
        message: String,
    },
    /// A trial asks for what this pool can never give.
    #[error("trial {trial} can never run: {message}")]
    Infeasible {
        /// The trial.
        trial: TrialId,
        /// What was asked, and the most there is.
        message: String,
    },
    /// Nothing could ever move again.
    #[error("the run is stuck: {message}")]
    Stuck {
        /// Who waits for what.
        message: String,
    },
    /// A trial failed for good under `FailFast::Raise`.
    #[error("trial {trial} failed: {failure}")]
    Trial {
        /// The trial.
        trial: TrialId,
        /// Its failure.
        failure: Failure,
    },
}

/// A part of an experiment that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The searcher.
    Searcher,
    /// The scheduler.
    Scheduler,
    /// The stop rule.
    StopRule,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Searcher => "searcher",
            Part::Scheduler => "scheduler",
            Part::StopRule => "stop rule",
        })
    }
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
        /// From which.
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
            | EventKind::Stopping { trial, .. }
            | EventKind::Prioritised { trial, .. }
            | EventKind::Failed { trial, .. }
            | EventKind::Ended { trial, .. } => Some(*trial),
            EventKind::Reported { report } => Some(report.trial),
            EventKind::Saved { checkpoint } => Some(checkpoint.id.trial),
            EventKind::Restored { checkpoint, .. } | EventKind::Deleted { checkpoint } => Some(checkpoint.trial),
            EventKind::Abandoned { trial, .. } => *trial,
            EventKind::Started { .. }
            | EventKind::Limited { .. }
            | EventKind::Warning { .. }
            | EventKind::Finished { .. } => None,
        }
    }
}

fn as_printed<S: Serializer>(run: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(run)
}
