//! The engine's frames: orders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::logic::config::Config;
use crate::logic::ids::TrialId;

/// A frame from the engine to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToWorker {
    /// The lease that it belongs to; 0 for none.
    pub lease: u64,
    /// What is to be done.
    pub order: Order,
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The answer to a worker's `hello`.
    Welcome(Welcome),
    /// Run this trial.
    Start(Box<Begin>),
    /// Become this trial, and keep what is dear.
    Reset(Box<Begin>),
    /// Load a checkpoint.
    Restore {
        /// The directory that it is in.
        dir: PathBuf,
        /// The iteration that it was taken at.
        iteration: u64,
    },
    /// Work on.
    Step(StepOrder),
    /// Write a checkpoint.
    Save {
        /// The empty directory to write to.
        dir: PathBuf,
    },
    /// Write the final product.
    Export {
        /// The empty directory to write to.
        dir: PathBuf,
        /// In which format, by its name.
        format: String,
    },
    /// End the batch with the next result.
    Hurry {},
    /// Come to rest: the trial has left.
    Drain {},
    /// Clean up and end.
    Stop {},
    /// More credit.
    Credit {
        /// For so many log messages.
        logs: u32,
    },
}

/// What a worker must know of its engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol.
    pub protocol: u32,
    /// The worker's name.
    pub worker: String,
    /// How many seconds lie between two heartbeats; none if none are wanted.
    #[serde(default)]
    pub heartbeat: Option<f64>,
    /// How long a frame may be, in bytes.
    pub max_frame: usize,
    /// How many log messages it may send before more are allowed.
    #[serde(default)]
    pub logs: u32,
}

/// A trial that a worker is to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// The trial.
    pub trial: About,
    /// Its configuration.
    pub config: Config,
    /// The resources that it holds, by name.
    #[serde(default)]
    pub resources: BTreeMap<String, f64>,
    /// The indices of its GPUs.
    #[serde(default)]
    pub gpus: Vec<u32>,
    /// Its working directory.
    #[serde(default)]
    pub dir: Option<PathBuf>,
    /// What to do once it is ready.
    #[serde(default)]
    pub then: Option<StepOrder>,
}

/// What a worker may know of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name.
    pub id: TrialId,
    /// Its number, from 0.
    pub number: u32,
    /// The experiment's name.
    pub experiment: String,
    /// From 1.
    pub attempt: u32,
    /// A seed of its own.
    pub seed: u64,
    /// The iteration that it goes on from; 0 if it begins anew.
    #[serde(default)]
    pub iteration: u64,
    /// Whether it goes on from a checkpoint.
    #[serde(default)]
    pub restored: bool,
}

/// How far to work on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOrder {
    /// Hand in after so many results, at least 1.
    pub most: u32,
    /// Hand in after the first result that comes later than so many seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
}
