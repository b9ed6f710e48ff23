//! What goes into the engine, and what comes out.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::seat::Errand;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::event::{ExperimentEvent, Hold, Outcome};
use crate::logic::failure::Fault;
use crate::logic::ids::TrialId;
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::{Status, TrialFact, TrialOrder, TrialPast};

/// Something that reaches the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineInput {
    /// The run begins.
    Begin,
    /// From a trial.
    Trial(TrialId, TrialFact),
    /// Someone dropped a fact whose lease was over.
    StaleFact,
    /// Something to be told to the observers as it is.
    Notice(crate::logic::event::EventKind),
    /// The moment that [`Engine::deadline`](super::Engine::deadline) named has come.
    Tick,
    /// The searcher is back, with its suggestion.
    Returned(Errand),
    /// All workers are gone.
    PoolClosed,
}

/// Something that the engine says.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineOutput {
    /// There is a new trial.
    Create {
        /// Its name.
        trial: TrialId,
        /// Its configuration.
        config: Arc<Config>,
        /// What it needs.
        request: Arc<ResourceRequest>,
        /// What it has behind it, if it isn't new.
        past: Option<Box<TrialPast>>,
    },
    /// To a trial.
    Trial(TrialId, TrialOrder),
    /// To be run beside the engine, and brought back as [`EngineInput::Returned`].
    Ask(Errand),
    /// To the observers.
    Event(ExperimentEvent),
    /// To the store: this checkpoint isn't needed any more.
    Forget(CheckpointId),
    /// The trial has ended: nothing more is said to it.
    Retire(TrialId),
    /// To the pool: this GPU is to be granted to nobody any more. For people, too.
    WithdrawGpu {
        /// Its index.
        gpu: u32,
        /// So many trials failed on it, one after another.
        trials: u32,
        /// How the last one did.
        fault: Fault,
    },
    /// To the pool: no trial is to be granted a worker. For people, too: this is why.
    Hold(Arc<Hold>),
    /// To the pool: trials may be granted workers again.
    Proceed,
    /// To the pool: no trial will ask for a worker beyond those that wait, so idle ones can go.
    DemandClosed,
    /// To the pool: trials may ask again, so idle workers are worth keeping.
    DemandOpened,
    /// To the pool: no trial needs a worker any more, all can go; those that don't by then, the hard way.
    ClosePool {
        /// By when.
        by: Option<Moment>,
    },
    /// The run is over. The last output.
    Finished(Outcome),
}

/// What a client can ask for while a run goes on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientOrder {
    /// End a trial.
    Stop(TrialId),
    /// Pause a trial at its next report, with a checkpoint if it can save. It stays paused until [`ClientOrder::Resume`].
    Pause(TrialId),
    /// Let a paused trial go on when there is room.
    Resume(TrialId),
    /// Write a checkpoint at a trial's next report.
    Save(TrialId),
    /// Let a trial that has ended go on from its last checkpoint: try a failed one again, extend a finished one.
    Revive(TrialId),
    /// Add a trial.
    Add(Config),
    /// From now on, launch trials with a higher priority first. All have 0 at first.
    Prioritise(TrialId, i32),
    /// From now on, at most so many trials at once; none: as many as the resources allow. Trials that run already go on.
    Concurrency(Option<NonZeroU32>),
    /// Let a run that is held go on: see [`OnSameError`](super::OnSameError).
    Proceed,
    /// End the run now.
    StopAll,
    /// Save and pause all running trials, then end the run: it can be resumed. What hasn't come to rest by the
    /// deadline goes back to its last checkpoint.
    Drain {
        /// By when.
        by: Moment,
    },
}

/// Why a client's order can't be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// There is no such trial.
    #[error("there is no trial {trial} in this run")]
    NoSuchTrial {
        /// The name that was given.
        trial: TrialId,
    },
    /// The trial's status doesn't allow it.
    #[error("trial {trial} is {status}: it can't {action}")]
    Status {
        /// The trial.
        trial: TrialId,
        /// Its status.
        status: Status,
        /// What was asked.
        action: &'static str,
    },
    /// The trial asks for what can never be given.
    #[error("a trial with this configuration can never run: {message}")]
    Infeasible {
        /// What was asked, and the most there is.
        message: String,
    },
    /// The run goes on as it is.
    #[error("the run isn't held: there is nothing to let go on")]
    NotHeld,
    /// The run is ending or over.
    #[error("the run is over")]
    Over,
}

/// Why a trial isn't running, as a value that also reads as a sentence. Nothing waits without one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Waiting {
    /// It runs, or has ended.
    Not,
    /// For its turn: others are before it, or the number of concurrent trials is at its limit.
    ForTurn,
    /// For resources; the pool says how much is free.
    ForResources {
        /// What it needs.
        needs: Arc<ResourceRequest>,
    },
    /// For its worker to be set up.
    ForWorker,
    /// For a client to let the run go on, or to end it.
    OnHold {
        /// Why the run is held.
        why: Arc<Hold>,
    },
    /// For its next attempt.
    BackingOff {
        /// Until when.
        until: Moment,
    },
    /// For the scheduler to choose it again.
    ForScheduler,
    /// For the checkpoint of the trial whose copy it is to become.
    ForDonor {
        /// Of which.
        donor: TrialId,
    },
    /// For a client to resume it.
    ForClient,
    /// For a resumed run: this one was drained.
    ForResume,
    /// For its checkpoint to be written.
    ForSave,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Waiting::Not => f.write_str("runs, or has ended"),
            Waiting::ForTurn => f.write_str("waits for its turn"),
            Waiting::ForResources { needs } => write!(f, "waits for resources: {needs}"),
            Waiting::ForWorker => f.write_str("waits for its worker to be set up"),
            Waiting::OnHold { why } => write!(f, "waits for a client to let the run go on: {why}"),
            Waiting::BackingOff { until } => write!(f, "waits for its next attempt at {until}"),
            Waiting::ForScheduler => f.write_str("waits for the scheduler to choose it again"),
            Waiting::ForDonor { donor } => write!(f, "waits for a checkpoint of {donor}, whose copy it becomes"),
            Waiting::ForClient => f.write_str("waits for a client to resume it"),
            Waiting::ForResume => f.write_str("was drained, and waits for the run to be resumed"),
            Waiting::ForSave => f.write_str("waits for its checkpoint to be written"),
        }
    }
}
