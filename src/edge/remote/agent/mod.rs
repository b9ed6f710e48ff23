//! A worker's end: it dials in, runs one worker by a backend of its own, and comes back when a connection breaks.

mod dial;
mod hears;
mod life;
mod probe;
mod store;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use tokio::sync::Notify;

pub use self::probe::{Probe, ProbeError, probe};

use self::dial::{DialError, Socket, dial};
use self::life::{Life, Over};
use super::connection::{Parted, converse};
use super::frame::{Again, Hello, Refusal, Welcome};
use super::join_file::{JoinFileError, PROTOCOL};
use crate::edge::host;
use crate::edge::secret::random_hex;
use crate::logic::ids::TrialId;
use crate::logic::one_line::OneLine;
use crate::logic::pool::ResourceRequest;
use crate::ports::backend::Backend;

/// The longest pause between two attempts to reach an engine.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first pause between two attempts to reach an engine.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long the engine may take to hear that a machine is taken away.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Makes the backend that runs a run's trials on this machine.
pub trait Backends {
    /// For a worker of this run.
    ///
    /// # Errors
    /// If there can't be one: why.
    fn make(&mut self, run: &Welcome) -> Result<Box<dyn Backend>, String>;
}

impl<F: FnMut(&Welcome) -> Result<Box<dyn Backend>, String>> Backends for F {
    fn make(&mut self, run: &Welcome) -> Result<Box<dyn Backend>, String> {
        self(run)
    }
}

/// Runs workers for a run elsewhere, one after another, until the run needs none any more.
///
/// ```no_run
/// use tryout::prelude::*;
/// use tryout::remote::{Agent, Welcome};
///
/// # struct Net;
/// # impl Trainable for Net {
/// #     type Config = Config;
/// #     fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> { Ok(Net) }
/// #     fn step(&mut self) -> Result<Step, TrialError> { Ok(Step::done([("loss", 0.5)])) }
/// # }
/// let ended = Agent::new("runs/nets/join.json").run(|_: &Welcome| Ok(Box::new(stepwise::<Net>()) as _))?;
/// println!("{ended}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Agent {
    join: PathBuf,
    shape: Option<Arc<ResourceRequest>>,
    job: Option<u64>,
    connect_for: Duration,
    ends_in: Option<Duration>,
    eviction: Eviction,
}

/// Ends an agent from elsewhere, as from the handler of a signal.
#[derive(Clone, Debug, Default)]
pub struct Eviction(Arc<Evicted>);

#[derive(Debug, Default)]
struct Evicted {
    why: Mutex<Option<String>>,
    life: Mutex<Option<Arc<Life>>>,
    said: Notify,
}

impl Eviction {
    /// This machine is taken away: the trial goes back to its last checkpoint and on elsewhere, and [`Agent::run`] returns.
    pub fn evict(&self, why: impl Into<String>) {
        let why = why.into();
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.clone());
        let life = self.0.life.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(life) = life {
            life.evict(&why);
        }
        self.0.said.notify_one();
    }

    fn why(&self) -> Option<String> {
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn watch(&self, life: &Arc<Life>) {
        *self.0.life.lock().unwrap_or_else(PoisonError::into_inner) = Some(life.clone());
        if let Some(why) = self.why() {
            life.evict(&why);
        }
    }
}

/// Why an agent has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentEnd {
    /// The run needs it no more.
    Unneeded,
    /// The engine refused it later on.
    Refused(String),
    /// The engine was gone for longer than it is waited for.
    Orphaned(String),
    /// Its machine is taken away.
    Evicted(String),
}

impl std::fmt::Display for AgentEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AgentEnd::Unneeded => f.write_str("the run needs this worker no more"),
            AgentEnd::Refused(why) => write!(f, "the engine lets it in no more: {why}"),
            AgentEnd::Orphaned(why) => write!(f, "the engine is gone: {why}"),
            AgentEnd::Evicted(why) => write!(f, "this machine is taken away: {why}"),
        }
    }
}

