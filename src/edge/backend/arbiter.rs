//! Workers that await share a few arbiters of their own, never the host's.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_rt::Arbiter;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::context::WorkerContext;
use super::lease::Leases;
use super::thread::{Farewell, Told};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::trial::{Rests, WorkerOrder};
use crate::ports::backend::{Backend, Killed, ResourceRule, WorkerHandle, WorkerStart};

/// What a worker does from its first order to its last.
pub(super) type AsyncWorkerLoop =
    Arc<dyn Fn(WorkerContext, UnboundedReceiver<Told>) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync>;

/// Runs workers as tasks on arbiters of its own: one, unless more are asked for. They end with the run.
///
/// A task that awaits can be killed at its next `await`; one that blocks holds up its neighbours on the same arbiter.
/// Made by [`async_stepwise`](super::async_stepwise) and [`async_function`](super::async_function).
pub struct ArbiterBackend {
    name: String,
    work: AsyncWorkerLoop,
    resources: ResourceRule,
    rests: Rests,
    metrics: &'static [&'static str],
    exports: Vec<&'static str>,
    most: usize,
    arbiters: Vec<Arbiter>,
    next: usize,
}

impl fmt::Debug for ArbiterBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArbiterBackend").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ArbiterBackend {
    pub(super) fn new(name: &str, rests: Rests, work: AsyncWorkerLoop, resources: ResourceRule) -> Self {
        Self {
            name: name.to_owned(),
            work,
            resources,
            rests,
            metrics: &[],
            exports: Vec::new(),
            most: 1,
            arbiters: Vec::new(),
            next: 0,
        }
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

    /// Spreads the workers over so many arbiters, at least 1.
    #[must_use]
    pub fn arbiters(mut self, most: usize) -> Self {
        self.most = most.max(1);
        self
    }

    fn arbiter(&mut self) -> &Arbiter {
        if self.arbiters.len() < self.most {
            self.arbiters.push(Arbiter::new());
        }
        self.next = (self.next + 1) % self.arbiters.len();
        &self.arbiters[self.next]
    }
}

impl Drop for ArbiterBackend {
    fn drop(&mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
            // Not joined: a task that blocks would hold the engine's thread up.
        }
    }
}

impl Backend for ArbiterBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        let (orders, inbox) = unbounded_channel();
        let (kill, killed) = tokio::sync::oneshot::channel::<()>();
        let work = self.work.clone();
        let leases = Leases::default();
        let WorkerStart { facts, store, .. } = start;
        let context = WorkerContext::new(self.rests, facts.clone(), store, leases.clone());
        let spawned = self.arbiter().spawn_fn(move || {
            let farewell = Farewell(facts);
            actix_rt::spawn(async move {
                let _farewell = farewell;
                let work = std::pin::pin!(work(context, inbox));
                // Whichever comes first: the end of the work, or of the patience with it.
                futures::future::select(work, killed).await;
            });
        });
        if !spawned {
            return Err(Fault::new(FailureKind::SetupFailed, "the arbiter for async trials has stopped"));
        }
        Ok(Box::new(TaskHandle { orders, leases, kill: Some(kill) }))
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

struct TaskHandle {
    orders: UnboundedSender<Told>,
    leases: Leases,
    /// Dropping it would end the task as well, so it lives as long as the handle.
    kill: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        self.leases.end();
    }
}

impl WorkerHandle for TaskHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        self.leases.heed(lease, &order);
        // A worker that is gone has said so.
        let _ = self.orders.send((lease, order));
    }

    fn kill(&mut self) -> Killed {
        self.leases.end();
        drop(self.kill.take());
        Killed::Abandoned
    }
}
