//! The event stream for programs: a [`Stream`] that never holds the engine up.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;

use super::queue::{Item, Queue};
use crate::logic::event::ExperimentEvent;

/// One event, shared with all the other observers instead of copied for each. It stands for the event itself.
#[derive(Clone)]
pub struct SharedEvent {
    chunk: Arc<[ExperimentEvent]>,
    index: usize,
}

impl Deref for SharedEvent {
    type Target = ExperimentEvent;

    fn deref(&self) -> &ExperimentEvent {
        &self.chunk[self.index]
    }
}

impl std::fmt::Debug for SharedEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// What an [`EventStream`] yields.
#[derive(Clone, Debug)]
pub enum Seen {
    /// Something happened.
    Event(SharedEvent),
    /// So many events, reports as a rule, were dropped here because the stream wasn't read fast enough.
    Missed(u64),
}

/// The events of a run from the moment of its [subscription](super::ObserverHub::subscribe). It ends with the run, and
/// it may be dropped at any time.
#[derive(Debug)]
pub struct EventStream {
    queue: Arc<Queue>,
    current: Option<SharedEvent>,
}

impl EventStream {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, current: None }
    }

    fn next_of_chunk(&mut self) -> Option<SharedEvent> {
        let event = self.current.take()?;
        if event.index + 1 < event.chunk.len() {
            self.current = Some(SharedEvent { chunk: event.chunk.clone(), index: event.index + 1 });
        }
        Some(event)
    }
}

impl Stream for EventStream {
    type Item = Seen;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Seen>> {
        loop {
            if let Some(event) = self.next_of_chunk() {
                return Poll::Ready(Some(Seen::Event(event)));
            }
            match ready!(self.queue.poll(context)) {
                Some(Item::Events(chunk)) if chunk.is_empty() => {}
                Some(Item::Events(chunk)) => self.current = Some(SharedEvent { chunk, index: 0 }),
                // Nobody asks a subscriber for its state.
                Some(Item::Save(_)) => {}
                Some(Item::Missed(events)) => return Poll::Ready(Some(Seen::Missed(events))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}
