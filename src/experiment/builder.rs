//! The builder: settings one by one, checked all together before anything runs.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::place::Existing;
use super::session::FilesAt;
use super::stored::FromFile;
use crate::edge::files::Files;
use crate::edge::log::{Damage, DirFiles, LogSettings};
use crate::logic::checkpoint::Retention;
use crate::logic::config::Config;
use crate::logic::engine::{AtEnd, Batching, FailFast, History, Resume, SameError};
use crate::logic::failure::{Budget, RetryPolicy};
use crate::logic::limit::OnLimit;
use crate::logic::metrics::Objective;
use crate::logic::objects::Objects;
use crate::logic::pool::{AbandonPolicy, ResourceRequest, Resources, Reuse};
use crate::logic::schedule::{Fifo, Scheduler};
use crate::logic::search::{Samples, Searcher};
use crate::logic::space::Space;
use crate::logic::stop::StopRule;
use crate::logic::trial::Export;
use crate::ports::backend::Backend;
use crate::ports::observer::Observer;
use crate::ports::store::Store;

/// An experiment: what to run, what to try, and how.
///
/// ```
/// use tryout::prelude::*;
///
/// let parabola = function("parabola", |config: Config, trial| {
///     let x = config.number("x").unwrap_or(0.0);
///     for step in 1..=10 {
///         trial.report([("loss", (x - 3.0).powi(2) + 1.0 / f64::from(step))])?;
///     }
///     Ok(())
/// });
/// let results = Experiment::new("parabola", parabola)
///     .space(Space::new().with("x", uniform(-10.0, 10.0)))
///     .samples(20)
///     .objective(Objective::min("loss"))
///     .scheduler(Asha::new().max_t(10))
///     .run()?;
/// println!("best: {}", results.best()?.config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Experiment {
    pub(super) name: String,
    pub(super) backend: Box<dyn Backend>,
    pub(super) space: Option<Space>,
    pub(super) points: Vec<Config>,
    pub(super) samples: Option<Samples>,
    pub(super) searcher: Option<Box<dyn Searcher>>,
    pub(super) scheduler: Box<dyn Scheduler>,
    pub(super) stop: Vec<Box<dyn StopRule>>,
    pub(super) objective: Option<Objective>,
    pub(super) seed: u64,
    pub(super) resources: Option<Resources>,
    pub(super) per_trial: Option<ResourceRequest>,
    pub(super) concurrency: Option<u32>,
    pub(super) staged: u32,
    pub(super) reuse: Reuse,
    pub(super) grace: Duration,
    pub(super) abandoned: AbandonPolicy,
    pub(super) retry: RetryPolicy,
    pub(super) fail_fast: FailFast,
    pub(super) same_error: Option<SameError>,
    pub(super) time_limit: Option<(Duration, OnLimit)>,
    pub(super) withdraw_gpus_after: Option<u32>,
    pub(super) checkpoint_every: Option<u32>,
    pub(super) at_end: AtEnd,
    pub(super) retention: Retention,
    pub(super) checkpoint_budget: Option<u64>,
    pub(super) export: Export,
    pub(super) batching: Batching,
    pub(super) history: History,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) patience: Duration,
    pub(super) dir: Option<PathBuf>,
    pub(super) files: Option<Files>,
    pub(super) store: Option<Arc<dyn Store>>,
    /// Exactly here, whatever the name.
    pub(super) place: Option<PathBuf>,
    pub(super) existing: Existing,
    pub(super) damage: Damage,
    pub(super) how: Resume,
    pub(super) log: LogSettings,
    pub(super) journal_files: FilesAt,
    pub(super) from_file: FromFile,
    pub(super) objects: Objects,
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Experiment {
    /// An experiment called `name` that runs what `backend` runs: see [`stepwise`](crate::edge::backend::stepwise),
    /// [`function`](crate::edge::backend::function) and their async twins.
    pub fn new(name: impl Into<String>, backend: impl Backend + 'static) -> Self {
        Self {
            name: name.into(),
            backend: Box::new(backend),
            space: None,
            points: Vec::new(),
            samples: None,
            searcher: None,
            scheduler: Box::new(Fifo),
            stop: Vec::new(),
            objective: None,
            seed: 0,
            resources: None,
            per_trial: None,
            concurrency: None,
            staged: 16,
            reuse: Reuse::Yes,
            grace: Duration::from_secs(30),
            abandoned: AbandonPolicy::GiveBack,
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
            observers: Vec::new(),
            patience: Duration::from_secs(5),
            dir: None,
            files: None,
            store: None,
            place: None,
            existing: Existing::Refuse,
            damage: Damage::Refuse,
            how: Resume::new(),
            log: LogSettings::default(),
            journal_files: Arc::new(|dir| Arc::new(DirFiles::new(dir))),
            from_file: FromFile::default(),
            objects: Objects::default(),
        }
    }

    /// What to try: random values are drawn, grids are walked.
    #[must_use]
    pub fn space(mut self, space: Space) -> Self {
        self.from_file.supplied("space");
        if self.place.is_some() {
            // It takes the place of what was stored.
            self.searcher = None;
        }
        self.space = Some(space);
        self
    }

    /// How often to go through the space: 1 unless it is said. With a searcher of your own, how many of its suggestions
    /// to take. [`Samples::Infinite`] goes on until a stop rule ends the experiment.
    #[must_use]
    pub fn samples(mut self, samples: impl Into<Samples>) -> Self {
        self.samples = Some(samples.into());
        self
    }

    /// Points to try first. Each takes the place of one sample; what it leaves open is drawn from the space. Without a
    /// space, these are all there is to try.
    #[must_use]
    pub fn points(mut self, points: impl IntoIterator<Item = Config>) -> Self {
        if std::mem::take(&mut self.from_file.points) {
            self.points.clear();
        }
        self.points.extend(points);
        self
    }

    /// An object that isn't data, which configurations name: see [`object`](crate::logic::objects::object). It isn't stored:
    /// a resumed run is supplied with it again, and a configuration that names one that isn't there is refused.
    #[must_use]
    pub fn object(mut self, name: impl Into<String>, object: impl std::any::Any + Send + Sync) -> Self {
        self.objects.insert(name, object);
        self
    }

    /// Who says what to try. With a [`space`](Experiment::space) as well, a suggestion that isn't in it ends the run.
    #[must_use]
    pub fn searcher(mut self, searcher: impl Searcher + 'static) -> Self {
        self.from_file.supplied("searcher");
        if self.place.is_some() {
            // It takes the place of what was stored.
            self.space = None;
            self.points.clear();
        }
        self.searcher = Some(Box::new(searcher));
        self
    }

    /// Who says which trials go on: [`Fifo`] unless it is said.
    #[must_use]
    pub fn scheduler(mut self, scheduler: impl Scheduler + 'static) -> Self {
        self.from_file.supplied("scheduler");
        self.scheduler = Box::new(scheduler);
        self
    }

    /// When a trial, or all of it, is over. Rules add up: the first that applies counts.
    #[must_use]
    pub fn stop(mut self, rule: impl StopRule + 'static) -> Self {
        if std::mem::take(&mut self.from_file.stop) {
            self.stop.clear();
        }
        self.from_file.supplied("stop");
        self.stop.push(Box::new(rule));
        self
    }

    /// What counts, and which way is better.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = Some(objective);
        self
    }

    /// The seed of all that is drawn; 0 unless it is said. The same seed gives the same configurations.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// So many workers of one cpu each: short for `.resources(Resources::cpus(workers))`. As many as the machine has
    /// cores, unless it is said.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        self.resources(Resources::cpus(workers))
    }

    /// What there is to run on.
    #[must_use]
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// What each trial needs; goes before what the trainable asks for. One cpu, unless somebody says otherwise.
    #[must_use]
    pub fn per_trial(mut self, request: ResourceRequest) -> Self {
        self.per_trial = Some(request);
        self
    }

    /// At most so many trials at once, whatever the resources allow.
    #[must_use]
    pub fn concurrency(mut self, most: u32) -> Self {
        self.concurrency = Some(most);
        self
    }

    /// At most so many trials in the line for resources; 16 unless it is said. The others keep the order that priorities
    /// and the scheduler give them.
    #[must_use]
    pub fn staged(mut self, most: u32) -> Self {
        self.staged = most;
        self
    }

    /// Whether a worker whose trial has ended goes on to the next trial: [`Reuse::Yes`] unless it is said. What that
    /// means for a trainable is its own choice: without a `reset`, a new one is set up on the same worker.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// How long a worker may take to come to rest or to end, 30 s unless it is said, and what becomes of the resources
    /// of one that doesn't and can't be killed.
    #[must_use]
    pub fn grace(mut self, grace: Duration, abandoned: AbandonPolicy) -> Self {
        self.grace = grace;
        self.abandoned = abandoned;
        self
    }

    /// When a failed trial is tried again: never, unless it is said.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Short for a [`RetryPolicy`] with so many failures a trial, whatever their kind.
    #[must_use]
    pub fn max_failures(self, most: u32) -> Self {
        self.retry(RetryPolicy::new(Budget::Limited(most)))
    }

    /// Whether a trial that fails for good ends the run.
    #[must_use]
    pub fn fail_fast(mut self, fail_fast: FailFast) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// A checkpoint at every iteration that is a multiple of this.
    #[must_use]
    pub fn checkpoint_every(mut self, iterations: u32) -> Self {
        self.checkpoint_every = Some(iterations);
        self
    }

    /// Whether a checkpoint is written when a trial stops. Reports then travel one by one.
    #[must_use]
    pub fn at_end(mut self, at_end: AtEnd) -> Self {
        self.at_end = at_end;
        self
    }

    /// Which checkpoints of a trial are kept: all, unless it is said.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// How many bytes the checkpoints of all trials may take together; as many as they take, unless it is said. When they
    /// take more, the oldest go that aren't their trial's last, then the last ones of trials that have ended, the oldest
    /// first. What a trial that hasn't ended would go on from stays in any case; a warning says so if that is too much.
    #[must_use]
    pub fn checkpoint_budget(mut self, bytes: u64) -> Self {
        self.checkpoint_budget = Some(bytes);
        self
    }

    /// Whether a trial exports when it stops.
    #[must_use]
    pub fn export(mut self, export: Export) -> Self {
        self.export = export;
        self
    }

    /// How many reports travel at once: [`Batching::Adaptive`] unless it is said.
    #[must_use]
    pub fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// How many reports of each trial stay in memory: the last 1,000 unless it is said.
    #[must_use]
    pub fn history(mut self, history: History) -> Self {
        self.history = history;
        self
    }

    /// Who watches; any number.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// How long observers may take to work off what is queued when the run has ended; 5 s unless it is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) fn checked_nonzero(
        setting: &'static str,
        value: Option<u32>,
    ) -> Result<Option<NonZeroU32>, crate::error::SettingsError> {
        let expected = "at least 1";
        let refuse = || crate::error::SettingsError::Setting { setting, value: "0".to_owned(), expected };
        value.map(|value| NonZeroU32::new(value).ok_or_else(refuse)).transpose()
    }
}
