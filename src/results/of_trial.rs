//! What one trial of a run has brought.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use super::Results;
use crate::edge::files::ResultTable;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::engine::TrialRecord;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report, Scope};
use crate::ports::store::{CheckpointReader, StoreError};

/// The results of one trial: its record, and what else the run knows of it.
///
/// ```
/// # use tryout::prelude::*;
/// # fn example(results: Results) -> Result<(), Box<dyn std::error::Error>> {
/// let best = results.of(results.best()?.id).ok_or("it is there")?;
/// println!("{} in {:?}: {:.0} s of work", best.config, best.dir(), best.seconds());
/// if let Some(checkpoint) = best.best_checkpoint(&Objective::min("loss")) {
///     let weights: Vec<f64> = best.open(checkpoint)?.json("weights.json")?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TrialResults<'a> {
    results: &'a Results,
    record: &'a TrialRecord,
}

impl Deref for TrialResults<'_> {
    type Target = TrialRecord;

    fn deref(&self) -> &TrialRecord {
        self.record
    }
}

impl Results {
    /// What one trial has brought; none if there is no such trial.
    pub fn of(&self, trial: TrialId) -> Option<TrialResults<'_>> {
        self.trial(trial).map(|record| TrialResults { results: self, record })
    }
}

impl<'a> TrialResults<'a> {
    /// Its record.
    pub fn record(&self) -> &'a TrialRecord {
        self.record
    }

    /// The directory for its files and checkpoints, if the run has one. It is made with the first of them.
    pub fn dir(&self) -> Option<PathBuf> {
        self.results.dir().map(|dir| dir.join(self.record.id.to_string()))
    }

    /// Its last checkpoint that is kept.
    pub fn last_checkpoint(&self) -> Option<&'a Arc<Checkpoint>> {
        self.record.checkpoints.last()
    }

    /// Its checkpoint that is kept with the best finite value of `objective` in the report at which it was taken; of equals
    /// the first. None if no checkpoint has one.
    pub fn best_checkpoint(&self, objective: &Objective) -> Option<&'a Arc<Checkpoint>> {
        let kept = self.record.checkpoints.iter();
        objective.best_of(kept.map(|checkpoint| (checkpoint, checkpoint.report.number(&objective.metric))))
    }

    /// What a checkpoint holds, to be read.
    ///
    /// # Errors
    /// If it isn't in the run's store any more, or can't be read.
    pub fn open(&self, checkpoint: &Checkpoint) -> Result<CheckpointReader, StoreError> {
        self.results.open_checkpoint(checkpoint.id)
    }

    /// Its report with the best value of `objective`, among those that were kept; of equals the first.
    pub fn best_report(&self, objective: &Objective) -> Option<&'a Report> {
        self.results.best_report(self.record, objective)
    }

    /// The value of `objective`, judged over `scope`.
    pub fn value(&self, objective: &Objective, scope: Scope) -> Option<f64> {
        self.results.value_by(self.record, objective, scope)
    }

    /// Seconds of work in all its reports, as `time_total_s` of its last one says; 0 without a report.
    pub fn seconds(&self) -> f64 {
        self.record.last.as_ref().map_or(0.0, |last| last.counters.time_total_s)
    }

    /// Its reports that were kept, one a row: see [`History`](crate::logic::engine::History).
    pub fn table(&self) -> ResultTable {
        let mut table = ResultTable::new();
        self.results.add_reports(self.record, &mut table);
        table
    }
}
