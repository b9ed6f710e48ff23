//! The records of a run's journal: what is written of each step of the engine, and how it is read again.
//!
//! | file | what it does |
//! |---|---|
//! | `record` | the kinds of record, and the one-line JSON of each |
//! | `told` | the form of an event |
//! | `rows` | the form of reports, a row each |
//! | `track` | what follows from earlier records and so isn't written again |
//! | `facts` | what is known of a trial, in one record |
//! | `compact` | fewer records that say the same |
//!
//! The lines that the records stand in, with their checksums and numbers, are the business of `edge/log`.

mod compact;
mod facts;
mod read;
mod record;
mod rows;
mod told;
mod track;
mod write;

pub use compact::Compactor;
pub use facts::TrialFacts;
pub use read::{JournalError, Reader};
pub use record::{Entry, ObserverState, Opened, PartStates, Record, RunFacts};
pub use write::Writer;
