//! The settings of an experiment: one struct. The builder sets it, the journal stores it, and a file can be read into it.
//!
//! To add a setting: a field here with its default, a line in `check.rs` if it has a range, and the place that obeys it.
//! `tests/settings` fails until it says how the new field is set, and holds it against a resume.

mod change;
mod check;
mod code;
mod files;
pub(crate) mod form;
mod format1;
mod live;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use change::Change;
pub use check::WrongSetting;
pub use code::{OrCode, short_name};
pub use files::{FileKind, Files};
pub(crate) use form::seconds;
pub(crate) use format1::stored;
pub use live::LiveSetting;

use crate::logic::checkpoint::Retention;
use crate::logic::config::Config;
use crate::logic::engine::{AtEnd, Batching, FailFast, History, SameError};
use crate::logic::failure::RetryPolicy;
use crate::logic::limit::TimeLimit;
use crate::logic::metrics::{Objective, ReportLimits};
use crate::logic::names::TrialNames;
use crate::logic::pool::{AbandonPolicy, ResourceRequest, Resources, Reuse, units};
use crate::logic::search::Samples;
use crate::logic::space::Space;
use crate::logic::spec::PartSpec;
use crate::logic::trial::Export;

/// When the lines of the journal are made durable: when they survive the machine, and not only the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Each step of the engine, before anything follows from it. As slow as the disk.
    EveryEvent,
    /// At most this long after it was written. What is younger is at risk if the machine dies, not if the process does.
    Group(
        #[serde(with = "seconds")]
        #[cfg_attr(feature = "cli", schemars(with = "form::Time"))]
        Duration,
    ),
    /// Only when a snapshot begins, and at the end.
    OnSnapshot,
}

impl Default for Durability {
    /// In groups of 50 ms: with the disk's own time, less than 100 ms are at risk.
    fn default() -> Self {
        Durability::Group(Duration::from_millis(50))
    }
}

