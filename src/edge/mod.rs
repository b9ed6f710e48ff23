//! What touches the world: threads, files, terminals. Neighbours of the actors, which never import it.

pub(crate) mod ask_tell;
pub mod backend;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod control;
mod deadline;
pub mod files;
pub(crate) mod gpus;
pub(crate) mod host;
pub(crate) mod host_budget;
pub mod journal;
#[cfg(all(feature = "remote", unix))]
pub mod launch;
pub mod log;
pub mod observe;
pub(crate) mod plain_file;
#[cfg(feature = "plot")]
pub mod plot;
pub mod provenance;
#[cfg(all(feature = "remote", unix))]
pub mod remote;
#[cfg(any(feature = "remote", feature = "web"))]
mod secret;
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
mod shared_host;
pub(crate) mod slow;
pub mod store;
#[cfg(all(feature = "process", unix))]
mod system;
#[cfg(feature = "web")]
pub mod web;
#[cfg(all(feature = "process", unix))]
pub mod worker;
