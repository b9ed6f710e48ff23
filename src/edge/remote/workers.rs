//! The engine's side of workers from elsewhere: the port, the join file, and whoever is asked for workers.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::asks::{Asks, Launching, agent_command};
use super::frame::{Down, SharedFiles, Welcome};
use super::handle::RemoteHandle;
use super::join_file::{JoinFile, PROTOCOL};
use super::server::{Hub, listen};
use super::tls::acceptor;
use crate::edge::host;
use crate::edge::secret::{Secret, random_hex};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{JoinId, RunId, WorkerId};
use crate::logic::pool::ResourceRequest;
use crate::ports::backend::{WorkerHandle, WorkerStart};
use crate::ports::elsewhere::{Elsewhere, JoinSink, Successor};

/// How workers join a run from elsewhere.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemoteSettings {
    /// Where the engine listens. Default: any port, on all addresses of this machine.
    pub bind: SocketAddr,
    /// Under which addresses it is reached, as in `10.0.0.7:43211`; a port of 0 is the one that it got. Default: the names and addresses that this machine is known by.
    pub addresses: Vec<String>,
    /// The join file. Default: `join.json` in the run's directory.
    pub join_file: Option<PathBuf>,
    /// How often a sign of life goes both ways. Default: 5 s; after four times that without one a connection counts as broken.
    pub heartbeat: Duration,
    /// How long a broken connection may be healed, before the worker is given up. Default: 60 s.
    pub reconnect_for: Duration,
    /// How long a worker waits for an engine that is gone. Default: 10 min.
    pub orphan_for: Duration,
    /// How long a run that is gone on with waits for workers that had trials when its engine was lost; nobody else is granted a
    /// worker meanwhile. Default: 15 s, which is longer than workers pause between two attempts to reach an engine.
    pub waits_for_returning: Duration,
    /// The program of an agent, with arguments that go before `--join FILE` and what else it is told. Default: `tryout worker`, this
    /// very program if it is `tryout`.
    pub agent: Vec<OsString>,
    /// What runs the trials, for agents that don't know it themselves: the parts `worker` or `command`, `process` and `limits` of an
    /// experiment file.
    pub program: Option<Value>,
    /// The directory from which paths in `program` are read.
    pub home: Option<PathBuf>,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 0)),
            addresses: Vec::new(),
            join_file: None,
            heartbeat: Duration::from_secs(5),
            reconnect_for: Duration::from_secs(60),
            orphan_for: Duration::from_secs(600),
            waits_for_returning: Duration::from_secs(15),
            agent: Vec::new(),
            program: None,
            home: None,
        }
    }
}

/// What a run says of itself to those who join.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Its id.
    pub(crate) run: RunId,
    /// Its name.
    pub(crate) name: String,
    /// Its directory, if it has one.
    pub(crate) dir: Option<PathBuf>,
    /// Where its checkpoints lie, if that is a directory.
    pub(crate) checkpoints: Option<PathBuf>,
    /// What a trial asks for that asks for nothing particular.
    pub(crate) default_shape: Arc<ResourceRequest>,
    /// The program of a worker and its arguments; empty if it is none.
    pub(crate) worker: Vec<OsString>,
}

/// Lets workers join a run.
pub(crate) struct RemoteWorkers {
    hub: Arc<Hub>,
    server: Option<JoinHandle<()>>,
    start: Option<Start>,
    join_file: PathBuf,
    /// It is held as long as the join file is ours.
    _lock: File,
    proof: Option<PathBuf>,
    workers: HashMap<WorkerId, JoinId>,
    asks: Asks,
    waits_for_returning: Duration,
}

struct Start {
    listener: TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl std::fmt::Debug for RemoteWorkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteWorkers").field("join_file", &self.join_file).finish_non_exhaustive()
    }
}

