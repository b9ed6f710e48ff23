//! Those who watch a run, and that none of them can harm it.

#[cfg(feature = "console")]
mod console;
mod event_log;
mod hub;
mod json;
#[cfg(unix)]
mod program;
mod script;
mod stream;
#[cfg(feature = "console")]
mod tearing;
