//! Orders on their way from the engine's thread to a worker's supervisor, which waits for them and for its child at once.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::lease::Leases;
use super::super::thread::Told;
use super::fast_path::{FastPath, Sent};
use super::shared::cannot;
use crate::edge::system::Bell;
use crate::logic::failure::Fault;
use crate::logic::ids::LeaseId;
use crate::logic::trial::WorkerOrder;
use crate::ports::backend::{Killed, WorkerHandle};

/// What a supervisor is told.
#[derive(Debug)]
pub(super) enum Mail {
    /// An order of the trial, or of the pool.
    Order(Told),
    /// End the worker the hard way.
    Kill,
    /// Nobody can give an order any more.
    Hangup,
    /// There is something to be seen to that is no order.
    Wake,
}

/// The place where mail waits. A descriptor that can be polled says that there is some.
#[derive(Debug)]
pub(super) struct Mailbox {
    waiting: Mutex<Vec<Mail>>,
    bell: Bell,
    /// The way past the mailbox, for steps.
    pub(super) fast_path: FastPath,
    pub(super) leases: Leases,
}

impl Mailbox {
    fn new() -> std::io::Result<Self> {
        let bell = Bell::new()?;
        Ok(Self { waiting: Mutex::default(), bell, fast_path: FastPath::default(), leases: Leases::default() })
    }

    fn put(&self, mail: Mail) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(mail);
        if waiting.len() == 1 {
            self.bell.ring();
        }
    }

    /// All that has come.
    pub(super) fn take(&self) -> Vec<Mail> {
        self.bell.silence();
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The engine's end.
pub(super) struct ProcessHandle(Arc<Mailbox>);

impl ProcessHandle {
    /// Both ends: the engine's, and the mailbox for the supervisor.
    pub(super) fn new() -> Result<(Self, Arc<Mailbox>), Fault> {
        let mail = Arc::new(Mailbox::new().map_err(|error| cannot("make a worker's mailbox", &error))?);
        Ok((Self(mail.clone()), mail))
    }
}

impl WorkerHandle for ProcessHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        self.0.leases.heed(lease, &order);
        let sent = match order {
            WorkerOrder::Train { limits, spare } => self.0.fast_path.step(lease, limits, spare),
            _ => Sent::No,
        };
        match sent {
            Sent::Yes => {}
            Sent::Wake => self.0.put(Mail::Wake),
            Sent::No => {
                self.0.fast_path.close();
                self.0.put(Mail::Order((lease, order)));
            }
        }
    }

    fn kill(&mut self) -> Killed {
        self.0.leases.end();
        self.0.put(Mail::Kill);
        Killed::Soon
    }
}

impl Drop for ProcessHandle {
    fn drop(&mut self) {
        self.0.leases.end();
        self.0.put(Mail::Hangup);
    }
}
