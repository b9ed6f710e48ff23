//! A run in an object store (feature `cloud`): its directory is the working copy, and another machine can go on with it.
//! `docs/cloud.md` says what is there, in which order it is written, and who may write.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use object_store::ObjectStore;
use object_store::path::Path as Location;

use self::remote::{Manifest, Owner, Remote};
use self::sync::{Mirror, Order};
use crate::edge::host;
use crate::edge::store::Client;
use crate::logic::failure::error_chain;
use crate::logic::one_line::OneLine;
use crate::ports::store::StoreError;

mod remote;
mod sync;

pub(crate) use sync::Syncing;

/// In a run's directory: of which session it is the copy.
pub(crate) const MARKER: &str = "cloud.json";

/// Keeps a run in an object store: its journal, the files for others, checkpoints, exports, output, all that is in the run's
/// directory. It is brought up to date at the start, every 30 s unless [`every`](Self::every) says otherwise, and at the end of the run,
/// which waits for it. Given to an experiment with `.cloud(..)`, together with `.dir(..)`.
///
/// - **Another machine goes on** with the same program and an empty directory, with `.existing(Existing::Resume)`: the run is
///   fetched first. So does [`fetch`](Self::fetch), for `Experiment::resume` and `Experiment::open`.
/// - **One at a time.** Each session claims the next session number, by a write that fails if the object is there. Whoever finds
///   that a later number is claimed writes nothing any more, and the run's end is an error; what it had written since isn't used.
///   A directory that is the copy of an earlier session is refused.
/// - **At risk** if the machine is lost is what came since the last success: [`CloudStatus::through`]. That is at most the period and the
///   time that two uploads take, as long as the store can be reached; what fails is warned of each time, with how long ago that was.
///
/// A file that has changed is uploaded as a whole. Names that begin with a dot and links aren't part of a run.
///
/// ```no_run
/// use std::sync::Arc;
/// use object_store::memory::InMemory;
/// use tryout::prelude::*;
/// use tryout::store::CloudRun;
///
/// # fn example(experiment: Experiment) -> Result<(), Box<dyn std::error::Error>> {
/// // In place of `InMemory`: S3, Google Cloud Storage, Azure.
/// let cloud = CloudRun::new(Arc::new(InMemory::new()), "experiments")?;
/// let results = experiment.dir("runs").existing(Existing::Resume).cloud(cloud).run()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CloudRun {
    client: Arc<Client>,
    prefix: Location,
    every: Duration,
    status: Arc<Mutex<CloudStatus>>,
    orders: Arc<Mutex<Option<Sender<Order>>>>,
}

/// How far the object store is behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudStatus {
    /// The session that this process has claimed, from 1; none before a run has begun.
    pub session: Option<u32>,
    /// How often the object store was brought up to date in this session.
    pub synced: u64,
    /// The moment whose state is there. What came later is at risk.
    pub through: Option<SystemTime>,
    /// Why the last attempt failed, if it did.
    pub failed: Option<String>,
    /// Whether another session has taken over, so that nothing is written any more.
    pub lost: bool,
}

/// Why a run can't be kept in an object store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// The object store, or the run's directory, said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is such a run already.
    #[error(
        "the run `{run}` is in the object store already ({sessions} sessions): say `.existing(Existing::Resume)` to go on with it, \
         or take another name"
    )]
    Exists {
        /// Its name.
        run: String,
        /// How many sessions it had.
        sessions: u32,
    },
    /// There is no such run.
    #[error("there is no run `{run}` in the object store")]
    Missing {
        /// The name that was looked for.
        run: String,
    },
    /// The directory isn't what the object store has.
    #[error(
        "`{}` is the copy of session {local}, and the object store has session {remote}: another machine went on with the run. \
         Move the directory away, and the run is fetched", path.display()
    )]
    Stale {
        /// The directory.
        path: PathBuf,
        /// Its session; 0 if it was in no object store.
        local: u32,
        /// The last session.
        remote: u32,
    },
    /// Somebody else has begun this session.
    #[error("session {session} of the run `{run}` was just begun by process {pid} on {host}: one at a time")]
    Taken {
        /// The run.
        run: String,
        /// The session.
        session: u32,
        /// The other's machine.
        host: String,
        /// The other's process.
        pid: u32,
    },
    /// Somebody else has begun a later session.
    #[error("another machine has begun session {} of the run `{run}`: nothing of session {session} is kept any more", session + 1)]
    Lost {
        /// The run.
        run: String,
        /// The session that was refused.
        session: u32,
    },
    /// Something isn't what a run writes.
    #[error("`{object}` isn't what a run writes: {why}")]
    Damaged {
        /// What.
        object: String,
        /// Why not.
        why: String,
    },
}

impl CloudError {
    fn damaged(object: &Location, why: &dyn fmt::Display) -> Self {
        Self::Damaged { object: object.to_string(), why: why.to_string() }
    }
}

impl fmt::Debug for CloudRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudRun")
            .field("prefix", &self.prefix.as_ref())
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

