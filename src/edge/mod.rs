//! What touches the world: threads, files, terminals. Neighbours of the actors, which never import it.

pub mod backend;
pub mod files;
pub mod journal;
pub mod log;
pub mod observe;
pub mod store;
#[cfg(all(feature = "process", target_os = "linux"))]
pub mod worker;
