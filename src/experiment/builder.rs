//! The builder: settings one by one, checked all together before anything runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::given::Given;
use super::place::Existing;
use super::session::FilesAt;
use crate::edge::log::{Damage, DirFiles};
use crate::logic::config::Config;
use crate::logic::engine::{Batching, FailFast, History, Resume};
use crate::logic::failure::{Budget, RetryPolicy};
use crate::logic::metrics::Objective;
use crate::logic::pool::{AbandonPolicy, ResourceRequest, Resources, Reuse};
use crate::logic::schedule::Scheduler;
use crate::logic::search::{Samples, Searcher};
use crate::logic::settings::Settings;
use crate::logic::space::Space;
use crate::logic::stop::StopRule;
use crate::ports::backend::Backend;
use crate::ports::observer::Observer;

/// An experiment: what to run, what to try, and how.
///
/// ```
/// use tryout::prelude::*;
///
/// let parabola = function("parabola", |config: Config, trial| {
///     let x = config.get::<f64>("x")?;
///     for step in 1..=10 {
///         trial.report([("loss", (x - 3.0).powi(2) + 1.0 / f64::from(step))])?;
///     }
///     Ok(())
/// });
/// let results = Experiment::new("parabola", parabola)
///     .space(Space::new().with("x", uniform(-10.0, 10.0)))
///     .samples(20)
///     .seed(1)
///     .objective(Objective::min("loss"))
///     .scheduler(Asha::new().max_t(10))
///     .run()?;
/// println!("best: {}", results.best()?.config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Experiment {
    /// All that is data. Of the parts it is filled in when the experiment starts.
    pub(super) settings: Settings,
    pub(super) given: Given,
    pub(super) backend: Box<dyn Backend>,
    pub(super) session: SessionChoices,
    pub(super) journal_files: FilesAt,
}

/// What this session is to do with a run that is there; not stored.
#[derive(Debug, Default)]
pub(super) struct SessionChoices {
    pub(super) dir: Option<PathBuf>,
    /// Exactly here, whatever the name.
    pub(super) place: Option<PathBuf>,
    pub(super) existing: Existing,
    pub(super) damage: Damage,
    pub(super) how: Resume,
    /// Whether other processes can reach the run.
    pub(super) control_socket: bool,
    /// How long trials may take to save themselves when Ctrl-C is pressed, if the run listens to it.
    #[cfg(feature = "ctrl-c")]
    pub(super) on_ctrl_c: Option<Duration>,
    /// The settings that may differ although another question is asked then.
    pub(super) may_change: BTreeSet<&'static str>,
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl Experiment {
    /// An experiment called `name` that runs what `backend` runs: see [`stepwise`](crate::edge::backend::stepwise),
    /// [`function`](crate::edge::backend::function) and their async twins.
    pub fn new(name: impl Into<String>, backend: impl Backend + 'static) -> Self {
        Self::with_settings(Settings::new(name.into()), backend)
    }

    /// An experiment with these settings, as from a file. Parts that are data are made of them when it starts; those that
    /// are code have to be supplied, as with [`resume`](Self::resume).
    pub fn with_settings(settings: Settings, backend: impl Backend + 'static) -> Self {
        Self {
            settings,
            given: Given::default(),
            backend: Box::new(backend),
            session: SessionChoices::default(),
            journal_files: Arc::new(|dir| Arc::new(DirFiles::new(dir))),
        }
    }

    /// What to try: random values are drawn, grids are walked.
    #[must_use]
    pub fn space(mut self, space: Space) -> Self {
        if self.session.place.is_some() {
            // It takes the place of what was stored.
            self.settings.searcher = None;
        }
        self.given.space = Some(space);
        self
    }

    /// How many trials there are to be. [`Samples::Infinite`] goes on until a stop rule or a time limit ends the experiment.
    ///
    /// Default: a searcher that ends by itself is taken to its end, and so is a grid: once through it. Of the others, random
    /// values among them, it is 1; or as many as there is time for, if [`time_limit`](Self::time_limit) or
    /// [`stop::experiment_time`](crate::logic::stop::experiment_time) says how long.
    #[must_use]
    pub fn samples(mut self, samples: impl Into<Samples>) -> Self {
        self.settings.samples = Some(samples.into());
        self
    }

    /// How often to go through the space: the grid is walked so often, and the other values are drawn anew each time. Default:
    /// once, or as often as [`samples`](Self::samples) asks for; with both, what ends first.
    #[must_use]
    pub fn passes(mut self, passes: impl Into<Samples>) -> Self {
        self.settings.passes = Some(passes.into());
        self
    }

    /// Points to try first. Each takes the place of one pass over the space; what it leaves open is drawn from the space. Without a
    /// space, these are all there is to try.
    #[must_use]
    pub fn points(mut self, points: impl IntoIterator<Item = Config>) -> Self {
        self.given.points.get_or_insert_default().extend(points);
        self
    }

    /// An object that isn't data, which configurations name: see [`object`](crate::logic::objects::object). It isn't stored:
    /// a resumed run is supplied with it again, and a configuration that names one that isn't there is refused.
    #[must_use]
    pub fn object(mut self, name: impl Into<String>, object: impl std::any::Any + Send + Sync) -> Self {
        self.given.objects.insert(name, object);
        self
    }

    /// Who says what to try. With a [`space`](Experiment::space) as well, a suggestion that isn't in it ends the run.
    #[must_use]
    pub fn searcher(mut self, searcher: impl Searcher + 'static) -> Self {
        if self.session.place.is_some() {
            // It takes the place of what was stored.
            self.settings.space = None;
            self.settings.points.clear();
        }
        self.given.searcher = Some(Box::new(searcher));
        self
    }

    /// Who says which trials go on. Default: [`Fifo`](crate::logic::schedule::Fifo).
    #[must_use]
    pub fn scheduler(mut self, scheduler: impl Scheduler + 'static) -> Self {
        self.given.scheduler = Some(Box::new(scheduler));
        self
    }

    /// When a trial, or all of it, is over. Rules add up: the first that applies counts.
    #[must_use]
    pub fn stop(mut self, rule: impl StopRule + 'static) -> Self {
        self.given.stop.get_or_insert_default().push(Box::new(rule));
        self
    }

    /// What counts, and which way is better.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.settings.objective = Some(objective);
        self
    }

