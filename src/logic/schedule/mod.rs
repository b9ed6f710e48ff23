//! Schedulers: they hear every report and say which trials go on, pause, stop, and start next. One algorithm a file.

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::decision::{Directive, Verdict};
use super::event::Ending;
use super::ids::TrialId;
use super::metrics::{Mode, Objective, Report};
use super::space::Space;
use super::spec::{PartSpec, Refused};
use super::state::{PartState, StateError, StateForm};

mod asha;
mod cohort;
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
mod spec;
mod steps;
mod threshold;
mod wilcoxon;

pub use asha::{Asha, AshaForm};
pub use cohort::Cohort;
pub use fifo::Fifo;
pub use hyperband::{Filling, HyperBand};
pub use median::{MedianStopping, WhenBehind};
pub use moasha::MoAsha;
pub use patient::Patient;
pub use pbt::{Exploration, Pbt, Policy, PolicyStep, Replay, Rounds};
pub use percentile::Percentile;
pub use resources::{Distribution, Growth, ResourceChanging};
#[cfg(feature = "cli")]
pub(crate) use spec::KINDS;
pub use spec::from_spec;
pub use threshold::Threshold;
pub use wilcoxon::Wilcoxon;

/// What becomes of a trial that reaches the `max_t` of its scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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

    /// The scheduler that this one stands around, if there is one. Whatever is told to a scheduler or asked of it, other than
    /// reports, goes to that one by default, so that a wrapper says only what it changes. Its state and its settings
    /// ([`save`](Scheduler::save), [`restore`](Scheduler::restore), [`spec`](Scheduler::spec)) are its own.
    fn inner(&self) -> Option<&dyn Scheduler> {
        None
    }

    /// The same, to be told something.
    fn inner_mut(&mut self) -> Option<&mut dyn Scheduler> {
        None
    }

    /// A trial is about to be added: whatever it lacks for this scheduler's sake can be filled in. By default it stays as it
    /// is.
    fn complete(&mut self, trial: TrialId, config: &mut Config) {
        if let Some(inner) = self.inner_mut() {
            inner.complete(trial, config);
        }
    }

    /// A trial was added; also called for each that a resumed run brings back.
    fn on_add(&mut self, trial: TrialId, config: &Config) {
        if let Some(inner) = self.inner_mut() {
            inner.on_add(trial, config);
        }
    }

    /// A trial that had ended goes on by somebody's word: it is extended, or tried again by hand. `last` is its last report so
    /// far, if it had one. By default it is added like a new one.
    fn on_revive(&mut self, trial: TrialId, config: &Config, last: Option<&Report>) {
        match self.inner_mut() {
            Some(inner) => inner.on_revive(trial, config, last),
            None => self.on_add(trial, config),
        }
    }

    /// A running trial failed and will be tried again.
    fn on_retry(&mut self, trial: TrialId, cohort: &dyn Cohort) -> Vec<Directive> {
        self.inner_mut().map(|inner| inner.on_retry(trial, cohort)).unwrap_or_default()
    }

    /// A trial stands in the line again, for another reason than this scheduler's: a client resumed it, or a resumed run
    /// brought it back.
    fn on_resume(&mut self, trial: TrialId) {
        if let Some(inner) = self.inner_mut() {
            inner.on_resume(trial);
        }
    }

    /// A trial ended, in whatever way; called exactly once for each.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.inner_mut().map(|inner| inner.on_end(trial, ending, last, cohort)).unwrap_or_default()
    }

    /// There is room: which trial is to be launched next? By default the first pending one, else the one that the
    /// scheduler paused first.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        match self.inner_mut() {
            Some(inner) => inner.choose(cohort),
            None => cohort.first_pending().or_else(|| cohort.first_paused()),
        }
    }

    /// Takes over the experiment's objective, before anything runs.
    ///
    /// # Errors
    /// If it has another one already, or needs one and none is given.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.inner_mut().map_or(Ok(()), |inner| inner.prepare(objective))
    }

    /// The experiment's seed, before anything else: for a scheduler that draws and was given no seed of its own.
    fn take_seed(&mut self, seed: u64) {
        if let Some(inner) = self.inner_mut() {
            inner.take_seed(seed);
        }
    }

    /// The space that it would draw from if its own, as it was made with, were [changed](Space::changed) so: a client wants to
    /// change what is searched while the run goes on. None if it draws nothing, which is the default for one that doesn't
    /// [replace configurations](Scheduler::replaces_configs). Nothing changes yet.
    ///
    /// # Errors
    /// If it can't draw from that, or replaces configurations and takes up no other space (the default).
    fn space_with(&self, changes: &Space) -> Result<Option<Space>, ScheduleError> {
        match self.inner() {
            Some(inner) => inner.space_with(changes),
            None if self.replaces_configs() => {
                let why = "it can't take up another space while the run goes on".to_owned();
                Err(ScheduleError::Space { scheduler: self.name().to_owned(), why })
            }
            None => Ok(None),
        }
    }

    /// From now on it draws from the space that [`space_with`](Scheduler::space_with) answers to these changes, all that there
    /// are; no changes mean the space that it was made with.
    fn set_space(&mut self, changes: &Space) {
        if let Some(inner) = self.inner_mut() {
            inner.set_space(changes);
        }
    }

    /// What it judges by: metrics that every report must have for its sake.
    fn objectives(&self) -> &[Objective] {
        self.inner().map_or(&[], |inner| inner.objectives())
    }

    /// Whether it gives trials other configurations than were suggested, as population-based training does: then no searcher can
    /// learn from their results. By default it doesn't.
    fn replaces_configs(&self) -> bool {
        self.inner().is_some_and(|inner| inner.replaces_configs())
    }

    /// The metric or automatic key by which it counts a trial's time, if it does: one that no report has is warned of.
    fn time_attr(&self) -> Option<&str> {
        self.inner()?.time_attr()
    }

    /// Whether reports may arrive in batches.
    fn buffering(&self) -> Buffering {
        self.inner().map_or(Buffering::Allowed, |inner| inner.buffering())
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

    /// How it stands, in one line for people: how many trials have reached which rung, how large a population is. None (the
    /// default): there is nothing to say. It is asked when a client asks for the run's status, so its cost hardly matters.
    fn progress(&self) -> Option<String> {
        self.inner()?.progress()
    }

    /// Its name in messages.
    fn name(&self) -> &str {
        self.inner().map_or_else(|| std::any::type_name::<Self>(), |inner| inner.name())
    }
}

