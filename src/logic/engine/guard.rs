//! Calls to the parts that users can write: a panic there is a value here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::logic::event::{Part, RunFailure};
use crate::logic::schedule::Scheduler;
use crate::logic::search::Searcher;
use crate::logic::stop::StopRule;

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

impl Named for dyn StopRule {
    fn part_name(&self) -> String {
        "of this experiment".to_owned()
    }
}

/// A part, and what became of it. Once it has failed it is never called again.
pub(super) struct Guarded<T: ?Sized> {
    pub(super) part: Box<T>,
    state: PartState,
}

enum PartState {
    Sound,
    /// It failed, and nobody has heard of it yet.
    Failed(String),
    Dead,
}

impl<T: ?Sized> std::fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self.state, PartState::Sound) { "Sound" } else { "Failed" })
    }
}

impl<T: ?Sized + Named> Guarded<T> {
    pub(super) fn new(part: Box<T>) -> Self {
        Self { part, state: PartState::Sound }
    }

    /// Calls the part, unless it has failed before.
    pub(super) fn call<R>(&mut self, call: impl FnOnce(&mut T) -> R) -> Option<R> {
        if !matches!(self.state, PartState::Sound) {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| call(&mut self.part))) {
            Ok(answer) => Some(answer),
            Err(payload) => {
                self.state = PartState::Failed(format!("it panicked: {}", panic_message(payload.as_ref())));
                None
            }
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        matches!(self.state, PartState::Sound)
    }

    pub(super) fn fail(&mut self, message: String) {
        if matches!(self.state, PartState::Sound) {
            self.state = PartState::Failed(message);
        }
    }

    /// Its failure, said once.
    pub(super) fn failure(&mut self, part: Part) -> Option<RunFailure> {
        match std::mem::replace(&mut self.state, PartState::Dead) {
            PartState::Failed(message) => Some(RunFailure::Part { part, name: self.part.part_name(), message }),
            sound_or_dead => {
                self.state = sound_or_dead;
                None
            }
        }
    }
}

/// The words of a panic.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
