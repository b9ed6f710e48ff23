//! Going on with a run, and looking at one, from its directory alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builder::Experiment;
use super::place::{self, Existing};
use crate::edge::journal::{JournalFault, Past};
use crate::edge::log::{Damage, LogError};
use crate::edge::store::DirStore;
use crate::error::SettingsError;
use crate::logic::engine::{Engine, EngineSettings, Replayed, Resume};
use crate::logic::event::Outcome;
use crate::logic::pool::Resources;
use crate::logic::schedule::Fifo;
use crate::logic::search::Points;
use crate::logic::stop::{self, StopRule};
use crate::ports::backend::Backend;
use crate::ports::store::Store;
use crate::results::{Results, wall_clock};

impl Experiment {
    /// The experiment whose run is in `dir`, to go on with it: with the settings it had, until you say otherwise. The
    /// trainable, whose code isn't in a file, is supplied again, and so is every part that isn't one of tryout's own.
    ///
    /// What is stored are the settings that the program gave last time. What you change wins over that, and over what a
    /// client changed while the run went on; what you don't change stays as it was, a client's changes included. Changes are
    /// reported as warnings when it starts. A changed objective or space makes it another question: it takes
    /// [`with_changed_objective`](Self::with_changed_objective) or [`with_changed_space`](Self::with_changed_space). The
    /// directory may have been moved or renamed.
    ///
    /// ```no_run
    /// # use tryout::prelude::*;
    /// # fn work(_: Config, _: &mut Session) -> Result<(), TrialError> { Ok(()) }
    /// let results = Experiment::resume("runs/digits", function("digits", work))?
    ///     .on_resume(Resume::new().errored(OnResume::Resume))
    ///     .run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no run in `dir`, its journal is damaged, or the run was of another trainable.
    pub fn resume(dir: impl Into<PathBuf>, backend: impl Backend + 'static) -> Result<Self, SettingsError> {
        let dir = dir.into();
        let missing = || LogError::Missing { path: dir.clone() };
        let opened = last_opened(&dir)?.ok_or_else(|| JournalFault::from(missing()))?;
        let mut experiment = Experiment::with_settings(Arc::unwrap_or_clone(opened.settings), backend);
        experiment.session.place = Some(dir);
        experiment.session.existing = Existing::Resume;
        Ok(experiment)
    }

    /// Whether there is a run in `dir` that can be gone on with.
    pub fn can_resume(dir: impl AsRef<Path>) -> bool {
        matches!(place::first(dir.as_ref(), Damage::Refuse), Ok(Some(_)))
    }

    /// The results of the run in `dir`, as of the last line of its journal, without running anything. Another process may be
    /// running it at the same time.
    ///
    /// The checkpoints of a run with a store of its own are there with [`open_with`](Self::open_with) only.
    ///
    /// # Errors
    /// If there is no run in `dir`, or its journal is damaged.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Results, SettingsError> {
        Self::opened(dir.into(), None)
    }

    /// As [`open`](Self::open), for a run that keeps its checkpoints in `store`.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(dir: impl Into<PathBuf>, store: impl Store + 'static) -> Result<Results, SettingsError> {
        Self::opened(dir.into(), Some(Arc::new(store)))
    }

    fn opened(dir: PathBuf, store: Option<Arc<dyn Store>>) -> Result<Results, SettingsError> {
        let missing = || JournalFault::from(LogError::Missing { path: dir.clone() });
        let first = place::first(&dir, Damage::Refuse)?.ok_or_else(missing)?;
        let mut engine = onlooker(&first);
        let (_, _) = Past::open(&dir, Damage::Refuse)?.tell(&mut engine)?;
        let Replayed { opened, .. } = engine.replayed();
        let settings = opened.as_ref().map_or(&first.settings, |opened| &opened.settings);
        let store = match (store, &settings.store) {
            (Some(store), _) => Ok(store),
            (None, Some(name)) => Err(name.clone()),
            (None, None) => Ok(Arc::new(DirStore::create(&dir)?) as Arc<dyn Store>),
        };
        let run = engine.ledger().run();
        let (objective, seed) = (settings.objective.clone(), settings.seed.unwrap_or_default());
        let (took, outcome) = (run.now.since_start(), run.outcome.clone().unwrap_or(Outcome::Unfinished));
        let trials = engine.ledger().iter().filter_map(|trial| trial.last.as_ref());
        let heard = trials.map(|last| last.timestamp).chain(opened.as_ref().map(|opened| opened.wall_clock));
        let (began, ended) = (wall_clock(first.wall_clock), wall_clock(heard.fold(first.wall_clock, f64::max)));
        Ok(Results {
            name: first.settings.name.to_string(),
            run: first.run,
            settings: settings.clone(),
            objective,
            seed,
            outcome,
            totals: engine.totals(),
            trials: engine.take_ledger().into_records(),
            took,
            began,
            ended,
            store,
            recording: Arc::default(),
            dir: Some(dir),
        })
    }

    /// How trials of an earlier session go on. Default: [`Resume::new`]. Of no effect on a run that is new.
    #[must_use]
    pub fn on_resume(mut self, how: Resume) -> Self {
        self.session.how = how;
        self
    }

    /// Goes on with what was finished, until `rule` says that it is enough: short for new stop rules in place of all others,
    /// and [`Resume::extend`].
    #[must_use]
    pub fn extend(mut self, rule: impl StopRule + 'static) -> Self {
        self.given.stop = None;
        self.session.how = self.session.how.extend();
        self.stop(rule)
    }

    /// The objective may differ from that of the earlier sessions. Trials are then compared by it, also those that ended
    /// before; parts that judged by the other one aren't told so.
    #[must_use]
    pub fn with_changed_objective(mut self) -> Self {
        self.session.may_change.insert("objective");
        self
    }

    /// The space, or that of the searcher, may differ from that of the earlier sessions. Trials that are there stay, also
    /// those that aren't in it.
    #[must_use]
    pub fn with_changed_space(mut self) -> Self {
        self.session.may_change.insert("space");
        self
    }

    /// What to do if there is a run of this name in the directory already. Default: [`Existing::Refuse`].
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.session.existing = existing;
        self
    }

    /// What to do if the journal of an earlier session is damaged. Default: [`Damage::Refuse`].
    #[must_use]
    pub fn damage(mut self, damage: Damage) -> Self {
        self.session.damage = damage;
        self
    }
}

/// The record of the last session's beginning.
pub(super) fn last_opened(dir: &Path) -> Result<Option<crate::logic::journal::Opened>, SettingsError> {
    let Some(mut last) = place::first(dir, Damage::UseWhatPrecedes)? else { return Ok(None) };
    let mut past = Past::open(dir, Damage::UseWhatPrecedes)?;
    while let Some(opened) = past.next_opened()? {
        last = opened;
    }
    Ok(Some(last))
}

/// An engine that is told the past and never runs.
pub(super) fn onlooker(first: &crate::logic::journal::Opened) -> Engine {
    let settings = EngineSettings::new(first.run, first.settings.name.clone(), Resources::new());
    Engine::new(
        settings,
        Box::new(Points::new(Vec::new())),
        Box::new(Fifo),
        Box::new(stop::any(Vec::<Box<dyn StopRule>>::new())),
    )
}
