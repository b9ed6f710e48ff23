//! The records of a run's journal: what is written of each step of the engine, and how it is read again.
//!
//! | file | what it does |
//! |---|---|
//! | `record` | the kinds of record, and the one-line JSON of each |
//! | `event_record` | the form of an event |
//! | `rows` | the form of reports, a row each |
//! | `track` | what follows from earlier records and so isn't written again |
//! | `format1` | what format 1 had in place of a stored trial |
//! | `compact` | fewer records that say the same |
//!
//! The lines that the records stand in, with their checksums and numbers, are the business of `edge/log`.

mod compact;
mod event_kind;
mod event_record;
mod format1;
mod read;
mod record;
mod rows;
mod track;
mod write;

pub use compact::Compactor;
pub use format1::TrialFacts;
pub use read::{JournalError, Reader};
pub use record::{Entry, ObserverState, Opened, PartStates, Record};
pub use write::Writer;
