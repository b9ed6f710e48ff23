//! A log that is being written. Whoever has something to write hands it over and never waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::command::{Command, Counts, Haste, Notice, Patience};
use super::core::LogSettings;
use super::files::Files;
use super::inbox::{Inbox, Urgency};
use super::reader::Position;
use super::snapshot::Compact;
use super::writer_thread::{Mailbox, WriterThread};
use crate::logic::gate::Backlog;

/// What was handed over and couldn't be written when the log was closed.
#[derive(thiserror::Error)]
#[error("{entries} entries couldn't be written to the journal: {}", why.as_ref().map_or_else(|| "there was no time".to_owned(), ToString::to_string))]
pub struct Unwritten {
    /// How many.
    pub entries: u64,
    /// What the file system said.
    #[source]
    pub why: Option<io::Error>,
}

crate::logic::failure::debug_as_chain!(Unwritten);

/// A log that is being written. Entries are turned into text on the writer's thread.
#[derive(Debug)]
pub struct Log<E> {
    commands: Inbox<E>,
    counts: Arc<Counts>,
}

impl<E> Clone for Log<E> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), counts: self.counts.clone() }
    }
}

/// The one that closes a log.
#[derive(Debug)]
pub struct LogEnd<E> {
    log: Log<E>,
    ended: Receiver<Option<io::Error>>,
}

impl<E: Send + 'static> Log<E> {
    /// Starts the writer's thread. `encode` appends an entry's text, one line of JSON without its end, or nothing;
    /// `notice` hears what there is to say, on that thread.
    ///
    /// # Errors
    /// If the log can't be opened to write, or there is no thread.
    pub fn start(
        files: Arc<dyn Files>,
        position: Option<Position>,
        settings: LogSettings,
        encode: impl FnMut(&E, &mut Vec<u8>) + Send + 'static,
        notice: impl FnMut(Notice) + Send + 'static,
    ) -> io::Result<(Self, LogEnd<E>)> {
        let counts = Arc::new(Counts::default());
        let commands = Inbox::new();
        let (over, ended) = mpsc::channel();
        let mailbox = Mailbox { inbox: commands.clone(), counts: counts.clone() };
        let mut thread = WriterThread::open(files, position, settings, mailbox, Box::new(encode), Box::new(notice))?;
        thread::Builder::new().name("tryout-journal".to_owned()).spawn(move || {
            // Nobody may be waiting for the end.
            let _ = over.send(thread.run_guarded());
        })?;
        let log = Self { commands, counts };
        Ok((log.clone(), LogEnd { log, ended }))
    }

    /// Hands an entry over.
    pub fn append(&self, entry: E) {
        self.append_as(entry, 1);
    }

    /// Hands an entry over that counts as so many.
    pub fn append_as(&self, entry: E, many: u64) {
        self.counts.handed.fetch_add(many, Ordering::Relaxed);
        self.tell(Command::Append(entry, many));
    }

    /// Has `task` done on the writer's thread once everything that was handed over before is durable, whenever that is.
    pub fn when_durable(&self, task: impl FnOnce() + Send + 'static) {
        self.tell(Command::WhenDurable(Box::new(task), Haste::No));
    }

    /// The same, as soon as possible.
    pub fn sync(&self, task: impl FnOnce() + Send + 'static) {
        self.tell(Command::WhenDurable(Box::new(task), Haste::Yes));
    }

    /// Ends the file here and begins the next one, with `first` as its first entry; what comes before is compacted on a
    /// thread of its own.
    pub fn rotate(&self, first: Option<E>, compact: Compact) {
        self.counts.handed.fetch_add(u64::from(first.is_some()), Ordering::Relaxed);
        self.tell(Command::Rotate(first, compact));
    }

    /// How far the writer is behind.
    pub fn backlog(&self) -> Backlog {
        // Read in this order, none can be ahead of the one that it follows from.
        let durable = self.counts.durable.load(Ordering::Acquire);
        let written = self.counts.written.load(Ordering::Acquire);
        Backlog {
            handed: self.counts.handed.load(Ordering::Acquire),
            written,
            durable,
            segments: self.counts.segments.load(Ordering::Relaxed),
        }
    }

    fn tell(&self, command: Command<E>) {
        // Nobody waits for what is only put down.
        let urgency = match command {
            Command::Append(..) | Command::WhenDurable(_, Haste::No) => Urgency::None,
            _ => Urgency::High,
        };
        self.commands.put(command, urgency);
    }
}

impl<E: Send + 'static> LogEnd<E> {
    /// Writes everything, makes it durable, waits for a compaction under way, and ends the thread; at most for `patience`.
    ///
    /// # Errors
    /// If something couldn't be written by then.
    pub fn close(self, patience: Duration) -> Result<(), Unwritten> {
        self.log.tell(Command::Close(Patience { since: Instant::now(), longest: patience }));
        let why = self.ended.recv_timeout(patience).ok().flatten();
        match self.log.backlog().at_risk() {
            0 => Ok(()),
            entries => Err(Unwritten { entries, why }),
        }
    }
}

impl<E> Drop for LogEnd<E> {
    /// A log that nobody closes is written as far as that works at once, and its thread ends.
    fn drop(&mut self) {
        let patience = Patience { since: Instant::now(), longest: Duration::ZERO };
        self.log.commands.put(Command::Close(patience), Urgency::High);
    }
}
