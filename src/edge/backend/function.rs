//! Trainables that are closures and report as they go, on threads.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use serde::de::DeserializeOwned;

use super::contain::{contain, contain_fault};
use super::context::WorkerContext;
use super::thread::{Orders, ThreadBackend, Told};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::metrics::Metrics;
use crate::logic::trial::{Rests, TrialInfo};
use crate::logic::worker::{Call, Wish, WorkerInput};
use crate::ports::error::{NotSaved, Stopped, TrialError};
use crate::ports::store::{CheckpointReader, CheckpointWriter};

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
        Arc::new(move |context, orders| {
            let session = Session {
                context,
                orders,
                restored: None,
                exported: BTreeSet::new(),
                not_exported: None,
                stopped: true,
            };
            session.run(|config, session| body(config.parse()?, session));
        }),
        Arc::new(|_| None),
    )
}

/// A closure's line to its trial.
pub struct Session {
    context: WorkerContext,
    orders: Receiver<Told>,
    restored: Option<CheckpointId>,
    /// The formats that it has exported.
    exported: BTreeSet<String>,
    /// Why it couldn't, when it was stopped.
    not_exported: Option<Fault>,
    /// Whether the closure is to end.
    stopped: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("trial", &self.context.info().map(|info| info.id)).finish_non_exhaustive()
    }
}

impl Session {
    /// Reports metrics, and waits while somebody decides over the trial.
    ///
    /// # Errors
    /// [`Stopped`] if the closure is to end now: pass it on with `?`.
    pub fn report(&mut self, metrics: impl Into<Metrics>) -> Result<(), Stopped> {
        self.tell(WorkerInput::Reported { metrics: metrics.into(), wish: Wish::GoOn, took: None })
    }

    /// Reports metrics together with a checkpoint, from which the trial goes on after a pause or a failure.
    ///
    /// # Errors
    /// If the checkpoint can't be written: passed on with `?`, it is a [`FailureKind::SaveFailed`]. And [`Stopped`] if the closure
    /// is to end now.
    pub fn report_with(
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
        Ok(self.tell(WorkerInput::HandedIn(bytes))?)
    }

    /// The checkpoint to go on from, if there is one: open it before the first report.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn checkpoint(&self) -> Result<Option<CheckpointReader>, TrialError> {
        self.restored.map(|id| self.context.open_given(id)).transpose()
    }

    /// Has `write` put the final product into an empty directory, in one of the formats that the experiment
    /// [exports](crate::Experiment::export); what was exported before is replaced. For when it is done, and for when a report says
    /// that it is stopped, before it returns:
    ///
    /// ```
    /// # use tryout::prelude::*;
    /// let train = function("train", |_: Config, trial| {
    ///     let mut weights = 1.0;
    ///     for _ in 0..100 {
    ///         weights *= 0.9;
    ///         if trial.report([("loss", weights)]).is_err() {
    ///             break;
    ///         }
    ///     }
    ///     trial.export("text", |directory| Ok(std::fs::write(directory.join("weights"), weights.to_string())?))
    /// });
    /// let experiment = Experiment::new("train", train.exporting(["text"])).points([Config::new()]);
    /// let results = experiment.export(Export::formats(["text"])).stop(stop::iterations(2)).run()?;
    /// let model = results.export(results.trials()[0].id, "text").expect("it was stopped and could finish");
    /// assert_eq!(std::fs::read_to_string(model.join("weights"))?, "0.81");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Stopped`] if the trial was stopped at once and nothing is kept. If the format's name isn't a file's, or it can't be
    /// written or kept: passed on with `?`, that is a [`FailureKind::ExportFailed`].
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
    fn tell(&mut self, done: WorkerInput) -> Result<(), Stopped> {
        if self.stopped {
            return Err(Stopped);
        }
        // What was ordered in the meantime goes first: it may make void what was done.
        while let Some(told) = self.orders.poll() {
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
                None => match self.orders.next() {
                    Some(told) => self.context.order(told),
                    None => break,
                },
            }
        }
        self.stopped = true;
        Err(Stopped)
    }

    /// From the first order to the last.
    fn run(mut self, body: impl Fn(&Config, &mut Session) -> Result<(), TrialError>) {
        let mut config = Arc::default();
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
                    let ended = contain(FailureKind::UserError, || body(&config, &mut self));
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
                None => match self.orders.next() {
                    Some(told) => {
                        self.context.order(told);
                        continue;
                    }
                    None => break,
                },
            };
            while let Some(told) = self.orders.poll() {
                self.context.order(told);
            }
            self.context.on(done);
        }
    }
}
