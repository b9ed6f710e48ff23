//! The front door: build an experiment, run it, or start it and hold its handle.

mod asking;
mod assemble;
mod builder;
mod cloud;
mod collect;
#[cfg(feature = "ctrl-c")]
mod ctrl_c;
#[cfg(all(feature = "cli", target_os = "linux"))]
pub(crate) mod file;
mod given;
mod guard;
mod handle;
mod imports;
mod keeping;
mod machines;
#[cfg(feature = "web")]
mod page;
mod place;
#[cfg(all(feature = "remote", unix))]
mod remote;
mod resume;
mod safeguards;
mod seed;
mod serve;
mod session;
mod start;
mod what_to_try;

pub use builder::Experiment;
pub use collect::Collected;
pub use handle::{Control, ExperimentHandle};
pub use imports::{GivenCheckpoint, NotImported};
pub use place::Existing;
