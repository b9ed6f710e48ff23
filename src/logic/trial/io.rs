//! What reaches a trial and what it says, and what a trial can have behind it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::State;
use super::talk::{PoolFact, PoolOrder, TrialFact, TrialOrder, WorkerFact, WorkerOrder};
use super::transition::IllegalTransition;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::failure::FailureKind;
use crate::logic::ids::LeaseId;

/// Something that reaches a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialInput {
    /// From the controller.
    Order(TrialOrder),
    /// From the pool.
    Pool(PoolFact),
    /// From a worker, under the lease that it was given.
    Worker(LeaseId, WorkerFact),
}

/// Something that a trial says.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialOutput {
    /// To the controller.
    Engine(TrialFact),
    /// To the pool.
    Pool(PoolOrder),
    /// To its worker.
    Worker(LeaseId, WorkerOrder),
}

/// What became of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Handled {
    /// It moved the trial, or came too late and did no harm.
    Done,
    /// Its lease or ticket is over: dropped.
    Stale,
    /// It can't happen in this state: dropped.
    Refused(IllegalTransition),
}

/// What a trial of an earlier session, or one that had ended, has behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialPast {
    /// Queued or paused.
    pub state: State,
    /// The number of its next attempt, from 1.
    pub attempt: u32,
    /// The iteration that it stands at.
    pub iteration: u64,
    /// Its failures so far, in their order.
    pub failures: Vec<FailureKind>,
    /// After how many of them a restore worked that had failed before.
    pub restores: Vec<usize>,
}

/// Where a trial goes on from that became a copy of another, as long as it has no checkpoint of its own since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Inherited {
    /// The other trial's checkpoint.
    pub checkpoint: Arc<Checkpoint>,
    /// How far that has come.
    pub loaded: Loaded,
}

/// Whether a trial has begun its life as a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Loaded {
    /// Not yet: what it still saves is of its life before.
    No,
    /// It has: from its next checkpoint on it goes on from its own.
    Yes,
}