impl std::fmt::Debug for dyn Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// So that a scheduler chosen at run time can stand inside another.
impl Scheduler for Box<dyn Scheduler> {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        (**self).on_report(trial, report, cohort)
    }

    fn inner(&self) -> Option<&dyn Scheduler> {
        Some(&**self)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Scheduler> {
        Some(&mut **self)
    }

    fn save(&self) -> Option<PartState> {
        (**self).save()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        (**self).restore(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        (**self).spec()
    }
}

/// Settings that a scheduler can't work with.
#[derive(Clone, PartialEq, thiserror::Error)]
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
    /// It can't draw from another space.
    #[error("{scheduler}: {why}")]
    Space {
        /// Which scheduler.
        scheduler: String,
        /// Why not.
        why: String,
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

crate::logic::failure::debug_as_chain!(ScheduleError);

impl From<Refused> for ScheduleError {
    fn from(Refused { part: scheduler, setting, value, expected }: Refused) -> Self {
        Self::Setting { scheduler, setting, value, expected }
    }
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

/// The form of the state of a scheduler that compares scores: they mean nothing by another time or for another objective.
fn scored(part: &'static str, time_attr: &str, objective: Option<&Objective>) -> StateForm {
    let objective = objective.map_or_else(|| "none".to_owned(), in_words);
    StateForm::new(part).under("time_attr", time_attr).under("objective", objective)
}

/// As in ``min `loss` ``.
fn in_words(objective: &Objective) -> String {
    match objective.mode {
        Mode::Min => format!("min `{}`", objective.metric),
        Mode::Max => format!("max `{}`", objective.metric),
    }
}
