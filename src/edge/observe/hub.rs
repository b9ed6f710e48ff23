//! The hub between the engine and those who watch: a failing, slow or hanging observer harms nobody.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::queue::{Chunk, Item, Queue, Waited};
use super::stream::EventStream;
use crate::edge::deadline;
use crate::edge::slow::SlowCalls;
use crate::logic::event::ExperimentEvent;
use crate::logic::failure::error_chain;
use crate::logic::journal::ObserverState;
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, ObserverFault};

/// How long nothing has to come for [`Observer::on_quiet`].
const QUIET: Duration = Duration::from_millis(100);

/// What an observer's thread tells the hub.
enum Word {
    Fault(ObserverFault),
    Over(usize),
}

/// Told to an observer on its own thread before anything else: its state of an earlier session, and what came after it.
pub type Before = Box<dyn FnOnce(&mut dyn Observer) -> Result<(), String> + Send>;

/// Where the states of observers go.
pub type StateSink = Arc<dyn Fn(ObserverState) + Send + Sync>;

/// One observer's, or one subscriber's, end.
#[derive(Debug)]
struct Lane {
    queue: Arc<Queue>,
    // None for a subscriber, which has no thread.
    watcher: Option<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    index: usize,
    name: String,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Hands every event to every observer, each on a thread of its own behind a bounded queue.
///
/// # What happens when
///
/// * **A queue is full.** It has room for `capacity` events, or for as many as the observer says. When a chunk doesn't fit, its [`Reported`] events are left
///   out and counted; the others, the life cycle, have an allowance of their own: they go in until the queue holds
///   twice `capacity`. Beyond that they are left out and counted too, all but [`Finished`], which always goes in.
///   A chunk of any length fits into an empty queue. What was left out is told by [`Observer::on_missed`], at the
///   place in the order of events where it is missing.
/// * **An observer fails or panics.** It is dropped on its thread, its queue is emptied and takes no more, and
///   [`take_faults`](Self::take_faults) tells.
/// * **An observer hangs.** Its queue fills, and its events are counted as missed. [`finish`](Self::finish) waits for
///   it as long as it is told to and leaves its thread behind.
///
/// Publishing costs one short lock and one reference count an observer and chunk, so chunks should be as large as they
/// come. Without observers there is no thread, and publishing costs nothing. A hub that is dropped lets its observers
/// work off what is queued, without waiting for them.
///
/// [`Reported`]: crate::logic::event::EventKind::Reported
/// [`Finished`]: crate::logic::event::EventKind::Finished
#[derive(Debug)]
pub struct ObserverHub {
    lanes: Vec<Lane>,
    words: Receiver<Word>,
    faults: Vec<ObserverFault>,
    slow: Arc<SlowCalls>,
}

impl ObserverHub {
    /// The capacity to choose without a reason for another.
    pub const DEFAULT_CAPACITY: usize = 16_384;

    /// Starts a thread for each observer, with room for `capacity` events (at least one) before each.
    pub fn start(observers: Vec<Box<dyn Observer>>, capacity: usize) -> Self {
        let observers = observers.into_iter().map(|observer| (observer, None)).collect();
        Self::resume(observers, capacity, Arc::new(|_| {}))
    }

    /// The same for observers of which some were there in an earlier session; their states go to `states`.
    pub fn resume(observers: Vec<(Box<dyn Observer>, Option<Before>)>, capacity: usize, states: StateSink) -> Self {
        Self::timed(observers, capacity, states, SlowCalls::longer_than(None))
    }

    /// The same for observers whose long calls are noted.
    pub(crate) fn timed(
        observers: Vec<(Box<dyn Observer>, Option<Before>)>,
        capacity: usize,
        states: StateSink,
        slow: Arc<SlowCalls>,
    ) -> Self {
        let (sender, words) = mpsc::channel();
        let mut hub = Self { lanes: Vec::new(), words, faults: Vec::new(), slow: slow.clone() };
        for (index, (observer, before)) in observers.into_iter().enumerate() {
            // The room is the observer's own code too.
            let room = catch_unwind(AssertUnwindSafe(|| observer.room())).ok().flatten();
            let name = Self::name_of(index, &*observer);
            let (queue, states, words) = (Queue::new(room.unwrap_or(capacity)), states.clone(), sender.clone());
            let slow = slow.clone();
            hub.add(
                observer,
                Post { index, title: format!("observer `{name}`"), name, queue, words, states, before, slow },
            );
        }
        hub
    }

    /// The name of an observer: its number if it panics when it is asked.
    pub(crate) fn name_of(index: usize, observer: &dyn Observer) -> String {
        let name = catch_unwind(AssertUnwindSafe(|| observer.name().to_owned()));
        name.unwrap_or_else(|_| format!("observer {index}"))
    }

    fn add(&mut self, observer: Box<dyn Observer>, post: Post) {
        let (index, name, queue) = (post.index, post.name.clone(), post.queue.clone());
        match thread::Builder::new().name(format!("tryout-observer-{index}")).spawn(move || post.watch(observer)) {
            Ok(_) => self.lanes.push(Lane { queue, watcher: Some(Watcher { index, name }) }),
            Err(error) => self.faults.push(ObserverFault { name, message: format!("it got no thread: {error}") }),
        }
    }

    /// A stream of all events from now on, with room for `capacity` of them.
    pub fn subscribe(&mut self, capacity: usize) -> EventStream {
        let queue = Queue::new(capacity);
        self.lanes.push(Lane { queue: queue.clone(), watcher: None });
        EventStream::new(queue)
    }

