//! A panic of ours on the engine's thread, as a value.
//!
//! actix would end the actor without a word, and whoever waits for it would wait for ever (`actix::Supervised` restarts
//! actors that stop, not those that panic, and an actor whose state is broken can't be restarted anyway). So every handler
//! is guarded: a panic ends the run in order, with what is known until then.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::logic::engine::panic_message;

/// An actor panicked. That is a defect of this crate, or of something of the user's that it calls on the engine's thread.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{actor} panicked: {message}")]
pub struct Defect {
    /// Who.
    pub actor: &'static str,
    /// With which words. The place is in the panic's own message, on the standard error.
    pub message: String,
}

/// Calls what an actor does with a message.
pub(super) fn guarded<R>(actor: &'static str, call: impl FnOnce() -> R) -> Result<R, Defect> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let message = panic_message(payload.as_ref()).to_owned();
        // To drop what somebody panicked with could panic again.
        std::mem::forget(payload);
        Defect { actor, message }
    })
}