    /// Whether each report must have the metrics that the objective, the scheduler and the searcher judge by. Default: it must,
    /// and one without them is its trial's failure. With false such a report is a result that nobody judges.
    #[must_use]
    pub fn require_metrics(mut self, required: bool) -> Self {
        self.settings.require_metrics = required;
        self
    }

    /// The seed of all that is drawn, by the space and by a scheduler that has none of its own. The same seed gives the same
    /// configurations, and with the same name the same ids. Default: one is drawn, so that two runs differ; the log says which,
    /// [`Results::seed`](crate::results::Results::seed) too, and a resumed run keeps it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// So many workers of one cpu each: short for `.resources(Resources::cpus(workers))`. Default: as many as the
    /// machine has cores, shared with the process's other runs.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        self.resources(Resources::cpus(workers))
    }

    /// What there is to run on, for this run alone. Default: the cores and GPUs that the process may use, shared with its other
    /// runs: see [`host_budget`](Self::host_budget).
    #[must_use]
    pub fn resources(mut self, resources: Resources) -> Self {
        self.settings.resources = Some(resources);
        self
    }

    /// What each trial needs, whatever the trainable asks for. Default: what the trainable asks for, else one cpu.
    #[must_use]
    pub fn per_trial(mut self, request: ResourceRequest) -> Self {
        self.settings.per_trial = Some(request);
        self
    }

    /// At most so many trials at once, whatever the resources allow.
    #[must_use]
    pub fn concurrency(mut self, most: u32) -> Self {
        self.settings.concurrency = Some(most);
        self
    }

    /// At most so many trials that wait for a worker are made ahead, whatever the searcher offers, and stand in the line for
    /// resources; at least 1. Default: 16. Trials that a client adds, and those of an earlier session, wait before the line, in the
    /// order that priorities and the scheduler give them.
    #[must_use]
    pub fn staged(mut self, most: u32) -> Self {
        self.settings.staged = most;
        self
    }

    /// Whether a worker whose trial has ended goes on to the next trial. Default: [`Reuse::Yes`]. What that
    /// means for a trainable is its own choice: without a `reset`, a new one is set up on the same worker.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.settings.reuse = reuse;
        self
    }

    /// How long a worker may take to come to rest or to end, and what becomes of the resources of one that doesn't and can't
    /// be killed. Default: 30 s, and they are given back. A trial that a client stops while it saves, or that saves when the
    /// run is stopped, has as long for its checkpoint.
    #[must_use]
    pub fn grace(mut self, grace: Duration, abandoned: AbandonPolicy) -> Self {
        self.settings.grace = grace;
        self.settings.abandoned = abandoned;
        self
    }

    /// When a failed trial is tried again. Default: never, but after preemptions.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
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
        self.settings.fail_fast = fail_fast;
        self
    }

    /// How many reports travel at once. Default: [`Batching::Adaptive`].
    #[must_use]
    pub fn batching(mut self, batching: Batching) -> Self {
        self.settings.batching = batching;
        self
    }

    /// How many reports of each trial stay in memory. Default: the last 1,000.
    #[must_use]
    pub fn history(mut self, history: History) -> Self {
        self.settings.history = history;
        self
    }

    /// Who watches; any number.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.given.observers.push(Box::new(observer));
        self
    }

    /// Opens a Unix socket through which other processes of the same user see and steer the run: see
    /// [`api`](crate::api). It needs a `dir`; the file `control.json` there says where the socket is. Trials of the same user
    /// can reach it, too.
    #[must_use]
    pub fn control_socket(mut self) -> Self {
        self.session.control_socket = true;
        self
    }

    /// A scheduler, searcher, stop rule, observer or store that takes longer than this over one call is warned of, at most once
    /// a minute, with the time that it took and the trial. None: nobody is. Default: 0.5 s.
    #[must_use]
    pub fn slow_after(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.slow_after = limit.into();
        self
    }

    /// How long observers may take to work off what is queued when the run has ended. Default: 5 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }
}
