//! All that a trial says and is told: orders are imperatives, facts are past participles.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::event::Keep;
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

/// When a worker hands in what it has. A batch also ends at a due checkpoint and at `done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// After so many reports.
    pub reports: NonZeroU32,
    /// After the first report that comes later than this.
    pub time: Option<Duration>,
    /// At every iteration that is a multiple of this.
    pub checkpoint_every: Option<NonZeroU32>,
}

impl BatchLimits {
    /// One report at a time.
    pub const SINGLE: BatchLimits = BatchLimits { reports: NonZeroU32::MIN, time: None, checkpoint_every: None };

    /// Whether a checkpoint is due at this iteration.
    pub fn checkpoint_due(&self, iteration: u64) -> bool {
        self.checkpoint_every.is_some_and(|every| iteration.is_multiple_of(u64::from(every.get())))
    }
}

/// How a batch came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which limit, in words a person can read.
    pub reason: Cow<'static, str>,
    /// Whether a checkpoint is to be written first; it is in any case if the experiment writes one at the end.
    pub keep: Keep,
}

/// What a worker hands in at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// In their order. Empty only if the trainable ended without another report.
    pub reports: Vec<Report>,
    /// Why it ends here.
    pub end: BatchEnd,
    /// A checkpoint that the trainable handed in with the last report, complete in the store.
    pub handed_in: Option<Arc<Checkpoint>>,
    /// What there is to say of a batch that ends with [`BatchEnd::Over`]; none with any other end.
    pub over: Option<Over>,
}

/// What a trainable may know of its trial.
#[derive(Clone, Debug, PartialEq)]
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
    pub objects: Objects,
}

impl TrialInfo {
    /// The object that a configuration names.
    ///
    /// # Errors
    /// If nobody supplied it, or it is of another type.
    pub fn object<T: std::any::Any + Send + Sync>(&self, name: &ObjectName) -> Result<Arc<T>, ObjectError> {
        self.objects.get(name)
    }
}

/// The order to train that comes with a [`WorkerOrder::Start`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq)]
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
    },
    /// Load a checkpoint. Answer: `Restored` or `Failed`.
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
        /// Whether to export as well.
        export: bool,
    },
    /// End the batch at the next report: somebody waits for it. No answer of its own.
    Yield,
    /// Come to rest: the trial has left. Answer: `Released`.
    Release,
    /// Clean up and end. Answer: `Gone`, the last one.
    Shutdown,
}

/// From a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerFact {
    /// The trainable is there.
    Ready,
    /// The trainable can't be reset; a fresh worker is wanted.
    ResetFailed(Fault),
    /// The checkpoint is loaded.
    Restored,
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
    Launch {
        /// How reports are to be batched.
        limits: BatchLimits,
    },
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
    /// This checkpoint, which isn't the last, has gone: there was no room for it.
    LetGo(CheckpointId),
    /// From its next start on, be this.
    Adopt(Adopted),
    /// From its next start on, ask for this.
    Resize(Arc<ResourceRequest>),
    /// Hand in at the next report: somebody waits for it.
    Hurry,
    /// Leave the worker at the next report.
    Pause,
    /// End.
    Stop,
}

/// What a trial becomes that is made a copy of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Adopted {
    /// Its configuration.
    pub config: Arc<Config>,
    /// What it needs.
    pub request: Arc<ResourceRequest>,
    /// Where it goes on from.
    pub checkpoint: Arc<Checkpoint>,
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
    },
    /// Its worker is ready.
    Started,
    /// It goes on from a checkpoint.
    Restored {
        /// Which.
        checkpoint: Arc<Checkpoint>,
    },
    /// It reported, and waits for a decision.
    Reported {
        /// Under which lease.
        lease: LeaseId,
        /// What.
        batch: Batch,
        /// Checkpoints that are no longer kept, because the batch brought a newer one.
        let_go: Vec<CheckpointId>,
    },
    /// A save ended.
    Saved {
        /// The checkpoint, unless the trainable has none to give.
        checkpoint: Option<Arc<Checkpoint>>,
        /// Those that are no longer kept.
        let_go: Vec<CheckpointId>,
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
