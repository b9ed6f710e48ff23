//! Launchers: systems that are asked for workers, and the thread that asks them.

mod call;
mod driver;
mod ray;
mod shell;
pub mod slurm;
mod ssh;
mod template;

pub use driver::{AgentCommand, LaunchDriver, LaunchNotice, NoticeSink};
pub use ray::Ray;
pub use slurm::Slurm;
pub use ssh::Ssh;
pub use template::{CommandLauncher, Template};

pub use crate::logic::launch::LaunchSettings;
pub use crate::ports::launcher::{LaunchError, LaunchJob, LaunchListed, LaunchState, Launcher};
