//! What goes into the machine of launches, and what comes out; and what launchers say.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::ids::RunId;
use crate::logic::pool::ResourceRequest;

/// What became of a job, as its launcher tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchState {
    /// It waits for its resources.
    Waiting,
    /// It waits for what it will never have, as it was asked for.
    Hopeless,
    /// It has them.
    Running,
    /// It was ended, and isn't gone yet.
    Ending,
    /// It is gone.
    Ended,
}

/// One job in a launcher's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchListed {
    /// The id in the launcher's own system.
    pub id: String,
    /// The name that it was submitted under.
    pub name: String,
    /// What became of it.
    pub state: LaunchState,
    /// The launcher's own words: why it waits, or how it ended. May be empty.
    pub says: String,
    /// The time until its allocation ends, if it is known.
    pub ends_in: Option<Duration>,
}

/// Why something can't be had of a launcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// This can never be had as it was asked for; the launcher's words.
    #[error("refused: {0}")]
    Refused(String),
    /// It can't be had now, and may be later; the launcher's words.
    #[error("not now: {0}")]
    Unavailable(String),
}

impl LaunchError {
    /// The launcher's words.
    pub fn into_words(self) -> String {
        match self {
            Self::Refused(words) | Self::Unavailable(words) => words,
        }
    }
}

/// The name of a job: it carries the run, so that the next session finds what a killed one left.
pub fn job_name(run: RunId, job: u64) -> String {
    format!("tryout-{run}-{job}")
}

/// The number of the job with this name, if it is one of this run.
pub fn job_number(run: RunId, name: &str) -> Option<u64> {
    let rest = name.strip_prefix("tryout-")?.strip_prefix(&run.to_string())?;
    rest.strip_prefix('-')?.parse().ok()
}

/// How a launcher is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchSettings {
    /// The most workers that are asked for at one time, of all shapes. Default: 100.
    pub most: u32,
    /// The most workers in one job, at least 1. Default: 1.
    pub per_job: u32,
    /// The most jobs that wait for their resources, at least 1. Default: 16.
    pub backlog: u32,
    /// The time between two submissions. Default: 0.25 s.
    pub pause: Duration,
    /// The time until a job is submitted anew after the first failure; it doubles with each that follows. Default: 5 s.
    pub backoff: Duration,
    /// The most that this time grows to. Default: 5 minutes.
    pub most_backoff: Duration,
    /// A job that has its resources for so long, and whose workers haven't joined, is cancelled. Default: 2 minutes.
    pub connect_for: Duration,
    /// The time between two lists while there is something to wait for; the first ones come sooner. Default: 15 s.
    pub list_every: Duration,
    /// So many jobs of one shape may fail in a row before any of their workers has joined, at least 1. Default: 5.
    pub failures: u32,
    /// The most time that closing takes. Default: 30 s.
    pub close_for: Duration,
    /// The number of the first job. A session begins above those of the sessions before it. Default: 1.
    pub first_job: u64,
}

impl Default for LaunchSettings {
    fn default() -> Self {
        Self {
            most: 100,
            per_job: 1,
            backlog: 16,
            pause: Duration::from_millis(250),
            backoff: Duration::from_secs(5),
            most_backoff: Duration::from_secs(300),
            connect_for: Duration::from_secs(120),
            list_every: Duration::from_secs(15),
            failures: 5,
            close_for: Duration::from_secs(30),
            first_job: 1,
        }
    }
}

/// Something that reaches the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchInput {
    /// So many workers of this shape are wanted in all. Those that have joined count.
    Want {
        /// What each of them has.
        shape: Arc<ResourceRequest>,
        /// How many.
        workers: u32,
    },
    /// The answer to [`LaunchOutput::Submit`]: the launcher has it.
    Submitted {
        /// The job's number.
        job: u64,
        /// Its id in the launcher's system.
        id: String,
    },
    /// The other answer to [`LaunchOutput::Submit`].
    NotSubmitted {
        /// The job's number.
        job: u64,
        /// Why.
        error: LaunchError,
    },
    /// The answer to [`LaunchOutput::List`]: all jobs of this run that the launcher knows.
    Listed(Vec<LaunchListed>),
    /// The other answer to [`LaunchOutput::List`]: there is no list now, and why.
    NotListed(String),
    /// A worker of this job has dialled in.
    Joined {
        /// The job's number.
        job: u64,
        /// The worker's shape. It is needed for jobs of an earlier session.
        shape: Arc<ResourceRequest>,
    },
    /// A worker of this job is gone.
    Left {
        /// The job's number.
        job: u64,
    },
    /// The moment that [`Launches::deadline`](super::Launches::deadline) named has come.
    Tick,
    /// No workers are wanted any more, and all jobs are to be cancelled.
    Close,
}

/// Something to be done or told.
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchOutput {
    /// A job is to be submitted. Answered by `Submitted` or `NotSubmitted`; there is one at a time.
    Submit {
        /// Its number.
        job: u64,
        /// What each of its workers has.
        shape: Arc<ResourceRequest>,
        /// So many workers of the shape in this job.
        workers: u32,
    },
    /// These jobs are to be cancelled, by their ids. The lists show what became of it.
    Cancel(Vec<String>),
    /// The launcher's list is wanted. Answered by `Listed` or `NotListed`; there is one at a time.
    List,
    /// What workers of this shape wait for. None: nothing is waited for.
    Says {
        /// The shape.
        shape: Arc<ResourceRequest>,
        /// In words, with those of the launcher.
        words: Option<String>,
    },
    /// Workers of this shape can't be had: the launcher refused, or too many jobs failed. It is tried again when the want has been
    /// zero and rises.
    Never {
        /// The shape.
        shape: Arc<ResourceRequest>,
        /// In words, with those of the launcher.
        words: String,
    },
    /// The launcher says that this job is gone.
    Ended {
        /// Its number.
        job: u64,
        /// In words; may be empty.
        words: String,
    },
    /// The last output: all jobs are gone, or there was no answer for too long.
    Closed,
}
