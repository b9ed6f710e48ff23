//! The engine's handle of a worker on another machine.

use std::sync::Arc;

use super::frame::Down;
use super::peer::Peer;
use crate::logic::ids::LeaseId;
use crate::logic::trial::WorkerOrder;
use crate::ports::backend::{Killed, WorkerHandle};

/// Orders go to the agent, in their order.
#[derive(Debug)]
pub(super) struct RemoteHandle(pub(super) Arc<Peer>);

impl WorkerHandle for RemoteHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        self.0.heed(lease, &order);
        if !self.0.is_gone() {
            self.0.outbox.say(Down::Order { lease, order });
        }
    }

    /// Its agent ends it and says so. If that can't be heard, the worker is given up when its connection is.
    fn kill(&mut self) -> Killed {
        if self.0.is_gone() {
            return Killed::Dead;
        }
        self.0.kill();
        Killed::Soon
    }
}

impl Drop for RemoteHandle {
    fn drop(&mut self) {
        self.0.leases.end();
    }
}
