//! One connection: what is to be said goes out, what comes in is handed on, until it breaks.

use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::outbox::{LONGEST, Next, Outbox, alive};

/// So much is read at once: a TLS record has no more. It is cleared each time, and each connection has one.
const READ: usize = 16 << 10;

pub(super) fn websocket() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST)).read_buffer_size(READ)
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
