//! One connection: what is to be said goes out, what comes in is handed on, until it breaks.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frame::Envelope;
use crate::logic::link::{Heard, Link};

/// So many bytes are handed to the connection at once before others get a turn.
const AT_ONCE: usize = 1 << 20;
/// The longest message, both ways.
const LONGEST: usize = 16 << 20;

/// So much is read at once: a TLS record has no more. It is cleared each time, and each connection has one.
const READ: usize = 16 << 10;

pub(super) fn websocket() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST)).read_buffer_size(READ)
}

/// What one end has to say, whichever connection carries it.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    inner: Mutex<Inner<T>>,
    wake: Notify,
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
enum Next {
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
    fn nudge(&self) {
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

    fn next(&self, connection: u64) -> Result<Next, serde_json::Error> {
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
    fn hear<In>(&self, envelope: Envelope<In>) -> Result<Option<In>, String> {
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

fn alive(ack: u64) -> Result<Message, serde_json::Error> {
    Ok(Message::text(serde_json::to_string(&Envelope::<()> { n: None, ack, say: None })?))
}

/// Takes what comes in.
pub(super) trait Listener<In> {
    /// A frame. Whether the other end is to hear at once that it has arrived.
    fn on_frame(&self, frame: In) -> bool;

    /// A piece of a file, with its head.
    fn on_piece(&self, piece: &[u8]);
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parted {
    /// All was said and heard.
    Finished,
    /// Another connection has taken over.
    Replaced,
    /// It has ended, or broken: how.
    Broken(String),
    /// What was said can't be, and would be said again over every other connection.
    Wrong(String),
}

/// Speaks and listens until the connection is over.
pub(super) async fn converse<S, Out, In>(
    socket: WebSocketStream<S>,
    connection: u64,
    outbox: &Outbox<Out>,
    listener: &impl Listener<In>,
    heartbeat: Duration,
) -> Parted
where
    S: AsyncRead + AsyncWrite + Unpin,
    Out: Serialize,
    In: DeserializeOwned,
{
    let (sink, stream) = socket.split();
    let speaks = std::pin::pin!(speak(sink, connection, outbox, heartbeat));
    let listens = std::pin::pin!(listen(stream, outbox, listener, heartbeat * 4));
    match select(speaks, listens).await {
        Either::Left((parted, _)) | Either::Right((parted, _)) => parted,
    }
}

async fn speak<S, Out>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    connection: u64,
    outbox: &Outbox<Out>,
    heartbeat: Duration,
) -> Parted
where
    S: AsyncRead + AsyncWrite + Unpin,
    Out: Serialize,
{
    loop {
        let said = match outbox.next(connection) {
            Err(error) => return Parted::Wrong(format!("something can't be said: {error}")),
            Ok(Next::Leave) => return Parted::Replaced,
            Ok(Next::Finish) => {
                // The other end may have closed it already.
                let _ = sink.close().await;
                return Parted::Finished;
            }
            Ok(Next::Send(messages)) => send(&mut sink, messages).await,
            Ok(Next::Wait) => match tokio::time::timeout(heartbeat, outbox.wake.notified()).await {
                Ok(()) => Ok(()),
                Err(_) => match alive(outbox.heard()) {
                    Ok(sign) => send(&mut sink, vec![sign]).await,
                    Err(error) => Err(error.to_string()),
                },
            },
        };
        if let Err(why) = said {
            return Parted::Broken(why);
        }
    }
}

async fn send<S>(sink: &mut SplitSink<WebSocketStream<S>, Message>, messages: Vec<Message>) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for message in messages {
        sink.feed(message).await.map_err(|error| error.to_string())?;
    }
    sink.flush().await.map_err(|error| error.to_string())
}

async fn listen<S, Out, In>(
    mut stream: SplitStream<WebSocketStream<S>>,
    outbox: &Outbox<Out>,
    listener: &impl Listener<In>,
    silence: Duration,
) -> Parted
where
    S: AsyncRead + AsyncWrite + Unpin,
    Out: Serialize,
    In: DeserializeOwned,
{
    loop {
        let message = match tokio::time::timeout(silence, stream.next()).await {
            Err(_) => return Parted::Broken(format!("nothing was heard for {} s", silence.as_secs_f64())),
            Ok(None) => return Parted::Broken("the connection was closed".to_owned()),
            Ok(Some(Err(error @ Error::Capacity(_)))) => return Parted::Wrong(error.to_string()),
            Ok(Some(Err(error))) => return Parted::Broken(error.to_string()),
            Ok(Some(Ok(message))) => message,
        };
        let heard = match &message {
            Message::Text(text) => serde_json::from_str(text.as_str())
                .map_err(|error| format!("what was said isn't understood: {error}"))
                .and_then(|envelope| outbox.hear(envelope)),
            Message::Binary(piece) => {
                listener.on_piece(piece);
                Ok(None)
            }
            Message::Close(_) => return Parted::Broken("the connection was closed".to_owned()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        };
        match heard {
            Err(why) => return Parted::Wrong(why),
            Ok(Some(frame)) => {
                if listener.on_frame(frame) {
                    outbox.nudge();
                }
            }
            Ok(None) => {}
        }
    }
}
