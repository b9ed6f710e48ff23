//! What trials export, in temporary directories: gone with the store.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::scratch::Scratch;
use crate::logic::ids::TrialId;
use crate::ports::store::StoreError;

type Places = HashMap<(TrialId, String), Arc<Scratch>>;

/// The directories of trials and formats: those that are written to, and those that are whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Exports(Arc<Mutex<(Places, Places)>>);

impl Exports {
    fn lock(&self) -> MutexGuard<'_, (Places, Places)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty directory to write to.
    pub(super) fn begin(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        StoreError::check_name(format)?;
        let scratch = Arc::new(Scratch::create()?);
        let path = scratch.path().to_owned();
        self.lock().0.insert((trial, format.to_owned()), scratch);
        Ok(path)
    }

    /// What was written is whole from now on. Answers where it is; nowhere if nothing was begun.
    pub(super) fn keep(&self, trial: TrialId, format: &str) -> Option<Arc<Scratch>> {
        let (open, whole) = &mut *self.lock();
        let key = (trial, format.to_owned());
        let scratch = open.remove(&key)?;
        whole.insert(key, scratch.clone());
        Some(scratch)
    }

    /// Where the whole one is.
    pub(super) fn find(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        self.lock().1.get(&(trial, format.to_owned())).map(|scratch| scratch.path().to_owned())
    }
}
