//! Which checkpoints of a trial are kept, and which are let go.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::TrialId;
use super::metrics::{Mode, Objective, Report};

/// The name of a checkpoint: its trial and its index, from 0, which is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// The checkpoint of `trial` whose directory has this name; none if it isn't such a name.
    pub fn of_directory(trial: TrialId, name: &str) -> Option<Self> {
        let index = name.strip_prefix("checkpoint_")?.parse().ok()?;
        Some(Self { trial, index }).filter(|id| id.directory() == name)
    }
}

/// A complete checkpoint: it exists in the store, and this is what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

    /// How many are kept, all if none is said.
    pub fn keep(&self) -> Option<usize> {
        self.keep
    }
}

/// The checkpoints of one trial, from the first to be let go to the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shelf {
    retention: Retention,
    ranked: Vec<Arc<Checkpoint>>,
    latest: Option<Arc<Checkpoint>>,
    next_index: u32,
}

impl Shelf {
    /// An empty shelf.
    pub fn new(retention: Retention) -> Self {
        Self { retention, ..Self::default() }
    }

    /// A shelf with checkpoints of earlier on it, in the order in which they were written; `next_index` is that of the next.
    pub fn restored(retention: Retention, checkpoints: Vec<Arc<Checkpoint>>, next_index: u32) -> Self {
        let mut shelf = Self { next_index, ..Self::new(retention) };
        checkpoints.into_iter().for_each(|checkpoint| shelf.place(checkpoint));
        shelf
    }

    /// The index that the next checkpoint gets.
    pub fn next_index(&self) -> u32 {
        self.next_index
    }

    /// The one to go on from.
    pub fn latest(&self) -> Option<&Arc<Checkpoint>> {
        self.latest.as_ref()
    }

    /// All that are kept, the best (or newest) last.
    pub fn kept(&self) -> &[Arc<Checkpoint>] {
        &self.ranked
    }

    /// Puts a complete checkpoint on the shelf and takes those off that are no longer kept.
    pub fn register(&mut self, checkpoint: Arc<Checkpoint>) -> Vec<Arc<Checkpoint>> {
        self.place(checkpoint);
        self.let_go()
    }

    /// Takes one off that is gone; never the latest.
    pub fn remove(&mut self, id: CheckpointId) {
        if self.latest.as_ref().is_none_or(|latest| latest.id != id) {
            self.ranked.retain(|checkpoint| checkpoint.id != id);
        }
    }

    fn place(&mut self, checkpoint: Arc<Checkpoint>) {
        self.next_index = self.next_index.max(checkpoint.id.index + 1);
        let at = match &self.retention.best_by {
            None => self.ranked.len(),
            Some(objective) => {
                let rank = |of: &Checkpoint| rank(of, objective);
                let new = rank(&checkpoint);
                self.ranked.partition_point(|old| rank(old) <= new)
            }
        };
        self.ranked.insert(at, checkpoint.clone());
        self.latest = Some(checkpoint);
    }

    fn let_go(&mut self) -> Vec<Arc<Checkpoint>> {
        let Some(keep) = self.retention.keep else { return Vec::new() };
        let surplus = self.ranked.len().saturating_sub(keep.max(1));
        let latest = self.latest.as_ref().map(|latest| latest.id);
        let mut gone = Vec::new();
        let mut position = 0;
        self.ranked.retain(|checkpoint| {
            let goes = position < surplus && Some(checkpoint.id) != latest;
            position += 1;
            if goes {
                gone.push(checkpoint.clone());
            }
            !goes
        });
        gone
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
