//! Where checkpoints are kept: a directory, or memory.

mod dir;
mod janitor;
mod memory;

pub use dir::DirStore;
pub use janitor::Janitor;
pub use memory::MemoryStore;