/// Why an agent couldn't join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The join file is of no use.
    #[error(transparent)]
    JoinFile(#[from] JoinFileError),
    /// Nobody was reached.
    #[error("the engine isn't reached: {0}")]
    Unreachable(String),
    /// The engine refuses it.
    #[error("the engine refuses this worker: {0}")]
    Refused(String),
    /// There can be no backend.
    #[error("there can be no worker: {0}")]
    Backend(String),
    /// The system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What has become of a connection.
enum Met {
    /// The life is over.
    Over(After),
    /// It may be healed.
    Broken(String),
}

/// What follows when an engine doesn't let an agent in.
enum Denied {
    /// The life is over.
    Over(After),
    /// It introduces itself as somebody new who still has this trial.
    Anew(TrialId),
}

/// What comes after a life.
enum After {
    Another,
    End(AgentEnd),
}

impl Agent {
    /// An agent that joins by this file.
    pub fn new(join_file: impl Into<PathBuf>) -> Self {
        Self {
            join: join_file.into(),
            shape: None,
            job: None,
            connect_for: Duration::from_secs(300),
            ends_in: None,
            eviction: Eviction::default(),
        }
    }

    /// The requests that its worker can meet: those that equal this one. Default: those of a trial that asks for nothing particular.
    #[must_use]
    pub fn shape(mut self, shape: ResourceRequest) -> Self {
        self.shape = Some(Arc::new(shape));
        self
    }

    /// The job that it is a part of, by its number, if somebody was asked for it.
    #[must_use]
    pub fn job(mut self, job: u64) -> Self {
        self.job = Some(job);
        self
    }

    /// How long the engine is looked for at first. Default: 5 min.
    #[must_use]
    pub fn connect_for(mut self, longest: Duration) -> Self {
        self.connect_for = longest;
        self
    }

    /// In how long this machine is taken away, if that is known.
    #[must_use]
    pub fn ends_in(mut self, left: Duration) -> Self {
        self.ends_in = Some(left);
        self
    }

    /// What ends it from elsewhere.
    pub fn eviction(&self) -> Eviction {
        self.eviction.clone()
    }

    /// Dials in and works, until the run needs it no more.
    ///
    /// # Errors
    /// If it never gets as far as that.
    pub fn run(self, mut backends: impl Backends) -> Result<AgentEnd, AgentError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let ended = runtime.block_on(async {
            let mut lives = 0_u64;
            loop {
                lives += 1;
                let lived = self.live(&mut backends, lives > 1).await;
                // What it had on this machine goes with it.
                *self.eviction.0.life.lock().unwrap_or_else(PoisonError::into_inner) = None;
                match lived? {
                    After::Another => {}
                    After::End(end) => return Ok(end),
                }
            }
        });
        runtime.shutdown_background();
        ended
    }

    fn hello(&self, agent: String, began: Instant) -> Hello {
        Hello {
            protocol: PROTOCOL,
            agent,
            heard: 0,
            session: None,
            shape: self.shape.clone(),
            job: self.job,
            process: host::this_process(),
            boot: host::boot_id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ends_in: self.ends_in.map(|left| left.saturating_sub(began.elapsed()).as_secs()),
            keeps: None,
            probe: false,
        }
    }

    /// One worker, from its first word to its last.
    async fn live(&self, backends: &mut impl Backends, had_others: bool) -> Result<After, AgentError> {
        let began = Instant::now();
        let mut hello = self.hello(random_hex::<8>()?, began);
        let mut life: Option<Arc<Life>> = None;
        let (mut since, mut pause) = (began, FIRST_PAUSE);
        loop {
            if let Some(why) = self.eviction.why() {
                return Ok(After::End(AgentEnd::Evicted(why)));
            }
            if let Some(life) = &life {
                hello.heard = life.outbox.heard();
            }
            let why = match dial(&self.join, &hello).await {
                Ok((socket, welcome)) => {
                    let living = match &life {
                        Some(living) => living.clone(),
                        None => life.insert(self.born(backends, &welcome)?).clone(),
                    };
                    hello.session = Some(welcome.session.clone());
                    pause = FIRST_PAUSE;
                    let parted = self.attend(socket, &welcome, &living).await;
                    since = Instant::now();
                    match parted {
                        Met::Over(after) => return Ok(after),
                        Met::Broken(why) => why,
                    }
                }
                // The engine takes it away when the run is over.
                Err(DialError::JoinFile(JoinFileError::Io { .. })) if life.is_none() && had_others => {
                    return Ok(After::End(AgentEnd::Unneeded));
                }
                Err(DialError::JoinFile(error)) if life.is_none() => return Err(error.into()),
                Err(DialError::Refused(refusal)) => match self.refused(life.as_ref(), refusal)? {
                    Denied::Over(after) => return Ok(after),
                    Denied::Anew(trial) => {
                        log::info!("the engine is another one: trial {trial} is kept for it");
                        hello = Hello { keeps: Some(trial), ..self.hello(random_hex::<8>()?, began) };
                        continue;
                    }
                },
                Err(DialError::JoinFile(error)) => error.to_string(),
                Err(DialError::Unreachable(why)) => why,
            };
            let patience = life.as_ref().map_or(self.connect_for, |life| life.orphan_for);
            if since.elapsed() + pause > patience {
                let Some(life) = &life else { return Err(AgentError::Unreachable(why)) };
                return Ok(self.end(life, After::End(AgentEnd::Orphaned(why))));
            }
            log::info!("the engine isn't there, once more in {} s: {}", pause.as_secs_f64(), OneLine(&why));
            // Whoever is evicted meanwhile doesn't wait.
            let _ = tokio::time::timeout(pause, self.eviction.0.said.notified()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// It isn't let in, or not as who it was.
    fn refused(&self, life: Option<&Arc<Life>>, refusal: Refusal) -> Result<Denied, AgentError> {
        let Some(life) = life else {
            return match refusal.may {
                Again::Over => Ok(Denied::Over(After::End(AgentEnd::Unneeded))),
                Again::Anew | Again::Afresh | Again::Never => Err(AgentError::Refused(refusal.why)),
            };
        };
        let after = match refusal.may {
            Again::Over => After::End(AgentEnd::Unneeded),
            Again::Never => After::End(AgentEnd::Refused(refusal.why)),
            Again::Afresh => After::Another,
            Again::Anew => match life.lose_engine() {
                Some(trial) => return Ok(Denied::Anew(trial)),
                None => After::Another,
            },
        };
        Ok(Denied::Over(self.end(life, after)))
    }

    /// The worker of a run that has let it in.
    fn born(&self, backends: &mut impl Backends, welcome: &Welcome) -> Result<Arc<Life>, AgentError> {
        let backend = backends.make(welcome).map_err(AgentError::Backend)?;
        let life = Life::begin(welcome, backend).map_err(AgentError::Backend)?;
        self.eviction.watch(&life);
        Ok(life)
    }

    /// One connection, to its end.
    async fn attend(&self, socket: Socket, welcome: &Welcome, life: &Arc<Life>) -> Met {
        // An engine that has heard what was never said isn't the one of before.
        let Ok(connection) = life.outbox.take_over(welcome.heard) else {
            return Met::Over(self.end(life, After::Another));
        };
        life.transfers.rewind();
        let beat = Duration::from_secs_f64(welcome.heartbeat.clamp(0.01, 3600.0));
        match self.talk(converse(socket, connection, &life.outbox, life, beat)).await {
            Parted::Finished | Parted::Replaced => Met::Over(self.finished(life)),
            // Its last word may be lost, but nobody waits for it any more.
            Parted::Broken(_) if life.over().is_some() => Met::Over(self.finished(life)),
            Parted::Wrong(why) => Met::Over(self.end(life, After::End(AgentEnd::Refused(why)))),
            Parted::Broken(why) => Met::Broken(why),
        }
    }

    /// A conversation, which an eviction ends soon.
    async fn talk(&self, talk: impl Future<Output = Parted>) -> Parted {
        let leaves = async {
            self.eviction.0.said.notified().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        match select(std::pin::pin!(talk), std::pin::pin!(leaves)).await {
            Either::Left((parted, _)) => parted,
            Either::Right(_) => Parted::Finished,
        }
    }

    /// A life whose engine is gone: its worker ends the hard way.
    fn end(&self, life: &Arc<Life>, after: After) -> After {
        life.kill();
        after
    }

    fn finished(&self, life: &Arc<Life>) -> After {
        match (self.eviction.why(), life.over()) {
            (Some(why), _) => After::End(AgentEnd::Evicted(why)),
            (None, Some(Over::Another)) => After::Another,
            (None, Some(Over::Done) | None) => After::End(AgentEnd::Unneeded),
        }
    }
}
