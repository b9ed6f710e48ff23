//! An experiment put together: everything is checked first, and only then the world is touched.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::builder::Experiment;
use super::cloud::{Copying, Fetched};
use super::given::RunParts;
use super::guard;
use super::handle::SharedHub;
use super::imports::{self, Imports};
use super::machines::Machine;
use super::place::{Existing, Place};
use super::seed;
use super::session::{self, Session};
use super::start::Summary;
use super::what_to_try;
use crate::actors::Parts;
use crate::edge::control::ControlSocket;
use crate::edge::files::name_links;
use crate::edge::gpus::VisibleGpus;
use crate::edge::host;
use crate::edge::journal::JournalEnd;
use crate::edge::log::LogLock;
use crate::edge::observe::{EventLog, LOG_TARGET, ObserverHub};
use crate::edge::slow::SlowCalls;
use crate::edge::store::{DirStore, Janitor, MemoryStore, TimedStore};
use crate::error::SettingsError;
use crate::logic::config::is_deeper;
use crate::logic::engine::{Engine, EngineSettings, RequestRule, TotalRule, guarded};
use crate::logic::event::RunInfo;
use crate::logic::metrics::{AUTOMATIC_KEYS, Objective};
use crate::logic::names::{NameRule, TrialNames, cut_off};
use crate::logic::one_line::OneLine;
use crate::logic::pool::{Pool, Resources};
use crate::logic::settings::{Durability, Settings, WrongSetting};
use crate::logic::space::{leaves, tag};
use crate::logic::stop;
use crate::logic::trial::TrialSettings;
use crate::ports::elsewhere::Elsewhere;
use crate::ports::observer::Observer;
use crate::ports::store::{Store, StoreError};
use crate::results::wall_clock;

/// So many levels of lists and maps a setting may have: a line of the journal has a few more, and is read up to 128.
const MOST_LEVELS: usize = 96;

/// What an experiment comes to.
pub(super) struct Assembled {
    pub(super) parts: Parts,
    pub(super) hub: SharedHub,
    pub(super) summary: Summary,
    /// The directory stays locked until its journal is closed.
    pub(super) journal: Option<(JournalEnd, LogLock)>,
    pub(super) copying: Copying,
    /// Where other processes reach the run, if they may.
    pub(super) socket: Option<ControlSocket>,
    pub(super) imports: Arc<Imports>,
}

