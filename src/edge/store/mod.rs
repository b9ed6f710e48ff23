//! Where checkpoints are kept: a directory, memory, or an object store.

mod copy;
mod dir;
mod exports;
mod group;
mod janitor;
mod memory;
#[cfg(feature = "cloud")]
mod object;
mod scratch;
mod timed;
mod tree;

pub(crate) use copy::copy;
pub use dir::DirStore;
pub use janitor::Janitor;
pub use memory::MemoryStore;
#[cfg(feature = "cloud")]
pub use object::ObjectCheckpoints;
#[cfg(feature = "cloud")]
pub(super) use object::client::{Client, is_missing};
#[cfg(all(feature = "process", unix))]
pub(super) use scratch::Scratch;
pub(crate) use timed::TimedStore;
#[cfg(all(feature = "remote", unix))]
pub(super) use {scratch::unique as unique_name, tree::Tree};
