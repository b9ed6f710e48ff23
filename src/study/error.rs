//! Why a study can't go on.

use std::io;
use std::path::PathBuf;

use crate::logic::ids::TrialId;
use crate::logic::place;
use crate::logic::state::StateError;

/// Why a study can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The searcher suggests nothing before it hears more.
    #[error("{searcher} has nothing to suggest with {open} trials open: tell what came of one of them, then ask again")]
    Waiting {
        /// Its name.
        searcher: String,
        /// How many trials nobody told of yet.
        open: usize,
    },
    /// There is no such trial.
    #[error("{trial} was never asked for: {asked} trials were, from 00000_00000 on")]
    Unknown {
        /// Which.
        trial: TrialId,
        /// How many there are.
        asked: usize,
    },
    /// What came of a trial was told before.
    #[error("what came of {trial} was told before, and counts once")]
    Again {
        /// Which.
        trial: TrialId,
    },
    /// What was told lacks what counts.
    #[error("{what} has no number `{metric}`, which is what counts; it has {}", reported.join(", "))]
    NoMetric {
        /// The trial, or the configuration that was observed.
        what: String,
        /// What counts.
        metric: String,
        /// What was told.
        reported: Vec<String>,
    },
    /// The searcher failed or panicked. A study doesn't call it again.
    #[error("the searcher {searcher} failed: {why}")]
    Searcher {
        /// Its name.
        searcher: String,
        /// What it said.
        why: String,
    },
    /// The state in the file isn't one of this searcher with these settings.
    #[error("the study in `{}`: {source}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What doesn't fit.
        source: StateError,
    },
    /// The file can't be written or read.
    #[error("the study's file `{}` can't be {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file isn't a study's.
    #[error("`{}` isn't the file of a study: {}", path.display(), place::wrong(at, problem))]
    Form {
        /// The file.
        path: PathBuf,
        /// Where in it; `.` for the whole.
        at: String,
        /// What is wrong there.
        problem: String,
    },
}
