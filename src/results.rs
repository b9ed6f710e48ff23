//! What a run has brought.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{Totals, TrialRecord};
use crate::logic::event::Outcome;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report, Scope, pareto};
use crate::logic::schedule::Policy;
use crate::logic::trial::Status;
use crate::ports::store::{CheckpointReader, Store, StoreError};

/// The results of a run: every trial with its last report, history, checkpoints and failures, and how it all ended.
#[derive(Clone, Debug)]
pub struct Results {
    pub(crate) name: String,
    pub(crate) objective: Option<Objective>,
    pub(crate) outcome: Outcome,
    pub(crate) trials: Vec<TrialRecord>,
    pub(crate) totals: Totals,
    pub(crate) took: Duration,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) store: Arc<dyn Store>,
}

/// Why there is no best trial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// Nobody said what counts.
    #[error(
        "what is best? give the experiment an objective, as in `.objective(Objective::min(\"loss\"))`, or use `best_by`"
    )]
    NoObjective,
    /// No trial ever reported a usable value.
    #[error("there is no best trial: none of {trials} reported a finite `{metric}`{}", known(reported))]
    NoBest {
        /// How many trials there are.
        trials: usize,
        /// What was looked for.
        metric: String,
        /// What was reported.
        reported: Vec<String>,
    },
    /// A trial's configuration never changed.
    #[error("trial {trial} has no policy: there is none of this name that ever became a copy of another")]
    NoPolicy {
        /// Which.
        trial: TrialId,
    },
}

fn known(reported: &[String]) -> String {
    if reported.is_empty() { String::new() } else { format!("; reported were {}", reported.join(", ")) }
}

impl Results {
    /// The experiment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All trials, in the order of their creation.
    pub fn trials(&self) -> &[TrialRecord] {
        &self.trials
    }

    /// One trial.
    pub fn trial(&self, id: TrialId) -> Option<&TrialRecord> {
        self.trials.get(id.number() as usize).filter(|trial| trial.id == id)
    }

    /// How many trials have this status.
    pub fn count(&self, status: Status) -> usize {
        self.trials.iter().filter(|trial| trial.status == status).count()
    }

    /// The trials that ended in error.
    pub fn errors(&self) -> impl Iterator<Item = &TrialRecord> {
        self.trials.iter().filter(|trial| trial.status == Status::Error)
    }

    /// The best trial by the experiment's objective in each trial's last report. A single trial is the best without one.
    ///
    /// # Errors
    /// If there is no objective, or no trial reported a finite value of it.
    pub fn best(&self) -> Result<&TrialRecord, ResultsError> {
        match (&self.objective, self.trials.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(ResultsError::NoObjective),
            (Some(objective), _) => self.best_by(objective, Scope::Last),
        }
    }

    /// The best trial by any objective, judged over `scope`. Non-finite values never win; of equals the first wins.
    ///
    /// # Errors
    /// If no trial reported a finite value.
    pub fn best_by(&self, objective: &Objective, scope: Scope) -> Result<&TrialRecord, ResultsError> {
        let mut best: Option<(&TrialRecord, f64)> = None;
        for trial in &self.trials {
            let value = self.value_by(trial, objective, scope);
            let Some(score) = value.filter(|value| value.is_finite()).map(|value| objective.score(value)) else {
                continue;
            };
            if best.is_none_or(|(_, before)| score > before) {
                best = Some((trial, score));
            }
        }
        best.map(|(trial, _)| trial).ok_or_else(|| {
            let mut reported: Vec<String> =
                self.trials.iter().flat_map(|trial| trial.stats.iter().map(|(name, _)| name.to_owned())).collect();
            reported.sort();
            reported.dedup();
            ResultsError::NoBest { trials: self.trials.len(), metric: objective.metric.clone(), reported }
        })
    }

