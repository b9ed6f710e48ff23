//! A worker on a thread of its own: for work that blocks.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::desk::Desk;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::trial::{FirstBatch, Rests, WorkerOrder};
use crate::ports::backend::{Backend, Killed, ResourceRule, WorkerHandle, WorkerStart};

/// An order with the lease it is given under.
pub(super) type Told = (LeaseId, WorkerOrder);

/// A worker's orders, and those that it took and put back.
#[derive(Debug)]
pub(super) struct Orders {
    inbox: Receiver<Told>,
    held: VecDeque<Told>,
}

impl Orders {
    fn new(inbox: Receiver<Told>) -> Self {
        Self { inbox, held: VecDeque::new() }
    }

    /// Waits for the next. None if nobody can give one any more.
    pub(super) fn next(&mut self) -> Option<Told> {
        self.held.pop_front().or_else(|| self.inbox.recv().ok())
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

/// Whether an order means that the trial has left.
pub(super) fn leaves(order: &WorkerOrder) -> bool {
    matches!(order, WorkerOrder::Release | WorkerOrder::Shutdown)
}

/// What a thread does from its first order to its last.
pub(super) type WorkerLoop = Arc<dyn Fn(Desk, Orders) + Send + Sync>;

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
}

impl fmt::Debug for ThreadBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBackend").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ThreadBackend {
    pub(super) fn new(name: &str, rests: Rests, work: WorkerLoop, resources: ResourceRule) -> Self {
        Self { name: name.to_owned(), work, resources, rests, metrics: &[] }
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
        let WorkerStart { worker, facts, store, .. } = start;
        std::thread::Builder::new()
            .name(format!("tryout-{worker}"))
            .spawn(move || {
                let desk = Desk::new(facts.clone(), store);
                work(desk, Orders::new(inbox));
                facts.gone();
            })
            .map_err(|error| Fault::new(FailureKind::SetupFailed, format!("no thread could be had: {error}")))?;
        Ok(Box::new(ThreadHandle { orders }))
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

struct ThreadHandle {
    orders: Sender<Told>,
}

impl WorkerHandle for ThreadHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        // A worker that is gone has said so.
        let _ = self.orders.send((lease, order));
    }

    fn kill(&mut self) -> Killed {
        Killed::Abandoned
    }
}
