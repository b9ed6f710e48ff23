//! Which leases of a worker are over: what is made under one of them counts no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::logic::ids::LeaseId;
use crate::logic::trial::WorkerOrder;

/// Known to both ends of a worker. The engine's end marks a lease as over at once; the worker's end may still be in the
/// middle of a step, and asks before it makes anything lasting.
#[derive(Clone, Debug, Default)]
pub(in crate::edge) struct Leases {
    /// Leases with smaller numbers than this are over.
    over_below: Arc<AtomicU64>,
}

impl Leases {
    /// Takes note of an order that ends a lease.
    pub(in crate::edge) fn heed(&self, lease: LeaseId, order: &WorkerOrder) {
        match order {
            WorkerOrder::Release => {
                self.over_below.fetch_max(lease.number().saturating_add(1), Ordering::AcqRel);
            }
            WorkerOrder::Shutdown => self.end(),
            _ => {}
        }
    }

    /// The worker is given up: all its leases are over.
    pub(in crate::edge) fn end(&self) {
        self.over_below.store(u64::MAX, Ordering::Release);
    }

    /// Whether this lease is over.
    pub(in crate::edge) fn is_over(&self, lease: LeaseId) -> bool {
        lease.number() < self.over_below.load(Ordering::Acquire)
    }
}
