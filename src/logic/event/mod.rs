//! What happened, as one stream of values: observers see nothing else.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::checkpoint::{Checkpoint, CheckpointId};
use super::config::Config;
use super::failure::{Failure, Fault};
use super::ids::{LeaseId, RunId, TrialId, WorkerId};
use super::metrics::{Objective, Report};
use super::pool::{ResourceRequest, Resources, units};
use super::settings::LiveSetting;
use super::space::Space;
use super::time::Moment;
use super::trial::{Arrival, Status};

mod about;
mod change;
mod ending;
mod exploit;
mod outcome;
mod run_info;
mod worker;

pub use change::Change;
pub use ending::{AddedBy, Ending, PausedBy, ResumedBy, Revival};
pub use exploit::{Exploit, ExploitOrder};
pub use outcome::{Closing, Hold, Outcome, Part, RunFailure};
pub use run_info::RunInfo;
pub use worker::{Process, StopCause, WorkerChange};

/// Something that happened in a run, and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct ExperimentEvent {
    /// When.
    pub at: Moment,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum EventKind {
    /// The run begins.
    Started {
        /// The run; in JSON as it is printed, like the first half of its trials' ids.
        #[serde(serialize_with = "as_printed")]
        #[cfg_attr(feature = "cli", schemars(with = "String"))]
        run: RunId,
        /// The experiment's name.
        name: Arc<str>,
        /// How many trials there will be, if that is known.
        total: Option<u64>,
        /// What counts.
        objective: Option<Objective>,
        /// What else a run is: its seed, its rules, where it lies, whether it was resumed.
        #[serde(flatten)]
        info: Arc<RunInfo>,
    },
    /// A trial was added.
    Added {
        /// The trial.
        trial: TrialId,
        /// Its configuration.
        config: Arc<Config>,
        /// What it needs.
        #[serde(with = "units")]
        #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
        request: Arc<ResourceRequest>,
        /// Who added it.
        by: AddedBy,
        /// The checkpoint that it begins from, if it was given one.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Arc<Checkpoint>>,
        /// Its place in the line, if it takes that of a trial which is restarted.
        #[serde(skip_serializing_if = "Option::is_none")]
        rank: Option<u32>,
        /// What it is called besides its id, if the experiment names its trials.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
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
        /// What it needs in this session.
        #[serde(with = "units")]
        #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
        request: Arc<ResourceRequest>,
        /// Its place among those that came back: those that reported last come first.
        rank: u32,
    },
    /// A trial that had ended goes on, by somebody's explicit word.
    Revived {
        /// The trial.
        trial: TrialId,
        /// Why.
        why: Revival,
        /// The number of the attempt that follows.
        attempt: u32,
        /// What it needs.
        #[serde(with = "units")]
        #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
        request: Arc<ResourceRequest>,
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
        /// The indices of the GPUs that it holds there, bundle by bundle. What else it holds is its request.
        gpus: Vec<u32>,
        /// With which priority.
        priority: i32,
        /// So many trials had that worker before.
        reused: u32,
        /// Where that worker comes from; not said of one that was started here.
        #[serde(skip_serializing_if = "is_spawned")]
        arrival: Arrival,
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
    /// A checkpoint is wanted at a trial's next report.
    SaveRequested {
        /// The trial.
        trial: TrialId,
    },
    /// A checkpoint was wanted, and the trainable has none to give.
    Unsaved {
        /// The trial.
        trial: TrialId,
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
        /// Who let it go on.
        by: ResumedBy,
    },
    /// A failed trial has waited long enough: its next attempt can begin when there is room.
    Queued {
        /// The trial.
        trial: TrialId,
    },
    /// A trial is to become a copy of another as soon as that can be.
    ExploitOrdered {
        /// The trial.
        trial: TrialId,
        /// Of which, and with which configuration.
        order: Arc<ExploitOrder>,
    },
    /// A trial that was to become a copy of another can't: it goes on as it was.
    ExploitDropped {
        /// The trial.
        trial: TrialId,
        /// Why, in words a person can read.
        reason: String,
    },
    /// A trial became a copy of another.
    Exploited {
        /// The trial.
        trial: TrialId,
        /// Of which, and what it is from now on.
        exploit: Arc<Exploit>,
        /// What it needs from now on.
        #[serde(with = "units")]
        #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
        request: Arc<ResourceRequest>,
    },
    /// The checkpoint of another trial that a copy was to go on from is gone: it goes on from its own last one, or from the
    /// beginning. What it reports from there on are results.
    Disinherited {
        /// The trial.
        trial: TrialId,
        /// What is gone.
        checkpoint: CheckpointId,
    },
    /// A trial that doesn't run will be given other resources from now on.
    Resized {
        /// The trial.
        trial: TrialId,
        /// What it needs from now on.
        #[serde(with = "units")]
        #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
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
    /// A client or the scheduler gave a trial another priority.
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
    /// A client changed what there is to run on.
    Rescaled {
        /// All there is from now on.
        #[serde(with = "units")]
        #[cfg_attr(feature = "cli", schemars(with = "std::collections::BTreeMap<String, units::Written<f64>>"))]
        total: Resources,
    },
    /// A client set how many trials may be made, and wait in the line for resources, ahead of workers.
    Staged {
        /// So many at most.
        most: NonZeroU32,
    },
    /// A client changed the space. Every suggestion from now on lies within; what was tried stays.
    SpaceChanged {
        /// How often it was changed by now.
        version: u32,
        /// All that differs from the space that the program gave, as names and what each may be; empty: it is that again.
        changes: Arc<Space>,
        /// Who asked for it, if anybody said; nobody if the program has another space.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A client changed a setting.
    SettingChanged {
        /// Which, and what it is from now on.
        setting: LiveSetting,
        /// Who asked for it, if anybody said; nobody if the program has changed it since.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A client's order was accepted, and it is known who asked. Changes of the space and of settings say that themselves.
    Asked {
        /// The order, as it is called in requests.
        order: Cow<'static, str>,
        /// The trial that it is about, or that it made.
        #[serde(skip_serializing_if = "Option::is_none")]
        trial: Option<TrialId>,
        /// Who.
        by: Arc<str>,
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
    /// Something happened to a worker.
    Worker {
        /// Which.
        worker: WorkerId,
        /// What.
        change: WorkerChange,
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
    /// The run begins to end: no trial begins any more.
    Closing {
        /// How, and until when.
        #[serde(flatten)]
        closing: Closing,
    },
    /// The run is over; nothing follows.
    Finished {
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
    },
}

fn is_spawned(arrival: &Arrival) -> bool {
    *arrival == Arrival::Spawned
}

fn as_printed<S: Serializer>(run: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(run)
}
