//! The pool's settings, and what is wrong with them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::{Amount, Resources};

/// Whether workers are handed on from trial to trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// Every trial gets a fresh worker.
    #[default]
    No,
    /// A worker that came to rest serves the next trial that asks for equal resources.
    Yes,
}

/// What becomes of the resources of a worker that can't be killed, such as a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbandonPolicy {
    /// They are given to others at once; the abandoned worker may still be using them.
    #[default]
    GiveBack,
    /// They are held until the worker ends by itself, if ever.
    Hold,
}

/// Whether more requests may come than are waiting now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Demand {
    /// They may: idle workers are kept.
    #[default]
    Open,
    /// They may not: idle workers that nobody waits for are stopped.
    Closed,
}

/// What a pool has and how it deals with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// All there is.
    pub total: Resources,
    /// Whether workers are handed on.
    pub reuse: Reuse,
    /// How long a worker may take to come to rest, and again how long to end, before it is killed.
    pub grace: Duration,
    /// What becomes of the resources of a worker that can't be killed.
    pub abandoned: AbandonPolicy,
    /// How often a waiting request may be overtaken before nobody may any more. With 0 the line is strict.
    pub overtaking: u32,
    /// How long an idle worker is kept, at most.
    pub idle_ttl: Option<Duration>,
}

/// Settings that make no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A part of a GPU in the totals.
    #[error("a pool of {value} of `gpu`: GPUs are counted whole")]
    PartialGpus {
        /// The offending value.
        value: f64,
    },
    /// No resources.
    #[error("there is nothing to run on: give at least one worker, or some resources")]
    Nothing,
}

impl PoolSettings {
    /// The defaults, with so much to give: no reuse, 30 s of grace, abandoned resources given back, 16 overtakings.
    pub fn new(total: Resources) -> Self {
        Self {
            total,
            reuse: Reuse::default(),
            grace: Duration::from_secs(30),
            abandoned: AbandonPolicy::default(),
            overtaking: 16,
            idle_ttl: None,
        }
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// If there is nothing to give, or a part of a GPU.
    pub fn check(&self) -> Result<(), PoolError> {
        let gpus = self.total.get("gpu");
        if self.total.is_empty() {
            Err(PoolError::Nothing)
        } else if !gpus.parts().is_multiple_of(Amount::whole(1).parts()) {
            Err(PoolError::PartialGpus { value: gpus.as_f64() })
        } else {
            Ok(())
        }
    }
}

/// A request that can never be met, with what was asked for and the most there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Infeasible {
    /// There isn't as much.
    #[error("asked for {asked}, but there is only {most}")]
    Amounts {
        /// All that was asked for.
        asked: Resources,
        /// All there is.
        most: Resources,
    },
    /// There is as much, but not in these pieces.
    #[error(
        "asked for {asked} of `gpu` in pieces of {}, which don't fit on {gpus} GPUs: a piece can't be split",
        list(pieces)
    )]
    Pieces {
        /// How much of `gpu`, all together.
        asked: Amount,
        /// What each bundle asks for, the largest first.
        pieces: Vec<Amount>,
        /// How many GPUs there are.
        gpus: u32,
    },
    /// There isn't as much since GPUs were withdrawn.
    #[error("{why}, since GPUs were taken out of service because trial after trial failed on them: {}", indices(gpus))]
    Withdrawn {
        /// What was asked for, and the most there is.
        why: Box<Infeasible>,
        /// The indices of the GPUs that are out of service.
        gpus: Vec<u32>,
    },
}

fn indices(gpus: &[u32]) -> String {
    gpus.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn list(pieces: &[Amount]) -> String {
    pieces.iter().map(Amount::to_string).collect::<Vec<_>>().join(" + ")
}
