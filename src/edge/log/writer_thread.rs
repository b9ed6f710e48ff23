//! The writer's thread: what comes in is written in groups, made durable when that is due, and tried again when it fails.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::command::{Command, Counts, Encode, Haste, Hear, Notice, Patience, Task};
use super::core::{Core, LogSettings};
use super::files::Files;
use super::inbox::{Inbox, Urgency};
use super::reader::Position;
use super::snapshot::{Compact, take_snapshot};
use crate::logic::engine::panic_message;
use crate::logic::failure::error_chain;
use crate::logic::settings::Durability;

/// So many bytes at most are put together before they are written.
const CHUNK: usize = 1 << 18;

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

/// How the thread hears of things.
pub(super) struct Mailbox<E> {
    pub(super) inbox: Inbox<E>,
    pub(super) counts: Arc<Counts>,
}

/// The writer's thread.
pub(super) struct WriterThread<E> {
    core: Core,
    files: Arc<dyn Files>,
    settings: LogSettings,
    encode: Encode<E>,
    notice: Hear,
    inbox: Inbox<E>,
    taken: VecDeque<Command<E>>,
    counts: Arc<Counts>,
    /// What is to be done once everything that was taken in is durable.
    tasks: Vec<Task>,
    haste: bool,
    encoded: u64,
    unsynced_since: Option<Instant>,
    stalled: Option<Stall>,
    /// The bytes of the segments before the last, as far as no compaction has begun with them.
    closed_bytes: u64,
    snapshot: u64,
    compacting: Compacting,
    text: Vec<u8>,
}

