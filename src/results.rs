//! What a run has brought.

mod importance;
mod of_trial;
#[cfg(feature = "plot")]
mod plot;
mod tables;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use of_trial::TrialResults;

use crate::edge::provenance::{self, Provenance, Recording};
use crate::failed::FailedTrials;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{Totals, TrialRecord};
use crate::logic::event::Outcome;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Objective, Report, Scope, pareto};
use crate::logic::schedule::Policy;
use crate::logic::settings::Settings;
use crate::logic::trial::Status;
use crate::ports::store::{CheckpointReader, Store, StoreError};

/// The results of a run: every trial with its last report, history, checkpoints and failures, and how it all ended.
///
/// ```
/// use tryout::prelude::*;
///
/// let square = function("square", |config: Config, trial| {
///     let x: f64 = config.get("x")?;
///     Ok(trial.report([("loss", x * x), ("size", -x)])?)
/// });
/// let points = [-2.0, 1.0, 3.0].map(|x| Config::new().with("x", x));
/// let results = Experiment::new("square", square).points(points).objective(Objective::min("loss")).run()?;
///
/// let best = results.best()?;
/// assert_eq!((best.config.number("x"), results.value(best)), (Some(1.0), Some(1.0)));
/// let other = results.best_by(&Objective::max("size"), Scope::Last)?;
/// assert_eq!(other.config.number("x"), Some(-2.0));
/// assert_eq!((results.count(Status::Terminated), results.errors().count()), (3, 0));
/// for trial in results.trials() {
///     println!("{}: {:?}, {:?}", trial.config, results.value(trial), trial.reason);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Results {
    pub(crate) name: String,
    pub(crate) run: RunId,
    pub(crate) settings: Arc<Settings>,
    pub(crate) objective: Option<Objective>,
    pub(crate) seed: u64,
    pub(crate) outcome: Outcome,
    pub(crate) trials: Vec<TrialRecord>,
    pub(crate) totals: Totals,
    pub(crate) took: Duration,
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) dir: Option<PathBuf>,
    /// Or the name of the one that has to be supplied.
    pub(crate) store: Result<Arc<dyn Store>, String>,
    pub(crate) recording: Arc<Recording>,
}

/// Why there is no best trial.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// Nobody said what counts.
    #[error(
        "what is best? give the experiment an objective, as in `.objective(Objective::min(\"loss\"))`, or use `best_by`"
    )]
    NoObjective,
    /// No trial ever reported a usable value.
    #[error(
        "there is no best trial: none of {trials} reported a finite `{metric}`{}{}",
        known(reported),
        failed.as_ref().map_or_else(String::new, |failed| format!("; {failed}"))
    )]
    NoBest {
        /// How many trials there are.
        trials: usize,
        /// What was looked for.
        metric: String,
        /// What was reported, also in reports that were refused.
        reported: Vec<String>,
        /// Who failed, and with what; none if nobody did.
        failed: Option<Box<FailedTrials>>,
    },
    /// A trial's configuration never changed.
    #[error("trial {trial} has no policy: there is none of this name that ever became a copy of another")]
    NoPolicy {
        /// Which.
        trial: TrialId,
    },
}

crate::logic::failure::debug_as_chain!(ResultsError);

fn known(reported: &[String]) -> String {
    if reported.is_empty() { String::new() } else { format!("; reported were {}", reported.join(", ")) }
}

impl Results {
    /// The results of the run in `dir`, as of the last line of its journal, without running anything: short for
    /// [`Experiment::open`](crate::Experiment::open).
    ///
    /// # Errors
    /// If there is no run in `dir`, or its journal is damaged.
    pub fn load(dir: impl Into<PathBuf>) -> Result<Self, crate::SettingsError> {
        crate::Experiment::open(dir)
    }

    /// The experiment's settings, as its last session was given them.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The experiment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The run's id, which its trials' ids begin with.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The id of trial `number`, from 0 in the order of their creation, whether there is one or not.
    pub fn trial_id(&self, number: u32) -> TrialId {
        TrialId::new(self.run, number)
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

    /// Who failed and with what, in a few words; none if nobody did.
    pub fn failed(&self) -> Option<FailedTrials> {
        FailedTrials::of(&self.trials)
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
        let valued = self.trials.iter().map(|trial| (trial, self.value_by(trial, objective, scope)));
        objective.best_of(valued).ok_or_else(|| {
            let refused =
                self.trials.iter().flat_map(|trial| &trial.failures).flat_map(|failure| &failure.fault.reported);
            let known = self.trials.iter().flat_map(|trial| trial.stats.iter().map(|(name, _)| name));
            let reported: BTreeSet<&str> = known.chain(refused.map(String::as_str)).collect();
            ResultsError::NoBest {
                trials: self.trials.len(),
                metric: objective.metric.clone(),
                reported: reported.into_iter().map(str::to_owned).collect(),
                failed: self.failed().map(Box::new),
            }
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
        let kept = trial.history.iter().map(AsRef::as_ref);
        let only = trial.last.as_deref().filter(|_| trial.history.is_empty());
        objective.best_of(kept.chain(only).map(|report| (report, report.number(&objective.metric))))
    }

    /// The value of the experiment's objective in a trial's last report.
    pub fn value(&self, trial: &TrialRecord) -> Option<f64> {
        self.value_by(trial, self.objective.as_ref()?, Scope::Last)
    }

    /// The value of any objective in a trial, judged over `scope`: that by which [`best_by`](Results::best_by) compares.
    pub fn value_by(&self, trial: &TrialRecord, objective: &Objective, scope: Scope) -> Option<f64> {
        trial.stats.value(&objective.metric, scope, objective.mode, trial.last.as_deref())
    }

    /// The seed of all that was drawn: given again with [`Experiment::seed`](crate::Experiment::seed), it gives the same
    /// configurations.
    pub fn seed(&self) -> u64 {
        self.seed
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

    /// When its first session began, by the machine's clock.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// When it ended, by the machine's clock; of a run that was [loaded](Results::load), when it was last heard of: its last
    /// report, or the beginning of its last session.
    pub fn ended(&self) -> SystemTime {
        self.ended
    }

    /// Seconds of work in all reports of all trials: the sum of their `time_total_s`. With several workers more than
    /// [`took`](Results::took).
    pub fn trial_seconds(&self) -> f64 {
        self.trials.iter().filter_map(|trial| trial.last.as_ref()).map(|last| last.counters.time_total_s).sum()
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
        self.store()?.open(id).map(CheckpointReader::new)
    }

    /// The directory with what a trial has [exported](crate::Experiment::export) in a format (`model`, if the experiment named none);
    /// none if it hasn't, or it isn't on this machine. Of a run without a directory it goes when the run's results do.
    pub fn export(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        self.store.as_ref().ok()?.export(trial, format)
    }

    pub(crate) fn store(&self) -> Result<&Arc<dyn Store>, StoreError> {
        self.store.as_ref().map_err(|name| StoreError::Elsewhere { name: name.clone() })
    }

    /// What was run, on which machine and from which state of the source, for each session in turn; empty for a run without a
    /// directory. Of a run of this program it waits until all is looked up, which can take as long as `git status` and
    /// `pip freeze` do.
    ///
    /// # Errors
    /// If a file in the run's directory can't be read, or isn't what it should be.
    pub fn provenance(&self) -> std::io::Result<Vec<Provenance>> {
        self.recording.wait();
        self.dir.as_deref().map_or_else(|| Ok(Vec::new()), provenance::read)
    }

    /// Where its files are, if it has a directory.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }
}

/// A time in seconds since 1970, as journals and reports have it.
pub(crate) fn wall_clock(seconds: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
