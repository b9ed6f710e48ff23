//! Calls of observers and stores that took long: what is said of them, once in a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::logic::once_in_a_while::OnceInAWhile;
use crate::logic::time::Moment;

/// Takes notes of calls that took longer than a limit. Shared by those who call, and by who passes the notes on.
#[derive(Debug)]
pub(crate) struct SlowCalls {
    limit: Option<Duration>,
    began: Instant,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    /// By who is slow.
    said: HashMap<String, OnceInAWhile>,
    unheard: Vec<String>,
}

impl SlowCalls {
    /// Notes what takes longer than this; nothing, if there is no limit.
    pub(crate) fn longer_than(limit: Option<Duration>) -> Arc<Self> {
        Arc::new(Self { limit, began: Instant::now(), notes: Mutex::default() })
    }

    /// Whether anything is noted at all.
    pub(crate) fn is_on(&self) -> bool {
        self.limit.is_some()
    }

    /// `who` took so long over `what`.
    pub(crate) fn took(&self, who: &str, took: Duration, what: impl FnOnce() -> String) {
        if self.limit.is_none_or(|limit| took <= limit) {
            return;
        }
        let now = Moment::new(self.began.elapsed());
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(again) = notes.said.entry(who.to_owned()).or_default().pass(now) else { return };
        notes.unheard.push(format!("{who} took {:.2} s {}{again}", took.as_secs_f64(), what()));
    }

    /// What was noted since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner).unheard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_in_a_while() {
        let calls = SlowCalls::longer_than(Some(Duration::from_millis(500)));
        let call = |who: &str, millis| calls.took(who, Duration::from_millis(millis), || "to write".to_owned());
        call("the store A", 500);
        call("the store A", 501);
        call("the store A", 900);
        call("observer `b`", 2_000);
        assert_eq!(calls.take(), ["the store A took 0.50 s to write", "observer `b` took 2.00 s to write"]);
        call("the store A", 900);
        assert_eq!(calls.take(), [""; 0]);
        let silent = SlowCalls::longer_than(None);
        silent.took("the store A", Duration::from_secs(9), || "to write".to_owned());
        assert!(silent.take().is_empty());
    }
}
