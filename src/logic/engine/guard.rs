//! Calls to the parts that users can write: a panic there is a value here.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::slow::Stopwatch;
use crate::logic::event::{Part, RunFailure};
use crate::logic::schedule::Scheduler;
use crate::logic::search::Searcher;
use crate::logic::stop::RunRules;

/// Has a name for messages.
pub(super) trait Named {
    fn part_name(&self) -> String;
}

impl Named for dyn Searcher {
    fn part_name(&self) -> String {
        self.name().to_owned()
    }
}

impl Named for dyn Scheduler {
    fn part_name(&self) -> String {
        self.name().to_owned()
    }
}

impl Named for RunRules {
    fn part_name(&self) -> String {
        "of this experiment".to_owned()
    }
}

/// A part, and what became of it. Once it has failed it is never called again.
pub(super) struct Guarded<T: ?Sized> {
    part: Box<T>,
    name: String,
    state: RefCell<PartState>,
    watch: Stopwatch,
}

enum PartState {
    Sound,
    /// It failed, and nobody has heard of it yet.
    Failed(String),
    Dead,
}

impl<T: ?Sized> std::fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(*self.state.borrow(), PartState::Sound) { "Sound" } else { "Failed" })
    }
}

impl<T: ?Sized + Named> Guarded<T> {
    /// Its name is asked for once: when it is needed, the part may have failed.
    pub(super) fn new(part: Box<T>) -> Self {
        let (name, state) = match guarded(|| part.part_name()) {
            Ok(name) => (name, PartState::Sound),
            Err(message) => ("without a name".to_owned(), PartState::Failed(message)),
        };
        Self { part, name, state: RefCell::new(state), watch: Stopwatch::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Has its calls timed from now on.
    pub(super) fn time_by(&mut self, watch: Stopwatch) {
        self.watch = watch;
    }

    /// How long its calls took since this was last asked.
    pub(super) fn take_spent(&self) -> Duration {
        self.watch.take()
    }

    pub(super) fn into_part(self) -> Box<T> {
        self.part
    }

    /// Calls the part, unless it has failed before.
    pub(super) fn call<R>(&mut self, call: impl FnOnce(&mut T) -> R) -> Option<R> {
        if !self.is_sound() {
            return None;
        }
        let part = &mut self.part;
        self.watch.time(|| guarded(|| call(part))).map_err(|message| self.fail(message)).ok()
    }

    /// Asks the part, unless it has failed before.
    pub(super) fn ask<R>(&self, ask: impl FnOnce(&T) -> R) -> Option<R> {
        if !self.is_sound() {
            return None;
        }
        guarded(|| ask(&self.part)).map_err(|message| self.fail(message)).ok()
    }

    pub(super) fn is_sound(&self) -> bool {
        matches!(*self.state.borrow(), PartState::Sound)
    }

    pub(super) fn fail(&self, message: String) {
        if self.is_sound() {
            self.state.replace(PartState::Failed(message));
        }
    }

    /// Its failure, said once.
    pub(super) fn failure(&mut self, part: Part) -> Option<RunFailure> {
        match self.state.replace(PartState::Dead) {
            PartState::Failed(message) => Some(RunFailure::Part { part, name: self.name.clone(), message }),
            sound_or_dead => {
                self.state.replace(sound_or_dead);
                None
            }
        }
    }
}

/// Calls code that isn't ours; a panic is an error in words.
pub(crate) fn guarded<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let message = format!("it panicked: {}", panic_message(payload.as_ref()));
        // What was thrown can panic when it is dropped, and so can what that throws.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(another);
        }
        message
    })
}

/// The words of a panic.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
