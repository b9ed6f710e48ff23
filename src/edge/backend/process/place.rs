//! Where trials work and what they print is kept: below the run's directory, else below a temporary one.

use std::io;
use std::path::{Path, PathBuf};

use crate::edge::store::Scratch;
use crate::logic::ids::{TrialId, WorkerId};

/// The directory that all trials of a run have theirs in.
#[derive(Debug)]
pub(super) enum Place {
    /// The run's own, which stays: in it each trial has a directory.
    Run(PathBuf),
    /// One that goes with the last worker: in it each worker has a directory, which is empty when a trial begins.
    Temporary(Scratch),
}

/// A trial's directories.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// All of them are below this.
    pub(super) root: PathBuf,
    /// Where it works.
    pub(super) work: PathBuf,
    /// Where what it prints is kept, if it is.
    pub(super) output: Option<PathBuf>,
}

impl Place {
    pub(super) fn temporary() -> io::Result<Self> {
        Scratch::create().map(Self::Temporary).map_err(io::Error::other)
    }

    pub(super) fn root(&self) -> &Path {
        match self {
            Place::Run(run) => run,
            Place::Temporary(scratch) => scratch.path(),
        }
    }

    /// A trial's directories, made if they aren't there.
    pub(super) fn home(&self, trial: TrialId, worker: WorkerId) -> io::Result<Home> {
        match self {
            Place::Run(run) => {
                let root = run.join(trial.to_string());
                let work = root.join("work");
                named("make", &work, std::fs::create_dir_all(&work))?;
                Ok(Home { output: Some(root.clone()), root, work })
            }
            Place::Temporary(scratch) => {
                let work = scratch.path().join(worker.to_string());
                named("empty", &work, emptied(&work))?;
                Ok(Home { root: work.clone(), work, output: None })
            }
        }
    }
}

fn named(action: &str, path: &Path, done: io::Result<()>) -> io::Result<()> {
    done.map_err(|error| {
        io::Error::new(error.kind(), format!("can't {action} the directory `{}`: {error}", path.display()))
    })
}

/// Makes a directory, or takes away what is in it.
fn emptied(path: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return std::fs::create_dir(path),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let remove = if entry.file_type()?.is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
        remove(entry.path())?;
    }
    Ok(())
}
