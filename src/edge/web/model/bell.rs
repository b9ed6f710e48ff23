//! What wakes whoever reads further: rung as often as anything happens, looked at when there is time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared by who rings and who is woken.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    rung: bool,
    over: bool,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has happened.
    pub(super) fn ring(&self) {
        self.lock().rung = true;
        self.changed.notify_all();
    }

    /// Nothing will ring any more.
    pub(super) fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// Waits until something has happened; whether more can come.
    pub(super) fn wait(&self) -> bool {
        let state = self.changed.wait_while(self.lock(), |state| !state.rung && !state.over);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        !state.over
    }

    /// Lets so much time pass, less if nothing more can come; whether something has happened meanwhile.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |state| !state.over);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.rung || state.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_joined_and_the_end_wakes_everybody() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        assert!(bell.wait());
        assert!(!bell.rest(Duration::ZERO));
        bell.end();
        assert!(bell.rest(Duration::from_secs(3600)));
        assert!(!bell.wait());
    }
}
