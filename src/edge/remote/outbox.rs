//! What one end of a conversation has to say, until the other end has heard it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use super::frame::Envelope;
use crate::logic::link::{Heard, Link};

/// The longest message, both ways.
pub(super) const LONGEST: usize = 16 << 20;

/// So many bytes are handed to the connection at once before others get a turn.
const AT_ONCE: usize = 1 << 20;
/// What one end has to say, whichever connection carries it.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    inner: Mutex<Inner<T>>,
    pub(super) wake: Notify,
}

#[derive(Debug)]
struct Inner<T> {
    link: Link<T>,
    pieces: VecDeque<Vec<u8>>,
    /// Which connection speaks; older ones have nothing to say any more.
    connection: u64,
    /// The conversation is over as soon as everything is acknowledged.
    ending: bool,
    /// The other end is to hear at once how far it was heard.
    nudged: bool,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        let inner =
            Inner { link: Link::default(), pieces: VecDeque::new(), connection: 0, ending: false, nudged: false };
        Self { inner: Mutex::new(inner), wake: Notify::new() }
    }
}

/// What a connection does next.
pub(super) enum Next {
    Send(Vec<Message>),
    Wait,
    /// All was said and heard.
    Finish,
    /// Another connection has taken over.
    Leave,
}

impl<T: Serialize> Outbox<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn say(&self, frame: T) {
        self.lock().link.say(frame);
        self.wake.notify_one();
    }

    /// A piece of a file. It is lost with the connection: whoever gives files begins again where the other end stands.
    pub(super) fn give(&self, piece: Vec<u8>) {
        self.lock().pieces.push_back(piece);
        self.wake.notify_one();
    }

    /// Nothing more will be said.
    pub(super) fn end(&self) {
        self.lock().ending = true;
        self.wake.notify_one();
    }

    /// The other end is to hear at once how far it was heard.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.wake.notify_one();
    }

    pub(super) fn heard(&self) -> u64 {
        self.lock().link.heard()
    }

    /// Whether no later connection has taken over.
    pub(super) fn is_current(&self, connection: u64) -> bool {
        self.lock().connection == connection
    }

    /// A new connection takes over, whose other end has heard so many frames. Answers its number.
    pub(super) fn take_over(&self, heard: u64) -> Result<u64, String> {
        let mut inner = self.lock();
        inner.link.resume(heard).map_err(|error| error.to_string())?;
        inner.pieces.clear();
        inner.connection += 1;
        // An older one learns of it.
        self.wake.notify_waiters();
        self.wake.notify_one();
        Ok(inner.connection)
    }

    /// The other end is lost, and what was said to it: another one begins anew.
    pub(super) fn renew(&self) {
        let mut inner = self.lock();
        (inner.link, inner.pieces) = (Link::default(), VecDeque::new());
    }

    pub(super) fn next(&self, connection: u64) -> Result<Next, serde_json::Error> {
        let mut inner = self.lock();
        if inner.connection != connection {
            return Ok(Next::Leave);
        }
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while bytes < AT_ONCE {
            let Some((n, ack, say)) = inner.link.next_frame() else { break };
            let text = serde_json::to_string(&Envelope { n: Some(n), ack, say: Some(say) })?;
            if text.len() > LONGEST {
                return Err(serde::ser::Error::custom(format!("{} bytes, more than {LONGEST}", text.len())));
            }
            bytes += text.len();
            messages.push(Message::text(text));
        }
        // Results don't wait behind gigabytes.
        if bytes < AT_ONCE
            && let Some(piece) = inner.pieces.pop_front()
        {
            messages.push(Message::binary(piece));
        }
        if messages.is_empty()
            && std::mem::take(&mut inner.nudged)
            && let Some(heard) = inner.link.owed()
        {
            messages.push(alive(heard)?);
        }
        if !messages.is_empty() {
            return Ok(Next::Send(messages));
        }
        Ok(if inner.ending && inner.link.waiting() == 0 { Next::Finish } else { Next::Wait })
    }

    /// A frame has come. Answers it, if it is new.
    pub(super) fn hear<In>(&self, envelope: Envelope<In>) -> Result<Option<In>, String> {
        let mut inner = self.lock();
        inner.link.acknowledge(envelope.ack).map_err(|error| error.to_string())?;
        if inner.ending && inner.link.waiting() == 0 {
            self.wake.notify_one();
        }
        let (Some(n), Some(say)) = (envelope.n, envelope.say) else { return Ok(None) };
        let heard = inner.link.hear(n).map_err(|error| error.to_string())?;
        Ok((heard == Heard::New).then_some(say))
    }
}

pub(super) fn alive(ack: u64) -> Result<Message, serde_json::Error> {
    Ok(Message::text(serde_json::to_string(&Envelope::<()> { n: None, ack, say: None })?))
}
