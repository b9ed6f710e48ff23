//! An append-only log of checksummed, numbered lines in a directory, written by one thread. It knows nothing of trials:
//! what its lines say is the business of [`logic::journal`](crate::logic::journal).
//!
//! | file | what it does |
//! |---|---|
//! | `line` | one line: its number, its checksum, its text |
//! | `files` | the little that a log asks of a file system, so that faults can be put in its place |
//! | `parts` | which files hold a log, and which nothing any more |
//! | `reader` | reads a log from its beginning, and tells a torn tail from damage |
//! | `tail` | reads further from where a reader ended |
//! | `core` | the writer without its thread: what is written, what is durable, what to do when it fails |
//! | `writer_thread` | the thread that writes |
//! | `command` | what passes between it and the others |
//! | `writer` | what is handed to it, and what it answers |
//! | `snapshot` | puts fewer lines in the place of many |
//! | `lock` | keeps two writers apart |

mod command;
mod core;
mod error;
mod files;
mod inbox;
mod line;
mod lock;
mod parts;
mod reader;
mod snapshot;
mod tail;
mod writer;
mod writer_thread;

pub use self::core::{Core, LogSettings};
pub use command::Notice;
pub use error::LogError;
pub use files::{Append, DirFiles, Files};
pub use line::{Flaw, Line, parse};
pub use lock::{LogLock, Owner};
pub use reader::{Damage, LogReader, Position, Torn};
pub use snapshot::{Compact, Lines, SnapshotError, take_snapshot};
pub use tail::{Tail, Tailed};
pub use writer::{Log, LogEnd, Unwritten};
