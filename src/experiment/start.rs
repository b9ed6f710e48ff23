//! From settings to a run: everything is checked, put together, and set going on a thread of its own.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_rt::System;
use futures::channel::oneshot;

use super::builder::Experiment;
use super::handle::{Control, ExperimentHandle, SharedHub};
use super::place::Place;
use super::session::{self, Session};
use super::stored;
use crate::actors::{Parts, RunEnd, launch};
use crate::edge::journal::JournalEnd;
use crate::edge::log::LogLock;
use crate::edge::observe::ObserverHub;
use crate::edge::store::{DirStore, Janitor, MemoryStore};
use crate::error::{RunError, SettingsError};
use crate::logic::engine::{Engine, EngineSettings, RequestRule};
use crate::logic::event::Outcome;
use crate::logic::ids::RunId;
use crate::logic::metrics::{AUTOMATIC_KEYS, Objective};
use crate::logic::pool::{Pool, PoolSettings, ResourceRequest, Resources};
use crate::logic::search::{Capped, Points, Samples, Searcher, Variants, Within};
use crate::logic::space::Space;
use crate::logic::stop::{self, StopRule};
use crate::logic::trial::TrialSettings;
use crate::ports::store::{Store, StoreError};
use crate::results::Results;

impl Experiment {
    /// Runs it to its end, blocking this thread.
    ///
    /// # Errors
    /// If a setting is wrong, before anything runs; or if the run couldn't go on: then what had been reached is in the
    /// error. A failed trial is no error.
    pub fn run(self) -> Result<Results, RunError> {
        self.check_uncontrolled()?;
        self.start()?.wait_blocking()
    }

    /// Starts it on a thread of its own. Nothing of it runs on the caller's thread or arbiters, and no signal handler
    /// is installed; any number of experiments can run side by side.
    ///
    /// # Errors
    /// If a setting is wrong; nothing runs then.
    pub fn start(self) -> Result<ExperimentHandle, SettingsError> {
        let patience = self.patience;
        let Assembled { parts, hub, summary, journal } = self.assemble()?;
        let (address, addresses) = mpsc::channel();
        let (done, end) = oneshot::channel();
        let shared = hub.clone();
        std::thread::Builder::new().name("tryout-engine".to_owned()).spawn(move || {
            let ended = System::with_tokio_rt(runtime).block_on(async move {
                let (done, end) = oneshot::channel();
                // Whoever started the run waits for this.
                let _ = address.send(launch(parts, done));
                end.await
            });
            for fault in shared.finish(patience) {
                log::warn!("{fault}");
            }
            let results = ended.map_err(|_| RunError::Lost).and_then(|end| summary.results(end));
            // Nobody may be waiting.
            let _ = done.send(closed(journal, patience, results));
        })?;
        let lost = || SettingsError::Thread(std::io::Error::other("the engine's thread ended at once"));
        let controller = addresses.recv().map_err(|_| lost())?;
        Ok(ExperimentHandle { control: Control { controller, hub }, done: end })
    }

    /// Checks everything, and only then touches the world.
    fn assemble(mut self) -> Result<Assembled, SettingsError> {
        if self.name.trim().is_empty() {
            return Err(refused("name", "empty", "a name"));
        }
        self.from_file.check()?;
        let trainable = self.backend.name().to_owned();
        self.backend.check().map_err(|why| SettingsError::Backend { trainable, why })?;
        let given = stored::settings(&self);
        let objective = self.objective.take();
        self.scheduler.prepare(objective.as_ref())?;
        let objective = objective.or_else(|| self.scheduler.objectives().first().cloned());
        self.check_metric(objective.as_ref())?;
        let stop = self.stop_rule()?;
        let searcher = self.take_searcher(objective.as_ref())?;
        let pool = self.pool()?;
        let mut settings = self.engine_settings(objective.as_ref(), &pool)?;
        let place = self.take_place()?;
        if let Some(first) = place.as_ref().and_then(|place| place.first.as_ref()) {
            settings.run = first.run;
        }
        let store = self.take_store(place.as_ref())?;
        self.add_files(place.as_ref())?;
        self.settle(place.as_ref())?;

        let trials = self.trial_settings(&settings);
        let mut janitor = Janitor::new(store.clone());
        let mut engine = Engine::new(settings, searcher, self.scheduler, stop);
        let session = session::begin(session::Start {
            place,
            engine: &mut engine,
            name: &self.name,
            trainable: self.backend.name(),
            given,
            how: self.how,
            damage: self.damage,
            log: self.log,
            files: self.journal_files,
            store: store.clone(),
            observers: self.observers,
        })?;
        let Session { observers, states, journal, notices, dir } = session;
        let (journal, end) = journal.unzip();
        let hub = SharedHub::new(ObserverHub::resume(observers, ObserverHub::DEFAULT_CAPACITY, states));
        let run = engine.recalled().run;
        let parts = Parts {
            engine,
            pool: Pool::new(pool).numbered_from(run.workers, run.leases),
            trials,
            backend: self.backend,
            store: store.clone(),
            audience: Box::new(hub.clone()),
            forget: Box::new(move |checkpoint| janitor.delete(checkpoint)),
            journal,
            notices,
        };
        let (lock, path) = dir.unzip();
        let summary = Summary { name: self.name, objective, dir: path, store };
        Ok(Assembled { parts, hub, summary, journal: end.zip(lock) })
    }

