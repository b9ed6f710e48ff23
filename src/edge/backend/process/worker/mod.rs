//! The attendant of one worker process that speaks the protocol: it carries orders to it and facts from it.

mod end;
mod facts;
mod orders;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::desk::Desk;
use super::body::Body;
use super::express::Ordered;
use super::mailbox::{Farewell, Mail, Mailbox};
use super::place::Home;
use super::watch::{Reading, Writing, wait};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::wire::{Awaited, Lines, Order, Talk, ToWorker, encode};
use crate::ports::backend::WorkerStart;
use crate::ports::store::{CheckpointReader, CheckpointWriter};

/// So many log messages a worker may send before it is given more credit.
const LOG_CREDIT: u32 = 64;
/// So long a worker may live on after it has closed its end of the conversation.
const LINGER: Duration = Duration::from_secs(1);

/// Who the worker works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tenancy {
    Nobody,
    Trial,
    /// The trial has left, or has been told that the worker failed.
    Over,
}

/// Work on the store that waits for the worker's word.
#[derive(Debug)]
enum Errand {
    Restoring { checkpoint: Arc<Checkpoint> },
    Saving { id: CheckpointId, writer: CheckpointWriter, export: bool },
    Exporting { saved: Option<Arc<Checkpoint>> },
}

pub(super) struct Attendant {
    body: Body,
    worker: WorkerId,
    mail: Arc<Mailbox>,
    desk: Desk,
    talk: Talk,
    lines: Lines,
    /// Frames on their way, and how much of them has been written.
    sending: (Vec<u8>, usize),
    /// Frames that wait for the worker's `hello`.
    held: Vec<u8>,
    lease: LeaseId,
    tenancy: Tenancy,
    home: Option<Home>,
    errand: Option<Errand>,
    /// The checkpoint that the trial went on from: its directory may be a temporary one, and a function that reports looks
    /// into it only when it runs.
    restored: Option<CheckpointReader>,
    /// How many trials it has had, the one that it has included.
    trials: u64,
    /// Why it couldn't be started.
    unborn: Option<Fault>,
    /// Whether its trial has handed in its last result.
    done: Done,
    /// How it ended when its trial was done and nothing was asked of it: nobody need hear of that who wants nothing more.
    fallen: Option<Fault>,
    /// When it last gave a sign of life.
    sign: Instant,
    steps: u64,
    cpu_before: Duration,
    /// When it must have introduced itself, or ended after it closed its socket.
    due: Option<Instant>,
    stopping: Stopping,
    /// Whether there may be mail.
    has_mail: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Yes,
}

impl Attendant {
    /// Goes on, on the attendant's own thread, from when the worker is wanted to its end.
    pub(super) fn run(body: Body, unborn: Option<Fault>, born: Instant, start: WorkerStart, mail: Arc<Mailbox>) {
        // It is dropped last: whoever hears that the worker is gone finds nothing of it any more.
        let _farewell = Farewell(start.facts.clone());
        let settings = &body.shared.settings;
        let mut attendant = Self {
            lines: Lines::new(settings.max_frame),
            due: Some(born + settings.start_up),
            body,
            worker: start.worker,
            mail,
            desk: Desk::new(start.facts, start.store),
            talk: Talk::new(),
            sending: (Vec::new(), 0),
            held: Vec::new(),
            lease: LeaseId::new(0),
            tenancy: Tenancy::Nobody,
            home: None,
            errand: None,
            restored: None,
            trials: 0,
            unborn,
            done: Done::No,
            fallen: None,
            sign: born,
            steps: 0,
            cpu_before: Duration::ZERO,
            stopping: Stopping::No,
            has_mail: true,
        };
        while attendant.turn() == Goes::On {}
    }

    /// Does what there is to do, then waits for more.
    fn turn(&mut self) -> Goes {
        let mails = if self.has_mail { self.mail.take() } else { Vec::new() };
        self.see_ordered();
        for mail in mails {
            match mail {
                Mail::Wake => {}
                Mail::Order((lease, order)) => self.order(lease, order),
                Mail::Kill | Mail::Hangup => {
                    self.stopping = Stopping::Yes;
                    self.body.terminate(Instant::now());
                }
            }
        }
        if self.body.child.is_none() {
            return self.without_child();
        }
        self.write();
        let writing = if self.sending.0.is_empty() { Writing::Idle } else { Writing::Waiting };
        let until = self.deadline();
        // What it prints before its first trial is that trial's.
        let reading = if self.trials > 0 { Reading::Both } else { Reading::Nothing };
        let ready = wait(&self.mail, self.body.child.as_ref(), &self.body.streams, writing, reading, until);
        self.has_mail = ready.mail;
        self.body.read(ready.streams, |_| {});
        if ready.socket || ready.ended {
            self.hear_all();
        }
        if ready.ended {
            return self.ended();
        }
        self.on_time(Instant::now());
        Goes::On
    }

    /// A worker that couldn't be started says so to the trial that wants it, and goes when it is told to. One that has fallen goes
    /// with its trial.
    fn without_child(&mut self) -> Goes {
        if self.stopping == Stopping::Yes || (self.fallen.is_some() && self.tenancy == Tenancy::Over) {
            return Goes::Away;
        }
        self.has_mail = wait(&self.mail, None, &self.body.streams, Writing::Idle, Reading::Both, None).mail;
        Goes::On
    }

    /// Takes note of a step that was ordered past it.
    pub(super) fn see_ordered(&mut self) {
        let Some(Ordered { limits, spare, rest }) = self.mail.express.ordered() else { return };
        self.desk.begin_batch(limits, spare);
        self.talk.ask(Awaited::Results { most: limits.reports.get() });
        self.sending.0.extend(rest);
    }

    pub(super) fn ask(&mut self, order: Order, awaited: Awaited) {
        if let Some(fault) = self.fallen.take() {
            return self.fail(fault);
        }
        self.send(order);
        self.talk.ask(awaited);
        if self.talk.awaited() == Some(awaited) {
            let limits = self.body.shared.settings.limits;
            self.body.clocks.asked(&limits, Instant::now());
        }
    }

    pub(super) fn send(&mut self, order: Order) {
        let frame = ToWorker { lease: self.talk.lease(), order };
        let to = if self.talk.hello().is_some() { &mut self.sending.0 } else { &mut self.held };
        if let Err(error) = encode(&frame, to) {
            self.fail(Fault::new(FailureKind::SetupFailed, format!("an order can't be said in JSON: {error}")));
        }
    }

    /// Writes what the socket takes.
    pub(super) fn write(&mut self) {
        let Some(socket) = self.body.child.as_ref().and_then(|child| child.socket.as_deref()) else { return };
        let (bytes, written) = &mut self.sending;
        while *written < bytes.len() {
            match (&*socket).write(&bytes[*written..]) {
                Ok(count) => *written += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // It has closed its end, or is gone: what it says, or its end, comes next.
                Err(_) => break,
            }
        }
        bytes.clear();
        *written = 0;
    }
}

/// Whether an attendant goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    On,
    Away,
}

fn directory(writer: &mut CheckpointWriter) -> Result<PathBuf, Fault> {
    let failed = |error| Fault::new(FailureKind::SaveFailed, error_chain(&error));
    writer.directory().map(absolute).map_err(failed)
}

/// The worker works elsewhere.
fn absolute(path: &Path) -> PathBuf {
    super::program::from_here(path).into()
}