impl<E: Send + 'static> WriterThread<E> {
    pub(super) fn open(
        files: Arc<dyn Files>,
        position: Option<Position>,
        settings: LogSettings,
        mailbox: Mailbox<E>,
        encode: Encode<E>,
        notice: Hear,
    ) -> io::Result<Self> {
        let (snapshot, segments) = position.as_ref().map_or((0, 0), |position| position.bytes);
        let core = Core::open(files.clone(), position)?;
        let Mailbox { inbox, counts } = mailbox;
        Ok(Self {
            snapshot,
            closed_bytes: segments.saturating_sub(core.length()),
            core,
            files,
            settings,
            encode,
            notice,
            inbox,
            taken: VecDeque::new(),
            counts,
            tasks: Vec::new(),
            haste: false,
            encoded: 0,
            unsynced_since: None,
            stalled: None,
            compacting: Compacting::No,
            text: Vec::new(),
        })
    }

    /// [`run`](WriterThread::run); a panic, which is a defect of ours, is an error that ends the writing for good.
    pub(super) fn run_guarded(&mut self) -> Option<io::Error> {
        catch_unwind(AssertUnwindSafe(|| self.run())).unwrap_or_else(|payload| {
            let why = panic_message(payload.as_ref());
            (self.notice)(Notice::Broken(why.clone()));
            Some(io::Error::other(format!("the journal's writer panicked: {why}")))
        })
    }

    /// Runs until it is told to close. Answers why it couldn't write everything.
    fn run(&mut self) -> Option<io::Error> {
        let mut closing = None;
        loop {
            if self.taken.is_empty() {
                self.wait();
            }
            // All that has come goes into the same write.
            while let Some(command) = self.taken.pop_front() {
                closing = self.take(command).or(closing);
                if self.core.pending() >= CHUNK {
                    break;
                }
            }
            if self.stalled.as_ref().is_some_and(|stall| stall.retry > Instant::now()) {
                continue;
            }
            match closing.filter(|_| self.compacting != Compacting::Yes) {
                None => {
                    let outcome = self.work();
                    self.tell(outcome);
                }
                Some(given) => match self.finish() {
                    Ok(()) => return None,
                    Err((_, error)) if given.since.elapsed() + self.pause() >= given.longest => return Some(error),
                    outcome => self.tell(outcome),
                },
            }
        }
    }

    /// Takes in what comes, until something is due.
    fn wait(&mut self) {
        let due = match (&self.stalled, self.unsynced_since, self.settings.durability) {
            (Some(stall), _, _) => Some(stall.retry),
            (None, Some(since), Durability::Group(longest)) => since.checked_add(longest),
            _ => None,
        };
        self.inbox.take(due, &mut self.taken);
    }

    /// Takes a command in. Answers how long the end may take, if it is the last.
    fn take(&mut self, command: Command<E>) -> Option<Patience> {
        match command {
            Command::Append(entry, weight) => self.encode(&entry, weight),
            Command::WhenDurable(task, haste) => {
                self.haste |= haste == Haste::Yes;
                self.tasks.push(task);
            }
            Command::Rotate(first, compact) => self.rotate(first, compact),
            Command::Compacted(outcome) => {
                self.compacting = Compacting::No;
                (self.notice)(match outcome {
                    Ok((bytes, took)) => {
                        self.snapshot = bytes;
                        Notice::Compacted { bytes, took }
                    }
                    Err(why) => Notice::NotCompacted(why),
                });
            }
            Command::Close(patience) => return Some(patience),
        }
        None
    }

    fn encode(&mut self, entry: &E, weight: u64) {
        self.text.clear();
        (self.encode)(entry, &mut self.text);
        if !self.text.is_empty() {
            self.core.push(&self.text);
        }
        self.encoded += weight;
    }

    /// Tells how an attempt went, as far as that is news, and when the next one is due.
    fn tell(&mut self, outcome: Result<(), (Step, io::Error)>) {
        if let Err((step, error)) = outcome {
            let wait = self.pause();
            if self.stalled.is_none() || matches!(step, Step::Sync) {
                (self.notice)(Notice::Stalled(error));
            }
            self.stalled = Some(Stall { retry: Instant::now() + wait, wait });
        } else if self.stalled.take().is_some() {
            (self.notice)(Notice::Recovered);
        }
    }

    /// How long the next attempt waits if this one fails.
    fn pause(&self) -> Duration {
        self.stalled.as_ref().map_or(Duration::from_millis(50), |stall| (stall.wait * 2).min(Duration::from_secs(1)))
    }

    /// Writes, and makes durable if that is due.
    fn work(&mut self) -> Result<(), (Step, io::Error)> {
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
        let length = self.core.length();
        match self.core.rotate() {
            Ok(Some(through)) => {
                self.counts.written.store(self.encoded, Ordering::Release);
                self.durable();
                self.closed_bytes += length;
                if self.compacting != Compacting::Yes {
                    self.compact(through, compact);
                }
            }
            Ok(None) => {}
            // Without a new file there is no snapshot; the next chance comes.
            Err(error) => self.not_compacted(&error),
        }
        if let Some(first) = first {
            self.encode(&first, 1);
        }
    }

    fn compact(&mut self, through: u64, compact: Compact) {
        let (files, back) = (self.files.clone(), self.inbox.clone());
        let spawned = thread::Builder::new().name("tryout-snapshot".to_owned()).spawn(move || {
            let began = Instant::now();
            let taken = catch_unwind(AssertUnwindSafe(|| take_snapshot(&files, through, compact)));
            let outcome = match taken {
                Ok(taken) => taken.map(|bytes| (bytes, began.elapsed())).map_err(|error| error_chain(&error)),
                Err(payload) => Err(format!("a panic: {}", panic_message(payload.as_ref()))),
            };
            back.put(Command::Compacted(outcome), Urgency::High);
        });
        match spawned {
            Ok(_) => {
                self.compacting = Compacting::Yes;
                self.closed_bytes = 0;
            }
            Err(error) => self.not_compacted(&error),
        }
    }

    fn not_compacted(&mut self, why: &io::Error) {
        if self.compacting == Compacting::Asked {
            self.compacting = Compacting::No;
        }
        (self.notice)(Notice::NotCompacted(why.to_string()));
    }

    /// Writes everything, and that it is everything.
    fn finish(&mut self) -> Result<(), (Step, io::Error)> {
        self.haste = true;
        self.work()?;
        self.core.seal().map_err(|error| (Step::Sync, error))
    }
}
