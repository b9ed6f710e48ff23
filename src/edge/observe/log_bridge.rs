//! The way for log records to the terminal that leaves the console's line whole.

use std::cell::Cell;
use std::fmt;

use log::{LevelFilter, Log, Metadata, Record, RecordBuilder, SetLoggerError};

use super::terminal::Pane;

thread_local! {
    // A logger that logs, on its own thread, must not wait for itself.
    static PRINTING: Cell<bool> = const { Cell::new(false) };
}

/// A logger around another one: it takes the console's line away while the other one prints a record, and puts it back.
/// Without a console it just hands the records on.
///
/// The library installs no logger by itself. An application that does, and shows a [`Console`](super::Console), builds
/// its logger and installs it through here:
///
/// ```
/// use tryout::observe::LogBridge;
///
/// # struct Logger;
/// # impl log::Log for Logger {
/// #     fn enabled(&self, _: &log::Metadata<'_>) -> bool { true }
/// #     fn log(&self, record: &log::Record<'_>) { eprintln!("{}", record.args()) }
/// #     fn flush(&self) {}
/// # }
/// // Or any other, such as that of `env_logger::Builder::build()`.
/// let logger = Logger;
/// LogBridge::install(Box::new(logger), log::LevelFilter::Info)?;
/// # Ok::<(), log::SetLoggerError>(())
/// ```
pub struct LogBridge {
    pane: Pane,
    inner: Box<dyn Log>,
}

impl LogBridge {
    /// Around a logger that prints to the terminal of the standard error.
    pub fn new(inner: Box<dyn Log>) -> Self {
        Self::on(Pane::stderr(), inner)
    }

    pub(super) fn on(pane: Pane, inner: Box<dyn Log>) -> Self {
        Self { pane, inner }
    }

    /// Makes `inner`, bridged, the logger of the process.
    ///
    /// # Errors
    /// If the process has a logger already.
    pub fn install(inner: Box<dyn Log>, max_level: LevelFilter) -> Result<(), SetLoggerError> {
        log::set_boxed_logger(Box::new(Self::new(inner)))?;
        log::set_max_level(max_level);
        Ok(())
    }
}

impl fmt::Debug for LogBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBridge").field("pane", &self.pane).finish_non_exhaustive()
    }
}

/// Marks this thread as printing for as long as it lives.
struct Printing;

impl Printing {
    fn begin() -> Option<Self> {
        // No answer from a thread that is ending: then nothing is known to be in the way.
        let nested = PRINTING.try_with(|printing| printing.replace(true)).unwrap_or(false);
        if nested { None } else { Some(Self) }
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        let _ = PRINTING.try_with(|printing| printing.set(false));
    }
}

impl Log for LogBridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        // A record that isn't printed anyway shouldn't make the line flicker.
        if !self.enabled(record.metadata()) {
            return;
        }
        let Some(_printing) = Printing::begin() else {
            return self.inner.log(record);
        };
        // The words are put together before the line is taken away: what they show may wait for locks, and whoever
        // holds those may be logging too.
        let words = record.args().to_string();
        self.pane.suspended(|| self.inner.log(&besides_words(record).args(format_args!("{words}")).build()));
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

/// All that a record says besides its words.
fn besides_words<'a>(record: &'a Record<'a>) -> RecordBuilder<'a> {
    let mut builder = Record::builder();
    builder
        .metadata(record.metadata().clone())
        .module_path(record.module_path())
        .file(record.file())
        .line(record.line())
        .key_values(record.key_values());
    builder
}
