//! The socket for systems that place workers on machines: Slurm, Ray, and others by a template.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::logic::pool::ResourceRequest;

pub use crate::logic::launch::{LaunchError, LaunchListed, LaunchState};

/// Asks an existing system for workers. It is called on a thread of its own, so it may wait.
pub trait Launcher: Send {
    /// What people call it: "Slurm".
    fn name(&self) -> &str;

    /// Submits a job, and answers its id in the launcher's own system.
    ///
    /// # Errors
    /// If it is refused for ever, or can't be had now.
    fn submit(&mut self, job: &LaunchJob) -> Result<String, LaunchError>;

    /// All jobs whose name begins with `prefix` (`tryout-3fa01-`): those of this run, also of its earlier sessions.
    ///
    /// # Errors
    /// If there is no list now.
    fn list(&mut self, prefix: &str) -> Result<Vec<LaunchListed>, LaunchError>;

    /// Cancels these jobs. Jobs that are gone are no error.
    ///
    /// # Errors
    /// If that can't be done now.
    fn cancel(&mut self, ids: &[String]) -> Result<(), LaunchError>;

    /// What would be submitted, verbatim.
    fn dry_run(&self, job: &LaunchJob) -> String;

    /// Whether the launcher is there at all. Asked once, before anything runs.
    ///
    /// # Errors
    /// What is missing.
    fn check(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Whether it could ever serve this shape.
    ///
    /// # Errors
    /// Why it never can.
    fn may_serve(&self, _request: &ResourceRequest) -> Result<(), String> {
        Ok(())
    }
}

impl<L: Launcher + ?Sized> Launcher for Box<L> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn submit(&mut self, job: &LaunchJob) -> Result<String, LaunchError> {
        (**self).submit(job)
    }

    fn list(&mut self, prefix: &str) -> Result<Vec<LaunchListed>, LaunchError> {
        (**self).list(prefix)
    }

    fn cancel(&mut self, ids: &[String]) -> Result<(), LaunchError> {
        (**self).cancel(ids)
    }

    fn dry_run(&self, job: &LaunchJob) -> String {
        (**self).dry_run(job)
    }

    fn check(&mut self) -> Result<(), String> {
        (**self).check()
    }

    fn may_serve(&self, request: &ResourceRequest) -> Result<(), String> {
        (**self).may_serve(request)
    }
}

/// A job that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchJob {
    /// Its name, which carries the run: `tryout-3fa01-12`.
    pub name: String,
    /// Its number in the run.
    pub number: u64,
    /// What each of its workers has.
    pub shape: Arc<ResourceRequest>,
    /// So many workers of the shape in one allocation, at least 1.
    pub workers: u32,
    /// The agent: a program and its arguments, to be executed once for each worker.
    pub command: Vec<OsString>,
    /// Where the job's output goes. None: it isn't kept.
    pub directory: Option<PathBuf>,
}
