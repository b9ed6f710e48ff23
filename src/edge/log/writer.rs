//! The writer's thread. Whoever has something to write hands it over and never waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::core::{Core, Durability};
use super::files::Files;
use super::reader::{Kind, Position};
use super::snapshot::{self, Compact};
use crate::ports::journal::Backlog;

/// So many bytes at most are put together before they are written.
const CHUNK: usize = 1 << 18;
/// A snapshot is worth its while when the segments are longer than this, and than the last snapshot.
const WORTHWHILE: u64 = 4 << 20;

/// What the writer's thread has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The file system says no: nothing is lost, nothing is half-written, and it is tried again.
    Stalled(io::Error),
    /// It says yes again.
    Recovered,
    /// The segments have grown so long that a snapshot is worth its while.
    Grown,
    /// A snapshot has taken the place of older files.
    Compacted {
        /// Its size.
        bytes: u64,
        /// How long that took, beside everything else.
        took: Duration,
    },
    /// There is no new snapshot; the older files are still there.
    NotCompacted(String),
}

/// What was handed over and couldn't be written when the log was closed.
#[derive(Debug, thiserror::Error)]
#[error("{entries} entries couldn't be written to the journal: {}", why.as_ref().map_or_else(|| "there was no time".to_owned(), ToString::to_string))]
pub struct Unwritten {
    /// How many.
    pub entries: u64,
    /// What the file system said.
    #[source]
    pub why: Option<io::Error>,
}

#[derive(Debug, Default)]
struct Counts {
    handed: AtomicU64,
    written: AtomicU64,
    durable: AtomicU64,
    segments: AtomicU64,
}

/// Done on the writer's thread; must not wait.
type Task = Box<dyn FnOnce() + Send>;

enum Command<E> {
    Append(E),
    /// To be done as soon as everything before it is durable; now, if that is asked for.
    WhenDurable(Task, Haste),
    Rotate(Option<E>, Compact),
    Compacted(Result<(String, u64, Duration), String>),
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    No,
    Yes,
}

/// A log that is being written. Entries are turned into text on the writer's thread.
#[derive(Debug)]
pub struct Log<E> {
    commands: Sender<Command<E>>,
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
        durability: Durability,
        encode: impl FnMut(&E, &mut Vec<u8>) + Send + 'static,
        notice: impl FnMut(Notice) + Send + 'static,
    ) -> io::Result<(Self, LogEnd<E>)> {
        let closed = position.as_ref().map_or_else(Vec::new, |position| position.closed.clone());
        let bytes = position.as_ref().map_or((0, 0), |position| position.bytes);
        let core = Core::open(files.clone(), position)?;
        let counts = Arc::new(Counts::default());
        let (commands, inbox) = mpsc::channel();
        let (over, ended) = mpsc::channel();
        let mut desk = Desk {
            snapshot: bytes.0,
            closed_bytes: bytes.1.saturating_sub(core.length()),
            core,
            files,
            durability,
            encode: Box::new(encode),
            notice: Box::new(notice),
            inbox,
            back: commands.clone(),
            counts: counts.clone(),
            tasks: Vec::new(),
            haste: false,
            encoded: 0,
            unsynced_since: None,
            stalled: None,
            closed,
            replaced: Vec::new(),
            compacting: Compacting::No,
            text: Vec::new(),
        };
        thread::Builder::new().name("tryout-journal".to_owned()).spawn(move || {
            let _ = over.send(desk.run());
        })?;
        let log = Self { commands, counts };
        Ok((log.clone(), LogEnd { log, ended }))
    }

    /// Hands an entry over.
    pub fn append(&self, entry: E) {
        self.counts.handed.fetch_add(1, Ordering::Relaxed);
        self.tell(Command::Append(entry));
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
        // The thread ends only when it is told to, or by a defect, which `close` tells by what is missing.
        let _ = self.commands.send(command);
    }
}

