//! Where trials run: a thread of its own for what blocks, shared arbiters for what awaits.

mod arbiter;
mod async_function;
mod async_stepwise;
mod contain;
mod desk;
mod function;
#[cfg(all(feature = "process", target_os = "linux"))]
mod process;
mod seat;
mod stepwise;
mod thread;

pub use arbiter::ArbiterBackend;
pub use async_function::{AsyncSession, async_function};
pub use async_stepwise::async_stepwise;
pub use function::{Session, function};
#[cfg(all(feature = "process", target_os = "linux"))]
pub use process::{
    CommandBackend, Environment, Limits, MetricsFrom, NoSuchValue, Output, ProcessBackend, command, process,
};
#[cfg(all(feature = "process", target_os = "linux"))]
pub(super) use seat::{Seat, Started};
pub use stepwise::stepwise;
pub use thread::ThreadBackend;
