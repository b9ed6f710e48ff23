//! Which files a run writes.

use std::path::Path;

use super::experiment_csv::ExperimentCsv;
use super::observer::FileObserver;
use super::optuna::OptunaJournal;
#[cfg(feature = "parquet")]
use super::parquet::ParquetFile;
use super::tensorboard::TensorBoard;
use super::trial_files::{TrialFiles, Wanted};
use crate::logic::settings::{FileKind, Files};
use crate::ports::observer::Observer;

impl Files {
    /// The observers that write them below `directory`, the run's own. Nothing is written before the first event.
    pub fn observers(&self, directory: &Path) -> Vec<Box<dyn Observer>> {
        let mut observers: Vec<Box<dyn Observer>> = Vec::new();
        let wanted = Wanted {
            results: self.has(FileKind::Results),
            progress: self.has(FileKind::Progress),
            errors: self.has(FileKind::Errors),
        };
        if self.has(FileKind::Params) || wanted.results || wanted.progress || wanted.errors {
            observers.push(Box::new(FileObserver::new(TrialFiles::new(directory, wanted))));
        }
        if self.has(FileKind::Tensorboard) {
            observers.push(Box::new(FileObserver::new(TensorBoard::new(directory))));
        }
        if self.has(FileKind::Csv) {
            observers.push(Box::new(FileObserver::new(ExperimentCsv::new(directory))));
        }
        #[cfg(feature = "parquet")]
        if self.has(FileKind::Parquet) {
            observers.push(Box::new(FileObserver::new(ParquetFile::new(directory))));
        }
        if self.has(FileKind::Optuna) {
            observers.push(Box::new(FileObserver::new(OptunaJournal::new(directory))));
        }
        observers
    }
}