impl Experiment {
    /// Checks everything, and only then touches the world.
    pub(super) fn assemble(mut self) -> Result<Assembled, SettingsError> {
        self.ask_parts()?;
        self.describe()?;
        self.check()?;
        self.find_points(self.goes_on())?;
        let seed = self.settle_seed();
        #[cfg(all(feature = "remote", unix))]
        if let Some(remote) = &self.given.remote {
            remote.adapt(&mut self.settings);
        }
        let experiment = Arc::new(std::mem::take(&mut self.settings));
        let names = self.names(&experiment);
        let RunParts { space, searcher, mut scheduler, stop: rules } = self.given.take_parts(&experiment)?;
        guard::ask("the scheduler", "take_seed", || scheduler.take_seed(seed))?;
        guard::ask("the scheduler", "prepare", || scheduler.prepare(experiment.objective.as_ref()))??;
        let objective = experiment.objective.clone().or_else(|| scheduler.objectives().first().cloned());
        self.check_metric(objective.as_ref())?;
        self.check_exports(&experiment)?;
        what_to_try::check_places(&experiment, space.as_ref(), &*self.backend)?;
        let mut words = Vec::with_capacity(rules.len());
        for rule in &rules {
            guard::ask("a stop rule", "validate", || rule.validate())??;
            words.push(guard::ask("a stop rule", "words", || rule.words())?.into_owned());
        }
        let timed = experiment.time_limit.is_some() || rules.iter().any(|rule| rule.deadline().is_some());
        let points_from = std::mem::take(&mut self.given.points_from);
        let mut searcher = what_to_try::searcher(&experiment, searcher, space, (timed, !points_from.is_empty()))?;
        guard::ask("the searcher", "prepare", || searcher.prepare(objective.as_ref()))??;
        what_to_try::check_learning(&*scheduler, &*searcher)?;
        let mut settings = self.engine_settings(experiment.clone(), objective.clone())?;
        for config in self.session.how.added() {
            let able =
                |why| WrongSetting::new("add", config.to_string(), format!("a configuration that can run: {why}"));
            (settings.request)(config).map_err(able)?;
        }
        let machine = self.machine(&experiment);
        let pool = Pool::new(settings.total.clone(), experiment.clone());
        let pool = if self.given.joinable() { pool.with_elsewhere() } else { pool };
        let name = self.backend.name().to_owned();
        guard::ask(&name, "set_resources", || self.backend.set_resources(&machine.told))?;

        let host = machine.host(&self.given.sharing)?;
        let (place, copying) = self.take_place(&experiment.name)?.unzip();
        let mut began = SystemTime::now();
        let socket = match place.as_ref().filter(|_| self.session.control_socket) {
            Some(place) => Some(ControlSocket::bind(&place.path).map_err(SettingsError::Control)?),
            None => None,
        };
        if let Some(first) = place.as_ref().and_then(|place| place.first.as_ref()) {
            settings.run = first.run;
            began = wall_clock(first.wall_clock);
        }
        let slow = SlowCalls::longer_than(experiment.slow_after);
        let store = self.take_store(place.as_ref(), experiment.durability, &slow)?;
        if let Some(Place { path, .. }) = &place {
            self.given.observers.extend(experiment.files.observers(path));
            if experiment.trial_names.is_some() {
                self.given.observers.push(name_links(path));
            }
            let set = guard::ask(&name, "set_run_dir", || self.backend.set_run_dir(path))?;
            set.map_err(StoreError::io("use the directory", path))?;
        }
        (settings.names, settings.info.stop) = (names, words);
        settings.info.checkpoints = guard::ask("the store", "root", || store.root())?;
        settings.info.dir =
            place.as_ref().map(|place| std::path::absolute(&place.path).unwrap_or_else(|_| place.path.clone()));
        let elsewhere = self.open_elsewhere(&settings, &store)?;
        let trials = Arc::new(TrialSettings {
            experiment: experiment.clone(),
            rests: self.backend.rests(),
            objects: self.given.objects.clone(),
            directory: place.as_ref().map(|place| place.path.clone()),
        });
        self.log_if_wanted();
        let mut janitor = Janitor::new(store.clone());
        let choice = searcher.choice();
        let mut engine = Engine::new(settings, searcher, scheduler, Box::new(stop::any(rules)));
        let session = session::begin(session::Start {
            place,
            engine: &mut engine,
            settings: experiment.clone(),
            trainable: self.backend.name(),
            program: self.backend.program(),
            choices: self.session,
            files: self.journal_files,
            store: store.clone(),
            observers: self.given.observers,
        })?;
        let Session { observers, states, journal, notices, dir, recording } = session;
        let (journal, end) = journal.unzip();
        let imports = Arc::new(Imports::new(store.clone(), &engine));
        imports::begin_with(points_from, &imports, &mut engine)?;
        let hub = SharedHub::new(ObserverHub::timed(observers, ObserverHub::DEFAULT_CAPACITY, states, slow));
        let (workers, leases) = (engine.ledger().run().workers, engine.ledger().run().leases);
        let parts = Parts {
            engine,
            pool: pool.numbered_from(workers, leases),
            host,
            trials,
            elsewhere,
            backend: self.backend,
            store: store.clone(),
            audience: Box::new(hub.clone()),
            delete: Box::new(move |checkpoint| janitor.delete(checkpoint)),
            journal,
            here: host::this_process(),
            notices,
        };
        let id = parts.engine.settings().run;
        log::info!("run {id} of `{}`: seed {seed}", OneLine(&experiment.name));
        if let Some(choice) = choice {
            log::info!("run {id}: the searcher is {choice}");
        }
        let (lock, path) = dir.unzip();
        let name = experiment.name.to_string();
        let summary =
            Summary { name, run: id, settings: experiment, objective, seed, dir: path, store, began, recording };
        let copying = copying.unwrap_or_default();
        Ok(Assembled { parts, hub, summary, journal: end.zip(lock), copying, socket, imports })
    }

    /// Whoever asks the log for debug lines gets the life of each trial.
    fn log_if_wanted(&mut self) {
        let observers = &mut self.given.observers;
        let wanted = log::log_enabled!(target: LOG_TARGET, log::Level::Debug);
        let logs = |(index, observer): (usize, &dyn Observer)| ObserverHub::name_of(index, observer) == "log";
        if wanted && !observers.iter().map(AsRef::as_ref).enumerate().any(logs) {
            observers.push(Box::new(EventLog));
        }
    }

