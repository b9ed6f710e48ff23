//! The loop of a worker whose trainable is a closure that reports.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::contain::contain;
use super::desk::Desk;
use super::thread::{Orders, ThreadBackend};
use crate::logic::checkpoint::Checkpoint;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::metrics::Metrics;
use crate::logic::trial::{BatchEnd, Rests, TrialInfo, WorkerFact, WorkerOrder};
use crate::ports::error::{Stopped, TrialError};
use crate::ports::store::{CheckpointReader, CheckpointWriter};
use crate::ports::trainable::Wish;

/// Runs a closure for each trial, on a thread of its own. It reports as it goes; when it returns, the trial is done.
///
/// ```
/// use tryout::prelude::*;
///
/// #[derive(serde::Deserialize)]
/// struct Settings { rate: f64 }
///
/// let descent = function("descent", |config: Settings, trial| {
///     let mut x = 10.0;
///     for _ in 0..20 {
///         x -= config.rate * 2.0 * x;
///         trial.report([("loss", x * x)])?;
///     }
///     Ok(())
/// });
/// let results = Experiment::new("descent", descent)
///     .space(Space::new().with("rate", uniform(0.0, 1.0)))
///     .objective(Objective::min("loss"))
///     .samples(4)
///     .run()?;
/// println!("{}", results.best()?.config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn function<C, F>(name: &str, body: F) -> ThreadBackend
where
    C: DeserializeOwned,
    F: Fn(C, &mut Session) -> Result<(), TrialError> + Send + Sync + 'static,
{
    let body = Arc::new(body);
    ThreadBackend::new(
        name,
        Rests::WhenReleased,
        Arc::new(move |desk, orders| {
            let session = Session { desk, orders, lease: None, stopped: false, restored: None };
            session.run(|config, session| body(config.parse()?, session));
        }),
        Arc::new(|_| None),
    )
}

/// A closure's line to its trial.
pub struct Session {
    desk: Desk,
    orders: Orders,
    lease: Option<LeaseId>,
    stopped: bool,
    restored: Option<Arc<Checkpoint>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("trial", &self.desk.trial()).finish_non_exhaustive()
    }
}

impl Session {
    /// Reports metrics, and waits while somebody decides over the trial.
    ///
    /// # Errors
    /// [`Stopped`] if the closure is to end now: pass it on with `?`.
    pub fn report(&mut self, metrics: impl Into<Metrics>) -> Result<(), Stopped> {
        if self.stopped {
            return Err(Stopped);
        }
        let end = self.desk.take(metrics.into(), Wish::GoOn).or_else(|| self.peek());
        match end {
            Some(end) => self.hand_in(end, None),
            None => Ok(()),
        }
    }

    /// Reports metrics together with a checkpoint, from which the trial goes on after a pause or a failure.
    ///
    /// # Errors
    /// If the checkpoint can't be written; and [`Stopped`] if the closure is to end now.
    pub fn report_with(
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
        Ok(self.hand_in(BatchEnd::CheckpointDue, Some(checkpoint))?)
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

    /// Whether an order has come in the meantime, which ends the batch.
    fn peek(&mut self) -> Option<BatchEnd> {
        self.orders.peek().map(|_| BatchEnd::Limit)
    }

    /// Hands the batch in and waits for the answer.
    fn hand_in(&mut self, end: BatchEnd, handed_in: Option<Arc<Checkpoint>>) -> Result<(), Stopped> {
        if let Some(lease) = self.lease {
            let fact = self.desk.end_batch(end, handed_in);
            self.desk.say(lease, fact);
        }
        loop {
            match self.orders.next() {
                Some((lease, WorkerOrder::Train { limits, spare })) if Some(lease) == self.lease => {
                    self.desk.begin_batch(limits, spare);
                    return Ok(());
                }
                // It has handed in what it has: there is nothing newer to save.
                Some((lease, WorkerOrder::Save { .. })) if Some(lease) == self.lease => {
                    self.desk.say(lease, WorkerFact::Saved(None));
                }
                Some((_, WorkerOrder::Yield)) => {}
                other => {
                    // Left to the loop, once the closure has come to its end.
                    other.into_iter().for_each(|told| self.orders.put_back(told));
                    self.stopped = true;
                    return Err(Stopped);
                }
            }
        }
    }

    fn run(mut self, body: impl Fn(Config, &mut Session) -> Result<(), TrialError>) {
        let mut failed: Option<Fault> = None;
        let mut config = Config::new();
        while let Some((lease, order)) = self.orders.next() {
            let fact = match order {
                WorkerOrder::Start { info, config: new, first } => {
                    self.desk.begin_trial(info);
                    self.restored = None;
                    failed = None;
                    config = Config::clone(&new);
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
                    let ended = contain(FailureKind::UserError, || body(config.clone(), &mut self));
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
