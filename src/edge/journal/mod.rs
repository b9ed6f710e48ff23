//! A run's journal in its directory: records of [`logic::journal`](crate::logic::journal) in a
//! [`log`](crate::edge::log).

mod after_checkpoints;
mod file;
mod find;
mod past;

pub use file::{JournalEnd, JournalFile};
pub use find::{is_run, runs_below};
pub use past::{Followed, Following, JournalFault, Past};

/// The directory of the journal's files, in a run's directory.
pub const DIRECTORY: &str = "journal";
/// The lock's file, in a run's directory.
pub const LOCK: &str = "experiment.lock";
