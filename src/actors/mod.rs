//! The actors: shells that carry messages between the pure machines. The only folder that names actix.
//!
//! Every actor of a run lives on one thread, the engine's own. Each takes a message, hands it to its machine, and posts
//! what the machine says.

mod clock;
mod controller;
mod inspect;
mod keeper;
mod launch;
pub mod messages;
mod post;
mod supervisor;
mod trial;
mod worker;

pub use controller::Controller;
pub use launch::{Parts, RunEnd, launch};
