//! What an engine is told once, when it is built.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hold::SameError;
use crate::logic::config::Config;
use crate::logic::ids::RunId;
use crate::logic::limit::TimeLimit;
use crate::logic::metrics::Objective;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::trial::BatchLimits;

/// How many reports travel in one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batching {
    /// So many that the engine hears at most about 10,000 messages a second from all running trials together: each
    /// batch is handed in after 0.1 ms times the number of running trials (at most 1 s), or 1,024 reports. A trial whose
    /// steps take longer than that reports one by one. A worker hands in between two steps only: what was reported within
    /// that time before a long step is heard of after it.
    #[default]
    Adaptive,
    /// One by one.
    Single,
    /// A fixed length, and optionally a time after which the next report ends the batch.
    Fixed {
        /// The most reports in a batch.
        reports: NonZeroU32,
        /// The longest time a batch may take, but for the step in progress.
        time: Option<Duration>,
    },
}

impl Batching {
    /// The limits for a trial when so many trials are running.
    pub(super) fn limits(self, running: usize, checkpoint_every: Option<NonZeroU32>) -> BatchLimits {
        let (reports, time) = match self {
            Batching::Single => (NonZeroU32::MIN, None),
            Batching::Fixed { reports, time } => (reports, time),
            Batching::Adaptive => {
                let share = Duration::from_micros(100).saturating_mul(u32::try_from(running).unwrap_or(u32::MAX));
                (NonZeroU32::MIN.saturating_add(1_023), Some(share.min(Duration::from_secs(1))))
            }
        };
        let reports = checkpoint_every.map_or(reports, |every| reports.min(every));
        BatchLimits { reports, time, checkpoint_every }
    }
}

/// Whether a failed trial ends the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailFast {
    /// It doesn't.
    #[default]
    No,
    /// A failure that isn't tried again stops the run; its results are what there is.
    Stop,
    /// A failure that isn't tried again stops the run, which then returns that failure as its error.
    Raise,
}

/// Whether something is done at a trial's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// It isn't.
    #[default]
    Nothing,
    /// A checkpoint is written when the trial stops. Reports then travel one by one.
    Checkpoint,
}

/// How many reports of each trial are kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// None but the last.
    None,
    /// At most so many, the newest.
    Last(usize),
}

impl Default for History {
    fn default() -> Self {
        History::Last(1_000)
    }
}

/// Says what a trial needs, from its configuration. An error names what was asked and the most there is.
pub type RequestRule = Arc<dyn Fn(&Config) -> Result<Arc<ResourceRequest>, String> + Send + Sync>;

/// The settings of an engine.
#[derive(Clone)]
pub struct EngineSettings {
    /// The run's name.
    pub run: RunId,
    /// The experiment's name.
    pub name: Arc<str>,
    /// What counts.
    pub objective: Option<Objective>,
    /// How reports are batched.
    pub batching: Batching,
    /// At most so many trials have or want a worker at once.
    pub concurrency: Option<NonZeroU32>,
    /// At most so many trials wait for resources at once, in the pool's line; the others wait for their turn, in the
    /// order that priorities and the scheduler give them.
    pub staged: NonZeroU32,
    /// A checkpoint at every iteration that is a multiple of this.
    pub checkpoint_every: Option<NonZeroU32>,
    /// How many bytes the checkpoints of all trials may take together. The oldest ones go first; the last of a trial that
    /// hasn't ended never goes.
    pub checkpoint_budget: Option<u64>,
    /// What is done at a trial's end.
    pub at_end: AtEnd,
    /// Whether a failed trial ends the run.
    pub fail_fast: FailFast,
    /// What is done when the same error has come from several workers; nothing, if none.
    pub same_error: Option<SameError>,
    /// After so many trials that failed on it in a row a GPU is withdrawn from service; never, if none.
    pub withdraw_gpus_after: Option<u32>,
    /// How long the run may take; as long as it takes, if none.
    pub time_limit: Option<TimeLimit>,
    /// What is kept of each trial's reports.
    pub history: History,
    /// What a trial needs.
    pub request: RequestRule,
    /// All that there is for trials to share.
    pub resources: Resources,
}

impl EngineSettings {
    /// Of a run with one cpu a trial, so many trials at once as `resources` allow, and nothing kept or limited beyond that.
    pub fn new(run: RunId, name: impl Into<Arc<str>>, resources: Resources) -> Self {
        let request = Arc::new(ResourceRequest::default());
        Self {
            run,
            name: name.into(),
            objective: None,
            batching: Batching::default(),
            concurrency: None,
            staged: NonZeroU32::MIN.saturating_add(15),
            checkpoint_every: None,
            checkpoint_budget: None,
            at_end: AtEnd::default(),
            fail_fast: FailFast::default(),
            same_error: None,
            withdraw_gpus_after: None,
            time_limit: None,
            history: History::default(),
            request: super::same_for_all(request),
            resources,
        }
    }
}

impl std::fmt::Debug for EngineSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineSettings").field("run", &self.run).field("name", &self.name).finish_non_exhaustive()
    }
}
