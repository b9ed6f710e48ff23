//! Which files a run writes.

use std::path::Path;

use super::experiment_csv::ExperimentCsv;
use super::optuna::OptunaJournal;
#[cfg(feature = "parquet")]
use super::parquet::ParquetFile;
use super::tensorboard::TensorBoard;
use super::trial_files::{TrialFiles, Wanted};
use crate::ports::observer::Observer;

/// Which files a run writes: see [the module](super) for what is in them.
///
/// ```
/// use tryout::edge::files::Files;
///
/// let some = Files::none().results().tensorboard();
/// assert_eq!(some.observers("runs/digits".as_ref()).len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Files {
    trials: Option<Wanted>,
    tensorboard: Wish,
    csv: Wish,
    #[cfg(feature = "parquet")]
    parquet: Wish,
    optuna: Wish,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    No,
    Yes,
}

impl Files {
    /// None of them.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        let files = Self::none().results().progress().errors().tensorboard().csv().optuna();
        #[cfg(feature = "parquet")]
        let files = files.parquet();
        files
    }

    /// `params.json` of each trial. Any other file of a trial brings it along: a resumed run may need it.
    #[must_use]
    pub fn params(mut self) -> Self {
        self.trials.get_or_insert_default();
        self
    }

    /// `result.json` of each trial.
    #[must_use]
    pub fn results(mut self) -> Self {
        self.trials.get_or_insert_default().results = true;
        self
    }

    /// `progress.csv` of each trial.
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.trials.get_or_insert_default().progress = true;
        self
    }

    /// `error.txt` of each trial that fails.
    #[must_use]
    pub fn errors(mut self) -> Self {
        self.trials.get_or_insert_default().errors = true;
        self
    }

    /// TensorBoard's event files of each trial.
    #[must_use]
    pub fn tensorboard(mut self) -> Self {
        self.tensorboard = Wish::Yes;
        self
    }

    /// `results.csv`.
    #[must_use]
    pub fn csv(mut self) -> Self {
        self.csv = Wish::Yes;
        self
    }

    /// `results.parquet` (feature `parquet`).
    #[cfg(feature = "parquet")]
    #[must_use]
    pub fn parquet(mut self) -> Self {
        self.parquet = Wish::Yes;
        self
    }

    /// `optuna.log`.
    #[must_use]
    pub fn optuna(mut self) -> Self {
        self.optuna = Wish::Yes;
        self
    }

    /// The observers that write them below `directory`, the run's own. Nothing is written before the first event.
    pub fn observers(&self, directory: &Path) -> Vec<Box<dyn Observer>> {
        let mut observers: Vec<Box<dyn Observer>> = Vec::new();
        if let Some(wanted) = self.trials {
            observers.push(Box::new(TrialFiles::new(directory, wanted)));
        }
        if self.tensorboard == Wish::Yes {
            observers.push(Box::new(TensorBoard::new(directory)));
        }
        if self.csv == Wish::Yes {
            observers.push(Box::new(ExperimentCsv::new(directory)));
        }
        #[cfg(feature = "parquet")]
        if self.parquet == Wish::Yes {
            observers.push(Box::new(ParquetFile::new(directory)));
        }
        if self.optuna == Wish::Yes {
            observers.push(Box::new(OptunaJournal::new(directory)));
        }
        observers
    }
}
