//! What a run is, as it is said once when it begins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::search::Samples;

/// What a run is, for whoever watches it: part of [`EventKind::Started`](super::EventKind::Started).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RunInfo {
    /// Which session of the run this is, from 1. Above 1 the run was resumed.
    pub session: u32,
    /// The seed of all that is drawn.
    pub seed: u64,
    /// How many samples were asked for, if that was said.
    pub samples: Option<Samples>,
    /// The searcher's name.
    pub searcher: String,
    /// The scheduler's name.
    pub scheduler: String,
    /// The stop rules in words, as in `loss at most 0.1`; any of them ends a trial or the run.
    pub stop: Vec<String>,
    /// All there is to run on, in units, as in `{"cpu": 8}`.
    pub resources: BTreeMap<String, f64>,
    /// The run's directory, if it has one.
    pub dir: Option<PathBuf>,
    /// The path or prefix below which checkpoints lie, if the store says it: see [`checkpoint`](Self::checkpoint).
    pub checkpoints: Option<String>,
}

impl RunInfo {
    /// Whether the run goes on where an earlier session stopped.
    pub fn is_resumed(&self) -> bool {
        self.session > 1
    }

    /// Where a checkpoint of this run lies: a directory, or a prefix of an object store. None if the store doesn't say it, as
    /// one in memory. What lies there may be deleted at any time, as the run's retention says.
    pub fn checkpoint(&self, id: CheckpointId) -> Option<String> {
        self.checkpoints.as_ref().map(|root| format!("{}/{}", root.trim_end_matches('/'), id.path()))
    }
}
