//! All that a trial says and is told: orders are imperatives, facts are past participles.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arrival::Arrival;
use super::batch_limits::BatchLimits;
use super::event::Keep;
use super::reports_form;
use super::state::State;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::decision::Decision;
use crate::logic::failure::{Failure, Fault};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::metrics::Report;
use crate::logic::objects::{ObjectError, ObjectName, Objects};
use crate::logic::pool::{ResourceRequest, Slot};
use crate::logic::time::Moment;

/// How a batch came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchEnd {
    /// A limit on length or time, or an order that came in between.
    Limit,
    /// A checkpoint is due at the last report, by frequency or because the trainable asked for it.
    CheckpointDue,
    /// The trainable is done; its last report, if there is one in the batch, is its last of all.
    Done,
    /// A limit that the worker itself watches over is reached: the trial ends here, as by a stop rule. [`Batch::over`] says why.
    Over,
}

/// What a worker says of a trial that it ends itself, because a limit of its own is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// Which limit, in words a person can read.
    pub reason: Cow<'static, str>,
    /// Whether a checkpoint is to be written first; it is in any case if the experiment writes one at the end.
    pub keep: Keep,
}

/// What a worker hands in at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// In their order. Empty only if the trainable ended without another report.
    #[serde(with = "reports_form")]
    pub reports: Vec<Report>,
    /// Why it ends here.
    pub end: BatchEnd,
    /// A checkpoint that the trainable handed in with the last report, complete in the store.
    pub handed_in: Option<Arc<Checkpoint>>,
    /// What there is to say of a batch that ends with [`BatchEnd::Over`]; none with any other end.
    pub over: Option<Over>,
}

/// What a trainable may know of its trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialInfo {
    /// The trial.
    pub id: TrialId,
    /// The experiment's name.
    pub experiment: Arc<str>,
    /// From 1; one more with each retry.
    pub attempt: u32,
    /// A seed of its own: the same for the same experiment seed and trial number.
    pub seed: u64,
    /// The resources it holds.
    pub slot: Arc<Slot>,
    /// What configurations name and this session has supplied.
    #[serde(skip)]
    pub objects: Objects,
    /// The iteration that it goes on from; 0 if it begins anew. A checkpoint that turns out to be gone isn't known by then.
    pub iteration: u64,
    /// Whether it goes on from a checkpoint, its own or another trial's, which is restored next.
    pub restored: bool,
    /// Its own directory, if the run has one: on threads that of its [files](crate::edge::files) and checkpoints, which is made
    /// with the first of them; in a process its working directory.
    pub directory: Option<PathBuf>,
}

impl TrialInfo {
    /// Of a trial's first attempt, with no resources and no objects: to call a trainable outside of a run.
    pub fn new(id: TrialId, experiment: impl Into<Arc<str>>, seed: u64) -> Self {
        Self {
            id,
            experiment: experiment.into(),
            attempt: 1,
            seed,
            slot: Arc::default(),
            objects: Objects::default(),
            iteration: 0,
            restored: false,
            directory: None,
        }
    }

    /// The object that a configuration names.
    ///
    /// # Errors
    /// If nobody supplied it, or it is of another type.
    pub fn object<T: std::any::Any + Send + Sync>(&self, name: &ObjectName) -> Result<Arc<T>, ObjectError> {
        self.objects.get(name)
    }
}

/// The order to train that comes with a [`WorkerOrder::Start`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstBatch {
    /// When to hand in.
    pub limits: BatchLimits,
    /// The name of a checkpoint that the trainable may hand in by itself.
    pub spare: CheckpointId,
}

impl From<FirstBatch> for WorkerOrder {
    fn from(FirstBatch { limits, spare }: FirstBatch) -> Self {
        WorkerOrder::Train { limits, spare }
    }
}

/// From a trial, and from the pool, to a worker. Each is answered by exactly one [`WorkerFact`] under the same lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerOrder {
    /// Set up a trainable for this trial, or reset the one that is there. Answer: `Ready`, `ResetFailed` or `Failed`.
    Start {
        /// About the trial.
        info: TrialInfo,
        /// Its configuration.
        config: Arc<Config>,
        /// What to do once it is ready, without waiting to be told: it is as if this `Train` followed the `Ready`, which
        /// spares every trial one way there and back. None if a checkpoint is to be loaded first.
        first: Option<FirstBatch>,
        /// Its last report, of an earlier attempt: for a trainable that keeps its own state and goes on after it.
        last: Option<Arc<Report>>,
    },
    /// Go on with this trial, which the worker still has from before the engine was started anew. Answer: `Ready`, and then as to a
    /// `Train`; or `ResetFailed`, if it hasn't got it or isn't where the engine can follow.
    GoOn {
        /// About the trial.
        info: TrialInfo,
        /// Its configuration.
        config: Arc<Config>,
        /// What to do then.
        first: FirstBatch,
        /// The last report that the engine has; none: it has had none.
        last: Option<Arc<Report>>,
    },
    /// Load a checkpoint. Answer: `Restored`, `CheckpointGone` or `Failed`.
    Restore {
        /// Which.
        checkpoint: Arc<Checkpoint>,
    },
    /// Work on. Answer: `Reported` or `Failed`.
    Train {
        /// When to hand in.
        limits: BatchLimits,
        /// The name of a checkpoint that the trainable may hand in by itself.
        spare: CheckpointId,
    },
    /// Write a checkpoint, the final export, or both. Answer: `Saved` or `Failed`.
    Save {
        /// The checkpoint's name, if one is to be written.
        checkpoint: Option<CheckpointId>,
        /// The formats to export, by name.
        export: Arc<[String]>,
    },
    /// End the batch at the next report: somebody waits for it. No answer of its own.
    Yield,
    /// Come to rest: the trial has left. Answer: `Released`.
    Release,
    /// Clean up and end. Answer: `Gone`, the last one.
    Shutdown,
}

