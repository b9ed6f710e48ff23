//! Where trials run: a thread of its own for what blocks, shared arbiters for what awaits.

mod arbiter;
mod async_function;
mod async_stepwise;
mod contain;
mod desk;
mod function;
mod stepwise;
mod thread;

pub use arbiter::ArbiterBackend;
pub use async_function::{AsyncSession, async_function};
pub use async_stepwise::async_stepwise;
pub use function::{Session, function};
pub use stepwise::stepwise;
pub use thread::ThreadBackend;
