//! The actors: shells that carry messages between the pure machines. The only folder that names actix.
//!
//! Every actor of a run lives on one thread, the engine's own. Each takes a message, hands it to its machine, and sends
//! what the machine says. A panic on that thread is a defect of ours; it ends the run in order (`defect`).

mod awaited;
mod carry_out;
mod clock;
mod controller;
mod defect;
mod elsewhere;
mod inspect;
mod launch;
pub mod messages;
mod send;
mod share;
mod supervisor;
mod trial;
mod worker;

pub use controller::{Controller, RunEnd};
pub use defect::Defect;
pub use launch::{Parts, launch};
pub use share::{Host, Shared};
