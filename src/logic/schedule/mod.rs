//! Schedulers: they hear every report and say which trials go on, pause, stop, and start next. One algorithm a file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::decision::{Directive, Verdict};
use super::event::Ending;
use super::ids::TrialId;
use super::metrics::{Mode, Objective, Report};
use super::pool::{ResourceRequest, Resources};
use super::spec::PartSpec;
use super::state::{PartState, StateError};
use super::trial::Status;

mod asha;
mod fifo;
mod hyperband;
mod median;
mod moasha;
mod number;
mod patient;
mod pbt;
mod percentile;
mod quantile;
mod resources;
mod saved;
mod spec;
mod steps;
mod threshold;
mod wilcoxon;

pub use asha::{Asha, AshaForm};
pub use fifo::Fifo;
pub use hyperband::{Filling, HyperBand};
pub use median::{MedianStopping, WhenBehind};
pub use moasha::MoAsha;
pub use patient::Patient;
pub use pbt::{Exploration, Pbt, Policy, PolicyStep, Replay, Rounds};
pub use percentile::Percentile;
pub use resources::{Distribution, Growth, ResourceChanging};
pub use spec::from_spec;
pub use threshold::Threshold;
pub use wilcoxon::Wilcoxon;

/// What a scheduler may know of the other trials.
pub trait Cohort {
    /// The status of a trial, if there is such a trial.
    fn status(&self, trial: TrialId) -> Option<Status>;
    /// The last report of a trial.
    fn last_report(&self, trial: TrialId) -> Option<&Report>;
    /// The configuration of a trial, as it is now.
    fn config(&self, _trial: TrialId) -> Option<&Config> {
        None
    }

    /// Whether a trial has a checkpoint that another could go on from.
    fn has_checkpoint(&self, _trial: TrialId) -> bool {
        true
    }

    /// What a trial needs; none if it has ended, or nobody can say.
    fn request(&self, _trial: TrialId) -> Option<&Arc<ResourceRequest>> {
        None
    }

    /// All that there is for trials to share; none if nobody can say.
    fn resources(&self) -> Option<&Resources> {
        None
    }

    /// How many trials have this status.
    fn count(&self, status: Status) -> usize;
    /// The first pending trial in line that isn't launched yet and isn't backing off.
    fn first_pending(&self) -> Option<TrialId>;
    /// The trial that has been paused by the scheduler for the longest time.
    fn first_paused(&self) -> Option<TrialId>;

    /// Whether [`choose`](Scheduler::choose) may answer this trial: it is pending and not launched yet, or paused by the
    /// scheduler, and not backing off. By default only the first pending one and the first paused one may be.
    fn can_launch(&self, trial: TrialId) -> bool {
        self.first_pending() == Some(trial) || self.first_paused() == Some(trial)
    }
}

/// What becomes of a trial that reaches the `max_t` of its scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtMaxT {
    /// It is stopped.
    #[default]
    Stop,
    /// It runs on until something else ends it. (Ray Tune: `stop_last_trials=False`.)
    RunOn,
}

/// Whether a scheduler can take several reports of a trial at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffering {
    /// Reports may arrive in batches; a pause or stop then takes effect at the batch's end.
    Allowed,
    /// Every report must be decided on before the trial goes on.
    Refused,
}

/// Decides over trials. It is handed values and returns values; it never waits and calls nobody.
///
/// Only [`on_report`](Scheduler::on_report) is required:
///
/// ```
/// use tryout::extend::*;
///
/// /// Stops whatever is worse than a fixed bound.
/// #[derive(Debug)]
/// struct Bound(f64);
///
/// impl Scheduler for Bound {
///     fn on_report(&mut self, _: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
///         match report.number("loss") {
///             Some(loss) if loss > self.0 => Verdict::stop(format!("loss {loss} is above {}", self.0)),
///             _ => Verdict::CONTINUE,
///         }
///     }
/// }
/// ```
pub trait Scheduler: Send {
    /// A trial reported. Not called for reports that a stop rule answered.
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict;

    /// A trial is about to be added: whatever it lacks for this scheduler's sake can be filled in. By default it stays as it
    /// is.
    fn complete(&mut self, _trial: TrialId, _config: &mut Config) {}

