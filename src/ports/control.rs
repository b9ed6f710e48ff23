//! The socket for whoever asks a run and steers it from outside its process.

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::logic::api::{Answer, Request};

/// A run that answers requests.
pub trait Controlled: Send + Sync {
    /// Answers one request; [`Request::Watch`] only with [`Answer::Done`], for its events come from [`watch`](Self::watch).
    fn answer(&self, request: Request) -> BoxFuture<'static, Answer>;

    /// All events from now on: [`Answer::Event`] and [`Answer::Missed`], until the run ends.
    fn watch(&self) -> BoxStream<'static, Answer>;
}