impl RemoteWorkers {
    /// Opens the port and writes the join file. Nobody is let in before the run begins.
    ///
    /// # Errors
    /// If the address can't be had, or the join file is another run's or can't be written.
    pub(crate) fn open(settings: RemoteSettings, about: About, launcher: Option<Launching>) -> io::Result<Self> {
        let join_file = match (&settings.join_file, &about.dir) {
            (Some(path), _) => path.clone(),
            (None, Some(dir)) => dir.join("join.json"),
            (None, None) => {
                let why = "the run has no directory for its join file: give it one with `dir`, or say where the file is to lie";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        };
        let launcher = launcher.map(Launching::checked).transpose()?;
        let lock = lock(&join_file)?;
        let listener = TcpListener::bind(settings.bind)
            .map_err(|error| io::Error::new(error.kind(), format!("can't listen on {}: {error}", settings.bind)))?;
        listener.set_nonblocking(true)?;
        let (acceptor, fingerprint) = acceptor()?;
        let token = Secret::draw()?;
        let addresses = addresses(&settings, listener.local_addr()?);
        let file = JoinFile {
            protocol: PROTOCOL,
            run: about.run.to_string(),
            addresses: addresses.clone(),
            token: token.text().to_owned(),
            fingerprint,
        };
        file.write(&join_file)?;
        let (files, proof) = shared_files(&about)?.unzip();
        let worker = if settings.program.is_some() { Vec::new() } else { about.worker };
        let command = agent_command(settings.agent, &join_file, worker)?;
        let directory = about.dir.as_ref().map(|dir| dir.join("agents"));
        let welcome = Welcome {
            session: random_hex::<8>()?,
            heard: 0,
            name: about.name,
            now: 0.0,
            heartbeat: settings.heartbeat.as_secs_f64(),
            reconnect_for: settings.reconnect_for.as_secs_f64(),
            orphan_for: settings.orphan_for.as_secs_f64(),
            shape: None,
            program: settings.program,
            home: settings.home,
            files,
        };
        log::info!("workers can join by `{}`, at {}", join_file.display(), addresses.join(", "));
        let hub = Arc::new(Hub::new(token, welcome, about.default_shape));
        let asks = match launcher {
            Some(launcher) => Asks::launcher(launcher, about.run, command, directory, &hub)?,
            None => Asks::nobody(&join_file),
        };
        Ok(Self {
            hub,
            server: None,
            start: Some(Start { listener, acceptor }),
            join_file,
            _lock: lock,
            proof,
            workers: HashMap::new(),
            asks,
            waits_for_returning: settings.waits_for_returning,
        })
    }

    fn peer_of(&self, worker: WorkerId) -> Option<Arc<super::peer::Peer>> {
        self.hub.peer(*self.workers.get(&worker)?)
    }
}

impl Elsewhere for RemoteWorkers {
    fn open(&mut self, news: JoinSink) -> Result<(), Fault> {
        let failed = |error: io::Error| Fault::new(FailureKind::SetupFailed, format!("nobody can join: {error}"));
        // It is opened once.
        let _ = self.hub.news.set(news);
        let Some(Start { listener, acceptor }) = self.start.take() else { return Ok(()) };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let hub = self.hub.clone();
        let serve = move || {
            if let Err(error) = runtime.block_on(listen(listener, acceptor, hub)) {
                log::error!("nobody can join any more: {error}");
            }
            // Transfers that wait for a connection would wait for ever.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("tryout-join".to_owned()).spawn(serve);
        self.server = Some(thread.map_err(failed)?);
        Ok(())
    }

    fn admit(&mut self, join: JoinId, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        let gone = || Fault::new(FailureKind::WorkerLost, "the worker is gone before it had joined");
        let peer = self.hub.peer(join).ok_or_else(gone)?;
        self.workers.insert(start.worker, join);
        peer.admit(start);
        Ok(Box::new(RemoteHandle(peer)))
    }

    fn reject(&mut self, join: JoinId) {
        if let Some(peer) = self.hub.peer(join) {
            peer.outbox.say(Down::Unneeded {});
        }
    }

    fn want(&mut self, shape: Arc<ResourceRequest>, workers: usize) {
        self.asks.want(shape, workers);
    }

    fn ends(&mut self, worker: WorkerId, next: Successor) {
        if let Some(peer) = self.peer_of(worker) {
            peer.outbox.say(Down::Ends { again: next == Successor::Fresh });
        }
        self.workers.remove(&worker);
    }

    fn waits_for_returning(&self) -> Duration {
        self.waits_for_returning
    }

    fn says(&self, shape: &ResourceRequest) -> Option<Arc<str>> {
        self.asks.says(shape)
    }
}

impl Drop for RemoteWorkers {
    fn drop(&mut self) {
        self.hub.peers().values().for_each(|peer| peer.outbox.say(Down::Unneeded {}));
        self.hub.close();
        if let Some(server) = self.server.take() {
            // Its panic was said by the hook.
            let _ = server.join();
        }
        // Those who didn't hear it in time.
        let left: Vec<_> = self.hub.peers().drain().map(|(_, peer)| peer).collect();
        left.iter().for_each(|peer| peer.lose(FailureKind::WorkerLost, "the run is over"));
        self.asks.close();
        let own = [Some(&self.join_file), self.proof.as_ref()];
        own.into_iter().flatten().for_each(|path| {
            // Somebody may have removed it.
            let _ = fs::remove_file(path);
        });
    }
}

/// Two engines never write one join file.
fn lock(join_file: &Path) -> io::Result<File> {
    let mut path = join_file.as_os_str().to_owned();
    path.push(".lock");
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("can't lock `{}`: {error}", join_file.display()));
    let file = File::options().create(true).append(true).open(&path).map_err(named)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let why = format!("another engine has the join file `{}`: give this run another one", join_file.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, why))
        }
        Err(error) => Err(named(error.into())),
    }
}

/// Where the engine is reached.
fn addresses(settings: &RemoteSettings, bound: SocketAddr) -> Vec<String> {
    let port = bound.port();
    if !settings.addresses.is_empty() {
        let with_port =
            |address: &String| address.strip_suffix(":0").map_or(address.clone(), |host| format!("{host}:{port}"));
        return settings.addresses.iter().map(with_port).collect();
    }
    if !bound.ip().is_unspecified() {
        return vec![bound.to_string()];
    }
    let mut known: Vec<String> = host::name().iter().map(|name| format!("{name}:{port}")).collect();
    // The address that faces others; nothing is sent.
    let outward = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    known.extend(outward.ok().map(|address| format!("{}:{port}", address.ip())));
    known.push(format!("127.0.0.1:{port}"));
    known
}

/// What proves to an agent that it sees the run's directory.
fn shared_files(about: &About) -> io::Result<Option<(SharedFiles, PathBuf)>> {
    let Some((run, checkpoints)) = about.dir.clone().zip(about.checkpoints.clone()) else { return Ok(None) };
    let (run, checkpoints) = (std::path::absolute(run)?, std::path::absolute(checkpoints)?);
    // What lies elsewhere isn't proved by a file in the run's directory.
    if !checkpoints.starts_with(&run) {
        return Ok(None);
    }
    let proof = format!(".join-{}", random_hex::<4>()?);
    let nonce = random_hex::<16>()?;
    let path = run.join(&proof);
    fs::write(&path, &nonce)?;
    Ok(Some((SharedFiles { run, checkpoints, proof, nonce }, path)))
}
