//! The supervisor of one worker process that speaks the protocol: orders become frames, and frames what the machine is told.

mod end;
mod facts;
mod orders;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::contain::contain_fault;
use super::super::context::WorkerContext;
use super::super::thread::Farewell;
use super::body::Body;
use super::fast_path::Ordered;
use super::mailbox::{Mail, Mailbox};
use super::place::Home;
use super::watch::{Reading, Writing, wait};
use crate::edge::deadline;
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::ids::WorkerId;
use crate::logic::trial::{Rests, WorkerOrder};
use crate::logic::wire::{Awaited, Lines, Order, ProtocolState, ToWorker, encode};
use crate::logic::worker::WorkerInput;
use crate::ports::backend::WorkerStart;
use crate::ports::store::{CheckpointReader, CheckpointWriter};

/// So many log messages a worker may send before it is given more credit.
const LOG_CREDIT: u32 = 64;
/// So long a worker may live on after it has closed its end of the conversation.
const LINGER: Duration = Duration::from_secs(1);

/// A save that waits for the worker's word.
#[derive(Debug)]
enum Pending {
    Save {
        writer: CheckpointWriter,
        export: Arc<[String]>,
    },
    /// With the bytes of the checkpoint that was written before. The last of those formats is under way.
    Export {
        saved: Option<u64>,
        formats: Vec<String>,
    },
}

/// Stands between the engine and one worker process.
pub(super) struct ProcessSupervisor {
    body: Body,
    id: WorkerId,
    mail: Arc<Mailbox>,
    context: WorkerContext,
    protocol: ProtocolState,
    lines: Lines,
    /// Frames on their way, and how much of them has been written.
    sending: (Vec<u8>, usize),
    /// Frames that wait for the worker's `hello`.
    held: Vec<u8>,
    home: Option<Home>,
    pending: Option<Pending>,
    /// The checkpoint that the trial went on from: its directory may be a temporary one, and a function that reports looks
    /// into it only when it runs.
    restored: Option<CheckpointReader>,
    /// How many trials it has had, the one that it has included.
    trials: u64,
    /// Why it couldn't be started.
    unborn: Option<Fault>,
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
enum Stopping {
    No,
    Yes,
}

impl ProcessSupervisor {
    /// Goes on, on the supervisor's own thread, from when the worker is wanted to its end.
    pub(super) fn run(body: Body, unborn: Option<Fault>, born: Instant, start: WorkerStart, mail: Arc<Mailbox>) {
        // It is dropped last: whoever hears that the worker is gone finds nothing of it any more.
        let _farewell = Farewell(start.facts.clone());
        let settings = &body.shared.settings;
        let context = WorkerContext::new(Rests::WhenReleased, start.facts, start.store, mail.leases.clone());
        let mut supervisor = Self {
            lines: Lines::new(settings.max_frame),
            due: Some(deadline::after(born, settings.start_up)),
            context: context.with_limits(settings.limits),
            body,
            id: start.worker,
            mail,
            protocol: ProtocolState::new(),
            sending: (Vec::new(), 0),
            held: Vec::new(),
            home: None,
            pending: None,
            restored: None,
            trials: 0,
            unborn,
            sign: born,
            steps: 0,
            cpu_before: Duration::ZERO,
            stopping: Stopping::No,
            has_mail: true,
        };
        while supervisor.turn() == Goes::On {}
    }

    /// Does what there is to do, then waits for more.
    fn turn(&mut self) -> Goes {
        let mails = if self.has_mail { self.mail.take() } else { Vec::new() };
        self.see_ordered();
        for mail in mails {
            match mail {
                Mail::Wake => {}
                Mail::Order((lease, order)) => self.tell(WorkerInput::Order(lease, order)),
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
        if self.stopping == Stopping::Yes {
            return Goes::Away;
        }
        self.has_mail = wait(&self.mail, None, &self.body.streams, Writing::Idle, Reading::Both, None).mail;
        Goes::On
    }

    /// Tells the machine something, and does what it wants then.
    fn tell(&mut self, input: WorkerInput) {
        let served = self.context.worker().serves();
        self.context.on(input);
        if served && self.context.worker().has_failed() {
            self.over();
        }
        if self.context.take_hurry() {
            self.send(Order::Hurry {});
        }
        let Some(call) = self.context.take_call() else { return };
        // The store may be a user's.
        if let Err(fault) = contain_fault(|| self.make(call)) {
            self.fail(fault);
        }
    }

    /// Takes note of a step that was ordered past it.
    fn see_ordered(&mut self) {
        let Some(Ordered { lease, limits, spare, rest }) = self.mail.fast_path.ordered() else { return };
        self.protocol.ask(Awaited::Results { most: limits.reports.get() });
        self.sending.0.extend(rest);
        self.tell(WorkerInput::Order(lease, WorkerOrder::Train { limits, spare }));
    }

    fn ask(&mut self, order: Order, awaited: Awaited) {
        self.send(order);
        self.protocol.ask(awaited);
        if self.protocol.awaited() == Some(awaited) {
            let limits = self.body.shared.settings.limits;
            self.body.clocks.asked(&limits, Instant::now());
        }
    }

    fn send(&mut self, order: Order) {
        let frame = ToWorker { lease: self.protocol.lease(), order };
        let to = if self.protocol.hello().is_some() { &mut self.sending.0 } else { &mut self.held };
        if let Err(error) = encode(&frame, to) {
            self.fail(Fault::new(FailureKind::SetupFailed, format!("an order can't be said in JSON: {error}")));
        }
    }

    /// Writes what the socket takes.
    fn write(&mut self) {
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

/// Whether a supervisor goes on.
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
