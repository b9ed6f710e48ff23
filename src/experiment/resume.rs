//! Going on with a run, and looking at one, from its directory alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builder::Experiment;
use super::place::{self, Existing};
use super::stored;
use crate::edge::journal::{JournalFault, Past};
use crate::edge::log::{Damage, LogError};
use crate::edge::store::DirStore;
use crate::error::SettingsError;
use crate::logic::engine::{Engine, EngineSettings, Recalled, Resume};
use crate::logic::event::Outcome;
use crate::logic::pool::Resources;
use crate::logic::schedule::Fifo;
use crate::logic::search::Points;
use crate::logic::stop::{self, StopRule};
use crate::ports::backend::Backend;
use crate::results::Results;

impl Experiment {
    /// The experiment whose run is in `dir`, to go on with it: with the settings it had, until you say otherwise. The
    /// trainable, whose code isn't in a file, is supplied again, and so is every part that isn't one of tryout's own.
    ///
    /// What you say wins over what is stored; the differences are reported as warnings when it starts. The directory may
    /// have been moved or renamed.
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
        let mut experiment = Experiment::new(opened.name.clone(), backend);
        stored::apply(&mut experiment, &opened.settings)?;
        experiment.place = Some(dir);
        experiment.existing = Existing::Resume;
        Ok(experiment)
    }

    /// Whether there is a run in `dir` that can be gone on with.
    pub fn can_resume(dir: impl AsRef<Path>) -> bool {
        matches!(place::first(dir.as_ref(), Damage::Refuse), Ok(Some(_)))
    }

    /// The results of the run in `dir`, as of the last line of its journal, without running anything. Another process may be
    /// running it at the same time.
    ///
    /// # Errors
    /// If there is no run in `dir`, or its journal is damaged.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Results, SettingsError> {
        let dir = dir.into();
        let missing = || JournalFault::from(LogError::Missing { path: dir.clone() });
        let first = place::first(&dir, Damage::Refuse)?.ok_or_else(missing)?;
        let mut engine = onlooker(&first);
        let (_, _) = Past::open(&dir, Damage::Refuse)?.tell(&mut engine)?;
        let Recalled { opened, run, outcome, .. } = engine.recalled();
        let objective = opened.as_ref().and_then(|opened| stored::objective(&opened.settings));
        let (took, outcome) = (run.now.since_start(), outcome.clone().unwrap_or(Outcome::Unfinished));
        Ok(Results {
            name: first.name,
            objective,
            outcome,
            totals: engine.totals(),
            trials: engine.take_ledger().into_records(),
            took,
            store: Arc::new(DirStore::create(&dir)?),
            dir: Some(dir),
        })
    }

    /// How trials of an earlier session go on: [`Resume::new`] unless it is said. Of no effect on a run that is new.
    #[must_use]
    pub fn on_resume(mut self, how: Resume) -> Self {
        self.how = how;
        self
    }

    /// Goes on with what was finished, until `rule` says that it is enough: short for new stop rules in place of all others,
    /// and [`Resume::extend`].
    #[must_use]
    pub fn extend(mut self, rule: impl StopRule + 'static) -> Self {
        self.stop.clear();
        self.how = self.how.extend();
        self.stop(rule)
    }

    /// What to do if there is a run of this name in the directory already: [`Existing::Refuse`] unless it is said.
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// What to do if the journal of an earlier session is damaged: [`Damage::Refuse`] unless it is said.
    #[must_use]
    pub fn damage(mut self, damage: Damage) -> Self {
        self.damage = damage;
        self
    }
}

/// The record of the last session's beginning.
fn last_opened(dir: &Path) -> Result<Option<crate::logic::journal::Opened>, SettingsError> {
    let Some(mut last) = place::first(dir, Damage::UseWhatPrecedes)? else { return Ok(None) };
    let mut past = Past::open(dir, Damage::UseWhatPrecedes)?;
    while let Some(opened) = past.next_opened()? {
        last = opened;
    }
    Ok(Some(last))
}

/// An engine that is told the past and never runs.
fn onlooker(first: &crate::logic::journal::Opened) -> Engine {
    let settings = EngineSettings::new(first.run, first.name.as_str(), Resources::new());
    Engine::new(
        settings,
        Box::new(Points::new(Vec::new())),
        Box::new(Fifo),
        Box::new(stop::any(Vec::<Box<dyn StopRule>>::new())),
    )
}