/// From a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerFact {
    /// The trainable is there.
    Ready,
    /// The trainable can't be reset; a fresh worker is wanted.
    ResetFailed(Fault),
    /// The checkpoint is loaded.
    Restored,
    /// The checkpoint that was to be loaded isn't in the store any more; the trainable is as it was.
    CheckpointGone,
    /// Work done.
    Reported(Batch),
    /// The checkpoint is complete in the store; none if the trainable has none to give.
    Saved(Option<Arc<Checkpoint>>),
    /// It failed. The worker is not to be used again.
    Failed(Fault),
    /// The worker is at rest.
    Released,
    /// The worker has ended, asked or not.
    Gone,
}

/// From the controller to a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialOrder {
    /// Get a worker and run.
    Launch(Launch),
    /// The answer to the batch that was reported under `lease`.
    Decide {
        /// Whose batch it answers.
        lease: LeaseId,
        /// What is to become of the trial.
        decision: Decision,
        /// Whether something is to be written first.
        keep: Keep,
        /// How the next reports are to be batched.
        limits: BatchLimits,
    },
    /// The batch that was reported under `lease` is unacceptable.
    Fail {
        /// Whose batch it was.
        lease: LeaseId,
        /// Why.
        fault: Fault,
    },
    /// The answer to the checkpoint that was gone under `lease`: go on from this one; none: from the beginning.
    GoOnFrom {
        /// Whose checkpoint was gone.
        lease: LeaseId,
        /// The newest that is kept.
        from: Option<Arc<Checkpoint>>,
    },
    /// Hand in at the next report: somebody waits for it.
    Hurry,
    /// Leave the worker at the next report.
    Pause,
    /// End.
    Stop,
}

/// All that a trial needs for its next attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Its configuration.
    pub config: Arc<Config>,
    /// What it needs.
    pub request: Arc<ResourceRequest>,
    /// Where it goes on from; none: from the beginning.
    pub from: Option<Arc<Checkpoint>>,
    /// Its last report, if it has reported.
    pub last: Option<Arc<Report>>,
    /// The index of its next checkpoint.
    pub index: u32,
    /// How reports are to be batched.
    pub limits: BatchLimits,
    /// Whether a worker that had it when the engine was lost may simply go on with it.
    pub goes_on: bool,
}

/// From a trial to the controller: where it stands now, and what brought it there.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialFact {
    /// Its state now.
    pub state: State,
    /// What happened.
    pub news: TrialNews,
}

/// What happened to a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialNews {
    /// An order was carried out; the state says all.
    Moved,
    /// It was given a worker, which isn't ready yet.
    Granted {
        /// Which worker.
        worker: WorkerId,
        /// Under which lease.
        lease: LeaseId,
        /// From 1.
        attempt: u32,
        /// With which resources.
        slot: Arc<Slot>,
        /// Where that worker comes from.
        arrival: Arrival,
    },
    /// Its worker is ready.
    Started,
    /// It goes on from a checkpoint.
    Restored {
        /// Which.
        checkpoint: Arc<Checkpoint>,
    },
    /// The checkpoint that it was to go on from is gone. It waits to be told from where else.
    CheckpointGone {
        /// Under which lease.
        lease: LeaseId,
        /// Which is gone.
        checkpoint: CheckpointId,
    },
    /// It reported, and waits for a decision.
    Reported {
        /// Under which lease.
        lease: LeaseId,
        /// What.
        batch: Batch,
    },
    /// A save ended.
    Saved {
        /// The checkpoint, unless the trainable has none to give.
        checkpoint: Option<Arc<Checkpoint>>,
    },
    /// It failed.
    Failed {
        /// How.
        failure: Arc<Failure>,
        /// When it can be launched again; never if it can't.
        retry_at: Option<Moment>,
    },
}

/// From a trial to the pool.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolOrder {
    /// Wants a worker.
    Acquire {
        /// Who.
        trial: TrialId,
        /// Echoed in the answer; one more with each request of the trial.
        ticket: u32,
        /// What it needs.
        request: Arc<ResourceRequest>,
    },
    /// Doesn't want it any more, granted or not.
    Cancel {
        /// Who.
        trial: TrialId,
        /// Which request.
        ticket: u32,
    },
    /// The worker of this lease couldn't be reset: a fresh one, please, for the same ticket.
    Replace {
        /// The lease that ends.
        lease: LeaseId,
    },
    /// Leaves the worker.
    Release {
        /// The lease that ends.
        lease: LeaseId,
        /// Whether the worker still works on something.
        at_rest: AtRest,
    },
    /// Leaves a worker that is not to be used again.
    Discard {
        /// The lease that ends.
        lease: LeaseId,
    },
}

/// Whether a worker works on something when its trial leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRest {
    /// It waits for orders.
    Yes,
    /// It has to come to rest first.
    No,
}

/// From the pool to a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolFact {
    /// Here is a worker.
    Granted {
        /// Which request it answers.
        ticket: u32,
        /// The lease.
        lease: LeaseId,
        /// The worker.
        worker: WorkerId,
        /// Its resources.
        slot: Arc<Slot>,
        /// Where it comes from.
        arrival: Arrival,
    },
    /// The worker of this lease has ended. It says so itself too, unless it ended before it knew of the lease.
    Lost {
        /// The lease that is over.
        lease: LeaseId,
    },
    /// No worker could be had.
    Refused {
        /// Which request it answers.
        ticket: u32,
        /// Why.
        fault: Fault,
    },
}
