//! What an engine is told once, when it is built.

use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::logic::config::Config;
use crate::logic::event::RunInfo;
use crate::logic::ids::RunId;
use crate::logic::names::NameRule;
use crate::logic::pool::{PoolError, ResourceRequest, Resources};
use crate::logic::settings::{Settings, seconds};
use crate::logic::trial::BatchLimits;

/// How many reports travel in one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Batching {
    /// So many that the engine hears at most about 10,000 messages a second from all running trials together: each
    /// batch is handed in after 0.1 ms times the number of running trials (at most 1 s), or 1,024 reports. A trial whose
    /// steps take longer than that reports one by one. A worker hands in between two steps only: what was reported within
    /// that time before a long step is heard of after it. No step is begun beyond an iteration that is known to be the last
    /// (see [`StopRule::last_iteration`](crate::logic::stop::StopRule::last_iteration)).
    #[default]
    Adaptive,
    /// One by one.
    Single,
    /// A fixed length, and optionally a time after which the next report ends the batch.
    Fixed {
        /// The most reports in a batch.
        reports: NonZeroU32,
        /// The longest time a batch may take, but for the step in progress; in JSON a number of seconds.
        #[serde(with = "seconds::optional", default)]
        #[cfg_attr(feature = "cli", schemars(with = "Option<crate::logic::settings::form::Time>"))]
        time: Option<Duration>,
    },
}

impl Batching {
    /// The limits for a trial when so many trials are running.
    pub(super) fn limits(
        self,
        running: usize,
        checkpoint_every: Option<NonZeroU32>,
        last_iteration: Option<u64>,
    ) -> BatchLimits {
        let (reports, time) = match self {
            Batching::Single => (NonZeroU32::MIN, None),
            Batching::Fixed { reports, time } => (reports, time),
            Batching::Adaptive => {
                let share = Duration::from_micros(100).saturating_mul(u32::try_from(running).unwrap_or(u32::MAX));
                (NonZeroU32::MIN.saturating_add(1_023), Some(share.min(Duration::from_secs(1))))
            }
        };
        let reports = checkpoint_every.map_or(reports, |every| reports.min(every));
        let last_iteration = last_iteration.filter(|_| self == Batching::Adaptive);
        BatchLimits { reports, time, checkpoint_every, last_iteration }
    }
}

/// Whether a failed trial ends the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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

/// Says whether a run can have these resources.
pub type TotalRule = Arc<dyn Fn(&Resources) -> Result<(), PoolError> + Send + Sync>;

/// What an engine is told once: the experiment's [`Settings`], as which it reads, and what isn't data or depends on the machine.
#[derive(Clone)]
pub struct EngineSettings {
    /// The run's name.
    pub run: RunId,
    /// The experiment's settings. A client may change some of them while the run goes on.
    pub experiment: Arc<Settings>,
    /// What a trial needs.
    pub request: RequestRule,
    /// All that there is for trials to share, until a client changes it.
    pub total: Resources,
    /// What those who watch are told of the run; the engine fills in what it knows itself.
    pub info: RunInfo,
    /// What there may be.
    pub check_total: TotalRule,
    /// Whether workers may join from elsewhere: then only the pool knows whom nobody can serve.
    pub elsewhere: bool,
    /// What trials are called besides their ids; none: nothing.
    pub names: Option<NameRule>,
}

impl EngineSettings {
    /// Of a run with one cpu a trial, so many trials at once as `total` allows, and the defaults for everything else.
    pub fn new(run: RunId, name: impl Into<Arc<str>>, total: Resources) -> Self {
        let request = super::same_for_all(Arc::new(ResourceRequest::default()));
        let check_total: TotalRule = Arc::new(Resources::check_pool);
        let info = RunInfo::default();
        let experiment = Arc::new(Settings::new(name));
        Self { run, experiment, request, total, info, check_total, elsewhere: false, names: None }
    }
}

impl Deref for EngineSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.experiment
    }
}

impl DerefMut for EngineSettings {
    fn deref_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.experiment)
    }
}

impl std::fmt::Debug for EngineSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineSettings")
            .field("run", &self.run)
            .field("experiment", &self.experiment)
            .finish_non_exhaustive()
    }
}
