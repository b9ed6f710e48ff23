//! The choices that a pool knows, and what is wrong with what it is given.

use serde::{Deserialize, Serialize};

use super::resources::{Amount, MOST_GPUS, ResourceError, Resources};

/// Whether workers are handed on from trial to trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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

/// Resources that no pool can have.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A part of a GPU in the totals.
    #[error("a pool of {value} of `gpu`: GPUs are counted whole")]
    PartialGpus {
        /// The offending value.
        value: f64,
    },
    /// More GPUs than can be numbered.
    #[error("a pool of {value} of `gpu`: at most {MOST_GPUS} can be told apart")]
    ManyGpus {
        /// The offending value.
        value: f64,
    },
    /// A GPU that this process doesn't see.
    #[error(
        "GPU {index} isn't there for this process: it inherited {variable}, which leaves {seen} to be seen, counted from 0"
    )]
    UnseenGpu {
        /// The offending index.
        index: u32,
        /// What says so, with its value: `CUDA_VISIBLE_DEVICES=4,5`.
        variable: String,
        /// How many it sees.
        seen: usize,
    },
    /// More than the budget has that the run shares.
    #[error("a pool of {asked} doesn't fit in the budget that the run shares with others, which has {budget}")]
    BeyondBudget {
        /// What the run was to have.
        asked: Box<Resources>,
        /// What the budget has.
        budget: Box<Resources>,
    },
    /// An amount or an index that can't be.
    #[error(transparent)]
    Wrong(#[from] ResourceError),
    /// No resources.
    #[error("there is nothing to run on: give at least one worker, or some resources")]
    Nothing,
}

impl Resources {
    /// Whether a pool can have them.
    ///
    /// # Errors
    /// If there is nothing to give, a part of a GPU, or more than 65,536 GPUs.
    pub fn check_pool(&self) -> Result<(), PoolError> {
        self.check()?;
        let gpus = self.get("gpu");
        if self.is_empty() {
            Err(PoolError::Nothing)
        } else if !gpus.parts().is_multiple_of(Amount::whole(1).parts()) {
            Err(PoolError::PartialGpus { value: gpus.as_f64() })
        } else if gpus > Amount::whole(MOST_GPUS) {
            Err(PoolError::ManyGpus { value: gpus.as_f64() })
        } else {
            Ok(())
        }
    }
}

/// A request that can never be met, with what was asked for and the most there is.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
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

crate::logic::failure::debug_as_chain!(PoolError, Infeasible);

fn indices(gpus: &[u32]) -> String {
    gpus.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn list(pieces: &[Amount]) -> String {
    pieces.iter().map(Amount::to_string).collect::<Vec<_>>().join(" + ")
}
