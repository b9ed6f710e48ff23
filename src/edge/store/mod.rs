//! Where checkpoints are kept: a directory, memory, or an object store.

mod dir;
mod janitor;
mod memory;
#[cfg(feature = "cloud")]
mod object;
mod scratch;
mod tree;

pub use dir::DirStore;
pub use janitor::Janitor;
pub use memory::MemoryStore;
#[cfg(feature = "cloud")]
pub use object::ObjectCheckpoints;
#[cfg(all(feature = "process", target_os = "linux"))]
pub(super) use scratch::Scratch;
