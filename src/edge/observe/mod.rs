//! Who watches a run: the console, JSON lines, the log, streams for clients, and the hub that keeps them all harmless.
//!
//! | to | use |
//! |---|---|
//! | show a person how it goes | [`Console`] (feature `console`) |
//! | tell a machine | [`JsonLines`] |
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
mod queue;
mod stream;
#[cfg(feature = "console")]
mod summary;
mod tally;
#[cfg(feature = "console")]
mod terminal;
#[cfg(feature = "console")]
mod words;

#[cfg(feature = "console")]
pub use console::{Console, Style};
pub use event_log::EventLog;
pub use hub::{Before, ObserverHub, StateSink};
pub use json::JsonLines;
#[cfg(feature = "console")]
pub use log_bridge::LogBridge;
pub use stream::{EventStream, Seen, SharedEvent};
pub use tally::{Best, LiveTrial, Tally};
