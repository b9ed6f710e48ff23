//! Orders on their way from the engine's thread to a worker's attendant, who waits for them and for its child at once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use super::super::thread::Told;
use super::express::{Express, Sent};
use super::shared::cannot;
use crate::logic::failure::Fault;
use crate::logic::ids::LeaseId;
use crate::logic::trial::WorkerOrder;
use crate::ports::backend::{FactSink, Killed, WorkerHandle};

/// What an attendant is told.
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
    bell: OwnedFd,
    /// The way past the mailbox, for steps.
    pub(super) express: Express,
}

impl Mailbox {
    fn new() -> std::io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { waiting: Mutex::default(), bell, express: Express::default() })
    }

    fn put(&self, mail: Mail) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(mail);
        if waiting.len() == 1 {
            // The counter can't be full: it is set to zero before the mail is taken.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// All that has come.
    pub(super) fn take(&self) -> Vec<Mail> {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.bell, &mut count);
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The engine's end.
pub(super) struct ProcessHandle(Arc<Mailbox>);

impl ProcessHandle {
    /// Both ends: the engine's, and the mailbox for the attendant.
    pub(super) fn new() -> Result<(Self, Arc<Mailbox>), Fault> {
        let mail = Arc::new(Mailbox::new().map_err(|error| cannot("make a worker's mailbox", &error))?);
        Ok((Self(mail.clone()), mail))
    }
}

impl WorkerHandle for ProcessHandle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        let sent = match order {
            WorkerOrder::Train { limits, spare } => self.0.express.step(lease, limits, spare),
            _ => Sent::No,
        };
        match sent {
            Sent::Yes => {}
            Sent::Wake => self.0.put(Mail::Wake),
            Sent::No => {
                self.0.express.close();
                self.0.put(Mail::Order((lease, order)));
            }
        }
    }

    fn kill(&mut self) -> Killed {
        self.0.put(Mail::Kill);
        Killed::Soon
    }
}

impl Drop for ProcessHandle {
    fn drop(&mut self) {
        self.0.put(Mail::Hangup);
    }
}

/// Says that a worker is gone when it is dropped: also if its attendant comes to a bad end.
pub(super) struct Farewell(pub(super) FactSink);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.gone();
    }
}
