//! Trials that begin from a checkpoint which they are given: one of this run, or one of another run, which is copied into this
//! run's store first, so that nobody else can take it away.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::builder::Experiment;
use super::handle::Control;
use crate::edge::store::copy;
use crate::error::{ControlError, SettingsError};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::engine::{ClientOrder, Engine};
use crate::logic::failure::error_chain;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{Store, StoreError};
use crate::results::Results;

/// A checkpoint that a trial is to begin from: one of the same run by its name, or one of another run.
///
/// ```no_run
/// # use tryout::prelude::*;
/// # async fn example(handle: ExperimentHandle, config: Config, old: Results) -> Result<(), Box<dyn std::error::Error>> {
/// let best = old.best()?;
/// let last = best.checkpoints.last().ok_or("it saved nothing")?;
/// handle.add_from(config, GivenCheckpoint::of_run("runs/pretraining", last.id)).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct GivenCheckpoint(Whose);

#[derive(Clone, Debug)]
enum Whose {
    ThisRun(CheckpointId),
    RunIn(PathBuf, CheckpointId),
    Found(Arc<dyn Store>, Arc<Checkpoint>),
}

impl From<CheckpointId> for GivenCheckpoint {
    /// One of the run that the trial is added to.
    fn from(id: CheckpointId) -> Self {
        Self(Whose::ThisRun(id))
    }
}

impl GivenCheckpoint {
    /// One of the run in this directory, which may be going on. It is copied when the trial is added.
    pub fn of_run(dir: impl Into<PathBuf>, id: CheckpointId) -> Self {
        Self(Whose::RunIn(dir.into(), id))
    }

    /// One of the run that these are the results of, also if it keeps its checkpoints in a store of its own. It is copied when
    /// the trial is added.
    ///
    /// # Errors
    /// If the run has no such checkpoint, or its store wasn't supplied.
    pub fn of_results(results: &Results, id: CheckpointId) -> Result<Self, StoreError> {
        let what = || format!("{} of trial {}", id.directory(), id.trial);
        let kept = results.trial(id.trial).and_then(|trial| trial.checkpoints.iter().find(|kept| kept.id == id));
        let kept = kept.ok_or_else(|| StoreError::Missing { what: what() })?;
        Ok(Self(Whose::Found(results.store()?.clone(), kept.clone())))
    }

    /// The same, with what is known of it. One of this run is known to its engine alone.
    fn find(self) -> Result<Self, NotImported> {
        let Whose::RunIn(dir, id) = self.0 else { return Ok(self) };
        let refused = |why: String| NotImported { checkpoint: id.path(), of: format!("`{}`", dir.display()), why };
        let results = Experiment::open(&dir).map_err(|error| refused(error_chain(&error)))?;
        Self::of_results(&results, id).map_err(|error| refused(error_chain(&error)))
    }
}

/// Why a trial can't begin from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trial can't begin from {checkpoint} of the run {of}: {why}")]
pub struct NotImported {
    checkpoint: String,
    of: String,
    why: String,
}

/// Brings checkpoints of other runs into a run's store, each under a name of its own.
#[derive(Debug)]
pub(super) struct Imports {
    store: Arc<dyn Store>,
    run: RunId,
    next: AtomicU32,
}

impl Imports {
    /// For the run of this engine, which knows the names that were given before. What it doesn't know of was swept away.
    pub(super) fn new(store: Arc<dyn Store>, engine: &Engine) -> Self {
        let known = engine.ledger().iter().filter_map(|record| Some(record.inherited.as_ref()?.checkpoint.id));
        let next = known.filter(|id| id.trial.is_imported()).map(|id| id.index + 1).max();
        Self { store, run: engine.settings().run, next: AtomicU32::new(next.unwrap_or(0)) }
    }

    fn import(&self, from: &dyn Store, checkpoint: &Checkpoint) -> Result<Arc<Checkpoint>, NotImported> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let id = CheckpointId { trial: TrialId::imported(self.run), index };
        let copied = copy(from, checkpoint.id, &*self.store, id);
        let (name, of) = (checkpoint.id.path(), checkpoint.id.trial.run().to_string());
        let bytes = copied.map_err(|error| NotImported { checkpoint: name, of, why: error_chain(&error) })?;
        log::debug!("{} was imported as {}", checkpoint.id.path(), id.path());
        Ok(Arc::new(Checkpoint { id, report: checkpoint.report.clone(), bytes }))
    }
}

