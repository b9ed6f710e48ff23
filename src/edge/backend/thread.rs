//! A worker on a thread of its own: for work that blocks.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use super::context::WorkerContext;
use super::lease::Leases;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::trial::{Rests, WorkerOrder};
use crate::ports::backend::{Backend, FactSink, Killed, ResourceRule, WorkerHandle, WorkerStart};

/// An order with the lease it is given under.
pub(in crate::edge) type Told = (LeaseId, WorkerOrder);

/// Where a worker's orders come from.
pub(in crate::edge) trait Orders {
    /// Waits for the next. None if nobody can give one any more.
    fn next(&mut self) -> Option<Told>;

    /// The next, if there is one already. Asked between two steps.
    fn poll(&mut self) -> Option<Told>;

    /// A step has been made.
    fn stepped(&mut self) {}
}

/// So often a worker lets other threads run before it goes to sleep.
///
/// To wake a thread that sleeps costs the engine more than all the rest that it does for a short trial, and easily its own
/// place on the processor. The next order mostly comes within a few microseconds, or while others run. If there is nobody
/// else, this takes some ten microseconds.
const YIELDS: u32 = 16;

impl Orders for Receiver<Told> {
    fn next(&mut self) -> Option<Told> {
        for _ in 0..YIELDS {
            match self.try_recv() {
                Ok(told) => return Some(told),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
        self.recv().ok()
    }

    fn poll(&mut self) -> Option<Told> {
        self.try_recv().ok()
    }
}

/// What a thread does from its first order to its last.
pub(super) type WorkerLoop = Arc<dyn Fn(WorkerContext, Receiver<Told>) + Send + Sync>;

/// Runs each worker on a thread of its own, which it keeps for as long as it is reused.
///
/// A thread can't be killed. A step that never returns is left behind after the grace period: its thread goes on until
/// the process ends, and its resources are given back or held, as the experiment says. Made by
/// [`stepwise`](super::stepwise) and [`function`](super::function).
pub struct ThreadBackend {
    name: String,
    work: WorkerLoop,
    resources: ResourceRule,
    rests: Rests,
    metrics: &'static [&'static str],
    exports: Vec<&'static str>,
}

impl fmt::Debug for ThreadBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBackend").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ThreadBackend {
    pub(super) fn new(name: &str, rests: Rests, work: WorkerLoop, resources: ResourceRule) -> Self {
        Self { name: name.to_owned(), work, resources, rests, metrics: &[], exports: Vec::new() }
    }

    /// Says which formats its trials can export, by name: closures say it so, where they call `export` on their session.
    #[must_use]
    pub fn exporting(mut self, formats: impl IntoIterator<Item = &'static str>) -> Self {
        self.exports.extend(formats);
        self
    }

    pub(super) fn reporting(mut self, metrics: &'static [&'static str]) -> Self {
        self.metrics = metrics;
        self
    }
}

impl Backend for ThreadBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        let (orders, inbox) = channel();
        let work = self.work.clone();
        let leases = Leases::default();
        let WorkerStart { worker, facts, store, .. } = start;
        let context = WorkerContext::new(self.rests, facts.clone(), store, leases.clone());
        std::thread::Builder::new()
            .name(format!("tryout-{worker}"))
            .spawn(move || {
                let _farewell = Farewell(facts);
                work(context, inbox);
            })
            .map_err(|error| Fault::new(FailureKind::SetupFailed, format!("no thread could be had: {error}")))?;
        Ok(Box::new(ThreadHandle { orders, leases }))
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn metrics(&self) -> &[&'static str] {
        self.metrics
    }

    fn exports(&self) -> Option<&[&'static str]> {
        Some(&self.exports)
    }

    fn rests(&self) -> Rests {
        self.rests
    }

    fn resource_rule(&self) -> ResourceRule {
        self.resources.clone()
    }
}

/// Says that a worker is gone when it is dropped: also if its thread, task or supervisor comes to a bad end.
pub(super) struct Farewell(pub(super) FactSink);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.gone();
    }
}

struct ThreadHandle {
    orders: Sender<Told>,
    leases: Leases,
}

impl Drop for ThreadHandle {
    fn drop(&mut self) {
        self.leases.end();
    }
}

impl WorkerHandle for ThreadHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        self.leases.heed(lease, &order);
        // A worker that is gone has said so.
        let _ = self.orders.send((lease, order));
    }

    fn kill(&mut self) -> Killed {
        self.leases.end();
        Killed::Abandoned
    }
}
