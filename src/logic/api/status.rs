//! How a run, its trials and its pool stand at a moment: what clients are answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::engine::{RunsOn, SpaceChange, Totals, TrialRecord, Waiting};
use crate::logic::event::{Closing, Hold};
use crate::logic::gate::Backlog;
use crate::logic::pool::{
    Joined, PoolCounts, ResourceRequest, Resources, WhyWaiting, WorkerTotals, shares::Cap, units,
};
use crate::logic::settings::LiveSetting;
use crate::logic::time::Moment;

/// A run at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RunStatus {
    /// Since its start.
    pub now: Moment,
    /// How many trials have each status, in the order of [`Status::ALL`](crate::logic::trial::Status::ALL).
    pub counts: [usize; 5],
    /// How many trials there will be, if that is known.
    pub total: Option<u64>,
    /// Numbers over the whole run.
    pub totals: Totals,
    /// Why no results are processed at the moment, if none are: the journal can't be written, or is far behind.
    pub held: Option<Arc<str>>,
    /// Why no trial is launched until a client says [`proceed`](crate::prelude::Control::proceed), if that is so.
    pub hold: Option<Arc<Hold>>,
    /// How it will have ended, if it has begun to end.
    #[serde(default)]
    pub closing: Option<Closing>,
    /// What clients changed of the space, if they did.
    #[serde(default)]
    pub space: Option<SpaceChange>,
    /// Other settings that clients changed, each as it is now.
    #[serde(default)]
    pub settings: Vec<LiveSetting>,
    /// The searcher that makes its next suggestion beside the run, if one does.
    pub thinking: Option<Arc<str>>,
    /// How the scheduler stands, in one line, if it says: see [`Scheduler::progress`](crate::logic::schedule::Scheduler::progress).
    #[serde(default)]
    pub scheduler: Option<String>,
    /// How far the journal is behind; none if there is none.
    pub journal: Option<Backlog>,
}

/// A trial at a moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrialStatus {
    /// All that is known of it.
    pub record: TrialRecord,
    /// Why it isn't running.
    pub waiting: Waiting,
    /// What it needs; none if it has ended.
    pub request: Option<Arc<ResourceRequest>>,
    /// Those with a higher one are launched first.
    pub priority: i32,
    /// Where it runs, if it has a worker.
    pub runs_on: Option<RunsOn>,
}

/// A pool at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PoolStatus {
    /// All there is that can be granted.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "std::collections::BTreeMap<String, units::Written<f64>>"))]
    pub total: Resources,
    /// The indices of the GPUs that were withdrawn, because trial after trial failed on them.
    pub withdrawn_gpus: BTreeSet<u32>,
    /// The most that this run may hold at the moment, if it shares the host with others; they have the rest, or it is free.
    #[serde(default)]
    pub cap: Option<Cap>,
    /// What no worker holds.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "std::collections::BTreeMap<String, units::Written<f64>>"))]
    pub free: Resources,
    /// How many workers are what.
    pub counts: PoolCounts,
    /// What became of workers since the session's start.
    pub workers: WorkerTotals,
    /// Workers from elsewhere, shape by shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Joined>,
    /// Why the trial that was asked about has no worker.
    pub why: Option<WhyWaiting>,
}