    /// The trials that no other dominates: for each of them, whoever is better by one of `objectives` is worse by another. In the
    /// order of their creation, judged over `scope`; equal ones are all there. A trial without a finite value for each
    /// objective is left out, so it is empty if none has them all.
    ///
    /// ```
    /// # use tryout::prelude::*;
    /// # fn example(results: Results) {
    /// let objectives = [Objective::max("accuracy"), Objective::min("seconds")];
    /// for trial in results.pareto(&objectives, Scope::Last) {
    ///     println!("{}: {:?}", trial.config, trial.last);
    /// }
    /// # }
    /// ```
    pub fn pareto(&self, objectives: &[Objective], scope: Scope) -> Vec<&TrialRecord> {
        let mut front = pareto::Front::new();
        for trial in &self.trials {
            let value = |objective| self.value_by(trial, objective, scope).filter(|value| value.is_finite());
            let scores = objectives.iter().map(|objective| value(objective).map(|value| objective.score(value)));
            if let Some(scores) = scores.collect::<Option<Vec<f64>>>().filter(|scores| !scores.is_empty()) {
                front.insert(trial, scores);
            }
        }
        front.into_keys().collect()
    }

    /// The schedule of configurations that led to where a trial is, from the beginning on, through those whose copy it was:
    /// for [`Replay`](crate::logic::schedule::Replay).
    ///
    /// # Errors
    /// If there is no such trial, or it never became a copy of another.
    pub fn policy(&self, trial: TrialId) -> Result<Policy, ResultsError> {
        let known = |id| self.trial(id).map(|trial| (trial.lineage.as_slice(), &trial.config));
        let policy = Policy::of(trial, known).filter(|policy| !policy.steps.is_empty());
        policy.ok_or(ResultsError::NoPolicy { trial })
    }

    /// The report of a trial with its best value of `objective`, among those that were kept; of equals the first.
    pub fn best_report<'a>(&self, trial: &'a TrialRecord, objective: &Objective) -> Option<&'a Report> {
        let value = |report: &Report| report.number(&objective.metric).filter(|value| value.is_finite());
        let kept = trial.history.iter().map(AsRef::as_ref);
        let only = trial.last.as_deref().filter(|_| trial.history.is_empty());
        kept.chain(only).fold(None, |best: Option<&Report>, report| match (best.and_then(value), value(report)) {
            (_, None) => best,
            (Some(before), Some(now)) if objective.score(now) <= objective.score(before) => best,
            _ => Some(report),
        })
    }

    /// The value of the experiment's objective in a trial's last report.
    pub fn value(&self, trial: &TrialRecord) -> Option<f64> {
        self.value_by(trial, self.objective.as_ref()?, Scope::Last)
    }

    /// The value of any objective in a trial, judged over `scope`: that by which [`best_by`](Results::best_by) compares.
    pub fn value_by(&self, trial: &TrialRecord, objective: &Objective, scope: Scope) -> Option<f64> {
        trial.stats.value(&objective.metric, scope, objective.mode, trial.last.as_deref())
    }

    /// What counted.
    pub fn objective(&self) -> Option<&Objective> {
        self.objective.as_ref()
    }

    /// How it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Numbers over the whole run.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The sum of all trials' iterations.
    pub fn iterations(&self) -> u64 {
        self.trials.iter().filter_map(|trial| trial.last.as_ref()).map(|last| last.iteration()).sum()
    }

    /// What a trial saved: a checkpoint of [`TrialRecord::checkpoints`], to be read.
    ///
    /// ```
    /// # use tryout::prelude::*;
    /// # fn example(results: Results) -> Result<(), Box<dyn std::error::Error>> {
    /// let best = results.best()?;
    /// if let Some(last) = best.checkpoints.last() {
    ///     let weights: Vec<f64> = results.open_checkpoint(last.id)?.json("weights.json")?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it isn't in the run's store any more, or can't be read.
    pub fn open_checkpoint(&self, id: CheckpointId) -> Result<CheckpointReader, StoreError> {
        self.store.open(id).map(CheckpointReader::new)
    }

    /// Where its files are, if it has a directory.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }
}
