//! Orders in, facts out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::WorkerError;
use crate::logic::wire::{FACTS_VARIABLE, Fact, FromWorker, Lines, MAX_FRAME, Order, ToWorker, decode, encode};

/// Where facts go: the working thread's, and the heart's.
#[derive(Debug)]
pub(super) struct Facts {
    to: Box<dyn WriteFacts>,
    buffer: Vec<u8>,
    max_frame: usize,
}

trait WriteFacts: Write + Send + std::fmt::Debug {}
impl<W: Write + Send + std::fmt::Debug> WriteFacts for W {}

impl Facts {
    /// Says a fact. One that is longer than a frame may be is said to be so.
    fn say(&mut self, lease: u64, fact: Fact) -> Result<(), WorkerError> {
        self.buffer.clear();
        let name = fact.name();
        let failed =
            |source: serde_json::Error| WorkerError::Line { action: "can't say a fact", source: source.into() };
        encode(&FromWorker { lease, fact }, &mut self.buffer).map_err(failed)?;
        if self.buffer.len() > self.max_frame {
            let (bytes, most) = (self.buffer.len(), self.max_frame);
            let message =
                format!("`{name}` has {bytes} bytes, of {most} at most: report less at once, or raise `max_frame`");
            let kind = crate::logic::wire::FaultKind::Error;
            self.buffer.clear();
            let fact = Fact::Failed { kind, message, place: None, trace: None };
            encode(&FromWorker { lease, fact }, &mut self.buffer).map_err(failed)?;
        }
        let written = self.to.write_all(&self.buffer).and_then(|()| self.to.flush());
        written.map_err(|source| WorkerError::Line { action: "the engine doesn't take facts any more", source })
    }
}

/// The engine's end, as the heart has it.
#[derive(Clone, Debug)]
pub(super) struct Mouth(Arc<Mutex<Facts>>);

impl Mouth {
    pub(super) fn say(&self, lease: u64, fact: Fact) -> Result<(), WorkerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).say(lease, fact)
    }
}

/// The conversation with the engine.
#[derive(Debug)]
pub(super) struct Line {
    socket: UnixStream,
    mouth: Mouth,
    lines: Lines,
    orders: VecDeque<ToWorker>,
    /// For what is read.
    buffer: Vec<u8>,
}

impl Line {
    /// Takes over what the engine has left in standard input's place.
    pub(super) fn open() -> Result<Self, WorkerError> {
        let facts = std::env::var(FACTS_VARIABLE).map_err(|_| WorkerError::Alone)?;
        let failed = |action| move |source| WorkerError::Line { action, source };
        // A copy that no other program inherits; in its place comes nothing, so that nobody eats the engine's words.
        let orders = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed("can't take standard input"))?;
        let to: Box<dyn WriteFacts> = if facts == "0" {
            Box::new(UnixStream::from(orders.try_clone().map_err(failed("can't take standard input"))?))
        } else {
            let path = format!("/dev/fd/{facts}");
            Box::new(File::options().write(true).open(path).map_err(failed("can't open the descriptor for facts"))?)
        };
        let nothing = File::open("/dev/null").map_err(failed("can't open `/dev/null`"))?;
        rustix::stdio::dup2_stdin(nothing).map_err(|error| failed("can't close standard input")(error.into()))?;
        let facts = Facts { to, buffer: Vec::new(), max_frame: MAX_FRAME };
        Ok(Self {
            socket: UnixStream::from(orders),
            mouth: Mouth(Arc::new(Mutex::new(facts))),
            lines: Lines::new(MAX_FRAME),
            orders: VecDeque::new(),
            buffer: vec![0; 64 << 10],
        })
    }

    pub(super) fn mouth(&self) -> Mouth {
        self.mouth.clone()
    }

    /// The engine's end, to watch over.
    pub(super) fn watch(&self) -> Result<OwnedFd, WorkerError> {
        let copy = self.socket.as_fd().try_clone_to_owned();
        copy.map_err(|source| WorkerError::Line { action: "can't watch over the engine", source })
    }

    pub(super) fn max_frame(&mut self, bytes: usize) {
        self.mouth.0.lock().unwrap_or_else(PoisonError::into_inner).max_frame = bytes;
    }

    pub(super) fn say(&self, lease: u64, fact: Fact) -> Result<(), WorkerError> {
        self.mouth.say(lease, fact)
    }

    /// Waits for the next order. None if the engine is gone.
    pub(super) fn next(&mut self) -> Result<Option<ToWorker>, WorkerError> {
        while self.orders.is_empty() {
            self.wait();
            if !self.read()? {
                return Ok(None);
            }
        }
        Ok(self.orders.pop_front())
    }

    /// The next order, if it has come already; it stays the next.
    pub(super) fn peek(&mut self) -> Result<Option<&Order>, WorkerError> {
        if self.orders.is_empty() && self.is_readable() {
            self.read()?;
        }
        Ok(self.orders.front().map(|next| &next.order))
    }

    /// The next order, if it has been read already.
    pub(super) fn known(&self) -> Option<&Order> {
        self.orders.front().map(|next| &next.order)
    }

    fn is_readable(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Waits for the engine's words. A thread that waits in `read` would also be woken whenever the engine takes what was
    /// written to it.
    fn wait(&self) {
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        // What goes wrong here is seen when it is read.
        let _ = poll(&mut polled, None);
    }

    /// Reads what is there, or waits for it. False at the end.
    fn read(&mut self) -> Result<bool, WorkerError> {
        let count = match self.socket.read(&mut self.buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(true),
            Err(source) => return Err(WorkerError::Line { action: "can't hear the engine any more", source }),
        };
        self.lines.push(&self.buffer[..count]);
        let wrong = |error: &dyn std::fmt::Display| WorkerError::Protocol(error.to_string());
        while let Some(line) = self.lines.next_line().map_err(|error| wrong(&error))? {
            let order: ToWorker = decode(line).map_err(|error| wrong(&error))?;
            self.orders.push_back(order);
        }
        Ok(count > 0)
    }
}
