//! The port: who dials in is let in by the token, introduces itself, and is connected with its conversation.

use std::collections::HashMap;
use std::net::TcpListener as StdListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::connection::{Parted, converse, websocket};
use super::frame::{Again, Answer, Hello, Refusal, Welcome};
use super::join_file::PROTOCOL;
use super::peer::{Hears, Peer};
use crate::edge::launch::LaunchDriver;
use crate::edge::secret::Secret;
use crate::logic::failure::FailureKind;
use crate::logic::ids::JoinId;
use crate::logic::once_in_a_while::OnceInAWhile;
use crate::logic::one_line::OneLine;
use crate::logic::pool::{Amount, ResourceRequest, Slot, Stays};
use crate::logic::time::Moment;
use crate::ports::elsewhere::{JoinNews, JoinSink};

/// How long somebody may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// So many may be about to introduce themselves at once.
const STRANGERS: usize = 256;
/// How long those who are here may take to hear that the run is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all connections share.
pub(super) struct Hub {
    pub(super) token: Secret,
    pub(super) welcome: Welcome,
    pub(super) heartbeat: Duration,
    pub(super) reconnect_for: Duration,
    pub(super) default_shape: Arc<ResourceRequest>,
    pub(super) news: OnceLock<JoinSink>,
    /// Who is asked for workers, if somebody is.
    pub(super) launches: OnceLock<LaunchDriver>,
    /// By the names that agents drew.
    peers: Mutex<HashMap<String, Arc<Peer>>>,
    joins: AtomicU64,
    over: AtomicBool,
    changed: Notify,
    refused: Mutex<OnceInAWhile>,
    began: Instant,
}

impl Hub {
    pub(super) fn new(token: Secret, welcome: Welcome, default_shape: Arc<ResourceRequest>) -> Self {
        Self {
            token,
            heartbeat: Duration::from_secs_f64(welcome.heartbeat),
            reconnect_for: Duration::from_secs_f64(welcome.reconnect_for),
            welcome,
            default_shape,
            news: OnceLock::new(),
            launches: OnceLock::new(),
            peers: Mutex::default(),
            joins: AtomicU64::new(0),
            over: AtomicBool::new(false),
            changed: Notify::new(),
            refused: Mutex::default(),
            began: Instant::now(),
        }
    }

    pub(super) fn peers(&self) -> MutexGuard<'_, HashMap<String, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer of somebody who would like to join.
    pub(super) fn peer(&self, join: JoinId) -> Option<Arc<Peer>> {
        self.peers().values().find(|peer| peer.join == join).cloned()
    }

