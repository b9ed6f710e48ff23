//! Workers that await share a few arbiters of their own, never the host's.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_rt::Arbiter;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::desk::Desk;
use super::thread::{Told, leaves};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::trial::{FirstBatch, Rests, WorkerOrder};
use crate::ports::backend::{Backend, FactSink, Killed, ResourceRule, WorkerHandle, WorkerStart};

/// A worker's orders, and those that it took and put back: the async twin of [`Orders`](super::thread::Orders).
#[derive(Debug)]
pub(super) struct Inbox {
    inbox: UnboundedReceiver<Told>,
    held: VecDeque<Told>,
}

impl Inbox {
    /// Waits for the next. None if nobody can give one any more.
    pub(super) async fn next(&mut self) -> Option<Told> {
        match self.held.pop_front() {
            Some(told) => Some(told),
            None => self.inbox.recv().await,
        }
    }

    /// Whether there is a next already, and which.
    pub(super) fn peek(&mut self) -> Option<&Told> {
        if self.held.is_empty() {
            self.held.extend(self.inbox.try_recv());
        }
        self.held.front()
    }

    /// Puts one before all others.
    pub(super) fn put_back(&mut self, told: Told) {
        self.held.push_front(told);
    }

    /// The trainable is ready: it goes on by itself, unless the trial has left in the meantime.
    pub(super) fn go_on(&mut self, lease: LeaseId, first: Option<FirstBatch>) {
        if !self.peek().is_some_and(|(_, order)| leaves(order)) {
            first.into_iter().for_each(|first| self.put_back((lease, first.into())));
        }
    }
}

/// What a worker does from its first order to its last.
pub(super) type AsyncWorkerLoop = Arc<dyn Fn(Desk, Inbox) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync>;

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
        Self { name: name.to_owned(), work, resources, rests, metrics: &[], most: 1, arbiters: Vec::new(), next: 0 }
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
        let inbox = Inbox { inbox, held: VecDeque::new() };
        let work = self.work.clone();
        let WorkerStart { facts, store, .. } = start;
        let spawned = self.arbiter().spawn_fn(move || {
            let farewell = Farewell(facts.clone());
            let desk = Desk::new(facts, store);
            actix_rt::spawn(async move {
                let _farewell = farewell;
                let work = std::pin::pin!(work(desk, inbox));
                // Whichever comes first: the end of the work, or of the patience with it.
                futures::future::select(work, killed).await;
            });
        });
        if !spawned {
            return Err(Fault::new(FailureKind::SetupFailed, "the arbiter for async trials has stopped"));
        }
        Ok(Box::new(TaskHandle { orders, kill: Some(kill) }))
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn metrics(&self) -> &[&'static str] {
        self.metrics
    }

    fn rests(&self) -> Rests {
        self.rests
    }

    fn resource_rule(&self) -> ResourceRule {
        self.resources.clone()
    }
}

/// Says that the worker is gone, however its task ends.
struct Farewell(FactSink);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.gone();
    }
}

struct TaskHandle {
    orders: UnboundedSender<Told>,
    /// Dropping it would end the task as well, so it lives as long as the handle.
    kill: Option<tokio::sync::oneshot::Sender<()>>,
}

impl WorkerHandle for TaskHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        // A worker that is gone has said so.
        let _ = self.orders.send((lease, order));
    }

    fn kill(&mut self) -> Killed {
        drop(self.kill.take());
        Killed::Abandoned
    }
}