impl CloudRun {
    /// Runs in `objects` below `prefix`, which may be empty, each under its experiment's name. It has a thread of its own for its
    /// requests.
    ///
    /// # Errors
    /// If the prefix can't be one, or the machine gives no thread. Whether the object store can be reached shows when the run starts.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, StoreError> {
        let refused = |error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error);
        let location = Location::parse(prefix).map_err(refused).map_err(StoreError::io("use the prefix", prefix))?;
        let client = Client::start(objects).map_err(StoreError::io("start a thread for the objects below", prefix))?;
        let (client, every) = (Arc::new(client), Duration::from_secs(30));
        Ok(Self { client, prefix: location, every, status: Arc::default(), orders: Arc::default() })
    }

    /// How long after one time the object store is brought up to date again. Default: 30 s.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.every = period;
        self
    }

    /// How far the object store is behind; of the run that was last given this or a clone of it.
    pub fn status(&self) -> CloudStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings the object store up to date now, and waits for that: before a machine is given up, for example. Answers how that went.
    pub fn sync(&self) -> CloudStatus {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, done) = channel();
        if orders.is_some_and(|orders| orders.send(Order::Now(reply)).is_ok()) {
            // Nothing is ever sent: the other end is let go of.
            let _ = done.recv();
        }
        self.status()
    }

    /// Fetches a run into a directory of its name below `parent`, which mustn't have one. It claims nothing: whoever runs it goes on
    /// running.
    ///
    /// # Errors
    /// If there is no such run, or the directory is there already, or can't be written.
    pub fn fetch(&self, name: &str, parent: impl AsRef<Path>) -> Result<PathBuf, CloudError> {
        let (remote, path) = (self.remote(name), parent.as_ref().join(name));
        let newest = remote.newest()?.ok_or_else(|| CloudError::Missing { run: name.to_owned() })?;
        if !is_empty(&path) {
            let (local, remote) = (remote::marked(&path)?, remote.last_session()?);
            return Err(CloudError::Stale { path, local, remote });
        }
        remote.fetch(&newest, newest.session, &path)?;
        Ok(path)
    }

    fn remote(&self, name: &str) -> Remote {
        Remote { client: self.client.clone(), root: self.prefix.clone().join(name), name: name.to_owned() }
    }

    /// Makes `path` the newest copy there is of the run.
    pub(crate) fn prepare(&self, name: &str, path: &Path, may_exist: bool) -> Result<Prepared, CloudError> {
        let remote = self.remote(name);
        let sessions = remote.last_session()?;
        let manifest = if sessions == 0 { None } else { remote.newest()? };
        if sessions > 0 && !may_exist {
            return Err(CloudError::Exists { run: name.to_owned(), sessions });
        }
        let manifest = manifest.unwrap_or_default();
        if sessions > 0 {
            let local = remote::marked(path)?;
            match (is_empty(path), local == sessions) {
                (true, _) => remote.fetch(&manifest, sessions, path)?,
                (false, true) => {}
                (false, false) => return Err(CloudError::Stale { path: path.to_owned(), local, remote: sessions }),
            }
        }
        Ok(Prepared { cloud: self.clone(), remote, manifest, session: sessions + 1 })
    }

    /// Notes down how an attempt went.
    fn told(&self, through: SystemTime, synced: Result<&(), &CloudError>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        match synced {
            Ok(()) => {
                status.synced += 1;
                (status.through, status.failed) = (Some(through), None);
            }
            Err(error) => {
                let why = error_chain(error);
                let behind = status.through.and_then(|since| through.duration_since(since).ok());
                let behind = behind.map_or_else(
                    || "all of this session".to_owned(),
                    |since| format!("the last {:.0} s", since.as_secs_f64()),
                );
                log::warn!(
                    "the run isn't brought up to date in the object store ({behind} are at risk): {}",
                    OneLine(&why)
                );
                status.lost |= matches!(error, CloudError::Lost { .. });
                status.failed = Some(why);
            }
        }
    }
}

/// A directory that is as the object store has it.
#[derive(Debug)]
pub(crate) struct Prepared {
    cloud: CloudRun,
    remote: Remote,
    manifest: Manifest,
    session: u32,
}

impl Prepared {
    /// Begins the session: from now on nobody else writes.
    pub(crate) fn claim(self, path: &Path) -> Result<Syncing, CloudError> {
        let Self { cloud, remote, manifest, session } = self;
        let since = host::since_1970().as_nanos();
        remote.claim(&Owner { session, host: host::known_name(), pid: std::process::id(), since })?;
        remote::mark(path, session)?;
        let begun = CloudStatus { session: Some(session), ..CloudStatus::default() };
        *cloud.status.lock().unwrap_or_else(PoisonError::into_inner) = begun;
        let mirror = Mirror::new(remote, path.to_owned(), manifest, session);
        Ok(Syncing::start(mirror, cloud).map_err(StoreError::io("start a thread for", path))?)
    }
}

fn is_empty(path: &Path) -> bool {
    path.read_dir().map_or(true, |mut entries| entries.next().is_none())
}
