//! The socket for the user's work: a trait with a step, in a blocking and an async form.

use std::future::Future;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::{TrialError, Unsupported};
use super::store::{CheckpointReader, CheckpointWriter};
use crate::logic::metrics::Metrics;
use crate::logic::pool::ResourceRequest;
use crate::logic::worker::{Wish, WorkerInput};

pub use crate::logic::trial::TrialInfo;

/// What a step brought: its metrics, and what the trainable wants next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    pub(crate) metrics: Metrics,
    pub(crate) wish: Wish,
}

impl Step {
    /// Metrics, and on to the next step.
    pub fn next(metrics: impl Into<Metrics>) -> Self {
        Self { metrics: metrics.into(), wish: Wish::GoOn }
    }

    /// Metrics, and now would be a good moment for a checkpoint.
    pub fn save(metrics: impl Into<Metrics>) -> Self {
        Self { metrics: metrics.into(), wish: Wish::Save }
    }

    /// Metrics, and there is nothing more to do.
    pub fn done(metrics: impl Into<Metrics>) -> Self {
        Self { metrics: metrics.into(), wish: Wish::End }
    }
}

impl From<Step> for WorkerInput {
    fn from(Step { metrics, wish }: Step) -> Self {
        WorkerInput::Reported { metrics, wish, took: None }
    }
}

impl<M: Into<Metrics>> From<M> for Step {
    fn from(metrics: M) -> Self {
        Step::next(metrics)
    }
}

/// Work that goes step by step, each step a report. It lives on a thread of its own and needn't be `Send`.
///
/// ```
/// use tryout::prelude::*;
///
/// struct Descent { x: f64, rate: f64 }
///
/// #[derive(serde::Deserialize)]
/// struct Settings { rate: f64 }
///
/// impl Trainable for Descent {
///     type Config = Settings;
///
///     fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
///         Ok(Self { x: 10.0, rate: config.rate })
///     }
///
///     fn step(&mut self) -> Result<Step, TrialError> {
///         self.x -= self.rate * 2.0 * self.x;
///         Ok(Step::next([("loss", self.x * self.x)]))
///     }
/// }
/// ```
pub trait Trainable: Sized + 'static {
    /// The configuration, read from the trial's [`Config`](crate::logic::config::Config) by serde.
    type Config: DeserializeOwned;

    /// The names of all metrics that it reports, if it says so: an objective that isn't among them is then refused before
    /// anything runs, instead of at the first report.
    const METRICS: &'static [&'static str] = &[];

    /// The names of all formats that it can export: letters, digits, `.`, `_` and `-`. An experiment that asks for another one is
    /// refused before anything runs.
    const EXPORTS: &'static [&'static str] = &[];

    /// Makes it ready for its first step.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn setup(config: Self::Config, trial: &TrialInfo) -> Result<Self, TrialError>;

    /// One unit of work, ending with a report.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn step(&mut self) -> Result<Step, TrialError>;

    /// Writes its state. Without it, a trial that is paused or tried again starts from the beginning.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn save(&mut self, _to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Err(Unsupported("save").into())
    }

    /// Takes up the state that [`save`](Trainable::save) wrote, right after `setup` or `reset`.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn restore(&mut self, _from: &mut CheckpointReader) -> Result<(), TrialError> {
        Err(Unsupported("restore").into())
    }

    /// Becomes another trial, keeping what is dear: data in memory, a compiled model. Without it, or if it fails, a
    /// new one is set up.
    ///
    /// # Errors
    /// Any error makes the engine set up a new one.
    fn reset(&mut self, _config: Self::Config, _trial: &TrialInfo) -> Result<(), TrialError> {
        Err(Unsupported("reset").into())
    }

    /// Cleans up: the last call, before it is dropped.
    fn stop(&mut self) {}

    /// Writes its final product into an empty `directory`, in one of the formats of [`EXPORTS`](Trainable::EXPORTS); called for
    /// each that the experiment asks for, when the trial is done or its stop lets it finish its step.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn export(&mut self, _format: &str, _directory: &Path) -> Result<(), TrialError> {
        Err(Unsupported("export").into())
    }

    /// What it needs with this configuration; none means that the experiment says it.
    fn default_resources(_config: &Self::Config) -> Option<ResourceRequest> {
        None
    }
}

/// Work that awaits: the async twin of [`Trainable`], method by method. It lives on an arbiter that it shares with
/// other trials, never the host's, so a step that blocks holds up its neighbours.
pub trait AsyncTrainable: Sized + 'static {
    /// The configuration, read from the trial's [`Config`](crate::logic::config::Config) by serde.
    type Config: DeserializeOwned;

    /// The names of all metrics that it reports, if it says so: an objective that isn't among them is then refused before
    /// anything runs, instead of at the first report.
    const METRICS: &'static [&'static str] = &[];

    /// The names of all formats that it can export: letters, digits, `.`, `_` and `-`. An experiment that asks for another one is
    /// refused before anything runs.
    const EXPORTS: &'static [&'static str] = &[];

    /// Makes it ready for its first step.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn setup(config: Self::Config, trial: &TrialInfo) -> impl Future<Output = Result<Self, TrialError>>;

    /// One unit of work, ending with a report.
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn step(&mut self) -> impl Future<Output = Result<Step, TrialError>>;

    /// See [`Trainable::save`].
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn save(&mut self, _to: &mut CheckpointWriter) -> impl Future<Output = Result<(), TrialError>> {
        async { Err(Unsupported("save").into()) }
    }

    /// See [`Trainable::restore`].
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn restore(&mut self, _from: &mut CheckpointReader) -> impl Future<Output = Result<(), TrialError>> {
        async { Err(Unsupported("restore").into()) }
    }

    /// See [`Trainable::reset`].
    ///
    /// # Errors
    /// Any error makes the engine set up a new one.
    fn reset(&mut self, _config: Self::Config, _trial: &TrialInfo) -> impl Future<Output = Result<(), TrialError>> {
        async { Err(Unsupported("reset").into()) }
    }

    /// See [`Trainable::stop`].
    fn stop(&mut self) -> impl Future<Output = ()> {
        async {}
    }

    /// See [`Trainable::export`].
    ///
    /// # Errors
    /// Any error is a failure of the trial.
    fn export(&mut self, _format: &str, _directory: &Path) -> impl Future<Output = Result<(), TrialError>> {
        async { Err(Unsupported("export").into()) }
    }

    /// See [`Trainable::default_resources`].
    fn default_resources(_config: &Self::Config) -> Option<ResourceRequest> {
        None
    }
}
