//! The settings that spare time and machines: when a run is held or ended by itself.

use super::builder::Experiment;
use super::start::refused;
use crate::error::SettingsError;
use crate::logic::engine::{OnSameError, SameError};

impl Experiment {
    /// What is done when the same error has ended attempts on so many workers, at least 2, with nothing in between that went
    /// well; nothing, unless it is said. [`SameError`] says what is the same and what is counted. A run that is held waits
    /// for [`Control::proceed`](crate::prelude::Control::proceed), so [`run`](Experiment::run), which gives nobody control,
    /// takes [`OnSameError::End`] only.
    #[must_use]
    pub fn same_error(mut self, workers: u32, then: OnSameError) -> Self {
        self.same_error = Some(SameError { workers, then });
        self
    }

    /// Whether these settings make sense.
    pub(super) fn check_safeguards(&self) -> Result<(), SettingsError> {
        match self.same_error {
            Some(SameError { workers: workers @ (0 | 1), .. }) => {
                Err(refused("same_error", &workers.to_string(), "at least 2 workers"))
            }
            _ => Ok(()),
        }
    }

    /// Whether nothing in them needs a client: [`run`](Experiment::run) gives nobody control.
    pub(super) fn check_uncontrolled(&self) -> Result<(), SettingsError> {
        match self.same_error {
            Some(SameError { then: OnSameError::Hold, .. }) => {
                let expected =
                    "`OnSameError::End` with `run()`, since nobody could let it go on; `start()` gives control";
                Err(refused("same_error", "`OnSameError::Hold`", expected))
            }
            _ => Ok(()),
        }
    }
}
