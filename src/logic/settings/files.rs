//! Which files a run writes for others.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A kind of file that a run can write for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// `params.json` of each trial.
    Params,
    /// `result.json` of each trial.
    Results,
    /// `progress.csv` of each trial.
    Progress,
    /// `error.txt` of each trial that fails.
    Errors,
    /// TensorBoard's event files of each trial.
    Tensorboard,
    /// `results.csv`.
    Csv,
    /// `results.parquet` (feature `parquet`).
    Parquet,
    /// `optuna.log`.
    Optuna,
}

/// Which files a run writes: see [the module](crate::edge::files) for what is in them. In JSON: `["results", "csv"]`.
///
/// ```
/// use tryout::files::Files;
///
/// let some = Files::none().results().tensorboard();
/// assert_eq!(some.observers("runs/digits".as_ref()).len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Files(BTreeSet<FileKind>);

impl Files {
    /// None of them.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        let files = Self::none().params().results().progress().errors().tensorboard().csv().optuna();
        #[cfg(feature = "parquet")]
        let files = files.parquet();
        files
    }

    /// Whether this kind is among them.
    pub fn has(&self, kind: FileKind) -> bool {
        self.0.contains(&kind)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    fn with(mut self, kind: FileKind) -> Self {
        self.0.insert(kind);
        self
    }

    /// `params.json` of each trial. Any other file of a trial brings it along: a resumed run may need it.
    #[must_use]
    pub fn params(self) -> Self {
        self.with(FileKind::Params)
    }

    /// `result.json` of each trial.
    #[must_use]
    pub fn results(self) -> Self {
        self.with(FileKind::Results)
    }

    /// `progress.csv` of each trial.
    #[must_use]
    pub fn progress(self) -> Self {
        self.with(FileKind::Progress)
    }

    /// `error.txt` of each trial that fails.
    #[must_use]
    pub fn errors(self) -> Self {
        self.with(FileKind::Errors)
    }

    /// TensorBoard's event files in `<run>/<trial>/`, one for each session of the run: `tensorboard --logdir <run>`.
    ///
    /// Every number that a trial reports is a scalar under the metric's own name, in single precision, as TensorBoard shows
    /// them; its step is the iteration. A trial's configuration and its end are there for the page HPARAMS. In a resumed run
    /// a trial that goes on gets a file of its own for that session; what a killed session wrote beyond the journal is marked
    /// as void, as TensorFlow does after a restart.
    #[must_use]
    pub fn tensorboard(self) -> Self {
        self.with(FileKind::Tensorboard)
    }

    /// `results.csv`: a row for each result, in the order in which they came, with the columns of `progress.csv`.
    ///
    /// It may be read at any time as long as no column comes late. Those that do get their place in the header when the file
    /// has doubled since, and at the end of the run at the latest.
    #[must_use]
    pub fn csv(self) -> Self {
        self.with(FileKind::Csv)
    }

    /// `results.parquet`, written at the end of the run: the rows and columns of `results.csv` (feature `parquet`).
    ///
    /// A column holds 64-bit floats, 64-bit integers, truth values or texts; integers and floats together are floats, any
    /// other mixture is text. What a row doesn't have is null. Until the end the rows are in a hidden file beside it. The end
    /// takes about a second for a million rows, so `Experiment::patience` should be longer for tens of millions.
    #[cfg(feature = "parquet")]
    #[must_use]
    pub fn parquet(self) -> Self {
        self.with(FileKind::Parquet)
    }

    /// `optuna.log`, written at the end of the run: the file of an `optuna.storages.journal.JournalFileBackend` that holds one
    /// study of the experiment's name. Open it with `optuna.load_study` or `optuna-dashboard`.
    ///
    /// * A trial is COMPLETE with its last value of the objective; PRUNED if the scheduler ended it; FAIL if it failed or has
    ///   no finite value. One that isn't finished is RUNNING, or WAITING if it never ran. Without an objective no trial has a
    ///   value.
    /// * Parameters are the leaves of the configuration, as in `net/hidden`, a list as its JSON text. Their distributions are
    ///   the ranges, or the choices, that were seen in the run: the search space itself is not told to observers. A parameter
    ///   that isn't a number and has more than 256 values is an attribute of the trial.
    /// * The objective's values are the intermediate values. Of a trial with more than 16,384 results it is every second,
    ///   fourth, and so on. The other metrics of the last result are attributes, as are the trial's id and why it ended.
    /// * A trial that became a copy of another has its new configuration, and the values up to the iteration from which it
    ///   went on. The attribute `copy_of` names the other.
    #[must_use]
    pub fn optuna(self) -> Self {
        self.with(FileKind::Optuna)
    }
}
