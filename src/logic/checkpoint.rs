//! Which checkpoints of a trial are kept, and which are let go.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::TrialId;
use super::metrics::{Mode, Objective, Report};

/// The name of a checkpoint: its trial and its index, from 0, which is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct CheckpointId {
    /// Whose it is.
    pub trial: TrialId,
    /// Its index within the trial.
    pub index: u32,
}

impl CheckpointId {
    /// The name of its directory: `checkpoint_000003`.
    pub fn directory(&self) -> String {
        format!("checkpoint_{:06}", self.index)
    }

    /// Where it lies in a store: `3fa01_00002/checkpoint_000003`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.trial, self.directory())
    }

    /// The checkpoint of `trial` whose directory has this name; none if it isn't such a name.
    pub fn of_directory(trial: TrialId, name: &str) -> Option<Self> {
        let index = name.strip_prefix("checkpoint_")?.parse().ok()?;
        Some(Self { trial, index }).filter(|id| id.directory() == name)
    }
}

/// A complete checkpoint: it exists in the store, and this is what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Checkpoint {
    /// Its name.
    pub id: CheckpointId,
    /// The trial's last report when it was taken; empty if there was none.
    pub report: Report,
    /// Its size.
    pub bytes: u64,
}

/// How many checkpoints a trial keeps. The latest is always kept, even if it isn't among the best.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Retention {
    keep: Option<usize>,
    best_by: Option<Objective>,
}

impl Retention {
    /// Keeps all.
    pub fn all() -> Self {
        Self::default()
    }

    /// Keeps the last `k`, at least 1.
    pub fn last(k: usize) -> Self {
        Self { keep: Some(k), best_by: None }
    }

    /// Keeps the best `k`, at least 1, by `objective`, besides the latest.
    pub fn best(k: usize, objective: Objective) -> Self {
        Self { keep: Some(k), best_by: Some(objective) }
    }

    /// How many are kept; all, if none.
    pub fn keep(&self) -> Option<usize> {
        self.keep
    }

    /// Which of a trial's checkpoints are no longer kept, from the worst (or oldest). `kept` is in the order in which they were
    /// written; the last one stays.
    pub fn let_go(&self, kept: &[Arc<Checkpoint>]) -> Vec<CheckpointId> {
        let (Some(keep), Some((latest, _))) = (self.keep, kept.split_last()) else { return Vec::new() };
        let surplus = kept.len().saturating_sub(keep.max(1));
        if surplus == 0 {
            return Vec::new();
        }
        let mut ranked: Vec<&Arc<Checkpoint>> = kept.iter().collect();
        if let Some(objective) = &self.best_by {
            let order = |one: &&Arc<Checkpoint>, other: &&Arc<Checkpoint>| {
                rank(one, objective).partial_cmp(&rank(other, objective)).unwrap_or(Ordering::Equal)
            };
            ranked.sort_by(order);
        }
        ranked.into_iter().take(surplus).map(|checkpoint| checkpoint.id).filter(|id| *id != latest.id).collect()
    }
}

/// A total order from worse to better: without the metric, NaN, then the numbers, infinities in their places.
#[derive(PartialEq, PartialOrd)]
enum Rank {
    Missing,
    NotANumber,
    Score(f64),
}

fn rank(checkpoint: &Checkpoint, objective: &Objective) -> Rank {
    match checkpoint.report.number(&objective.metric) {
        None => Rank::Missing,
        Some(value) if value.is_nan() => Rank::NotANumber,
        Some(value) => Rank::Score(match objective.mode {
            Mode::Min => -value,
            Mode::Max => value,
        }),
    }
}
