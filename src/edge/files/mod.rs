//! Files that others can read: pandas, spreadsheets, TensorBoard, Optuna, and scripts made for Ray Tune.
//!
//! [`Files`] says which; each kind is an observer behind a bounded queue, so a slow disk holds no trial up.
//!
//! | file | what is in it |
//! |---|---|
//! | `<trial>/params.json` | the configuration, as it was given |
//! | `<trial>/result.json` | one line of JSON for each result: `pandas.read_json(path, lines=True)` |
//! | `<trial>/progress.csv` | the same as a table: `pandas.read_csv(path)` |
//! | `<trial>/error.txt` | all failures, the last one last |
//! | `<trial>/policy.jsonl` | for each time the trial became a copy of another: of which, where, and with what configuration |
//! | `<trial>/events.out.tfevents.*` | for TensorBoard: scalars and hyperparameters |
//! | `<trial>/checkpoint_000000/` | checkpoints, which the [store](super::store::DirStore) keeps in the same place |
//! | `by_name/NAME` | if trials have names: a link to the trial's directory |
//! | `results.csv` | all results of all trials |
//! | `results.parquet` | the same in columns (feature `parquet`): `pandas.read_parquet(path)` |
//! | `optuna.log` | the run as a study: `optuna.load_study(study_name=..., storage=...)` |
//!
//! A trial's directory is its id, `3fa01_00007`, and nothing else: short, unique, and safe on every system, however long or
//! strange the names and values of a configuration are. Trials that have names (`Experiment::trial_names`) are found by links.
//!
//! # A row
//!
//! First what the trainable reported, nested names joined with `/`; then the automatic keys `timestamp` (seconds since 1970),
//! `date` (UTC), `done`, `training_iteration`, `trial_id`, `time_this_iter_s`, `time_total_s` (seconds), `pid`, `hostname` (if it
//! is known; both are the worker's), `time_since_restore`, `iterations_since_restore`, `timesteps_total`, `episodes_total` (if there are any); then the
//! configuration. If the trainable reports a metric of such a name, its own value stands there, but for `training_iteration`
//! and `trial_id`, by which files are continued.
//!
//! | | in `result.json` | in tables |
//! |---|---|---|
//! | the configuration | a map under `config` | columns `config/lr`, `config/net/hidden` |
//! | a list in it | a list | its JSON text in one cell |
//! | null in it | `null` | an empty cell |
//! | a truth value | `true` | `True`; a truth value in Parquet |
//! | what isn't finite | `NaN`, `Infinity`, `-Infinity`, which Python's `json` and pandas read | `nan`, `inf`, `-inf` |
//! | a column that this row hasn't | not there | an empty cell |
//!
//! # After a restart
//!
//! A run that is resumed continues its files: every result stands in them once. What a killed process didn't get to write comes
//! from the journal; what it wrote and the journal never got is cut off, a torn last line with it. The files of the whole
//! run are written anew. (A crash of the whole machine can cost rows that were written shortly before: files are not synced.)
//!
//! A trial that becomes a copy of another goes back to an earlier iteration, or ahead: its rows go on from there, with its new
//! configuration. What stands in a file at a killed process's end is told apart by iterations, so that after a resume rows from
//! before the last copy may be missing there; the journal has them all.
//!
//! # When it is too much
//!
//! Each queue has room for 131,072 events. One that is full drops reports, so that no trial waits: rows are missing then, and
//! the log says so. How much all files together keep up with is told in `benches/README.md`.

mod csv;
mod date;
mod disk;
mod error;
mod errors;
mod experiment_csv;
mod name_links;
mod observer;
mod optuna;
mod pace;
mod params;
#[cfg(feature = "parquet")]
mod parquet;
mod policy;
mod progress;
mod result_table;
mod results;
mod row;
mod select;
mod subjects;
mod table;
mod tensorboard;
mod trial_files;

#[doc(hidden)]
pub use csv::text_cell;
pub use error::FileError;
pub(crate) use name_links::name_links;
pub use result_table::ResultTable;

pub use crate::logic::settings::Files;
