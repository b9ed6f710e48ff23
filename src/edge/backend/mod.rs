//! Where trials run: a thread of its own for what blocks, shared arbiters for what awaits.

mod arbiter;
mod async_function;
mod async_stepwise;
mod cell;
mod contain;
mod context;
mod function;
mod lease;
mod own_request;
#[cfg(all(feature = "process", unix))]
mod process;
mod stepwise;
mod thread;
mod with_resources;

pub use arbiter::ArbiterBackend;
pub use async_function::{AsyncSession, async_function};
pub use async_stepwise::async_stepwise;
#[cfg(all(feature = "process", unix))]
pub(super) use context::WorkerContext;
pub use function::{Session, function};
#[cfg(all(feature = "process", unix))]
pub(super) use lease::Leases;
#[cfg(all(feature = "process", unix))]
pub use process::{
    CommandBackend, Environment, Limits, MetricsFrom, Output, PlaceError, ProcessBackend, command, process,
};
#[cfg(all(feature = "process", unix))]
pub(super) use stepwise::Stepwise;
pub use stepwise::stepwise;
pub use thread::ThreadBackend;
#[cfg(all(feature = "process", unix))]
pub(super) use thread::{Orders, Told};
pub use with_resources::{WithResources, with_resources};
