//! The loop of a worker whose trainable is an async closure that reports.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::arbiter::{ArbiterBackend, Inbox};
use super::contain::contain_async;
use super::desk::Desk;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::metrics::Metrics;
use crate::logic::trial::{BatchEnd, Rests, TrialInfo, WorkerFact, WorkerOrder};
use crate::ports::error::{Stopped, TrialError};
use crate::ports::store::{CheckpointReader, CheckpointWriter};
use crate::ports::trainable::Wish;

/// The async twin of [`function`](super::function): for work that awaits. Many such trials share one arbiter.
///
/// ```
/// use tryout::prelude::*;
///
/// let probe = async_function("probe", async |config: Config, trial: &mut AsyncSession| {
///     let timeout = config.number("timeout").unwrap_or(1.0);
///     // ... await a service here ...
///     trial.report([("latency", timeout * 2.0)]).await?;
///     Ok(())
/// });
/// # let _ = probe;
/// ```
pub fn async_function<C, F>(name: &str, body: F) -> ArbiterBackend
where
    C: DeserializeOwned + 'static,
    F: AsyncFn(C, &mut AsyncSession) -> Result<(), TrialError> + Send + Sync + 'static,
{
    let body = Arc::new(body);
    ArbiterBackend::new(
        name,
        Rests::WhenReleased,
        Arc::new(move |desk, orders| {
            let body = body.clone();
            Box::pin(async move {
                let session = AsyncSession { desk, orders, lease: None, stopped: false, restored: None };
                session.run(&*body).await;
            }) as Pin<Box<dyn Future<Output = ()>>>
        }),
        Arc::new(|_| None),
    )
}

/// An async closure's line to its trial.
pub struct AsyncSession {
    desk: Desk,
    orders: Inbox,
    lease: Option<LeaseId>,
    stopped: bool,
    restored: Option<Arc<Checkpoint>>,
}

impl fmt::Debug for AsyncSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSession").field("trial", &self.desk.trial()).finish_non_exhaustive()
    }
}

impl AsyncSession {
    /// Reports metrics, and waits while somebody decides over the trial.
    ///
    /// # Errors
    /// [`Stopped`] if the closure is to end now: pass it on with `?`.
    pub async fn report(&mut self, metrics: impl Into<Metrics>) -> Result<(), Stopped> {
        if self.stopped {
            return Err(Stopped);
        }
        let told = self.orders.peek().map(|_| BatchEnd::Limit);
        match self.desk.take(metrics.into(), Wish::GoOn).or(told) {
            Some(end) => self.hand_in(end, None).await,
            None => Ok(()),
        }
    }

    /// Reports metrics together with a checkpoint, from which the trial goes on after a pause or a failure.
    ///
    /// # Errors
    /// If the checkpoint can't be written; and [`Stopped`] if the closure is to end now.
    pub async fn report_with(
        &mut self,
        metrics: impl Into<Metrics>,
        write: impl FnOnce(&mut CheckpointWriter) -> Result<(), TrialError>,
    ) -> Result<(), TrialError> {
        if self.stopped {
            return Err(Stopped.into());
        }
        let failed = |fault: Fault| TrialError::new(fault.message);
        let (id, mut writer) = self.desk.begin_spare().map_err(failed)?;
        write(&mut writer)?;
        self.desk.take(metrics.into(), Wish::Save);
        let checkpoint = self.desk.complete(id, writer).map_err(failed)?;
        Ok(self.hand_in(BatchEnd::CheckpointDue, Some(checkpoint)).await?)
    }

    /// The checkpoint to go on from, if there is one: open it before the first report.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn checkpoint(&self) -> Result<Option<CheckpointReader>, TrialError> {
        let open = |checkpoint: &Arc<Checkpoint>| self.desk.open(checkpoint.id);
        self.restored.as_ref().map(open).transpose().map_err(|fault| TrialError::new(fault.message))
    }

    /// About the trial.
    ///
    /// # Panics
    /// Never: a closure runs only for a trial.
    pub fn info(&self) -> &TrialInfo {
        self.desk.info.as_ref().expect("a closure runs only for a trial")
    }

    /// How often it has reported, over all its attempts from the checkpoint it went on from.
    pub fn iteration(&self) -> u64 {
        self.desk.iteration()
    }

    async fn hand_in(&mut self, end: BatchEnd, handed_in: Option<Arc<Checkpoint>>) -> Result<(), Stopped> {
        if let Some(lease) = self.lease {
            let fact = self.desk.end_batch(end, handed_in);
            self.desk.say(lease, fact);
        }
        loop {
            match self.orders.next().await {
                Some((lease, WorkerOrder::Train { limits, spare })) if Some(lease) == self.lease => {
                    self.desk.begin_batch(limits, spare);
                    return Ok(());
                }
                Some((lease, WorkerOrder::Save { .. })) if Some(lease) == self.lease => {
                    self.desk.say(lease, WorkerFact::Saved(None));
                }
                Some((_, WorkerOrder::Yield)) => {}
                other => {
                    other.into_iter().for_each(|told| self.orders.put_back(told));
                    self.stopped = true;
                    return Err(Stopped);
                }
            }
        }
    }

    async fn run<C: DeserializeOwned>(mut self, body: &impl AsyncFn(C, &mut AsyncSession) -> Result<(), TrialError>) {
        let mut failed: Option<Fault> = None;
        let mut config = Arc::new(Config::new());
        while let Some((lease, order)) = self.orders.next().await {
            let fact = match order {
                WorkerOrder::Start { info, config: new, first } => {
                    self.desk.begin_trial(info);
                    self.restored = None;
                    failed = None;
                    config = new;
                    self.orders.go_on(lease, first);
                    WorkerFact::Ready
                }
                WorkerOrder::Restore { checkpoint } => {
                    self.desk.continue_from(&checkpoint);
                    self.restored = Some(checkpoint);
                    WorkerFact::Restored
                }
                WorkerOrder::Train { .. } | WorkerOrder::Save { .. } if failed.is_some() => {
                    failed.take().map_or(WorkerFact::Released, WorkerFact::Failed)
                }
                WorkerOrder::Train { limits, spare } => {
                    self.lease = Some(lease);
                    self.stopped = false;
                    self.desk.begin_batch(limits, spare);
                    let work = async { body(config.parse()?, &mut self).await };
                    let ended = contain_async(FailureKind::UserError, work).await;
                    let stopped = std::mem::replace(&mut self.stopped, true);
                    match ended {
                        _ if stopped => continue,
                        Ok(()) => self.desk.end_batch(BatchEnd::Done, None),
                        Err(fault) if self.desk.has_reports() => {
                            // What was reported before is handed in first.
                            failed = Some(fault);
                            self.desk.end_batch(BatchEnd::Limit, None)
                        }
                        Err(fault) => WorkerFact::Failed(fault),
                    }
                }
                WorkerOrder::Save { .. } => WorkerFact::Saved(None),
                WorkerOrder::Yield => continue,
                WorkerOrder::Release => WorkerFact::Released,
                WorkerOrder::Shutdown => break,
            };
            self.desk.say(lease, fact);
        }
    }
}
