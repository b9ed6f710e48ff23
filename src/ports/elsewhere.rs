//! The socket for workers that join from elsewhere: other machines, other programs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::backend::{WorkerHandle, WorkerStart};
use crate::logic::failure::Fault;
use crate::logic::ids::{JoinId, TrialId, WorkerId};
use crate::logic::pool::{ResourceRequest, Slot, Stays};

/// Lets workers join a run from elsewhere, and asks for them. It is called on the engine's thread, so it must not wait.
pub trait Elsewhere: Send {
    /// Told once, before anything else: where its news go.
    ///
    /// # Errors
    /// If nobody could join.
    fn open(&mut self, news: JoinSink) -> Result<(), Fault>;

    /// A worker that would like to join is one of the run's: from now on it is as if it had been spawned.
    ///
    /// # Errors
    /// If it is gone by now.
    fn admit(&mut self, join: JoinId, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault>;

    /// Nobody needs a worker that would like to join.
    fn reject(&mut self, join: JoinId);

    /// So many workers of this shape are wanted in all, those that have joined and have a trial included.
    fn want(&mut self, shape: Arc<ResourceRequest>, workers: usize);

    /// A worker is about to be told to end: whether somebody else may come in its place from the same allocation.
    fn ends(&mut self, worker: WorkerId, next: Successor);

    /// How long workers are waited for, when a run is gone on with, that had trials when the engine was lost.
    fn waits_for_returning(&self) -> Duration {
        Duration::ZERO
    }

    /// What is heard of workers of this shape that haven't joined yet.
    fn says(&self, _shape: &ResourceRequest) -> Option<Arc<str>> {
        None
    }
}

/// Who may come in the place of a worker that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// A fresh worker.
    Fresh,
    /// Nobody: what it has is given back.
    Nobody,
}

/// What is heard from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinNews {
    /// A worker would like to join.
    Joined {
        /// Which; the number isn't used again.
        join: JoinId,
        /// The requests that it can meet: those that equal this one.
        shape: Arc<ResourceRequest>,
        /// Its resources.
        slot: Arc<Slot>,
        /// How long it stays.
        stays: Stays,
        /// The trial that it still has from before the engine was started anew.
        keeps: Option<TrialId>,
    },
    /// Nobody can give workers of this shape.
    Never {
        /// Which.
        shape: Arc<ResourceRequest>,
        /// Why.
        words: String,
    },
}

/// Where news from elsewhere go. It can be called from any thread and never waits.
#[derive(Clone)]
pub struct JoinSink(Arc<dyn Fn(JoinNews) + Send + Sync>);

impl JoinSink {
    /// A sink that hands all it is given to `take`.
    pub fn new(take: impl Fn(JoinNews) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Says it.
    pub fn say(&self, news: JoinNews) {
        (self.0)(news);
    }
}

impl fmt::Debug for JoinSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSink")
    }
}