impl Experiment {
    /// Trials that begin from checkpoints of other runs: for the next stage of a search, or to fine-tune what another run has
    /// trained. They are made before all others, besides what the space, the points or the searcher suggest, and only when the
    /// run is new: a run that is resumed has them already. The trainable restores the checkpoint as its own, and iterations
    /// are counted on from there.
    ///
    /// ```no_run
    /// # use tryout::prelude::*;
    /// # fn train(_: Config, _: &mut Session) -> Result<(), TrialError> { Ok(()) }
    /// let old = Results::load("runs/coarse")?;
    /// let best = old.best()?;
    /// let last = best.checkpoints.last().ok_or("it saved nothing")?;
    /// let from = [1e-3, 1e-4].map(|lr| (best.config.as_ref().clone().with("lr", lr), GivenCheckpoint::of_run("runs/coarse", last.id)));
    /// let results = Experiment::new("fine", function("train", train)).points_from(from).run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn points_from(mut self, points: impl IntoIterator<Item = (Config, GivenCheckpoint)>) -> Self {
        self.given.points_from.extend(points);
        self
    }

    /// Looks for the checkpoints that trials are to begin from. Nothing is copied yet.
    pub(super) fn find_points(&mut self, goes_on: bool) -> Result<(), SettingsError> {
        for (number, (config, from)) in self.given.points_from.iter_mut().enumerate() {
            config.check_levels().map_err(|source| SettingsError::Point { number, source })?;
            if let Whose::ThisRun(id) = from.0 {
                let why = "it is named as one of the run that begins, which has none yet: say whose it is, as in \
                           `GivenCheckpoint::of_run(dir, id)`";
                let of = id.trial.run().to_string();
                return Err(NotImported { checkpoint: id.path(), of, why: why.to_owned() }.into());
            }
            // A run that goes on has them already; where they came from may be gone.
            if !goes_on {
                *from = from.clone().find()?;
            }
        }
        Ok(())
    }
}

/// Has a new run begin with these.
pub(super) fn begin_with(
    points: Vec<(Config, GivenCheckpoint)>,
    imports: &Imports,
    engine: &mut Engine,
) -> Result<(), NotImported> {
    if !engine.ledger().is_empty() {
        return Ok(());
    }
    for (config, from) in points {
        if let Whose::Found(store, checkpoint) = from.0 {
            engine.begin_with(config, imports.import(&*store, &checkpoint)?);
        }
    }
    Ok(())
}

impl Control {
    /// Adds a trial that begins from a checkpoint: one of this run, by its name, or one of
    /// [another run](GivenCheckpoint::of_run). The trainable restores it as its own, and iterations are counted on from there.
    /// One of this run is kept until the trial has a checkpoint of its own, whatever its trial lets go. One of another run is
    /// copied into this run's store, on the calling thread, and the copy is deleted when it isn't needed any more.
    ///
    /// # Errors
    /// If the run is over, there is no such checkpoint, it can't be copied, or the trial could never run.
    pub async fn add_from(&self, config: Config, from: impl Into<GivenCheckpoint>) -> Result<TrialId, ControlError> {
        let (store, checkpoint) = match from.into().find()?.0 {
            Whose::Found(store, checkpoint) => (store, checkpoint),
            Whose::ThisRun(id) | Whose::RunIn(_, id) => {
                return self.order(ClientOrder::AddFrom(config, id)).await?.ok_or(ControlError::Over);
            }
        };
        let imported = self.imports.import(&*store, &checkpoint)?;
        let id = imported.id;
        let added = self.order(ClientOrder::AddImported(config, imported)).await;
        if added.is_err()
            && let Err(error) = self.imports.store.delete(id)
        {
            log::warn!("{} isn't needed and can't be deleted: {error}", id.path());
        }
        added?.ok_or(ControlError::Over)
    }
}
