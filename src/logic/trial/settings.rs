//! What all trials of an experiment have in common.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::checkpoint::Retention;
use crate::logic::failure::RetryPolicy;
use crate::logic::objects::Objects;

/// What all trials of an experiment have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrialSettings {
    /// The experiment's name.
    pub experiment: Arc<str>,
    /// The experiment's seed.
    pub seed: u64,
    /// When a failed trial is tried again.
    pub retry: RetryPolicy,
    /// Which checkpoints are kept.
    pub retention: Retention,
    /// Whether a stopped trial exports before it leaves its worker.
    pub export: Export,
    /// When a worker that was answered and left is at rest.
    pub rests: Rests,
    /// What configurations name.
    pub objects: Objects,
}

/// When a worker is at rest whose trial leaves it between two orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rests {
    /// At once: it waits for orders and has nothing to put away.
    #[default]
    AtOnce,
    /// When it says so: a closure has to come to its end first.
    WhenReleased,
}

/// Whether a stopped trial exports before it leaves its worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// It doesn't.
    #[default]
    No,
    /// It does.
    AtEnd,
}