    /// Tells the backend where its trials have their directories.
    fn settle(&mut self, place: Option<&Place>) -> Result<(), SettingsError> {
        let Some(Place { path, .. }) = place else { return Ok(()) };
        let failed = crate::ports::store::StoreError::io("use the directory", path);
        Ok(self.backend.settle(path).map_err(failed)?)
    }

    fn engine_settings(
        &self,
        objective: Option<&Objective>,
        pool: &PoolSettings,
    ) -> Result<EngineSettings, SettingsError> {
        if let Some(0) = self.retention.keep() {
            return Err(refused("retention", "0", "at least 1: the latest checkpoint is always kept"));
        }
        if let Some(0) = self.checkpoint_budget {
            return Err(refused("checkpoint_budget", "0", "at least 1 byte"));
        }
        self.check_safeguards()?;
        let request = Arc::new(self.per_trial.clone().unwrap_or_default());
        let infeasible = |why| SettingsError::Infeasible { request: request.clone(), why };
        Pool::new(pool.clone()).feasible(&request).map_err(infeasible)?;
        Ok(EngineSettings {
            run: RunId::new(hash(&self.name, self.seed)),
            name: self.name.as_str().into(),
            objective: objective.cloned(),
            batching: self.batching,
            concurrency: Self::checked_nonzero("concurrency", self.concurrency)?,
            staged: Self::checked_nonzero("staged", Some(self.staged))?.unwrap_or(std::num::NonZeroU32::MIN),
            checkpoint_every: Self::checked_nonzero("checkpoint_every", self.checkpoint_every)?,
            checkpoint_budget: self.checkpoint_budget,
            at_end: self.at_end,
            fail_fast: self.fail_fast,
            same_error: self.same_error,
            withdraw_gpus_after: self.withdraw_gpus_after,
            time_limit: self.take_time_limit(),
            history: self.history,
            request: self.request_rule(request, pool.clone()),
            resources: pool.total.clone(),
        })
    }

    /// What a trial needs: what the experiment says, else what the trainable asks for, else one cpu; and the objects that
    /// its configuration names.
    fn request_rule(&self, request: Arc<ResourceRequest>, pool: PoolSettings) -> RequestRule {
        let (own, said, objects) = (self.backend.resource_rule(), self.per_trial.is_some(), self.objects.clone());
        let pool = Pool::new(pool);
        Arc::new(move |config| {
            objects.check(config).map_err(|missing| missing.to_string())?;
            match own(config).filter(|_| !said) {
                None => Ok(request.clone()),
                Some(own) => {
                    pool.feasible(&own).map_err(|why| why.to_string())?;
                    Ok(Arc::new(own))
                }
            }
        })
    }

    /// A metric that is never reported is refused at once, if the trainable says what it reports.
    fn check_metric(&self, objective: Option<&Objective>) -> Result<(), SettingsError> {
        let Some(metric) = objective.map(|objective| objective.metric.as_str()) else { return Ok(()) };
        if metric.is_empty() {
            return Err(refused("objective", "a metric without a name", "the name of a metric"));
        }
        let reported = self.backend.metrics();
        if reported.is_empty() || reported.contains(&metric) || AUTOMATIC_KEYS.contains(&metric) {
            return Ok(());
        }
        let (metric, trainable) = (metric.to_owned(), self.backend.name().to_owned());
        Err(SettingsError::UnknownMetric { metric, trainable, reported: reported.join(", ") })
    }

    fn stop_rule(&mut self) -> Result<Box<dyn StopRule>, SettingsError> {
        let rules = std::mem::take(&mut self.stop);
        for rule in &rules {
            rule.validate()?;
        }
        Ok(Box::new(stop::any(rules)))
    }

    fn take_searcher(&mut self, objective: Option<&Objective>) -> Result<Box<dyn Searcher>, SettingsError> {
        let points = std::mem::take(&mut self.points);
        let samples = self.samples;
        if samples == Some(Samples::Finite(0)) {
            return Err(refused("samples", "0", "at least 1"));
        }
        let mut searcher: Box<dyn Searcher> = match (self.searcher.take(), self.space.take()) {
            (Some(_), _) if !points.is_empty() => {
                let why = "give the points to the searcher, if it takes any";
                return Err(SettingsError::Both { one: "searcher", other: "points", why });
            }
            (Some(searcher), space) => {
                let searcher = match space {
                    Some(space) => Box::new(Within::new(space, searcher)),
                    None => searcher,
                };
                match samples {
                    Some(Samples::Finite(most)) => Box::new(Capped::new(searcher, most)),
                    _ => searcher,
                }
            }
            (None, Some(space)) => Box::new(self.variants(space, samples, points)?),
            (None, None) if points.is_empty() => return Err(SettingsError::NothingToTry),
            (None, None) => Box::new(Points::new(points)),
        };
        searcher.prepare(objective)?;
        Ok(searcher)
    }

