//! What is on its way to the writer's thread. Putting in never waits, and wakes the thread only when that is worth it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::Command;

/// How long what comes in may gather before the thread takes it: waking it for each would cost whoever puts in more than
/// all the rest.
const LINGER: Duration = Duration::from_millis(2);
/// So much wakes it before that.
const MANY: usize = 1_024;

/// What the thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// It doesn't wait.
    No,
    /// Anything.
    ForAny,
    /// Much, or something urgent, or the time to be over.
    ForMuch,
}

/// Whether something can wait for more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It can.
    None,
    /// Somebody waits for what follows from it.
    High,
}

struct State<E> {
    commands: VecDeque<Command<E>>,
    waits: Waits,
    urgent: bool,
}

/// The queue, shared by all who put in and the one who takes out.
pub(super) struct Inbox<E> {
    shared: Arc<(Mutex<State<E>>, Condvar)>,
}

impl<E> Clone for Inbox<E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<E> std::fmt::Debug for Inbox<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl<E> Inbox<E> {
    pub(super) fn new() -> Self {
        let state = State { commands: VecDeque::new(), waits: Waits::No, urgent: false };
        Self { shared: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        // Nobody else's code runs under this lock, so what it guards is whole.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, command: Command<E>, urgency: Urgency) {
        let mut state = self.state();
        state.commands.push_back(command);
        state.urgent |= urgency == Urgency::High;
        let wake = match state.waits {
            Waits::No => false,
            Waits::ForAny => true,
            Waits::ForMuch => state.urgent || state.commands.len() == MANY,
        };
        drop(state);
        if wake {
            self.shared.1.notify_one();
        }
    }

    /// Takes everything there is, behind what `into` holds already. If there is nothing it waits: first a little, for much
    /// to gather, then for anything, until `due`.
    pub(super) fn take(&self, due: Option<Instant>, into: &mut VecDeque<Command<E>>) {
        let mut state = self.state();
        if !state.urgent && state.commands.len() < MANY {
            let end = due.map_or(LINGER, |due| due.saturating_duration_since(Instant::now()).min(LINGER));
            state.waits = Waits::ForMuch;
            let few = |state: &mut State<E>| !state.urgent && state.commands.len() < MANY;
            let waited = self.shared.1.wait_timeout_while(state, end, few);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.commands.is_empty() {
            state.waits = Waits::ForAny;
            let nothing = |state: &mut State<E>| state.commands.is_empty();
            state = match due {
                None => self.shared.1.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    let waited = self.shared.1.wait_timeout_while(state, left, nothing);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        (state.waits, state.urgent) = (Waits::No, false);
        if into.is_empty() {
            std::mem::swap(into, &mut state.commands);
        } else {
            into.append(&mut state.commands);
        }
    }
}
