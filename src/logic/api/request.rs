//! Requests to a run, and its answers.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::asked::{GivenTrial, Next, TrialEnd};
use super::status::{PoolStatus, RunStatus};
use super::view::TrialView;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::engine::ClientOrder;
use crate::logic::ids::{LeaseId, RunId, TrialId};
use crate::logic::metrics::Metrics;

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Which run is this? Answer: [`Answer::Hello`].
    Hello,
    /// How does it stand? Answer: [`Answer::Status`].
    Status,
    /// How does a trial stand? Answer: [`Answer::Trial`].
    Trial(TrialId),
    /// How do these trials stand, in the order of their creation? Answer: [`Answer::Trials`].
    Trials {
        /// The first one's number.
        #[serde(default)]
        from: u32,
        /// How many at most; never more than [`Request::MOST_TRIALS`].
        #[serde(default = "Request::most_trials")]
        most: usize,
    },
    /// How does the pool stand? Answer: [`Answer::Pool`].
    Pool {
        /// Also say why this trial waits.
        #[serde(default)]
        trial: Option<TrialId>,
    },
    /// Carry this out. Answer: [`Answer::Done`], as soon as the engine has accepted it and that is durable: a resumed run knows of it. That
    /// the run is to end is answered at once.
    Order(ClientOrder),
    /// Add a trial that begins from a checkpoint of this run, or of another one. Answer: [`Answer::Done`].
    AddFrom {
        /// The trial's configuration.
        config: Config,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The directory of the run that has it, if that isn't this one; best an absolute path.
        #[serde(default)]
        run: Option<PathBuf>,
    },
    /// Write a checkpoint at a trial's next report, and answer when it is there and durable: [`Answer::Saved`].
    SaveAndWait(TrialId),
    /// Pause a trial, and answer when it is paused and its checkpoint is durable: [`Answer::Saved`].
    PauseAndWait(TrialId),
    /// Save and pause all running trials within so many seconds, then end the run. Answer: [`Answer::Done`].
    Drain {
        /// Seconds, at least 0.
        within_s: f64,
    },
    /// Somebody asks for this. With an order that is accepted it is in the journal; whoever else asks is named by what the run knows of
    /// the connection. Answer: that of the request.
    As {
        /// Who.
        by: Arc<str>,
        /// For what.
        request: Box<Request>,
    },
    /// Give me a trial to work on, of a run that [gives them to whoever asks](crate::backend::ask_tell). Answer: [`Answer::Given`].
    Ask {
        /// Seconds, more than 0: who isn't heard of for so long has lost it.
        lease_s: f64,
        /// Seconds for which to wait for one, at least 0.
        #[serde(default)]
        wait_s: f64,
    },
    /// Take this of a trial that I was given; with neither a report nor an end: I am still there. Answer: [`Answer::Next`], when the run has
    /// judged it.
    Tell {
        /// Of which.
        lease: LeaseId,
        /// A report.
        #[serde(default)]
        metrics: Option<Metrics>,
        /// Its end.
        #[serde(default)]
        end: Option<TrialEnd>,
    },
    /// Make everything so far durable. Answer: [`Answer::Done`], when it is.
    Sync,
    /// Send every event from now on. Answer: [`Answer::Done`], then one [`Answer::Event`] after the other until the run ends or
    /// the connection is closed. Nothing else can be asked on that connection.
    Watch,
}

impl Request {
    /// So many trials are in one answer at most.
    pub const MOST_TRIALS: usize = 10_000;

    /// A name has at most so many letters; the rest is cut off.
    pub const LONGEST_NAME: usize = 200;

    /// As asked by whoever this names.
    #[must_use]
    pub fn by(self, who: &str) -> Self {
        let by = who.chars().take(Self::LONGEST_NAME).collect::<String>().into();
        Request::As { by, request: Box::new(self) }
    }

    /// Who asks, if that is said, and for what.
    pub fn asker(self) -> (Option<Arc<str>>, Self) {
        let (mut asker, mut request) = (None, self);
        while let Request::As { by, request: inner } = request {
            (asker, request) = (asker.or(Some(by)), *inner);
        }
        (asker, request)
    }

    /// Whether it changes anything.
    pub fn acts(&self) -> bool {
        match self {
            Request::Order(_)
            | Request::AddFrom { .. }
            | Request::SaveAndWait(_)
            | Request::PauseAndWait(_)
            | Request::Ask { .. }
            | Request::Tell { .. }
            | Request::Drain { .. } => true,
            Request::Hello
            | Request::Status
            | Request::Trial(_)
            | Request::Trials { .. }
            | Request::Pool { .. }
            | Request::Sync
            | Request::Watch => false,
            Request::As { request, .. } => request.acts(),
        }
    }

    fn most_trials() -> usize {
        Self::MOST_TRIALS
    }
}

/// Which run answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunName {
    /// The experiment's name.
    pub name: String,
    /// The run.
    pub run: RunId,
    /// The process that it runs in.
    pub pid: u32,
    /// The version of tryout that it runs with.
    pub version: String,
}

/// Why a request wasn't carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The request can't be read.
    Malformed,
    /// There is no such trial, or its status doesn't allow it, or it could never run.
    Impossible,
    /// The run is over.
    Over,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// The run's name.
    Hello(RunName),
    /// The run.
    Status(Box<RunStatus>),
    /// The trial; none if there is no such trial.
    Trial(Option<Box<TrialView>>),
    /// Trials.
    Trials(Vec<TrialView>),
    /// The pool.
    Pool(Box<PoolStatus>),
    /// It was accepted, and a resumed run knows of it.
    Done {
        /// The trial that was made, if one was.
        trial: Option<TrialId>,
    },
    /// The checkpoint that was written, or that a paused trial goes on from, if it has one.
    Saved(Option<Arc<Checkpoint>>),
    /// A trial; none if there was none in time. Once there will be none any more, the run is over.
    Given(Option<Box<GivenTrial>>),
    /// What is to follow.
    Next(Next),
    /// Something happened: an event as in `events.jsonl`.
    Event(serde_json::Value),
    /// So many events are missing here, because they weren't read fast enough.
    Missed(u64),
    /// It wasn't carried out, and nothing has changed.
    Refused {
        /// What kind of reason.
        code: Refusal,
        /// The reason in words.
        why: String,
    },
}