    /// A trial was added; also called for each that a resumed run brings back.
    fn on_add(&mut self, _trial: TrialId, _config: &Config) {}

    /// A running trial failed and will be tried again.
    fn on_retry(&mut self, _trial: TrialId, _cohort: &dyn Cohort) -> Vec<Directive> {
        Vec::new()
    }

    /// A trial stands in the line again, for another reason than this scheduler's: a client resumed it, or a resumed run
    /// brought it back.
    fn on_resume(&mut self, _trial: TrialId) {}

    /// A trial ended, in whatever way; called exactly once for each.
    fn on_end(
        &mut self,
        _trial: TrialId,
        _ending: Ending,
        _last: Option<&Report>,
        _cohort: &dyn Cohort,
    ) -> Vec<Directive> {
        Vec::new()
    }

    /// There is room: which trial is to be launched next? By default the first pending one, else the one that the
    /// scheduler paused first.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        cohort.first_pending().or_else(|| cohort.first_paused())
    }

    /// Takes over the experiment's objective, before anything runs.
    ///
    /// # Errors
    /// If it has another one already, or needs one and none is given.
    fn prepare(&mut self, _objective: Option<&Objective>) -> Result<(), ScheduleError> {
        Ok(())
    }

    /// What it judges by: metrics that every report must have for its sake.
    fn objectives(&self) -> &[Objective] {
        &[]
    }

    /// Whether reports may arrive in batches.
    fn buffering(&self) -> Buffering {
        Buffering::Allowed
    }

    /// Its whole state, to be taken up by [`restore`](Scheduler::restore) in a later session; `null` if it keeps nothing. None
    /// (the default): it can't give its state, and a resumed run rebuilds it by telling it again what happened.
    fn save(&self) -> Option<PartState> {
        None
    }

    /// Takes up a state that [`save`](Scheduler::save) gave, in place of its own, under the settings that it has itself.
    /// Called after [`prepare`](Scheduler::prepare), before anything else.
    ///
    /// # Errors
    /// If it can't. Then it is what it was before, and is told again what happened.
    fn restore(&mut self, _state: PartState) -> Result<(), StateError> {
        Err(StateError::Unsupported { part: self.name().to_owned() })
    }

    /// What it is and how it is set, from which [`from_spec`] makes its like. None (the default): it can't be said in data,
    /// as with functions and parts of your own. What [`prepare`](Scheduler::prepare) took over is part of it from then on.
    fn spec(&self) -> Option<PartSpec> {
        None
    }

    /// Its name in messages.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }
}

/// Settings that a scheduler can't work with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// No objective was given anywhere.
    #[error("{scheduler} needs an objective: give one to the experiment, as in `.objective(Objective::min(\"loss\"))`")]
    NoObjective {
        /// Who needs it.
        scheduler: &'static str,
    },
    /// Two different objectives were given.
    #[error("{scheduler} was given the objective {own}, the experiment {given}: give one of them only")]
    TwoObjectives {
        /// Who has one.
        scheduler: &'static str,
        /// The scheduler's metric and mode.
        own: String,
        /// The experiment's metric and mode.
        given: String,
    },
    /// A setting is out of its range.
    #[error("{scheduler}: `{setting}` is {value}, but must be {expected}")]
    Setting {
        /// Whose.
        scheduler: &'static str,
        /// Which.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// Takes the experiment's objective `given` over into the scheduler's `own`.
///
/// # Errors
/// If there is none in the end, or two different ones.
fn settle_objective(
    scheduler: &'static str,
    own: &mut Option<Objective>,
    given: Option<&Objective>,
) -> Result<(), ScheduleError> {
    match (&*own, given) {
        (None, None) => return Err(ScheduleError::NoObjective { scheduler }),
        (Some(own), Some(given)) if own != given => {
            return Err(ScheduleError::TwoObjectives { scheduler, own: in_words(own), given: in_words(given) });
        }
        (None, Some(given)) => *own = Some(given.clone()),
        (Some(_), _) => {}
    }
    Ok(())
}

/// As in ``min `loss` ``.
fn in_words(objective: &Objective) -> String {
    match objective.mode {
        Mode::Min => format!("min `{}`", objective.metric),
        Mode::Max => format!("max `{}`", objective.metric),
    }
}
