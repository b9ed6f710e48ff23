//! The errors of the front door: what can be wrong with an experiment before it runs, and with a run.

use std::path::PathBuf;
use std::sync::Arc;

use crate::edge::journal::JournalFault;
use crate::edge::log::Unwritten;
use crate::experiment::NotImported;
use crate::logic::config::ConfigError;
use crate::logic::event::RunFailure;
use crate::logic::objects::ObjectError;
use crate::logic::pool::{Infeasible, PoolError, ResourceError, ResourceRequest};
use crate::logic::schedule::ScheduleError;
use crate::logic::search::SearchError;
use crate::logic::settings::{Change, WrongSetting};
use crate::logic::space::SpaceError;
use crate::logic::spec::SpecError;
use crate::logic::stop::StopError;
use crate::ports::store::StoreError;
use crate::results::Results;

/// What is wrong with an experiment. Nothing has run, and nothing was written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A setting is out of its range.
    #[error(transparent)]
    Setting(#[from] WrongSetting),
    /// The experiment asks another question than the one that is resumed, and nobody said that this is meant.
    #[error("{0}: if that is meant, say `.with_changed_{setting}()`", setting = .0.setting)]
    Changed(Change),
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
    /// A point to try can't be written and read everywhere.
    #[error("point {number}: {source}")]
    Point {
        /// Which, from 0.
        number: usize,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// A setting that lists and maps make too deep to be written down.
    #[error("`{setting}` has lists and maps nested more than {most} levels deep; use fewer levels")]
    Deep {
        /// Which.
        setting: String,
        /// How many there may be.
        most: usize,
    },
    /// A part panicked when it was asked what it is, or prepared.
    #[error("{part} can't be used: `{method}`: {message}")]
    Panicked {
        /// Which.
        part: String,
        /// The method that panicked.
        method: &'static str,
        /// With what.
        message: String,
    },
    /// A checkpoint of another run that a trial is to begin from.
    #[error(transparent)]
    Import(#[from] NotImported),
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
    #[error("`{}` exists already and isn't empty: {}", path.display(), instead(*is_run))]
    Duplicate {
        /// Where.
        path: PathBuf,
        /// Whether what is there is a run.
        is_run: bool,
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
    /// An object of an earlier session isn't there.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A stored part that can't be built.
    #[error("a stored part: {0}")]
    Spec(#[from] SpecError),
    /// The run's copy in an object store.
    #[cfg(feature = "cloud")]
    #[error(transparent)]
    Cloud(#[from] crate::edge::cloud::CloudError),
    /// The socket for other processes.
    #[error("the control socket: {0}")]
    Control(#[source] std::io::Error),
    /// Workers can't be let in from elsewhere.
    #[error("workers can't join from elsewhere: {0}")]
    Remote(#[source] std::io::Error),
    /// The locks through which processes of a user share a host can't be used.
    #[error("the host can't be shared with other processes of this user: {0}")]
    SharedHost(#[source] std::io::Error),
    /// Ctrl-C is listened to by somebody else.
    #[cfg(feature = "ctrl-c")]
    #[error("`on_ctrl_c`: {why}; leave it out, and call `drain` in the handler that is there")]
    CtrlC {
        /// What was said.
        why: String,
    },
    /// The machine gave no thread to run on.
    #[error("the engine's thread couldn't be started: {0}")]
    Thread(#[from] std::io::Error),
}

fn instead(is_run: bool) -> &'static str {
    match is_run {
        true => "`.existing(Existing::Resume)` goes on with the run that is there; or choose another name or directory",
        false => "it holds something else than a run, so choose another name or directory",
    }
}

/// Why a run has no regular end. A failed trial is a result, not an error of the run.
#[derive(thiserror::Error)]
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
    /// It came to its end, but its copy in an object store isn't up to date (feature `cloud`). What it reached is there, and in its
    /// directory.
    #[error("the run's copy in the object store isn't up to date: {why}")]
    Unsynced {
        /// Why.
        why: String,
        /// What it reached.
        results: Box<Results>,
    },
    /// A panic on the engine's thread: a defect of tryout, or of something of the experiment that is called there. All
    /// workers were ended and the journal was closed, so a run in a directory can be resumed.
    #[error("{why}; this is a defect of tryout, and the panic's own message is on the standard error")]
    Lost {
        /// Which part panicked, and with which words.
        why: String,
        /// What had been reached; none if the thread ended outside of the run.
        results: Option<Box<Results>>,
    },
}

impl RunError {
    /// The error that the trainable itself returned, under [`FailFast::Raise`](crate::prelude::FailFast::Raise); none of a trial
    /// that panicked, or ran in a process of its own. Its words are in this error's in any case.
    pub fn original(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match self {
            RunError::Failed { failure: RunFailure::Trial { failure, .. }, .. } => failure.fault.original.get(),
            _ => None,
        }
    }
}

/// A run that has ended can't be asked or told anything.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The order was refused.
    #[error(transparent)]
    Refused(#[from] crate::logic::engine::OrderError),
    /// The checkpoint of another run that the trial is to begin from.
    #[error(transparent)]
    Import(#[from] NotImported),
    /// The run gives its trials to nobody, or what was told of one wasn't taken.
    #[error("{why}")]
    NotTaken {
        /// Why.
        why: String,
    },
    /// The run is over.
    #[error("the run is over")]
    Over,
}

crate::logic::failure::debug_as_chain!(SettingsError, RunError, ControlError);

impl From<actix::MailboxError> for ControlError {
    fn from(_: actix::MailboxError) -> Self {
        ControlError::Over
    }
}
