//! The writer's thread: what comes in is written in groups, made durable when that is due, and tried again when it fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::core::{Core, Durability, LogSettings};
use super::files::Files;
use super::reader::{Kind, Position};
use super::snapshot::{self, Compact};
use super::writer::{Counts, Notice};

/// So many bytes at most are put together before they are written.
const CHUNK: usize = 1 << 18;

/// Appends an entry's text, or nothing.
pub(super) type Encode<E> = Box<dyn FnMut(&E, &mut Vec<u8>) + Send>;
/// Hears what there is to say.
pub(super) type Hear = Box<dyn FnMut(Notice) + Send>;

/// How the thread hears of things.
pub(super) struct Mailbox<E> {
    pub(super) inbox: Receiver<Command<E>>,
    pub(super) back: Sender<Command<E>>,
    pub(super) counts: Arc<Counts>,
}

/// Done on the writer's thread; must not wait.
pub(super) type Task = Box<dyn FnOnce() + Send>;

pub(super) enum Command<E> {
    Append(E),
    /// To be done as soon as everything before it is durable; now, if that is asked for.
    WhenDurable(Task, Haste),
    Rotate(Option<E>, Compact),
    Compacted(Result<(String, u64, Duration), String>),
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    No,
    Yes,
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

/// The writer's thread.
pub(super) struct Desk<E> {
    core: Core,
    files: Arc<dyn Files>,
    settings: LogSettings,
    encode: Encode<E>,
    notice: Hear,
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
    pub(super) fn open(
        files: Arc<dyn Files>,
        position: Option<Position>,
        settings: LogSettings,
        mailbox: Mailbox<E>,
        encode: Encode<E>,
        notice: Hear,
    ) -> io::Result<Self> {
        let closed = position.as_ref().map_or_else(Vec::new, |position| position.closed.clone());
        let (snapshot, segments) = position.as_ref().map_or((0, 0), |position| position.bytes);
        let core = Core::open(files.clone(), position)?;
        let Mailbox { inbox, back, counts } = mailbox;
        Ok(Self {
            snapshot,
            closed_bytes: segments.saturating_sub(core.length()),
            core,
            files,
            settings,
            encode,
            notice,
            inbox,
            back,
            counts,
            tasks: Vec::new(),
            haste: false,
            encoded: 0,
            unsynced_since: None,
            stalled: None,
            closed,
            replaced: Vec::new(),
            compacting: Compacting::No,
            text: Vec::new(),
        })
    }

    /// Runs until it is told to close. Answers why it couldn't write everything.
    pub(super) fn run(&mut self) -> Option<io::Error> {
        let mut closing = false;
        loop {
            if closing && self.compacting != Compacting::Yes {
                return self.finish();
            }
            let command = self.wait()?;
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
        let due = match (&self.stalled, self.unsynced_since, self.settings.durability) {
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
        let due = match self.settings.durability {
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
        self.closed_bytes + self.core.length() > self.settings.snapshot_after.max(self.snapshot)
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