    /// Whether nobody watches, so that events needn't even be made.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Hands `events` to all who watch. It never waits for any of them.
    pub fn publish(&mut self, events: Arc<[ExperimentEvent]>) {
        if self.lanes.is_empty() || events.is_empty() {
            return;
        }
        let chunk = Chunk::new(events);
        self.lanes.retain(|lane| {
            lane.queue.push(&chunk);
            // A watcher stays until its thread has said its last word, so that `finish` waits for that.
            lane.watcher.is_some() || !lane.queue.is_abandoned()
        });
    }

    /// Asks the observers for their states, after all that was published before.
    pub fn save(&mut self, mark: u64) {
        for lane in self.lanes.iter().filter(|lane| lane.watcher.is_some()) {
            lane.queue.ask_state(mark);
        }
    }

    /// The observers that were disabled since the last call.
    pub fn take_faults(&mut self) -> Vec<ObserverFault> {
        while let Ok(word) = self.words.try_recv() {
            self.hear(word);
        }
        std::mem::take(&mut self.faults)
    }

    /// What is to be said of slow observers, and of whoever else the notes are taken of.
    pub(crate) fn take_slow(&self) -> Vec<String> {
        self.slow.take()
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Fault(fault) => self.faults.push(fault),
            Word::Over(over) => {
                self.lanes.retain(|lane| lane.watcher.as_ref().is_none_or(|watcher| watcher.index != over));
            }
        }
    }

    /// Ends all streams, gives the observers `patience` to work off what is queued, and leaves behind those that don't.
    /// It blocks the calling thread for that long at most; what it returns are the faults not taken yet.
    pub fn finish(mut self, patience: Duration) -> Vec<ObserverFault> {
        let deadline = deadline::after(Instant::now(), patience);
        self.lanes.iter().for_each(|lane| lane.queue.close());
        self.lanes.retain(|lane| lane.watcher.is_some());
        while !self.lanes.is_empty() {
            match self.words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(word) => self.hear(word),
                Err(_) => break,
            }
        }
        for lane in &self.lanes {
            lane.queue.abandon();
            if let Some(watcher) = &lane.watcher {
                let message = format!("it wasn't done within {patience:?} of the end and was left behind");
                self.faults.push(ObserverFault { name: watcher.name.clone(), message });
            }
        }
        std::mem::take(&mut self.faults)
    }
}

/// Where one observer stands: its thread's side.
struct Post {
    index: usize,
    name: String,
    /// As it is called in warnings.
    title: String,
    queue: Arc<Queue>,
    words: Sender<Word>,
    states: StateSink,
    before: Option<Before>,
    slow: Arc<SlowCalls>,
}

impl Post {
    fn watch(mut self, mut observer: Box<dyn Observer>) {
        let before = self.before.take();
        let watched = catch_unwind(AssertUnwindSafe(|| self.hand_over(before, observer.as_mut())));
        self.queue.abandon();
        // Files are flushed as they are dropped: that must be over before `finish` returns.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(observer)));
        let message = match (watched, dropped) {
            (Ok(Err(message)), _) => Some(message),
            (Err(panic), _) | (Ok(Ok(())), Err(panic)) => Some(words_of(panic)),
            (Ok(Ok(())), Ok(())) => None,
        };
        // A hub that is gone needs no word.
        if let Some(message) = message {
            let _ = self.words.send(Word::Fault(ObserverFault { name: self.name, message }));
        }
        let _ = self.words.send(Word::Over(self.index));
    }

    fn hand_over(&self, before: Option<Before>, observer: &mut dyn Observer) -> Result<(), String> {
        if let Some(before) = before {
            before(observer)?;
        }
        let told = |said: Result<(), ObserverError>| said.map_err(|error| error_chain(error.as_ref()));
        while let Some(first) = self.queue.wait() {
            let mut next = Some(first);
            while let Some(item) = next.take() {
                told(self.hand(item, observer))?;
                match self.queue.wait_for(QUIET) {
                    Waited::Item(item) => next = Some(item),
                    Waited::Quiet => told(observer.on_quiet())?,
                    Waited::Over => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn hand(&self, item: Item, observer: &mut dyn Observer) -> Result<(), ObserverError> {
        match item {
            Item::Missed(events) => observer.on_missed(events),
            Item::Save(mark) => {
                if let Some(state) = observer.save() {
                    (self.states)(ObserverState { name: self.name.clone(), mark, state });
                }
                Ok(())
            }
            Item::Events(events) => {
                let mut wanted = events.iter().take_while(|_| !self.queue.is_abandoned());
                let mut began = Instant::now();
                wanted.try_for_each(|event| {
                    let told = observer.on_event(event);
                    let now = Instant::now();
                    let took = now.duration_since(std::mem::replace(&mut began, now));
                    self.slow.took(&self.title, took, || over(event));
                    told
                })
            }
        }
    }
}

/// What an observer took long over.
fn over(event: &ExperimentEvent) -> String {
    let trial = event.kind.trial().map_or_else(String::new, |trial| format!(" of trial {trial}"));
    format!("over an event{trial}: what it has no room for meanwhile, it misses")
}

fn words_of(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    let words = format!("it panicked: {}", text.unwrap_or("without a message"));
    // A payload that panics as it is dropped must not unwind further.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    words
}
