//! Trials' directories by the names of the trials.

use std::path::{Path, PathBuf};

use super::disk;
use super::error::FileError;
use super::observer::{FileObserver, When, Writer};
use super::pace::Pace;
use crate::logic::event::{Change, ExperimentEvent};
use crate::logic::ids::TrialId;
use crate::ports::observer::Observer;

/// The directory of the links, in a run's.
const BY_NAME: &str = "by_name";

/// Makes a link `by_name/NAME` for each trial that has a name, to its directory. The links are relative: they hold when the run is
/// moved. There are none where links need rights of their own.
pub(crate) fn name_links(run: &Path) -> Box<dyn Observer> {
    Box::new(FileObserver::new(NameLinks { below: run.join(BY_NAME) }))
}

#[derive(Debug)]
struct NameLinks {
    below: PathBuf,
}

impl NameLinks {
    fn link(&self, name: &str, trial: TrialId) -> Result<(), FileError> {
        disk::make_directory(&self.below)?;
        disk::link(&Path::new("..").join(trial.to_string()), &self.below.join(name))
    }
}

impl Writer for NameLinks {
    const NAME: &'static str = "names";
    const CONTINUES: bool = false;

    fn take(&mut self, event: &ExperimentEvent, _: When, _: &mut Pace) -> Result<(), FileError> {
        match event.kind.change() {
            Change::Added { trial, name: Some(name), .. } => self.link(name, trial),
            Change::Added { .. }
            | Change::Began { .. }
            | Change::Returned { .. }
            | Change::Revived { .. }
            | Change::Moved { .. }
            | Change::Launched { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Reported { .. }
            | Change::Reconfigured { .. }
            | Change::Failed { .. }
            | Change::Ended { .. }
            | Change::Finished { .. }
            | Change::Other => Ok(()),
        }
    }
}
