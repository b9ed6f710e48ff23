//! The sockets between the engine and the world: traits, and the values that pass through them.

pub mod backend;
pub mod control;
pub mod elsewhere;
pub mod error;
pub mod host;
pub mod journal;
#[cfg(feature = "remote")]
pub mod launcher;
pub mod observer;
pub mod store;
pub mod trainable;