/// All settings of an experiment, as data.
///
/// What isn't data (a part of your own, a custom store, observers, objects) is here by its name. In JSON, durations are
/// numbers of seconds, sizes are numbers of bytes, and amounts of resources are in units. A field that isn't given has its
/// default; a name that isn't a field is an error.
///
/// ```
/// use tryout::settings::Settings;
///
/// let text = r#"{"name": "digits", "samples": 20, "resources": {"cpu": 4, "gpu": 0.5}, "grace": 0.25}"#;
/// let settings: Settings = serde_json::from_str(text)?;
/// assert_eq!(settings.grace.as_millis(), 250);
/// assert_eq!(settings.staged, Settings::default().staged);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The experiment's name; not empty. It names its directory: letters, digits, `.`, `_` and `-`, if it has one.
    pub name: Arc<str>,
    /// What to try. Default: none.
    #[cfg_attr(feature = "cli", schemars(with = "Option<Space>"))]
    pub space: Option<OrCode<Space>>,
    /// How many trials there are to be; at least 1. Default: all of a searcher that ends by itself, as a grid does; of others
    /// 1, or as many as there is time for if a time limit is set.
    #[serde(with = "form::samples")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<form::SamplesForm>"))]
    pub samples: Option<Samples>,
    /// How often to go through the space and its grid; at least 1. Default: once, or as often as `samples` asks for.
    #[serde(with = "form::samples")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<form::SamplesForm>"))]
    pub passes: Option<Samples>,
    /// Configurations to try first. Default: none.
    pub points: Vec<Config>,
    /// Who says what to try. Default: random values from the space, and its grid.
    #[cfg_attr(feature = "cli", schemars(with = "Option<Box<dyn crate::logic::search::Searcher>>"))]
    pub searcher: Option<OrCode<PartSpec>>,
    /// Who says which trials go on. Default: `Fifo`.
    #[cfg_attr(feature = "cli", schemars(with = "Box<dyn crate::logic::schedule::Scheduler>"))]
    pub scheduler: OrCode<PartSpec>,
    /// When a trial, or all of it, is over: the first rule that applies counts. Default: none.
    #[cfg_attr(feature = "cli", schemars(with = "Vec<Box<dyn crate::logic::stop::StopRule>>"))]
    pub stop: Vec<OrCode<PartSpec>>,
    /// What counts, and which way is better. Default: none.
    pub objective: Option<Objective>,
    /// Whether a report without a metric that somebody judges by is its trial's failure. Default: it is.
    pub require_metrics: bool,
    /// The seed of all that is drawn. Default: one is drawn when the run begins, and kept by its later sessions.
    pub seed: Option<u64>,
    /// What there is to run on; whole GPUs, and not nothing. Default: one `cpu` for each core of the machine.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<std::collections::BTreeMap<String, units::Written<f64>>>"))]
    pub resources: Option<Resources>,
    /// What each trial needs; at most what there is. Default: what the trainable asks for, else one `cpu`.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<units::RequestForm>"))]
    pub per_trial: Option<ResourceRequest>,
    /// At most so many trials at once; at least 1. Default: as many as the resources allow.
    pub concurrency: Option<u32>,
    /// At most so many trials in the line for resources; at least 1. Default: 16.
    pub staged: u32,
    /// Whether a worker goes on to the next trial. Default: it does.
    pub reuse: Reuse,
    /// How long a worker may take to come to rest, and again to end, in seconds. Default: 30.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    pub grace: Duration,
    /// What becomes of the resources of a worker that can't be ended. Default: they are given back.
    pub abandoned: AbandonPolicy,
    /// How often a request in the line for resources may be overtaken; with 0 the line is strict. Default: 16.
    pub overtaking: u32,
    /// How long an idle worker is kept, in seconds. Default: as long as there may be trials for it.
    #[serde(with = "seconds::optional")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<crate::logic::settings::form::Time>"))]
    pub idle_ttl: Option<Duration>,
    /// When a failed trial is tried again. Default: never, but after preemptions.
    pub retry: RetryPolicy,
    /// Whether a trial that fails for good ends the run. Default: it doesn't.
    pub fail_fast: FailFast,
    /// What is done when the same error ended attempts on so many workers, at least 2. Default: nothing.
    pub same_error: Option<SameError>,
    /// How long all sessions together may take; longer than zero. Default: as long as they take.
    pub time_limit: Option<TimeLimit>,
    /// After so many different trials, at least 2, that failed on it in a row, a GPU is granted to nobody. Default: never.
    pub withdraw_gpus_after: Option<u32>,
    /// A checkpoint at every iteration that is a multiple of this; at least 1. Default: none.
    pub checkpoint_every: Option<u32>,
    /// Whether a checkpoint is written when a trial stops. Default: it isn't.
    pub at_end: AtEnd,
    /// Which checkpoints of a trial are kept; at least 1. Default: all.
    pub retention: Retention,
    /// How many bytes the checkpoints of all trials may take together; at least 1. Default: as many as they take.
    pub checkpoint_budget: Option<u64>,
    /// Whether a trial exports when it stops. Default: it doesn't.
    pub export: Export,
    /// How many reports travel at once. Default: adaptive.
    pub batching: Batching,
    /// How many reports of each trial stay in memory. Default: the last 1,000.
    pub history: History,
    /// How much the reports of a trial may hold. Default: 4,096 names and 1 MiB in each, 16,384 names of numbers in all.
    pub report_limits: ReportLimits,
    /// How long observers may take at the end to work off what is queued, in seconds. Default: 5.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    pub patience: Duration,
    /// A part, observer or store that takes longer than this over one call is warned of, in seconds. Default: 0.5.
    #[serde(with = "seconds::optional")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<form::Time>"))]
    pub slow_after: Option<Duration>,
    /// What trials are called besides their ids: `tag`, by their numbers and what was decided for them. Default: nothing.
    #[cfg_attr(feature = "cli", schemars(with = "Option<TrialNames>"))]
    pub trial_names: Option<OrCode<TrialNames>>,
    /// Which files are written into the run's directory, besides its own. Default: none.
    pub files: Files,
    /// When the journal is made durable. Default: in groups of 50 ms.
    pub durability: Durability,
    /// The journal is compacted once it has grown by so many bytes, and at least doubled, since the last snapshot. Default: 4 MiB.
    pub snapshot_after: u64,
    /// The name of a store of your own. Default: none; checkpoints are kept in the run's directory, or else in memory.
    pub store: Option<String>,
    /// The names of the observers. Default: none.
    pub observers: Vec<String>,
    /// The names of the objects that configurations may name. Default: none.
    pub objects: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "".into(),
            space: None,
            samples: None,
            passes: None,
            points: Vec::new(),
            searcher: None,
            scheduler: OrCode::Data(PartSpec { kind: "Fifo".into(), settings: Value::Null }),
            stop: Vec::new(),
            objective: None,
            require_metrics: true,
            seed: None,
            resources: None,
            per_trial: None,
            concurrency: None,
            staged: 16,
            reuse: Reuse::Yes,
            grace: Duration::from_secs(30),
            abandoned: AbandonPolicy::GiveBack,
            overtaking: 16,
            idle_ttl: None,
            retry: RetryPolicy::default(),
            fail_fast: FailFast::No,
            same_error: None,
            time_limit: None,
            withdraw_gpus_after: None,
            checkpoint_every: None,
            at_end: AtEnd::Nothing,
            retention: Retention::all(),
            checkpoint_budget: None,
            export: Export::No,
            batching: Batching::Adaptive,
            history: History::default(),
            report_limits: ReportLimits::default(),
            patience: Duration::from_secs(5),
            slow_after: Some(Duration::from_millis(500)),
            trial_names: None,
            files: Files::none(),
            durability: Durability::default(),
            snapshot_after: 4 << 20,
            store: None,
            observers: Vec::new(),
            objects: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// The defaults, for an experiment of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// What configurations are drawn from: the space, or the searcher's own. None if it isn't data.
    pub(crate) fn space_tried(&self) -> Option<Space> {
        match (&self.space, &self.searcher) {
            (Some(space), _) => space.data().cloned(),
            (None, searcher) => serde_json::from_value(searcher.as_ref()?.data()?.find("space")?.clone()).ok(),
        }
    }

    /// All of them by name, as JSON.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            // A space with functions, which can't be written, is stored as code.
            _ => Map::new(),
        }
    }
}
