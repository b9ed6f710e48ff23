//! Where trials work and what they print is kept: below the run's directory, else below a temporary one.

use std::io;
use std::path::{Path, PathBuf};

use crate::edge::store::Scratch;
use crate::logic::ids::TrialId;

/// The directory that all trials of a run have theirs in.
#[derive(Debug)]
pub(super) enum Place {
    /// The run's own, which stays.
    Run(PathBuf),
    /// One that goes with the last worker.
    Temporary(Scratch),
}

/// A trial's directories.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// Where what it prints goes.
    pub(super) trial: PathBuf,
    /// Where it works.
    pub(super) work: PathBuf,
}

impl Place {
    pub(super) fn temporary() -> io::Result<Self> {
        Scratch::create().map(Self::Temporary).map_err(io::Error::other)
    }

    fn root(&self) -> &Path {
        match self {
            Place::Run(root) => root,
            Place::Temporary(scratch) => scratch.path(),
        }
    }

    /// A trial's directories, made if they aren't there.
    pub(super) fn home(&self, trial: TrialId) -> io::Result<Home> {
        let trial = self.root().join(trial.to_string());
        let work = trial.join("work");
        std::fs::create_dir_all(&work).map_err(|error| {
            io::Error::new(error.kind(), format!("can't make the directory `{}`: {error}", work.display()))
        })?;
        Ok(Home { trial, work })
    }
}
