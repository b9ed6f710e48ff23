//! What passes between those who hand something to the writer's thread, and the thread.

use std::io;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::snapshot::Compact;

/// Appends an entry's text, or nothing.
pub(super) type Encode<E> = Box<dyn FnMut(&E, &mut Vec<u8>) + Send>;
/// Hears what there is to say.
pub(super) type Hear = Box<dyn FnMut(Notice) + Send>;

/// Done on the writer's thread; must not wait.
pub(super) type Task = Box<dyn FnOnce() + Send>;

pub(super) enum Command<E> {
    /// An entry, and how much it counts.
    Append(E, u64),
    /// To be done as soon as everything before it is durable; now, if that is asked for.
    WhenDurable(Task, Haste),
    Rotate(Option<E>, Compact),
    Compacted(Result<(u64, Duration), String>),
    /// Nothing comes after this. What can't be written in time is given up.
    Close(Patience),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    No,
    Yes,
}

/// How long something may take, and since when it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) since: Instant,
    pub(super) longest: Duration,
}

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
    /// The writer's thread has panicked, and nothing is written any more.
    Broken(String),
}

/// How far the writer is.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) handed: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) segments: AtomicU64,
}