    /// The run is over: whoever asks is told so.
    pub(super) fn close(&self) {
        self.over.store(true, Ordering::Release);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    fn forget(&self, peer: &Arc<Peer>) {
        self.peers().retain(|_, known| !Arc::ptr_eq(known, peer));
        if let Some((launches, job)) = self.launches.get().zip(peer.hello.job) {
            launches.left(job);
        }
        self.changed.notify_one();
    }

    /// Who this is: an agent that was here before, or a new one.
    fn introduce(&self, hello: Hello) -> Result<(Arc<Peer>, Welcome), Refusal> {
        let refused = |why: String| Refusal { why, may: Again::Never };
        if hello.protocol != PROTOCOL {
            let why = format!(
                "it speaks protocol {}, this run {PROTOCOL}: use the same version of tryout on both sides",
                hello.protocol
            );
            return Err(refused(why));
        }
        if self.over.load(Ordering::Acquire) {
            return Err(Refusal { why: "the run is over".to_owned(), may: Again::Over });
        }
        let known = self.peers().get(&hello.agent).cloned();
        match (known, &hello.session) {
            (Some(peer), Some(session)) if *session == self.welcome.session && !peer.is_gone() => {
                let welcome = Welcome { heard: peer.outbox.heard(), ..self.welcome.clone() };
                Ok((peer, welcome))
            }
            (_, Some(_)) => {
                let why = "this engine doesn't know its worker any more".to_owned();
                Err(Refusal { why, may: Again::Anew })
            }
            (Some(_), None) => Err(refused("another agent has this name".to_owned())),
            (None, None) => {
                let join = JoinId::new(self.joins.fetch_add(1, Ordering::Relaxed));
                let shape = hello.shape.clone().unwrap_or_else(|| self.default_shape.clone());
                let welcome = Welcome { shape: Some(shape.clone()), ..self.welcome.clone() };
                let agent = hello.agent.clone();
                if let Some((launches, job)) = self.launches.get().zip(hello.job) {
                    launches.joined(job, shape.clone());
                }
                let stays = if hello.job.is_some() { Stays::WhileNeeded } else { Stays::ToTheEnd };
                let peer = Arc::new(Peer::new(join, hello));
                self.peers().insert(agent, peer.clone());
                if let Some(news) = self.news.get() {
                    let slot = Arc::new(slot(&shape));
                    news.say(JoinNews::Joined { join, shape, slot, stays });
                }
                Ok((peer, welcome))
            }
        }
    }

    fn warn(&self, why: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = refused.pass(Moment::new(self.began.elapsed())) {
            log::warn!("somebody who dialled in is refused: {}{more}", OneLine(why));
        }
    }
}

/// The resources of a worker of this shape: its GPUs are counted from 0 on its machine.
pub(super) fn slot(shape: &ResourceRequest) -> Slot {
    let one = Amount::whole(1).parts();
    let mut used = 0;
    let mut indices = |parts: u64| {
        if parts == 0 {
            return Vec::new();
        }
        // A part of a GPU lies on one that has room for it.
        if parts < one && used % one + parts > one {
            used = used.next_multiple_of(one);
        }
        let first = used / one;
        used += parts;
        (first..used.div_ceil(one)).map(|index| index as u32).collect()
    };
    let bundles = shape.as_bundles().to_vec();
    let gpus = bundles.iter().map(|bundle| indices(bundle.get("gpu").parts())).collect();
    Slot { bundles, gpus }
}

/// Listens until the run is over and those who are here have heard it.
pub(super) async fn listen(listener: StdListener, acceptor: TlsAcceptor, hub: Arc<Hub>) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let accepted = std::pin::pin!(listener.accept());
        let over = std::pin::pin!(hub.changed.notified());
        let stream = match futures::future::select(accepted, over).await {
            futures::future::Either::Left((Ok((stream, _)), _)) => stream,
            // Without descriptors nobody can be let in for a moment: those who are here go on.
            futures::future::Either::Left((Err(error), _)) => {
                hub.warn(&error.to_string());
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            futures::future::Either::Right(_) if hub.over.load(Ordering::Acquire) => break,
            futures::future::Either::Right(_) => continue,
        };
        let Ok(permit) = strangers.clone().try_acquire_owned() else {
            hub.warn("too many dial in at once");
            continue;
        };
        let (acceptor, hub) = (acceptor.clone(), hub.clone());
        tokio::spawn(async move {
            let introduced = timeout(INTRODUCTION, welcome(stream, &acceptor, &hub)).await;
            drop(permit);
            match introduced {
                Ok(Ok((socket, peer, connection))) => attend(socket, &peer, connection, &hub).await,
                Ok(Err(why)) => hub.warn(&why),
                Err(_) => hub.warn("it didn't say who it is within 10 s"),
            }
        });
    }
    drop(listener);
    let all_gone = async {
        while !hub.peers().is_empty() {
            hub.changed.notified().await;
        }
    };
    // Who isn't connected finds nobody when it comes back.
    let _ = timeout(FAREWELL, all_gone).await;
    Ok(())
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Lets somebody in.
#[expect(clippy::result_large_err, reason = "the error is an HTTP response, as the crate has it")]
async fn welcome(stream: TcpStream, acceptor: &TlsAcceptor, hub: &Hub) -> Result<(Socket, Arc<Peer>, u64), String> {
    // Frames are small, and somebody waits for each.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream = acceptor.accept(stream).await.map_err(|error| format!("TLS: {error}"))?;
    let check = |request: &Request, response: Response| {
        let said = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let token = said.and_then(|said| said.strip_prefix("Bearer "));
        if request.uri().path() == "/join" && token.is_some_and(|token| hub.token.is(token)) {
            return Ok(response);
        }
        let mut refused = ErrorResponse::new(Some("wrong token, or not /join".to_owned()));
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        Err(refused)
    };
    let accepted = tokio_tungstenite::accept_hdr_async_with_config(stream, check, Some(websocket())).await;
    let mut socket = accepted.map_err(|error| error.to_string())?;
    let hello = match socket.next().await {
        Some(Ok(Message::Text(text))) => {
            serde_json::from_str::<Hello>(text.as_str()).map_err(|error| error.to_string())
        }
        Some(Ok(_)) => Err("its first message isn't a text".to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("it left without a word".to_owned()),
    };
    let (hello, heard) = hello.map(|hello| (hello.clone(), hello.heard))?;
    let introduced = hub.introduce(hello).and_then(|(peer, welcome)| {
        let connection = peer.outbox.take_over(heard).map_err(|why| Refusal { why, may: Again::Never })?;
        peer.rewind();
        Ok((peer, connection, welcome))
    });
    let (answer, introduced) = match introduced {
        Ok((peer, connection, welcome)) => (Answer::Welcome(Box::new(welcome)), Ok((peer, connection))),
        Err(refusal) => {
            let why = refusal.why.clone();
            (refusal.into(), Err(why))
        }
    };
    let text = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
    socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
    let (peer, connection) = introduced?;
    Ok((socket, peer, connection))
}

/// Stays with an agent until its connection is over, and waits for another one if it broke.
async fn attend(socket: Socket, peer: &Arc<Peer>, connection: u64, hub: &Hub) {
    let parted = converse(socket, connection, &peer.outbox, &Hears(peer), hub.heartbeat).await;
    match parted {
        Parted::Replaced => {}
        Parted::Finished => hub.forget(peer),
        Parted::Broken(_) if peer.is_gone() && peer.outbox.is_heard() => hub.forget(peer),
        Parted::Broken(why) => {
            log::debug!("the connection with {} broke: {}", peer.hello.process, OneLine(&why));
            tokio::time::sleep(hub.reconnect_for).await;
            if peer.outbox.is_current(connection) {
                let words = format!(
                    "the worker on {} wasn't heard again within {} s: {why}",
                    peer.hello.process,
                    hub.reconnect_for.as_secs_f64()
                );
                peer.lose(FailureKind::WorkerLost, &words);
                hub.forget(peer);
            }
        }
    }
}
