//! The front door: build an experiment, run it, or start it and hold its handle.

mod builder;
mod handle;
mod keeping;
mod place;
mod resume;
mod safeguards;
mod session;
mod start;
mod stored;

pub use builder::Experiment;
pub use handle::{Control, ExperimentHandle};
pub use place::Existing;
