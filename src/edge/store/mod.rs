//! Where checkpoints are kept: a directory, or memory.

mod dir;
mod janitor;
mod memory;
mod scratch;
mod tree;

pub use dir::DirStore;
pub use janitor::Janitor;
pub use memory::MemoryStore;
