//! A backend whose trials are worked on by whoever asks for them: other processes, over the run's control socket.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::logic::api::{GivenTrial, Next, TrialEnd};
use crate::logic::ask_tell::{AskTell, AskTellInput, AskTellOutput};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::metrics::Metrics;
use crate::logic::time::Moment;
use crate::logic::trial::{Rests, WorkerOrder};
use crate::ports::backend::{Backend, FactSink, Killed, WorkerHandle, WorkerStart};
use crate::ports::control::{GivesTrials, Unheard};

/// Gives trials out to whoever asks, and takes what is told of them: see [`ask_tell`].
pub struct AskTellBackend {
    name: String,
    shared: Arc<Shared>,
    ticks: bool,
}

/// Trials that whoever asks works on: processes anywhere on this machine share one searcher, one scheduler and one journal. They ask and
/// tell over the control socket, by [`Request::Ask`](crate::logic::api::Request::Ask) and `Tell`, or in this process by
/// [`Control::ask`](crate::Control::ask) and `tell`. Who isn't heard of for the time that they gave has lost their trial, which is given to
/// another. There are no checkpoints: a trial that is paused or lost begins anew.
///
/// As many trials are open at once as there are resources for: say how many askers there may be by `workers`.
///
/// ```
/// use std::time::Duration;
/// use tryout::api::{Next, TrialEnd};
/// use tryout::backend::ask_tell;
/// use tryout::prelude::*;
///
/// let space = Space::new().with("x", uniform(-1.0, 1.0));
/// let run = Experiment::new("shared", ask_tell("shared")).space(space).samples(5).objective(Objective::min("loss")).start()?;
/// let control = run.control();
/// futures::executor::block_on(async {
///     // None once the run is over.
///     while let Ok(Some(given)) = control.ask(Duration::from_secs(60), Duration::from_secs(10)).await {
///         let x: f64 = given.config.get("x")?;
///         control.tell(given.lease, Some([("loss", x * x)].into()), Some(TrialEnd::Done)).await?;
///     }
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// assert_eq!(run.wait_blocking()?.count(Status::Terminated), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ask_tell(name: &str) -> AskTellBackend {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let inner =
        Inner { machine: AskTell::new(unix), facts: HashMap::new(), waits: HashMap::new(), next: 0, closed: false };
    let shared = Shared { began: Instant::now(), inner: Mutex::new(inner), changed: Condvar::new() };
    AskTellBackend { name: name.to_owned(), shared: Arc::new(shared), ticks: false }
}

impl fmt::Debug for AskTellBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskTellBackend").field("name", &self.name).finish_non_exhaustive()
    }
}

struct Shared {
    began: Instant,
    inner: Mutex<Inner>,
    /// The next deadline may be another one, or it is closed.
    changed: Condvar,
}

struct Inner {
    machine: AskTell,
    facts: HashMap<WorkerId, FactSink>,
    waits: HashMap<u64, Waits>,
    next: u64,
    closed: bool,
}

/// Who waits for an answer.
enum Waits {
    Trial(oneshot::Sender<Option<GivenTrial>>),
    Next(oneshot::Sender<Result<Next, String>>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::new(self.began.elapsed())
    }

    fn feed(&self, inner: &mut Inner, input: AskTellInput) {
        let mut out = Vec::new();
        inner.machine.on(input, self.now(), &mut out);
        for output in out {
            match output {
                AskTellOutput::Say(worker, lease, fact) => {
                    inner.facts.get(&worker).into_iter().for_each(|facts| facts.fact(lease, fact.clone()));
                }
                AskTellOutput::Gone(worker) => inner.facts.remove(&worker).iter().for_each(FactSink::gone),
                // Whoever has gone away hears nothing, and loses the trial when their time is over.
                AskTellOutput::Given(question, given) => {
                    if let Some(Waits::Trial(waits)) = inner.waits.remove(&question) {
                        let _ = waits.send(given);
                    }
                }
                AskTellOutput::Next(question, next) => {
                    if let Some(Waits::Next(waits)) = inner.waits.remove(&question) {
                        let _ = waits.send(next);
                    }
                }
            }
        }
        self.changed.notify_all();
    }

    /// Feeds a question. Its answer comes to `waits`.
    fn put(&self, waits: Waits, input: impl FnOnce(u64) -> AskTellInput) {
        let mut inner = self.lock();
        // If it is closed, the sender is dropped, and that is the answer.
        if !inner.closed {
            let question = inner.next;
            inner.next += 1;
            inner.waits.insert(question, waits);
            self.feed(&mut inner, input(question));
        }
    }

    /// Says when time has passed, until it is closed.
    fn keep_time(&self) {
        let mut inner = self.lock();
        while !inner.closed {
            let now = self.now();
            inner = match inner.machine.deadline() {
                Some(at) if at <= now => {
                    self.feed(&mut inner, AskTellInput::Tick);
                    inner
                }
                Some(at) => {
                    let waited = self.changed.wait_timeout(inner, at.since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn shut(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waits.clear();
        self.changed.notify_all();
    }
}

impl GivesTrials for Shared {
    fn ask(
        &self,
        by: Arc<str>,
        lease: Duration,
        wait: Duration,
    ) -> BoxFuture<'static, Result<Option<GivenTrial>, Unheard>> {
        let (answer, answered) = oneshot::channel();
        let until = self.now() + wait;
        self.put(Waits::Trial(answer), |question| AskTellInput::Asked { question, by, lease, until });
        answered.map(|answer| answer.map_err(|_| Unheard::Over)).boxed()
    }

    fn tell(
        &self,
        lease: LeaseId,
        metrics: Option<Metrics>,
        end: Option<TrialEnd>,
    ) -> BoxFuture<'static, Result<Next, Unheard>> {
        let (answer, answered) = oneshot::channel();
        self.put(Waits::Next(answer), |question| AskTellInput::Told { question, lease, metrics, end });
        answered.map(|answer| answer.map_err(|_| Unheard::Over)?.map_err(Unheard::Refused)).boxed()
    }

    fn close(&self) {
        self.shut();
    }
}

impl Backend for AskTellBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        if !std::mem::replace(&mut self.ticks, true) {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("tryout-leases".to_owned());
            thread.spawn(move || shared.keep_time()).map_err(|error| {
                self.ticks = false;
                Fault::new(FailureKind::SetupFailed, format!("no thread can be had: {error}"))
            })?;
        }
        let mut inner = self.shared.lock();
        inner.facts.insert(start.worker, start.facts);
        self.shared.feed(&mut inner, AskTellInput::Spawned(start.worker));
        drop(inner);
        Ok(Box::new(Handle { worker: start.worker, shared: self.shared.clone() }))
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// Whoever works on a trial is told when it is over.
    fn rests(&self) -> Rests {
        Rests::WhenReleased
    }

    /// Whoever asks is in another process.
    fn takes_objects(&self) -> bool {
        false
    }

    fn gives_trials(&self) -> Option<Arc<dyn GivesTrials>> {
        Some(self.shared.clone())
    }
}

impl Drop for AskTellBackend {
    fn drop(&mut self) {
        self.shared.shut();
    }
}

struct Handle {
    worker: WorkerId,
    shared: Arc<Shared>,
}

impl WorkerHandle for Handle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        let mut inner = self.shared.lock();
        self.shared.feed(&mut inner, AskTellInput::Order(self.worker, lease, order));
    }

    fn kill(&mut self) -> Killed {
        let mut inner = self.shared.lock();
        self.shared.feed(&mut inner, AskTellInput::Killed(self.worker));
        inner.facts.remove(&self.worker);
        Killed::Dead
    }
}