impl<E: Send + 'static> LogEnd<E> {
    /// Writes everything, makes it durable, waits for a compaction under way, and ends the thread; at most for `patience`.
    ///
    /// # Errors
    /// If something couldn't be written by then.
    pub fn close(self, patience: Duration) -> Result<(), Unwritten> {
        self.log.tell(Command::Close);
        let why = self.ended.recv_timeout(patience).ok().flatten();
        match self.log.backlog().at_risk() {
            0 => Ok(()),
            entries => Err(Unwritten { entries, why }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compacting {
    No,
    /// It was said that it is worth its while.
    Asked,
    Yes,
}

struct Stall {
    retry: Instant,
    wait: Duration,
}

/// What a failed attempt was at.
enum Step {
    Write,
    Sync,
}

struct Desk<E> {
    core: Core,
    files: Arc<dyn Files>,
    durability: Durability,
    encode: Box<dyn FnMut(&E, &mut Vec<u8>) + Send>,
    notice: Box<dyn FnMut(Notice) + Send>,
    inbox: Receiver<Command<E>>,
    back: Sender<Command<E>>,
    counts: Arc<Counts>,
    /// What is to be done once everything that was taken in is durable.
    tasks: Vec<Task>,
    haste: bool,
    encoded: u64,
    unsynced_since: Option<Instant>,
    stalled: Option<Stall>,
    /// Files that the next snapshot takes the place of, and those that the one under way does.
    closed: Vec<String>,
    replaced: Vec<String>,
    closed_bytes: u64,
    snapshot: u64,
    compacting: Compacting,
    text: Vec<u8>,
}

impl<E: Send + 'static> Desk<E> {
    /// Runs until it is told to close. Answers why it couldn't write everything.
    fn run(&mut self) -> Option<io::Error> {
        let mut closing = false;
        loop {
            if closing && self.compacting != Compacting::Yes {
                return self.finish();
            }
            let Some(command) = self.wait() else { return None };
            let mut next = command;
            // What has come in the meantime goes into the same write.
            while let Some(command) = next.take() {
                closing |= self.take(command);
                if self.core.pending() >= CHUNK {
                    break;
                }
                next = self.inbox.try_recv().ok();
            }
            if self.stalled.as_ref().is_none_or(|stall| stall.retry <= Instant::now()) {
                self.work();
            }
        }
    }

    /// The next command, or none when something is due. Nothing at all when nobody can send any more.
    fn wait(&mut self) -> Option<Option<Command<E>>> {
        let due = match (&self.stalled, self.unsynced_since, self.durability) {
            (Some(stall), _, _) => Some(stall.retry),
            (None, Some(since), Durability::Group(longest)) => Some(since + longest),
            _ => None,
        };
        match due {
            None => self.inbox.recv().ok().map(Some),
            Some(due) => match self.inbox.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(command) => Some(Some(command)),
                Err(RecvTimeoutError::Timeout) => Some(None),
                Err(RecvTimeoutError::Disconnected) => None,
            },
        }
    }

    /// Takes a command in. Answers whether it is the last.
    fn take(&mut self, command: Command<E>) -> bool {
        match command {
            Command::Append(entry) => self.encode(&entry),
            Command::WhenDurable(task, haste) => {
                self.haste |= haste == Haste::Yes;
                self.tasks.push(task);
            }
            Command::Rotate(first, compact) => self.rotate(first, compact),
            Command::Compacted(outcome) => {
                self.compacting = Compacting::No;
                let replaced = std::mem::take(&mut self.replaced);
                (self.notice)(match outcome {
                    Ok((name, bytes, took)) => {
                        self.closed.push(name);
                        self.snapshot = bytes;
                        Notice::Compacted { bytes, took }
                    }
                    Err(why) => {
                        self.closed.extend(replaced);
                        Notice::NotCompacted(why)
                    }
                });
            }
            Command::Close => return true,
        }
        false
    }

    fn encode(&mut self, entry: &E) {
        self.text.clear();
        (self.encode)(entry, &mut self.text);
        if !self.text.is_empty() {
            self.core.push(&self.text);
        }
        self.encoded += 1;
    }

    /// Writes, and makes durable if that is due.
    fn work(&mut self) {
        if let Err((step, error)) = self.try_work() {
            let wait = self
                .stalled
                .as_ref()
                .map_or(Duration::from_millis(50), |stall| (stall.wait * 2).min(Duration::from_secs(1)));
            if self.stalled.is_none() || matches!(step, Step::Sync) {
                (self.notice)(Notice::Stalled(error));
            }
            self.stalled = Some(Stall { retry: Instant::now() + wait, wait });
        } else if self.stalled.take().is_some() {
            (self.notice)(Notice::Recovered);
        }
    }

    fn try_work(&mut self) -> Result<(), (Step, io::Error)> {
        self.core.write().map_err(|error| (Step::Write, error))?;
        self.counts.written.store(self.encoded, Ordering::Release);
        self.counts.segments.store(self.closed_bytes + self.core.length(), Ordering::Relaxed);
        if !self.core.is_unsynced() {
            self.durable();
            return Ok(());
        }
        let since = *self.unsynced_since.get_or_insert_with(Instant::now);
        let due = match self.durability {
            Durability::EveryEvent => true,
            Durability::Group(longest) => since.elapsed() >= longest,
            Durability::OnSnapshot => false,
        };
        if due || self.haste {
            self.core.sync().map_err(|error| (Step::Sync, error))?;
            self.durable();
        }
        if self.compacting == Compacting::No && self.is_long() {
            self.compacting = Compacting::Asked;
            (self.notice)(Notice::Grown);
        }
        Ok(())
    }

    fn is_long(&self) -> bool {
        self.closed_bytes + self.core.length() > WORTHWHILE.max(self.snapshot)
    }

    /// Everything that was taken in is durable.
    fn durable(&mut self) {
        (self.unsynced_since, self.haste) = (None, false);
        self.counts.durable.store(self.encoded, Ordering::Release);
        for task in self.tasks.drain(..) {
            task();
        }
    }

    fn rotate(&mut self, first: Option<E>, compact: Compact) {
        let (through, length) = (self.core.next() - 1, self.core.length());
        let rotated = self.core.rotate();
        match rotated {
            Ok(closed) if !closed.is_empty() => {
                self.counts.written.store(self.encoded, Ordering::Release);
                self.durable();
                self.closed_bytes += length;
                self.closed.push(closed);
                if self.compacting != Compacting::Yes {
                    self.compact(through, compact);
                }
            }
            Ok(_) => {}
            // Without a new file there is no snapshot; the next chance comes.
            Err(error) => {
                self.compacting = Compacting::No;
                (self.notice)(Notice::NotCompacted(error.to_string()));
            }
        }
        if let Some(first) = first {
            self.encode(&first);
        }
    }

    fn compact(&mut self, through: u64, compact: Compact) {
        self.replaced = std::mem::take(&mut self.closed);
        let (files, back, replaced) = (self.files.clone(), self.back.clone(), self.replaced.clone());
        let spawned = thread::Builder::new().name("tryout-snapshot".to_owned()).spawn(move || {
            let began = Instant::now();
            let taken = snapshot::take(&files, through, &replaced, compact);
            let name = Kind::Snapshot { through }.name();
            let outcome = taken.map(|bytes| (name, bytes, began.elapsed())).map_err(|error| error.to_string());
            let _ = back.send(Command::Compacted(outcome));
        });
        match spawned {
            Ok(_) => {
                self.compacting = Compacting::Yes;
                self.closed_bytes = 0;
            }
            Err(error) => {
                self.closed = std::mem::take(&mut self.replaced);
                (self.notice)(Notice::NotCompacted(error.to_string()));
            }
        }
    }

    fn finish(&mut self) -> Option<io::Error> {
        self.haste = true;
        self.try_work().err().map(|(_, error)| error)
    }
}
