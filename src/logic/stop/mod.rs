//! Stop rules: when a trial, or the whole experiment, is over. One rule a file.

use std::borrow::Cow;

use super::ids::TrialId;
use super::metrics::{Objective, Report};
use super::spec::{PartSpec, Refused};
use super::state::{PartState, StateError};
use super::time::Moment;

mod all;
mod any;
mod best_reached;
mod budget;
mod experiment_plateau;
mod experiment_time;
mod iterations;
mod joined;
mod no_improvement;
mod rules;
mod run_rules;
mod spec;
mod spread;
mod threshold;
mod trial_plateau;
mod trial_time;
mod watched;
mod when;

pub use all::{All, all};
pub use any::{Any, any};
pub use best_reached::{BestReached, best_reached};
pub use budget::{Budget, Used, cpu_seconds, gpu_seconds};
pub use experiment_plateau::{ExperimentPlateau, experiment_plateau};
pub use experiment_time::{ExperimentTime, experiment_time};
pub use iterations::{MaxIterations, iterations};
pub use no_improvement::{NoImprovement, no_improvement};
pub use rules::Rules;
#[cfg(feature = "web")]
pub(crate) use run_rules::in_words as rules_in_words;
pub(crate) use run_rules::{RunRules, made as made_rules};
#[cfg(feature = "cli")]
pub(crate) use spec::KINDS;
pub use spec::from_spec;
pub use threshold::{Threshold, at_least, at_most};
pub use trial_plateau::{TrialPlateau, trial_plateau};
pub use trial_time::{TrialTime, trial_time};
pub use when::{StopWhen, when};

/// Why something is stopped, in words a person can read.
pub type StopReason = Cow<'static, str>;

/// How far the experiment is, for rules about the whole of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Now.
    pub now: Moment,
    /// Trials added so far.
    pub trials: u64,
    /// Trials ended so far.
    pub ended: u64,
    /// Reports of all trials so far.
    pub reports: u64,
    /// Cpu-seconds that the trials have used in this session: what each holds, times how long.
    pub cpu_seconds: f64,
    /// GPU-seconds that they have used in this session.
    pub gpu_seconds: f64,
    /// Cpus that they hold now.
    pub cpus: f64,
    /// GPUs that they hold now.
    pub gpus: f64,
}

/// Says when a trial, or all of it, is over.
///
/// The rules of this module read as a sentence and are joined with [`or`](StopRule::or) and [`and`](StopRule::and), or
/// with [`any`] and [`all`]:
///
/// ```
/// use std::time::Duration;
/// use tryout::prelude::*;
///
/// let rule = stop::iterations(81).or(stop::at_most("loss", 0.01)).or(stop::experiment_time(Duration::from_secs(3600)));
/// assert!(rule.validate().is_ok());
/// ```
///
/// A rule of your own needs [`check`](StopRule::check) alone. It is called for each report, millions of times in a large
/// run, so it should allocate nothing unless it stops something:
///
/// ```
/// use tryout::extend::*;
///
/// /// Ends a trial that reports NaN.
/// struct Diverged;
///
/// impl StopRule for Diverged {
///     fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
///         report.number("loss").is_some_and(f64::is_nan).then_some("the loss is NaN".into())
///     }
/// }
/// ```
pub trait StopRule: Send {
    /// Is `trial` over with this report? It sees every report once, in order, up to the one that ends the trial.
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason>;

    /// Is the whole experiment over? Asked after each report, each end of a trial, when a trial gets its worker, and at
    /// [`deadline`](StopRule::deadline).
    fn check_experiment(&mut self, _progress: &Progress) -> Option<StopReason> {
        None
    }

    /// The iteration at which every trial is over at the latest, if it knows one: no step beyond it is begun. None (the
    /// default) is always right; a trial may then make steps beyond its last report that nobody hears of.
    fn last_iteration(&self) -> Option<u64> {
        None
    }

    /// The next moment at which [`check_experiment`](StopRule::check_experiment) wants to be asked without a report.
    fn deadline(&self) -> Option<Moment> {
        None
    }

    /// `trial` is over: what is kept of it can go.
    fn forget(&mut self, _trial: TrialId) {}

    /// Something a person should know, said once: asked after each report, until it answers `None`.
    fn warning(&mut self) -> Option<String> {
        None
    }

    /// What ends a trial or the run, as in `loss at most 0.1`: for people. Default: that it is a rule of the program's own.
    fn words(&self) -> StopReason {
        "a rule of the program's own".into()
    }

    /// Are the settings ones that can work? Asked once, before anything runs.
    ///
    /// # Errors
    /// If they can't; the error says which setting and what would be right.
    fn validate(&self) -> Result<(), StopError> {
        Ok(())
    }

    /// Its whole state, to be taken up by [`restore`](StopRule::restore) in a later session; `null` if it keeps nothing. None
    /// (the default): it can't give its state, and a resumed run rebuilds it by telling it again what happened.
    fn save(&self) -> Option<PartState> {
        None
    }

    /// Takes up a state that [`save`](StopRule::save) gave, in place of its own, under the settings that it has itself.
    /// Called before anything is asked of it.
    ///
    /// # Errors
    /// If it can't. Then it is what it was before, and is told again what happened.
    fn restore(&mut self, _state: PartState) -> Result<(), StateError> {
        Err(StateError::Unsupported { part: "a stop rule".to_owned() })
    }

    /// What it is and how it is set, from which [`from_spec`] makes its like. None (the default): it can't be said in data,
    /// as with functions and rules of your own.
    fn spec(&self) -> Option<PartSpec> {
        None
    }

    /// A rule that stops when this one or `other` does.
    fn or(self, other: impl StopRule + 'static) -> Any
    where
        Self: Sized + 'static,
    {
        any((self, other))
    }

    /// A rule that stops once this one and `other` have both said so, not necessarily at the same report.
    fn and(self, other: impl StopRule + 'static) -> All
    where
        Self: Sized + 'static,
    {
        all((self, other))
    }
}

impl<R: StopRule + ?Sized> StopRule for Box<R> {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        (**self).check(trial, report)
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        (**self).check_experiment(progress)
    }

    fn last_iteration(&self) -> Option<u64> {
        (**self).last_iteration()
    }

    fn deadline(&self) -> Option<Moment> {
        (**self).deadline()
    }

    fn forget(&mut self, trial: TrialId) {
        (**self).forget(trial);
    }

    fn warning(&mut self) -> Option<String> {
        (**self).warning()
    }

    fn words(&self) -> StopReason {
        (**self).words()
    }

    fn validate(&self) -> Result<(), StopError> {
        (**self).validate()
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

impl From<Refused> for StopError {
    fn from(Refused { part: rule, setting, value, expected }: Refused) -> Self {
        Self::Setting { rule, setting, value, expected }
    }
}

/// A rule that can't work as it is set.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// A setting is out of its range.
    #[error("stop rule `{rule}`: {setting} is {value}, but must be {expected}")]
    Setting {
        /// The constructor of the rule, as in `at_least`.
        rule: &'static str,
        /// Which setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A combination of no rules.
    #[error("stop rule `{rule}` joins no rules: give it at least one, or leave it out")]
    Empty {
        /// `any` or `all`.
        rule: &'static str,
    },
}

crate::logic::failure::debug_as_chain!(StopError);

/// As in `Min loss`.
fn in_words(objective: &Objective) -> String {
    format!("{:?} {}", objective.mode, objective.metric)
}
