//! The port: who dials in is let in by the token, introduces itself, and is connected with its conversation.

use std::collections::HashMap;
use std::net::TcpListener as StdListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{Either, select};
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
use crate::edge::host;
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
/// How long an agent may take to kill its worker.
const KILL: Duration = Duration::from_secs(20);
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
    /// Jobs that are gone, by the word of whoever was asked for them.
    ended: Mutex<HashMap<u64, String>>,
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
            ended: Mutex::default(),
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

    /// The system that was asked for a job says that it is gone: nobody comes back to a connection that breaks.
    pub(super) fn lose_job(&self, job: u64, words: &str) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(job, words.to_owned());
        let lost: Vec<_> =
            self.peers().values().filter(|peer| peer.hello.job == Some(job) && !peer.is_connected()).cloned().collect();
        for peer in &lost {
            self.lose_with_job(peer);
        }
    }

    /// Gives up a worker whose job is gone. Whether it is.
    fn lose_with_job(&self, peer: &Arc<Peer>) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(words) = peer.hello.job.and_then(|job| ended.get(&job)).cloned() else { return false };
        drop(ended);
        peer.lose(
            FailureKind::WorkerLost,
            &format!("the job of the worker on {} is gone: {words}", peer.hello.process),
        );
        self.forget(peer);
        true
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
        let now = host::since_1970().as_secs_f64();
        match (known, &hello.session) {
            (Some(peer), Some(session)) if *session == self.welcome.session && !peer.is_gone() => {
                let welcome = Welcome { heard: peer.outbox.heard(), now, ..self.welcome.clone() };
                Ok((peer, welcome))
            }
            // Its welcome was lost on the way.
            (Some(peer), None) if !peer.is_gone() && peer.outbox.heard() == 0 => {
                let shape = hello.shape.or_else(|| Some(self.default_shape.clone()));
                Ok((peer, Welcome { shape, now, ..self.welcome.clone() }))
            }
            (_, Some(session)) => {
                let may = if *session == self.welcome.session { Again::Afresh } else { Again::Anew };
                Err(Refusal { why: "this engine doesn't know its worker any more".to_owned(), may })
            }
            (Some(_), None) => Err(refused("another agent has this name".to_owned())),
            (None, None) if hello.heard > 0 => Err(refused("it has heard what was never said".to_owned())),
            (None, None) if too_many_gpus(&hello) => Err(refused(format!("more than {MOST_GPUS} GPUs"))),
            (None, None) => {
                let join = JoinId::new(self.joins.fetch_add(1, Ordering::Relaxed));
                let shape = hello.shape.clone().unwrap_or_else(|| self.default_shape.clone());
                let welcome = Welcome { shape: Some(shape.clone()), now, ..self.welcome.clone() };
                let agent = hello.agent.clone();
                if let Some((launches, job)) = self.launches.get().zip(hello.job) {
                    launches.joined(job, shape.clone());
                }
                let keeps = hello.keeps;
                let stays = if hello.job.is_some() { Stays::WhileNeeded } else { Stays::ToTheEnd };
                let peer = Arc::new(Peer::new(join, hello));
                self.peers().insert(agent, peer.clone());
                if let Some(news) = self.news.get() {
                    let slot = Arc::new(slot(&shape));
                    news.say(JoinNews::Joined { join, shape, slot, stays, keeps });
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

/// More GPUs than any machine has.
const MOST_GPUS: u32 = 65_536;

fn too_many_gpus(hello: &Hello) -> bool {
    let most = Amount::whole(MOST_GPUS);
    hello.shape.as_ref().is_some_and(|shape| shape.total().get("gpu") > most)
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
        used = used.saturating_add(parts);
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
        let stream = match select(accepted, over).await {
            Either::Left((Ok((stream, _)), _)) => stream,
            // Without descriptors nobody can be let in for a moment: those who are here go on.
            Either::Left((Err(error), _)) => {
                hub.warn(&error.to_string());
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            Either::Right(_) if hub.over.load(Ordering::Acquire) => break,
            Either::Right(_) => continue,
        };
        let Ok(permit) = strangers.clone().try_acquire_owned() else {
            hub.warn("too many dial in at once");
            continue;
        };
        let (acceptor, hub) = (acceptor.clone(), hub.clone());
        tokio::spawn(async move {
            let introduced = timeout(INTRODUCTION, let_in(stream, &acceptor, &hub)).await;
            drop(permit);
            match introduced {
                Ok(Ok((socket, hello))) => {
                    if let Err(why) = meet(socket, hello, &hub).await {
                        hub.warn(&why);
                    }
                }
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

/// Lets somebody in who has the token, and hears who it is.
#[expect(clippy::result_large_err, reason = "the error is an HTTP response, as the crate has it")]
async fn let_in(stream: TcpStream, acceptor: &TlsAcceptor, hub: &Hub) -> Result<(Socket, Hello), String> {
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
    Ok((socket, hello?))
}

/// Answers somebody who has introduced itself, and stays with it.
async fn meet(mut socket: Socket, hello: Hello, hub: &Hub) -> Result<(), String> {
    if hello.probe {
        let now = host::since_1970().as_secs_f64();
        return say(&mut socket, &Answer::Welcome(Box::new(Welcome { now, ..hub.welcome.clone() }))).await;
    }
    let heard = hello.heard;
    let introduced = hub.introduce(hello).and_then(|(peer, welcome)| {
        let connection = peer.outbox.take_over(heard).map_err(|why| Refusal { why, may: Again::Never })?;
        peer.rewind();
        Ok((peer, connection, welcome))
    });
    match introduced {
        Ok((peer, connection, welcome)) => {
            attend(socket, &peer, connection, welcome, hub).await;
            Ok(())
        }
        Err(refusal) => {
            let why = refusal.why.clone();
            say(&mut socket, &refusal.into()).await?;
            Err(why)
        }
    }
}

async fn say(socket: &mut Socket, answer: &Answer) -> Result<(), String> {
    let text = serde_json::to_string(answer).map_err(|error| error.to_string())?;
    let sent = timeout(INTRODUCTION, socket.send(Message::text(text))).await;
    sent.map_err(|_| "it didn't take the answer".to_owned())?.map_err(|error| error.to_string())
}

/// Stays with an agent until its connection is over, and waits for another one if it broke.
async fn attend(mut socket: Socket, peer: &Arc<Peer>, connection: u64, welcome: Welcome, hub: &Hub) {
    peer.set_connected(true);
    let parted = match say(&mut socket, &Answer::Welcome(Box::new(welcome))).await {
        Ok(()) => {
            let hears = Hears(peer);
            let talk = std::pin::pin!(converse(socket, connection, &peer.outbox, &hears, hub.heartbeat));
            let ends = std::pin::pin!(overdue(peer));
            match select(talk, ends).await {
                Either::Left((parted, _)) => parted,
                Either::Right(_) => Parted::Wrong("it didn't end when it was told to".to_owned()),
            }
        }
        Err(why) => Parted::Broken(why),
    };
    if peer.outbox.is_current(connection) {
        peer.set_connected(false);
    }
    match parted {
        Parted::Replaced => {}
        Parted::Finished => hub.forget(peer),
        Parted::Wrong(why) => {
            peer.lose(FailureKind::Protocol, &format!("the worker on {}: {why}", peer.hello.process));
            hub.forget(peer);
        }
        Parted::Broken(_) if peer.is_gone() => hub.forget(peer),
        Parted::Broken(_) if hub.lose_with_job(peer) => {}
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

/// A worker that is to be killed has had its time.
async fn overdue(peer: &Peer) {
    peer.to_be_killed().await;
    tokio::time::sleep(KILL).await;
}
