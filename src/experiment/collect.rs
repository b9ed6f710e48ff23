//! Checkpoints of a run that doesn't go on are let go, by a rule that is given later.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Experiment;
use super::place::{self, Existing, Place};
use super::resume::onlooker;
use crate::edge::host;
use crate::edge::journal::{DIRECTORY, JournalFault, JournalFile};
use crate::edge::log::{Damage, DirFiles, LogError};
use crate::edge::store::{DirStore, Janitor};
use crate::error::SettingsError;
use crate::logic::checkpoint::{CheckpointId, Retention};
use crate::logic::engine::TrialRecord;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::ports::store::{Store, StoreError};

/// How long the disk has to take a few lines of a journal.
const PATIENCE: Duration = Duration::from_secs(60);

/// What [`Experiment::collect`] lets go, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The checkpoints, in the order of their trials.
    pub checkpoints: Vec<CheckpointId>,
    /// What they take, in bytes.
    pub bytes: u64,
}

impl Experiment {
    /// The checkpoints of the run in `dir` that `retention` doesn't keep, and what they take. The latest of each trial stays, and so
    /// does what a copy goes on from.
    ///
    /// # Errors
    /// If there is no run in `dir`, its journal is damaged, or it keeps its checkpoints in a store of its own.
    pub fn collectable(dir: impl Into<PathBuf>, retention: &Retention) -> Result<Collected, SettingsError> {
        let results = Self::open(dir)?;
        results.store()?;
        Ok(surplus(results.trials().iter(), retention))
    }

    /// Deletes them. It is in the run's journal, as a session of its own; nobody may run it meanwhile.
    ///
    /// # Errors
    /// As for [`collectable`](Self::collectable), or if the run goes on, or the journal can't be written: then nothing was deleted.
    pub fn collect(dir: impl Into<PathBuf>, retention: &Retention) -> Result<Collected, SettingsError> {
        let dir = dir.into();
        let missing = || JournalFault::from(LogError::Missing { path: dir.clone() });
        // A directory that isn't there would be made.
        let first = place::first(&dir, Damage::Refuse)?.ok_or_else(missing)?;
        let place = Place::take(dir.clone(), Existing::Resume, Damage::Refuse)?;
        let mut engine = onlooker(&first);
        let (end, _) = place.tell(Damage::Refuse, &mut engine)?;
        let mut opened = engine.replayed().opened.clone().unwrap_or(first);
        if let Some(name) = &opened.settings.store {
            return Err(StoreError::Elsewhere { name: name.clone() }.into());
        }
        let found = surplus(engine.ledger().iter(), retention);
        if found.checkpoints.is_empty() {
            return Ok(found);
        }
        let run = engine.ledger().run();
        (opened.session, opened.pid) = (opened.session + 1, std::process::id());
        opened.wall_clock = host::since_1970().as_secs_f64();
        let deleted = found.checkpoints.iter().map(|checkpoint| EventKind::Deleted { checkpoint: *checkpoint });
        // The run ended as it had ended.
        let finished = run.outcome.iter().map(|outcome| EventKind::Finished { outcome: outcome.clone() });
        let events: Arc<[ExperimentEvent]> =
            deleted.chain(finished).map(|kind| ExperimentEvent { at: run.now, kind }).collect();

        let store: Arc<dyn Store> = Arc::new(DirStore::create(&dir)?);
        let files = Arc::new(DirFiles::new(dir.join(DIRECTORY)));
        let (open, end) = JournalFile::start(files, end, opened, Janitor::new(store.clone()))?;
        open(Box::new(|_| {})).step(events);
        end.close(PATIENCE).map_err(|why| JournalFault::Write { path: dir, source: std::io::Error::other(why) })?;
        // Only when it is written that they are gone, they go.
        found.checkpoints.iter().try_for_each(|checkpoint| store.delete(*checkpoint))?;
        Ok(found)
    }
}

/// What `retention` doesn't keep of these trials, but for what a copy goes on from.
fn surplus<'t>(trials: impl Iterator<Item = &'t TrialRecord>, retention: &Retention) -> Collected {
    let trials: Vec<&TrialRecord> = trials.collect();
    let needed: BTreeSet<CheckpointId> =
        trials.iter().filter_map(|trial| trial.goes_on_from()).map(|checkpoint| checkpoint.id).collect();
    let mut found = Collected::default();
    for trial in trials {
        let let_go: BTreeSet<CheckpointId> = retention.let_go(&trial.checkpoints).into_iter().collect();
        let goes = |id: &CheckpointId| let_go.contains(id) && !needed.contains(id);
        for checkpoint in trial.checkpoints.iter().filter(|checkpoint| goes(&checkpoint.id)) {
            found.checkpoints.push(checkpoint.id);
            found.bytes += checkpoint.bytes;
        }
    }
    found
}
