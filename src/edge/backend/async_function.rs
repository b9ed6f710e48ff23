//! Trainables that are async closures and report as they go, on arbiters.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedReceiver;

use super::arbiter::ArbiterBackend;
use super::contain::{contain_async, contain_fault};
use super::context::WorkerContext;
use super::thread::Told;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::metrics::Metrics;
use crate::logic::trial::{Rests, TrialInfo};
use crate::logic::worker::{Call, Wish, WorkerInput};
use crate::ports::error::{NotSaved, Stopped, TrialError};
use crate::ports::store::{CheckpointReader, CheckpointWriter};

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
        Arc::new(move |context, orders| {
            let body = body.clone();
            Box::pin(async move {
                let session = AsyncSession {
                    context,
                    orders,
                    restored: None,
                    exported: BTreeSet::new(),
                    not_exported: None,
                    stopped: true,
                };
                session.run(&*body).await;
            }) as Pin<Box<dyn Future<Output = ()>>>
        }),
        Arc::new(|_| None),
    )
}

/// An async closure's line to its trial.
pub struct AsyncSession {
    context: WorkerContext,
    orders: UnboundedReceiver<Told>,
    restored: Option<CheckpointId>,
    /// The formats that it has exported.
    exported: BTreeSet<String>,
    /// Why it couldn't, when it was stopped.
    not_exported: Option<Fault>,
    /// Whether the closure is to end.
    stopped: bool,
}

impl fmt::Debug for AsyncSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSession").field("trial", &self.context.info().map(|info| info.id)).finish_non_exhaustive()
    }
}

impl AsyncSession {
    /// Reports metrics, and waits while somebody decides over the trial.
    ///
    /// # Errors
    /// [`Stopped`] if the closure is to end now: pass it on with `?`.
    pub async fn report(&mut self, metrics: impl Into<Metrics>) -> Result<(), Stopped> {
        self.tell(WorkerInput::Reported { metrics: metrics.into(), wish: Wish::GoOn, took: None }).await
    }

    /// Reports metrics together with a checkpoint, from which the trial goes on after a pause or a failure.
    ///
    /// # Errors
    /// If the checkpoint can't be written: passed on with `?`, it is a [`FailureKind::SaveFailed`]. And [`Stopped`] if the closure
    /// is to end now.
    pub async fn report_with(
        &mut self,
        metrics: impl Into<Metrics>,
        write: impl FnOnce(&mut CheckpointWriter) -> Result<(), TrialError>,
    ) -> Result<(), TrialError> {
        if self.stopped {
            return Err(Stopped.into());
        }
        let failed = |fault: Fault| TrialError::new(NotSaved(fault.message));
        let mut writer = self.context.begin_spare().map_err(failed)?;
        write(&mut writer).map_err(NotSaved::of)?;
        if self.context.is_over() {
            self.stopped = true;
            return Err(Stopped.into());
        }
        self.context.on(WorkerInput::Reported { metrics: metrics.into(), wish: Wish::HandIn, took: None });
        let bytes = self.context.complete(writer).map_err(failed)?;
        Ok(self.tell(WorkerInput::HandedIn(bytes)).await?)
    }

    /// The checkpoint to go on from, if there is one: open it before the first report.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn checkpoint(&self) -> Result<Option<CheckpointReader>, TrialError> {
        self.restored.map(|id| self.context.open_given(id)).transpose()
    }

    /// As [`Session::export`](super::Session::export).
    ///
    /// # Errors
    /// As there.
    pub fn export(
        &mut self,
        format: &str,
        write: impl FnOnce(&Path) -> Result<(), TrialError>,
    ) -> Result<(), TrialError> {
        self.context.export(format, write)?;
        self.exported.insert(format.to_owned());
        Ok(())
    }

    /// About the trial.
    ///
    /// # Panics
    /// Never: a closure runs only for a trial.
    pub fn info(&self) -> &TrialInfo {
        self.context.info().expect("a closure runs only for a trial")
    }

    /// How often it has reported, over all its attempts from the checkpoint it went on from.
    pub fn iteration(&self) -> u64 {
        self.context.worker().iteration()
    }

    /// Tells of work done, and waits until there is more to do.
    async fn tell(&mut self, done: WorkerInput) -> Result<(), Stopped> {
        if self.stopped {
            return Err(Stopped);
        }
        // What was ordered in the meantime goes first: it may make void what was done.
        while let Ok(told) = self.orders.try_recv() {
            self.context.order(told);
        }
        self.context.on(done);
        loop {
            match self.context.call() {
                Some(Call::Work(_)) => {
                    self.context.take_call();
                    return Ok(());
                }
                // It has handed in what it has: there is nothing newer to save.
                Some(Call::Save { export, .. }) if export.is_empty() => {
                    self.context.take_call();
                    self.context.on(WorkerInput::Saved(None));
                }
                // It stays the next call, for when the closure has come to its end; on the way it may export.
                Some(_) => break,
                None => match self.orders.recv().await {
                    Some(told) => self.context.order(told),
                    None => break,
                },
            }
        }
        self.stopped = true;
        Err(Stopped)
    }

    /// From the first order to the last.
    async fn run<C: DeserializeOwned>(mut self, body: &impl AsyncFn(C, &mut AsyncSession) -> Result<(), TrialError>) {
        let mut config = Arc::<Config>::default();
        loop {
            let done = match self.context.take_call() {
                Some(Call::End) => break,
                Some(Call::Begin { config: new, .. }) => {
                    (config, self.restored) = (new, None);
                    self.exported.clear();
                    self.not_exported = None;
                    WorkerInput::Ready
                }
                Some(Call::Restore(checkpoint)) => {
                    let opened = contain_fault(|| self.context.open(checkpoint.id));
                    self.restored = matches!(opened, Ok(Some(_))).then_some(checkpoint.id);
                    match opened {
                        Ok(Some(_)) => WorkerInput::Restored,
                        Ok(None) => WorkerInput::CheckpointGone,
                        Err(fault) => WorkerInput::Failed(fault),
                    }
                }
                Some(Call::Work(_)) => {
                    self.stopped = false;
                    let work = async { body(config.parse()?, &mut self).await };
                    let ended = contain_async(FailureKind::UserError, work).await;
                    if std::mem::replace(&mut self.stopped, true) {
                        self.not_exported = ended.err().filter(|fault| fault.kind == FailureKind::ExportFailed);
                        continue;
                    }
                    ended.map_or_else(WorkerInput::Failed, |()| WorkerInput::Ended)
                }
                Some(Call::Save { export, .. }) => {
                    let failed = self.not_exported.take();
                    failed.map_or_else(|| self.context.saved(&export, &self.exported), WorkerInput::Failed)
                }
                Some(Call::Rest) => WorkerInput::AtRest,
                None => match self.orders.recv().await {
                    Some(told) => {
                        self.context.order(told);
                        continue;
                    }
                    None => break,
                },
            };
            while let Ok(told) = self.orders.try_recv() {
                self.context.order(told);
            }
            self.context.on(done);
        }
    }
}
