//! The socket for whoever asks a run and steers it from outside its process, or works on its trials.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::logic::api::{Answer, GivenTrial, Next, Request, TrialEnd};
use crate::logic::ids::LeaseId;
use crate::logic::metrics::Metrics;

/// A run that answers requests.
pub trait Controlled: Send + Sync {
    /// Answers one request; [`Request::Watch`] only with [`Answer::Done`], for its events come from [`watch`](Self::watch).
    fn answer(&self, request: Request) -> BoxFuture<'static, Answer>;

    /// All events from now on: [`Answer::Event`] and [`Answer::Missed`], until the run ends.
    fn watch(&self) -> BoxStream<'static, Answer>;
}

/// Why nothing came of a question or a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// The run is over.
    Over,
    /// It wasn't taken, and here is why.
    Refused(String),
}

/// Gives trials to whoever asks for them.
pub trait GivesTrials: Send + Sync {
    /// A trial, under a lease that is lost once nothing has been heard for so long; none if there is none within `wait`.
    fn ask(
        &self,
        by: Arc<str>,
        lease: Duration,
        wait: Duration,
    ) -> BoxFuture<'static, Result<Option<GivenTrial>, Unheard>>;

    /// Takes a report, an end, both, or with neither the word that somebody is still there. The answer comes when the run has judged it.
    fn tell(
        &self,
        lease: LeaseId,
        metrics: Option<Metrics>,
        end: Option<TrialEnd>,
    ) -> BoxFuture<'static, Result<Next, Unheard>>;

    /// The run is over: so is every question.
    fn close(&self);
}
