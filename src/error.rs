//! The errors of the front door: what can be wrong with an experiment before it runs, and with a run.

use std::path::PathBuf;
use std::sync::Arc;

use crate::edge::journal::JournalFault;
use crate::edge::log::Unwritten;
use crate::logic::event::RunFailure;
use crate::logic::pool::{Infeasible, PoolError, ResourceError, ResourceRequest};
use crate::logic::schedule::ScheduleError;
use crate::logic::search::SearchError;
use crate::logic::space::SpaceError;
use crate::logic::spec::SpecError;
use crate::logic::stop::StopError;
use crate::ports::store::StoreError;
use crate::results::Results;

/// What is wrong with an experiment. Nothing has run, and nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A setting is out of its range.
    #[error("`{setting}` is {value}, but must be {expected}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The trainable never reports what counts.
    #[error("the objective is `{metric}`, but {trainable} reports {reported}")]
    UnknownMetric {
        /// What is to count.
        metric: String,
        /// Whose reports.
        trainable: String,
        /// What it reports.
        reported: String,
    },
    /// What runs the trials can't work as it is set.
    #[error("{trainable}: {why}")]
    Backend {
        /// What was to be run.
        trainable: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// Nothing says what to try.
    #[error("there is nothing to try: give the experiment a `.space(..)`, some `.points(..)` or a `.searcher(..)`")]
    NothingToTry,
    /// Two settings exclude each other.
    #[error("`{one}` and `{other}` were both given: {why}")]
    Both {
        /// One of them.
        one: &'static str,
        /// The other.
        other: &'static str,
        /// What to do.
        why: &'static str,
    },
    /// The search space.
    #[error("the search space: {0}")]
    Space(#[from] SpaceError),
    /// The searcher.
    #[error("the searcher: {0}")]
    Search(#[from] SearchError),
    /// The scheduler.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A stop rule.
    #[error("the stop rule: {0}")]
    Stop(#[from] StopError),
    /// The resources.
    #[error("the resources: {0}")]
    Pool(#[from] PoolError),
    /// The resources of a trial.
    #[error("the resources of a trial: {0}")]
    Resources(#[from] ResourceError),
    /// No trial could ever run.
    #[error("no trial could ever run: {why}")]
    Infeasible {
        /// What each trial needs.
        request: Arc<ResourceRequest>,
        /// What there is.
        why: Infeasible,
    },
    /// There is an experiment of this name already.
    #[error(
        "`{}` exists already and isn't empty: choose another name or directory, or remove it",
        path.display()
    )]
    Duplicate {
        /// Where.
        path: PathBuf,
    },
    /// The directory can't be used.
    #[error("the directory: {0}")]
    Store(#[from] StoreError),
    /// The journal of the directory.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// A run of another trainable, or of another name, is in the directory.
    #[error("`{}` has a run of {what} `{stored}`, not of `{given}`", path.display())]
    Another {
        /// The directory.
        path: PathBuf,
        /// The trainable, or the experiment.
        what: &'static str,
        /// The name of the one that is there.
        stored: String,
        /// The name that was given.
        given: String,
    },
    /// A setting of an earlier session isn't one.
    #[error("the stored setting `{setting}` is {value}, which isn't one")]
    Stored {
        /// Which.
        setting: String,
        /// What is stored.
        value: String,
        /// What serde said.
        source: serde_json::Error,
    },
    /// A part of an earlier session is code, which isn't in its files.
    #[error(
        "the `{setting}` of the earlier session was {name}, which is code: supply it again, as in `.{setting}(..)`"
    )]
    Supply {
        /// Which setting.
        setting: &'static str,
        /// What it was.
        name: String,
    },
    /// A stored part that can't be built.
    #[error("a stored part: {0}")]
    Spec(#[from] SpecError),
    /// The machine gave no thread to run on.
    #[error("the engine's thread couldn't be started")]
    Thread(#[from] std::io::Error),
}

/// Why a run has no regular end. A failed trial is a result, not an error of the run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The experiment was refused; nothing has run.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It couldn't go on. What had been reached by then is there.
    #[error("{failure}")]
    Failed {
        /// Why.
        failure: RunFailure,
        /// What had been reached.
        results: Box<Results>,
    },
    /// It came to its end, but not everything could be written down. What it reached is there.
    #[error("{why}")]
    Unwritten {
        /// How much, and why.
        why: Unwritten,
        /// What it reached.
        results: Box<Results>,
    },
    /// The engine's thread is gone without a word: a defect of tryout, whose panic message is on the standard error.
    #[error("the engine ended without a result; this is a defect of tryout")]
    Lost,
}

/// A run that has ended can't be asked or told anything.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The order was refused.
    #[error(transparent)]
    Refused(#[from] crate::logic::engine::OrderError),
    /// The run is over.
    #[error("the run is over")]
    Over,
}

impl From<actix::MailboxError> for ControlError {
    fn from(_: actix::MailboxError) -> Self {
        ControlError::Over
    }
}