    /// Whether what is data makes sense.
    fn check(&self) -> Result<(), SettingsError> {
        self.settings.check()?;
        for (number, point) in self.settings.points.iter().enumerate() {
            point.check_levels().map_err(|source| SettingsError::Point { number, source })?;
        }
        if let Some((setting, _)) = self.settings.to_map().into_iter().find(|(_, value)| is_deeper(value, MOST_LEVELS))
        {
            return Err(SettingsError::Deep { setting, most: MOST_LEVELS });
        }
        let needs_dir = [
            ("files", !self.settings.files.is_empty()),
            ("cloud", self.given.has_cloud()),
            ("control_socket", self.session.control_socket),
        ];
        let nowhere = self.session.dir.is_none() && self.session.place.is_none();
        if let Some((setting, _)) = needs_dir.into_iter().find(|(_, given)| nowhere && *given) {
            return Err(WrongSetting::new(setting, "given alone", "given together with a `dir`").into());
        }
        Ok(())
    }

    pub(super) fn engine_settings(
        &self,
        experiment: Arc<Settings>,
        objective: Option<Objective>,
    ) -> Result<EngineSettings, SettingsError> {
        let machine = self.machine(&experiment);
        let (total, within_budget) = (machine.total.clone(), machine.checks());
        let (visible, elsewhere) = (VisibleGpus::inherited(), self.given.joinable());
        let check_total: TotalRule = Arc::new(move |total| {
            if elsewhere && total.is_empty() {
                return Ok(());
            }
            total.check_pool()?;
            visible.check(total)?;
            within_budget(total)
        });
        check_total(&total)?;
        let run = seed::run_id(&experiment.name, experiment.seed.unwrap_or_default());
        let request = self.request_rule(&experiment, &total, elsewhere)?;
        let info = RunInfo::default();
        let mut settings =
            EngineSettings { run, experiment, request, total, info, check_total, elsewhere, names: None };
        if settings.objective != objective {
            settings.objective = objective;
        }
        Ok(settings)
    }

    /// Lets workers join from elsewhere, if they may.
    fn open_elsewhere(
        &mut self,
        settings: &EngineSettings,
        store: &Arc<dyn Store>,
    ) -> Result<Option<Box<dyn Elsewhere>>, SettingsError> {
        #[cfg(all(feature = "remote", unix))]
        if let Some(remote) = self.given.remote.take() {
            let shape = Arc::new(settings.per_trial.clone().unwrap_or_default());
            let name = (settings.run, &*settings.name);
            return super::remote::open(
                remote,
                name,
                settings.info.dir.as_deref(),
                store,
                (shape, self.backend.program()),
            )
            .map(Some);
        }
        let _ = (settings, store);
        Ok(None)
    }

    fn machine(&self, experiment: &Settings) -> Machine {
        Machine::of(experiment, &self.given.sharing, self.given.joinable())
    }

    /// What a trial needs: what the experiment says, else what the trainable asks for, else one cpu; and the objects that
    /// its configuration names.
    fn request_rule(
        &self,
        experiment: &Arc<Settings>,
        total: &Resources,
        elsewhere: bool,
    ) -> Result<RequestRule, SettingsError> {
        let request = Arc::new(experiment.per_trial.clone().unwrap_or_default());
        let feasible = if elsewhere { Ok(()) } else { total.feasible(&request) };
        feasible.map_err(|why| SettingsError::Infeasible { request: request.clone(), why })?;
        let (own, said) = (self.backend.resource_rule(), experiment.per_trial.is_some());
        let (objects, trainable) = (self.given.objects.clone(), self.backend.name().to_owned());
        Ok(Arc::new(move |config| {
            config.check_levels().map_err(|error| error.to_string())?;
            objects.check(config.as_map()).map_err(|missing| missing.to_string())?;
            let asked = if said { Ok(None) } else { guarded(|| own(config)) };
            match asked.map_err(|message| format!("what `{trainable}` needs can't be asked: {message}"))? {
                None => Ok(request.clone()),
                Some(own) => Ok(Arc::new(own)),
            }
        }))
    }

