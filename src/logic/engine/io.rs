//! What goes into the engine, and what comes out.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::searcher_slot::SuggestTask;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::event::{ExperimentEvent, Hold, Outcome};
use crate::logic::failure::Fault;
use crate::logic::ids::TrialId;
use crate::logic::pool::{Infeasible, PoolError, ResourceRequest, Resources, units};
use crate::logic::settings::{LiveSetting, WrongSetting};
use crate::logic::space::Space;
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
    Returned(SuggestTask),
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
        /// What it has behind it, if it isn't new.
        past: Option<Box<TrialPast>>,
    },
    /// To a trial.
    Trial(TrialId, TrialOrder),
    /// To be run beside the engine, and brought back as [`EngineInput::Returned`].
    Ask(SuggestTask),
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
    /// To the pool and the backend: from now on there is this much in all.
    Resize(Resources),
    /// To the pool: no trial is to be granted a worker. For people, too: this is why.
    Hold(Arc<Hold>),
    /// To the pool: trials may be granted workers again.
    Proceed,
    /// To the pool: workers from elsewhere had these trials when the engine was lost, and may come back with them.
    ExpectBack(BTreeSet<TrialId>),
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Add a trial that begins from this checkpoint, which a trial of this run has.
    AddFrom(Config, CheckpointId),
    /// Add a trial that begins from a checkpoint of another run, which is in the store under a name of
    /// [`TrialId::imported`]. It is deleted when the trial doesn't need it any more.
    #[serde(skip)]
    AddImported(Config, Arc<Checkpoint>),
    /// From now on, launch trials with a higher priority first. All have 0 at first.
    Prioritise(TrialId, i32),
    /// From now on, at most so many trials at once; none: as many as the resources allow. Trials that run already go on.
    Concurrency(Option<NonZeroU32>),
    /// From now on there is this much to run on in all. What trials hold they keep, also beyond that, until they leave their
    /// workers. No trial that hasn't ended may be left without hope.
    Resources(#[serde(with = "units")] Resources),
    /// From now on, make at most so many trials that wait for a worker. Those that wait already still do.
    Staged(NonZeroU32),
    /// From now on a trial needs this. One that has a worker pauses at its next report, with a checkpoint if it can save, and goes
    /// on with a worker of its new size when there is room.
    Request(TrialId, #[serde(with = "units")] Arc<ResourceRequest>),
    /// From now on these values may be what is said here, by name: a number may get other bounds, a choice or grid other options.
    /// Names that aren't given stay as they are. What was tried stays; suggestions that haven't begun and lie outside are drawn
    /// again, trials that clients added aren't.
    SetSpace {
        /// Names, and what each may be.
        changes: Space,
        /// Who asks for it.
        #[serde(default)]
        by: Option<Arc<str>>,
    },
    /// From now on a setting is this.
    Set {
        /// Which, and what it is.
        setting: LiveSetting,
        /// Who asks for it.
        #[serde(default)]
        by: Option<Arc<str>>,
    },
    /// Let a run that is held go on: see [`OnSameError`](super::OnSameError).
    Proceed,
    /// End the run now, also one that drains.
    StopAll,
    /// Save and pause all running trials, then end the run: it can be resumed. What hasn't come to rest by the
    /// deadline goes back to its last checkpoint.
    #[serde(skip)]
    Drain {
        /// By when.
        by: Moment,
    },
}

impl ClientOrder {
    /// What it is called in requests, and the trial that it is about.
    pub(super) fn named(&self) -> (&'static str, Option<TrialId>) {
        match self {
            ClientOrder::Stop(trial) => ("stop", Some(*trial)),
            ClientOrder::Pause(trial) => ("pause", Some(*trial)),
            ClientOrder::Resume(trial) => ("resume", Some(*trial)),
            ClientOrder::Save(trial) => ("save", Some(*trial)),
            ClientOrder::Revive(trial) => ("revive", Some(*trial)),
            ClientOrder::Prioritise(trial, _) => ("prioritise", Some(*trial)),
            ClientOrder::Request(trial, _) => ("request", Some(*trial)),
            ClientOrder::Add(_) => ("add", None),
            ClientOrder::AddFrom(..) | ClientOrder::AddImported(..) => ("add_from", None),
            ClientOrder::Concurrency(_) => ("concurrency", None),
            ClientOrder::Resources(_) => ("resources", None),
            ClientOrder::Staged(_) => ("staged", None),
            ClientOrder::SetSpace { .. } => ("set_space", None),
            ClientOrder::Set { .. } => ("set", None),
            ClientOrder::Proceed => ("proceed", None),
            ClientOrder::StopAll => ("stop_all", None),
            ClientOrder::Drain { .. } => ("drain", None),
        }
    }

    /// Takes who asks down in those orders that have a place for it. Answers whether this one does.
    pub(super) fn signed(&mut self, who: &Option<Arc<str>>) -> bool {
        let (ClientOrder::SetSpace { by, .. } | ClientOrder::Set { by, .. }) = self else { return false };
        *by = by.take().or_else(|| who.clone());
        true
    }
}

/// Why a client's order can't be carried out.
#[derive(Clone, PartialEq, thiserror::Error)]
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
    /// The trial has no such checkpoint to begin from.
    #[error("{} of trial {} isn't there: {}", .checkpoint.directory(), .checkpoint.trial, has(.kept))]
    NoSuchCheckpoint {
        /// Which was named.
        checkpoint: CheckpointId,
        /// The ones that its trial has.
        kept: Vec<CheckpointId>,
    },
    /// The trial asks for what can never be given.
    #[error("a trial with this configuration can never run: {message}")]
    Infeasible {
        /// What was asked, and the most there is.
        message: String,
    },
    /// What a client waited for didn't come.
    #[error("trial {trial} wasn't {what}: {why}")]
    Missed {
        /// The trial.
        trial: TrialId,
        /// `saved` or `paused`.
        what: &'static str,
        /// What happened instead.
        why: String,
    },
    /// A trial couldn't run any more.
    #[error("trial {trial} could never run then: {why}")]
    Hopeless {
        /// The trial.
        trial: TrialId,
        /// What it needs, and the most there would be.
        why: Infeasible,
    },
    /// No run can have these resources.
    #[error("the run can't have these resources: {0}")]
    Resources(#[from] PoolError),
    /// The space can't be changed so.
    #[error("the space stays as it is: {why}")]
    Space {
        /// Which value or part refuses it, and why.
        why: String,
    },
    /// The stop rules can't be these.
    #[error("the stop rules stay as they are: {why}")]
    Stop {
        /// Which rule can't be made, and why.
        why: String,
    },
    /// The setting is out of its range.
    #[error(transparent)]
    Setting(#[from] WrongSetting),
    /// The run goes on as it is.
    #[error("the run isn't held: there is nothing to let go on")]
    NotHeld,
    /// The run is ending or over.
    #[error("the run is over")]
    Over,
}

crate::logic::failure::debug_as_chain!(OrderError);

fn has(kept: &[CheckpointId]) -> String {
    let names: Vec<String> = kept.iter().map(CheckpointId::directory).collect();
    if names.is_empty() { "it has no checkpoint".to_owned() } else { format!("it has {}", names.join(", ")) }
}

/// Why a trial isn't running, as a value that also reads as a sentence. Nothing waits without one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "waits")]
#[non_exhaustive]
pub enum Waiting {
    /// It runs, or has ended.
    Not,
    /// For its turn: others are before it, or the number of concurrent trials is at its limit.
    ForTurn,
    /// For resources; the pool says how much is free.
    ForResources {
        /// What it needs.
        #[serde(with = "units")]
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
