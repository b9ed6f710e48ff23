//! Who watches a run: the console, JSON lines, the log, streams for clients, and the hub that keeps them all harmless.
//!
//! | to | use |
//! |---|---|
//! | show a person how it goes | [`Console`] (feature `console`) |
//! | tell a machine | [`JsonLines`] |
//! | tell a program in another language, such as a tracker | [`EventProgram`] |
//! | run a command at the end, at the first failure, at a hold or a stall | `Notify` (feature `process`, Unix) |
//! | write the life cycle to the log | [`EventLog`] |
//! | keep log records and the console's line apart | [`LogBridge`] (feature `console`) |
//! | watch from a program | [`ObserverHub::subscribe`], [`EventStream`] |
//! | count without keeping | [`Tally`] |

#[cfg(feature = "console")]
mod board;
#[cfg(feature = "console")]
mod console;
mod event_log;
mod hub;
mod json;
#[cfg(feature = "console")]
mod log_bridge;
#[cfg(feature = "console")]
mod notices;
#[cfg(all(feature = "process", unix))]
mod notify;
mod program;
mod queue;
mod stream;
#[cfg(feature = "console")]
mod summary;
#[cfg(feature = "console")]
mod table;
mod tally;
#[cfg(feature = "console")]
mod terminal;
#[cfg(feature = "console")]
#[doc(hidden)]
pub mod words;

#[cfg(feature = "console")]
pub use console::{Console, Style};
pub use event_log::EventLog;
pub(crate) use event_log::TARGET as LOG_TARGET;
pub use hub::{Before, ObserverHub, StateSink};
pub use json::JsonLines;
#[cfg(feature = "console")]
pub use log_bridge::LogBridge;
#[cfg(all(feature = "process", unix))]
pub use notify::{Notify, Occasion};
pub use program::EventProgram;
pub use stream::{EventStream, Seen, SharedEvent};
#[cfg(feature = "console")]
pub use table::{Column, RowOrder};
pub use tally::{Best, LiveTrial, Tally};
