//! Listens on a run's socket: a thread that accepts, and one for each connection.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::executor::{block_on, block_on_stream};

use super::place::ControlSocket;
use crate::logic::api::{Answer, Refusal, Request};
use crate::ports::control::Controlled;

/// How long a client may take to read the last events when the run has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest line of a request, in bytes.
const LONGEST_REQUEST: u64 = 1 << 20;

/// So many clients at once; more are refused with words.
const MOST_CONNECTIONS: usize = 64;

/// Answers requests on a run's socket as long as it lives. Dropping it closes all connections and removes the socket.
#[derive(Debug)]
pub struct ControlServer {
    socket: ControlSocket,
    connections: Arc<Connections>,
    accepting: Option<JoinHandle<()>>,
}

/// The open connections, by number.
#[derive(Debug, Default)]
struct Connections {
    open: Mutex<Open>,
    /// One is gone.
    gone: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    closing: bool,
    next: u64,
    streams: HashMap<u64, UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self, how: Shutdown) {
        for stream in self.lock().streams.values() {
            // It may be closed already.
            let _ = stream.shutdown(how);
        }
    }
}

impl ControlServer {
    /// Answers on this socket for a run.
    ///
    /// # Errors
    /// If the machine has no descriptor or thread left.
    pub fn start(socket: ControlSocket, controlled: Arc<dyn Controlled>) -> io::Result<Self> {
        let listener = socket.listener.try_clone()?;
        let connections = Arc::new(Connections::default());
        let shared = connections.clone();
        let accept = move || accept(&listener, &shared, &controlled);
        let accepting = std::thread::Builder::new().name("tryout-control".to_owned()).spawn(accept)?;
        Ok(Self { socket, connections, accepting: Some(accepting) })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.connections.lock().closing = true;
        // Wakes the thread that accepts.
        let woken = UnixStream::connect(self.socket.path());
        if let (Ok(_), Some(accepting)) = (woken, self.accepting.take()) {
            let _ = accepting.join();
        }
        // Nobody asks any more. Those who watch may read to the end; who doesn't read at all isn't waited for.
        self.connections.shut(Shutdown::Read);
        let open = self.connections.lock();
        let left = self.connections.gone.wait_timeout_while(open, PATIENCE, |open| !open.streams.is_empty());
        drop(left);
        self.connections.shut(Shutdown::Both);
        let threads = std::mem::take(&mut self.connections.lock().threads);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &UnixListener, connections: &Arc<Connections>, controlled: &Arc<dyn Controlled>) {
    for stream in listener.incoming() {
        if connections.lock().closing {
            return;
        }
        match stream.and_then(|stream| connect(stream, connections, controlled)) {
            Ok(()) => {}
            // Out of descriptors or threads: this client isn't served, the next may be.
            Err(error) => log::warn!("a connection to the control socket was refused: {error}"),
        }
    }
}

fn connect(stream: UnixStream, connections: &Arc<Connections>, controlled: &Arc<dyn Controlled>) -> io::Result<()> {
    let who = check_user(&stream)?;
    let mut open = connections.lock();
    if open.streams.len() >= MOST_CONNECTIONS {
        drop(open);
        return refuse(&stream, Refusal::Impossible, format!("{MOST_CONNECTIONS} clients are connected already"));
    }
    let number = open.next;
    open.next += 1;
    open.streams.insert(number, stream.try_clone()?);
    open.threads.retain(|thread| !thread.is_finished());
    let (shared, controlled) = (connections.clone(), controlled.clone());
    let serve = move || {
        if let Err(error) = serve(&stream, &*controlled, &who) {
            log::debug!("a connection to the control socket ended: {error}");
        }
        shared.lock().streams.remove(&number);
        shared.gone.notify_all();
    };
    match std::thread::Builder::new().name("tryout-client".to_owned()).spawn(serve) {
        Ok(thread) => {
            open.threads.push(thread);
            Ok(())
        }
        Err(error) => {
            open.streams.remove(&number);
            Err(error)
        }
    }
}

/// Only the user that the run belongs to, and root, are served. Answers what is known of who asks.
#[cfg(target_os = "linux")]
fn check_user(stream: &UnixStream) -> io::Result<String> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?;
    let (peer, pid) = (peer.uid, peer.pid);
    if peer.is_root() || peer == rustix::process::getuid() {
        return Ok(format!("process {}", pid.as_raw_nonzero()));
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {} isn't the one of this run", peer.as_raw())))
}

/// The directory of the socket lets nobody else in.
#[cfg(not(target_os = "linux"))]
fn check_user(_: &UnixStream) -> io::Result<String> {
    Ok("another process".to_owned())
}

/// Answers requests, one line each, until the client is gone.
fn serve(stream: &UnixStream, controlled: &dyn Controlled, who: &str) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if (&mut reader).take(LONGEST_REQUEST + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 > LONGEST_REQUEST {
            let why = format!("the request is longer than {LONGEST_REQUEST} bytes");
            return refuse(stream, Refusal::Malformed, why);
        }
        let request = std::str::from_utf8(&line).map_err(|error| error.to_string());
        match request.and_then(|text| serde_json::from_str::<Request>(text).map_err(|error| error.to_string())) {
            Err(why) => refuse(stream, Refusal::Malformed, format!("the request can't be read: {why}"))?,
            Ok(request) => match request.asker() {
                (_, Request::Watch) => return watch(stream, controlled),
                (by, request) if request.acts() => {
                    let request = request.by(by.as_deref().unwrap_or(who));
                    send(stream, &block_on(controlled.answer(request)))?;
                }
                (_, request) => send(stream, &block_on(controlled.answer(request)))?,
            },
        }
    }
}

fn watch(stream: &UnixStream, controlled: &dyn Controlled) -> io::Result<()> {
    let events = controlled.watch();
    send(stream, &Answer::Done { trial: None })?;
    block_on_stream(events).try_for_each(|event| send(stream, &event))
}

fn refuse(stream: &UnixStream, code: Refusal, why: String) -> io::Result<()> {
    send(stream, &Answer::Refused { code, why })
}

fn send(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}
