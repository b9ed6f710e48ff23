//! The short way for the commonest order: the next step goes to the worker past its supervisor, which sleeps until the results
//! are there. Waking it for the order as well would cost as much as all the rest of a result.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::LeaseId;
use crate::logic::trial::BatchLimits;
use crate::logic::wire::{Order, StepOrder, ToWorker, encode, lease_number};

/// A step that was ordered past the supervisor.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) lease: LeaseId,
    pub(super) limits: BatchLimits,
    pub(super) spare: CheckpointId,
    /// What the socket didn't take; the supervisor writes it.
    pub(super) rest: Vec<u8>,
}

/// The way, which the supervisor opens when nothing but a step can come next, and which any other order closes.
#[derive(Debug, Default)]
pub(super) struct FastPath(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Option<(LeaseId, Arc<UnixStream>)>,
    ordered: Option<Ordered>,
}

impl FastPath {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the supervisor: nothing is asked of the worker, and nothing is on its way to it.
    pub(super) fn open(&self, lease: LeaseId, socket: &Arc<UnixStream>) {
        self.state().open = Some((lease, socket.clone()));
    }

    /// From either side: what comes next goes the long way.
    pub(super) fn close(&self) {
        self.state().open = None;
    }

    /// To the supervisor: the step that was ordered, once. It is known here before the worker can answer it.
    pub(super) fn ordered(&self) -> Option<Ordered> {
        self.state().ordered.take()
    }

    /// From the engine: orders a step, if the way is open. What the socket didn't take is said with `Wake`.
    pub(super) fn step(&self, lease: LeaseId, limits: BatchLimits, spare: CheckpointId) -> Sent {
        let mut state = self.state();
        let Some((_, socket)) = state.open.take_if(|(open, _)| *open == lease && limits.checkpoint_every.is_none())
        else {
            return Sent::No;
        };
        let seconds = limits.time.map(|time| time.as_secs_f64());
        let order = Order::Step(StepOrder { most: limits.reports.get(), seconds });
        let mut frame = Vec::with_capacity(96);
        if encode(&ToWorker { lease: lease_number(lease), order }, &mut frame).is_err() {
            return Sent::No;
        }
        // What can't be written at all says so to the supervisor, which sees what became of the worker.
        let Ok(written) = (&*socket).write(&frame) else { return Sent::No };
        let rest = frame.split_off(written);
        let sent = if rest.is_empty() { Sent::Yes } else { Sent::Wake };
        state.ordered = Some(Ordered { lease, limits, spare, rest });
        sent
    }
}

/// Whether an order went the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// Not all of it: the supervisor must be woken.
    Wake,
    No,
}
