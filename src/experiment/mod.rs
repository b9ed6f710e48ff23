//! The front door: build an experiment, run it, or start it and hold its handle.

mod builder;
mod handle;
mod start;

pub use builder::Experiment;
pub use handle::{Control, ExperimentHandle};