    /// What trials are called: what was decided for them is what the space left open, or else all that there is.
    fn names(&self, experiment: &Settings) -> Option<NameRule> {
        if self.given.names.is_some() {
            return self.given.names.clone();
        }
        match experiment.trial_names.as_ref()?.data()? {
            TrialNames::Tag => {
                let space = self.given.space.clone().or_else(|| experiment.space_tried());
                Some(Arc::new(move |trial, config| {
                    let decided = space.as_ref().map(|space| space.evaluated(config));
                    let decided = decided.filter(|decided| !decided.is_empty()).unwrap_or_else(|| leaves(config));
                    cut_off(tag(trial.number(), &decided))
                }))
            }
        }
    }

    /// A metric that is never reported is refused at once, if the trainable says what it reports.
    fn check_metric(&self, objective: Option<&Objective>) -> Result<(), SettingsError> {
        let Some(metric) = objective.map(|objective| objective.metric.as_str()) else { return Ok(()) };
        let reported = self.backend.metrics();
        if reported.is_empty() || reported.contains(&metric) || AUTOMATIC_KEYS.contains(&metric) {
            return Ok(());
        }
        let (metric, trainable) = (metric.to_owned(), self.backend.name().to_owned());
        Err(SettingsError::UnknownMetric { metric, trainable, reported: reported.join(", ") })
    }

    /// Formats that the trainable is known not to export are refused at once.
    fn check_exports(&self, experiment: &Settings) -> Result<(), SettingsError> {
        let wanted = experiment.export.names();
        for format in &*wanted {
            StoreError::check_name(format).map_err(|_| {
                let expected = "names of letters, digits, `.`, `_` and `-`, without a leading dot";
                WrongSetting::new("export", format!("the format `{format}`"), expected)
            })?;
        }
        let Some(known) = self.backend.exports() else { return Ok(()) };
        let Some(format) = wanted.iter().find(|format| !known.contains(&format.as_str())) else { return Ok(()) };
        let there = match known {
            [] => "it exports nothing; a trainable says what it can export in `EXPORTS`, a closure with \
                   `.exporting([..])`"
                .to_owned(),
            known => format!("it exports {}", known.join(", ")),
        };
        let why = format!("it can't export `{format}`: {there}");
        Err(SettingsError::Backend { trainable: self.backend.name().to_owned(), why })
    }

    /// The directory of the run, if it has one.
    /// The run's directory, if it has one.
    pub(super) fn run_dir(&self) -> Option<PathBuf> {
        let below = || self.session.dir.as_ref().map(|parent| parent.join(&*self.settings.name));
        self.session.place.clone().or_else(below)
    }

    /// Whether a run that is there will be gone on with.
    fn goes_on(&self) -> bool {
        self.session.existing == Existing::Resume && self.run_dir().is_some_and(Self::can_resume)
    }

    fn take_place(&mut self, name: &str) -> Result<Option<(Place, Copying)>, SettingsError> {
        let path = match (self.session.place.take(), self.session.dir.take()) {
            (Some(place), _) => place,
            (None, Some(parent)) => {
                StoreError::check_name(name).map_err(|_| {
                    let expected = "the name of a directory: letters, digits, `.`, `_` and `-`, without a leading dot";
                    WrongSetting::new("name", format!("`{name}`"), expected)
                })?;
                // An error names the whole path.
                let absolute = std::path::absolute(&parent).unwrap_or(parent);
                absolute.join(name)
            }
            (None, None) => return Ok(None),
        };
        let may_exist = self.session.existing == Existing::Resume;
        let fetched = Fetched::at(&self.given, name, &path, may_exist)?;
        let place = Place::take(path, self.session.existing, self.session.damage)?;
        let copying = fetched.claim(&place.path)?;
        Ok(Some((place, copying)))
    }

    fn take_store(
        &mut self,
        place: Option<&Place>,
        durability: Durability,
        slow: &Arc<SlowCalls>,
    ) -> Result<Arc<dyn Store>, SettingsError> {
        let (name, store): (String, Arc<dyn Store>) = match (self.given.store.take(), place) {
            (Some(given), _) => given,
            (None, None) => ("MemoryStore".to_owned(), Arc::new(MemoryStore::new())),
            (None, Some(place)) => {
                let store = DirStore::create(&place.path)?;
                // Checkpoints are made durable with the journal that speaks of them.
                let store = if durability == Durability::EveryEvent { store } else { store.in_groups() };
                ("DirStore".to_owned(), Arc::new(store))
            }
        };
        Ok(TimedStore::around(store, &name, slow))
    }
}