    fn variants(
        &self,
        space: Space,
        samples: Option<Samples>,
        points: Vec<crate::logic::config::Config>,
    ) -> Result<Variants, SettingsError> {
        if space.is_empty() {
            return Err(SettingsError::NothingToTry);
        }
        let variants = Variants::new(space, self.seed)?.samples(samples.unwrap_or(Samples::Finite(1)));
        let variants = variants.points(points)?;
        for warning in variants.warnings() {
            log::warn!("{warning}");
        }
        Ok(variants)
    }

    fn trial_settings(&self, settings: &EngineSettings) -> Arc<TrialSettings> {
        Arc::new(TrialSettings {
            experiment: settings.name.clone(),
            seed: self.seed,
            retry: self.retry.clone(),
            retention: self.retention.clone(),
            export: self.export,
            rests: self.backend.rests(),
            objects: self.objects.clone(),
        })
    }

    fn add_files(&mut self, place: Option<&Place>) -> Result<(), SettingsError> {
        match (self.files.take(), place) {
            (Some(files), Some(place)) => self.observers.extend(files.observers(&place.path)),
            (Some(_), None) => return Err(refused("files", "given alone", "given together with a `dir`")),
            (None, _) => {}
        }
        Ok(())
    }

    fn pool(&self) -> Result<PoolSettings, SettingsError> {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let total = self.resources.clone().unwrap_or_else(|| Resources::cpus(cores()));
        let mut settings = PoolSettings::new(total);
        settings.reuse = self.reuse;
        settings.grace = self.grace;
        settings.abandoned = self.abandoned;
        settings.check()?;
        Ok(settings)
    }

    /// The directory of the run, if it has one.
    fn take_place(&mut self) -> Result<Option<Place>, SettingsError> {
        let path = match (self.place.take(), self.dir.take()) {
            (Some(place), _) => place,
            (None, Some(parent)) => {
                StoreError::check_name(&self.name)?;
                parent.join(&self.name)
            }
            (None, None) => return Ok(None),
        };
        Place::take(path, self.existing, self.damage).map(Some)
    }

    fn take_store(&mut self, place: Option<&Place>) -> Result<Arc<dyn Store>, SettingsError> {
        Ok(match (self.store.take(), place) {
            (Some(store), _) => store,
            (None, None) => Arc::new(MemoryStore::new()),
            (None, Some(place)) => Arc::new(DirStore::create(&place.path)?),
        })
    }
}

/// What an experiment comes to.
struct Assembled {
    parts: Parts,
    hub: SharedHub,
    summary: Summary,
    /// The directory stays locked until its journal is closed.
    journal: Option<(JournalEnd, LogLock)>,
}

/// Closes the journal: the run's last words are in it, or the results say what isn't.
fn closed(
    journal: Option<(JournalEnd, LogLock)>,
    patience: Duration,
    results: Result<Results, RunError>,
) -> Result<Results, RunError> {
    let Some((journal, lock)) = journal else { return results };
    let closed = journal.close(patience.max(Duration::from_secs(5)));
    drop(lock);
    match (closed, results) {
        (Err(why), Ok(results)) => Err(RunError::Unwritten { why, results: Box::new(results) }),
        (Err(why), Err(error)) => {
            log::error!("{why}");
            Err(error)
        }
        (Ok(()), results) => results,
    }
}

pub(super) fn refused(setting: &'static str, value: &str, expected: &'static str) -> SettingsError {
    SettingsError::Setting { setting, value: value.to_owned(), expected }
}

/// A runtime that can tell the time and nothing else: it needs no file descriptors.
fn runtime() -> tokio::runtime::Runtime {
    #[expect(clippy::expect_used, reason = "without IO there is nothing that can fail")]
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without IO can always be built")
}

/// The same bits for the same name and seed (Fowler, Noll, Vo: FNV-1a).
fn hash(name: &str, seed: u64) -> u32 {
    let bytes = name.bytes().chain(seed.to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What the results need that the engine doesn't know.
struct Summary {
    name: String,
    objective: Option<Objective>,
    dir: Option<PathBuf>,
    store: Arc<dyn Store>,
}

impl Summary {
    fn results(self, end: RunEnd) -> Result<Results, RunError> {
        let RunEnd { outcome, ledger, totals, took } = end;
        let results = Results {
            name: self.name,
            objective: self.objective,
            outcome: outcome.clone(),
            trials: ledger.into_records(),
            totals,
            took: took.since_start(),
            dir: self.dir,
            store: self.store,
        };
        match outcome {
            Outcome::Failed(failure) => Err(RunError::Failed { failure, results: Box::new(results) }),
            _ => Ok(results),
        }
    }
}
