//! The bounded queue between the engine and one observer: putting in never waits for whoever takes out.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::logic::event::{EventKind, ExperimentEvent};

/// Events that happened together, shared by all queues.
#[derive(Debug)]
pub(super) struct Chunk {
    all: Arc<[ExperimentEvent]>,
    // Filtered once for all the queues that are full, and only if there is one.
    life: OnceCell<Arc<[ExperimentEvent]>>,
}

impl Chunk {
    pub(super) fn new(all: Arc<[ExperimentEvent]>) -> Self {
        Self { all, life: OnceCell::new() }
    }

    /// The events without the reports.
    fn life(&self) -> &Arc<[ExperimentEvent]> {
        self.life.get_or_init(|| {
            let life = self.all.iter().filter(|event| !matches!(event.kind, EventKind::Reported { .. }));
            life.cloned().collect()
        })
    }

    /// The last event of the run, if it is among these.
    fn last_word(&self) -> Option<Arc<[ExperimentEvent]>> {
        let last = self.all.last().filter(|event| matches!(event.kind, EventKind::Finished { .. }));
        last.map(|event| Arc::from([event.clone()]))
    }
}

/// What comes out of a queue.
#[derive(Debug)]
pub(super) enum Item {
    /// Events.
    Events(Arc<[ExperimentEvent]>),
    /// So many are missing here.
    Missed(u64),
    /// The state after everything before is asked for, under this mark.
    Save(u64),
}

/// What came of waiting for an item for a while.
#[derive(Debug)]
pub(super) enum Waited {
    /// One is there.
    Item(Item),
    /// None came.
    Quiet,
    /// The queue is closed and empty.
    Over,
}

/// How long a thread that works events off lets them gather before it takes them. Waking it for each would cost more, to
/// whoever puts in, than all the rest.
const LINGER: Duration = Duration::from_millis(5);

/// So many events wake it before that.
const MANY: usize = 2_048;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waits {
    /// It doesn't wait.
    #[default]
    No,
    /// Anything.
    ForAny,
    /// Many events, or the time to be over.
    ForMany,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    events: usize,
    closed: bool,
    waits: Waits,
    waker: Option<Waker>,
}

impl State {
    fn put(&mut self, events: Arc<[ExperimentEvent]>) {
        self.events += events.len();
        self.items.push_back(Item::Events(events));
    }

    fn miss(&mut self, events: usize) {
        match self.items.back_mut() {
            _ if events == 0 => {}
            Some(Item::Missed(count)) => *count += events as u64,
            _ => self.items.push_back(Item::Missed(events as u64)),
        }
    }

    fn has_nothing(&mut self) -> bool {
        self.items.is_empty() && !self.closed
    }

    fn take(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Events(events) = &item {
            self.events -= events.len();
        }
        Some(item)
    }
}

/// The queue. Its policy is told at [`ObserverHub`](super::ObserverHub).
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    arrived: Condvar,
    // Beside the lock, so that whoever works through a long chunk can look at it between two events.
    abandoned: AtomicBool,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity: capacity.max(1),
            state: Mutex::default(),
            arrived: Condvar::new(),
            abandoned: AtomicBool::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody else's code runs under this lock, so what it guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in what there is room for, and a note of what there isn't.
    pub(super) fn push(&self, chunk: &Chunk) {
        let mut state = self.state();
        if self.is_abandoned() {
            return;
        }
        let fits = |events: usize, limit: usize| state.events == 0 || state.events.saturating_add(events) <= limit;
        let all = chunk.all.len();
        if fits(all, self.capacity) {
            state.put(chunk.all.clone());
        } else if fits(chunk.life().len(), self.capacity.saturating_mul(2)) {
            let life = chunk.life();
            state.miss(all - life.len());
            if !life.is_empty() {
                state.put(life.clone());
            }
        } else {
            let last_word = chunk.last_word();
            state.miss(all - usize::from(last_word.is_some()));
            last_word.into_iter().for_each(|events| state.put(events));
        }
        self.wake(state);
    }

    /// Puts in the question for the state.
    pub(super) fn ask_state(&self, mark: u64) {
        let mut state = self.state();
        if !self.is_abandoned() {
            state.items.push_back(Item::Save(mark));
        }
        self.wake(state);
    }

    /// Nothing more will be put in.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.wake(state);
    }

    /// Whoever took out is gone, or nobody waits for it any longer.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        self.abandoned.store(true, Ordering::Relaxed);
        state.closed = true;
        state.events = 0;
        let items = std::mem::take(&mut state.items);
        self.wake(state);
        drop(items);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        let due = match state.waits {
            Waits::No => false,
            Waits::ForAny => true,
            Waits::ForMany => !self.has_few(&state),
        };
        drop(state);
        if due {
            self.arrived.notify_one();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn has_few(&self, state: &State) -> bool {
        state.events < MANY.min(self.capacity / 4) && !state.closed
    }

    /// The next item, waited for; none once the queue is closed and empty.
    pub(super) fn wait(&self) -> Option<Item> {
        let mut state = self.state();
        state.waits = Waits::ForAny;
        let waited = self.arrived.wait_while(state, State::has_nothing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.waits = Waits::No;
        state.take()
    }

    /// The same, waited for no longer than `patience`. What comes soon may gather for a few milliseconds.
    pub(super) fn wait_for(&self, patience: Duration) -> Waited {
        let mut state = self.state();
        if state.has_nothing() {
            state.waits = Waits::ForMany;
            let waited = self.arrived.wait_timeout_while(state, LINGER, |state| self.has_few(state));
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.has_nothing() {
            state.waits = Waits::ForAny;
            let waited = self.arrived.wait_timeout_while(state, patience, State::has_nothing);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.waits = Waits::No;
        match state.take() {
            Some(item) => Waited::Item(item),
            None if state.closed => Waited::Over,
            None => Waited::Quiet,
        }
    }

    /// The same for a task.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let mut state = self.state();
        match state.take() {
            Some(item) => Poll::Ready(Some(item)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
