//! A run's directory: whether there is a run in it already, and whether it may be gone on with.

use std::fs;
use std::path::{Path, PathBuf};

use crate::edge::journal::{DIRECTORY, JournalFault, LOCK, Past};
use crate::edge::log::{Damage, LogError, LogLock, Position};
use crate::error::SettingsError;
use crate::logic::engine::Engine;
use crate::logic::journal::Opened;

/// What to do if there is a run in the experiment's directory already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It is an error: nothing is overwritten.
    #[default]
    Refuse,
    /// It is gone on with. So the same program, run again, goes on where it was cut off.
    Resume,
}

/// A run's directory, which nobody else writes as long as this value lives.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) lock: LogLock,
    /// The record that opened the run that is there.
    pub(super) first: Option<Opened>,
}

impl Place {
    /// Takes a directory, which is made if it isn't there.
    pub(super) fn take(path: PathBuf, existing: Existing, damage: Damage) -> Result<Self, SettingsError> {
        let taken = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if taken && existing == Existing::Refuse {
            let is_run = path.join(DIRECTORY).exists();
            return Err(SettingsError::Duplicate { path, is_run });
        }
        fs::create_dir_all(&path).map_err(crate::ports::store::StoreError::io("make the directory", &path))?;
        let only_ours = !taken || path.join(LOCK).exists();
        let lock = LogLock::take(&path.join(LOCK)).map_err(JournalFault::from)?;
        let first = first(&path, damage)?;
        // A directory of something else isn't ours to write into.
        if first.is_none() && !only_ours {
            return Err(SettingsError::Duplicate { path, is_run: false });
        }
        Ok(Self { path, lock, first })
    }

    /// Tells an engine what the directory knows of its run. Answers where the journal goes on, and what was dropped at its end.
    pub(super) fn tell(
        &self,
        damage: Damage,
        engine: &mut Engine,
    ) -> Result<(Option<Position>, Vec<String>), SettingsError> {
        let past = match Past::open(&self.path, damage) {
            Err(JournalFault::Log(LogError::Missing { .. })) => return Ok((None, Vec::new())),
            opened => opened?,
        };
        let (position, torn) = past.tell(engine)?;
        Ok((Some(position), torn.iter().map(ToString::to_string).collect()))
    }
}

/// The record that opened the run in a directory; none if there is none.
pub(super) fn first(path: &Path, damage: Damage) -> Result<Option<Opened>, SettingsError> {
    match Past::open(path, damage) {
        Err(JournalFault::Log(LogError::Missing { .. })) => Ok(None),
        Err(fault) => Err(fault.into()),
        Ok(mut past) => match past.next_record()? {
            None => Ok(None),
            Some(crate::logic::journal::Record::Opened(opened)) => Ok(Some(opened)),
            Some(_) => Err(past.unopened().into()),
        },
    }
}
