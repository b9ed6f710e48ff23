//! A trial as it is shown outside of its process.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::status::TrialStatus;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::config::Config;
use crate::logic::engine::{RunsOn, Waiting};
use crate::logic::event::Ending;
use crate::logic::failure::Failure;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::pool::{ResourceRequest, units};
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// What is known of a trial, without its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialView {
    /// Its name.
    pub id: TrialId,
    /// What it is called besides, if the experiment names its trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Its configuration.
    pub config: Arc<Config>,
    /// Its status.
    pub status: Status,
    /// Why it isn't running.
    pub waiting: Waiting,
    /// The same in words.
    pub waits: String,
    /// What it needs; none if it has ended.
    #[serde(with = "units")]
    pub request: Option<Arc<ResourceRequest>>,
    /// Those with a higher one are launched first.
    pub priority: i32,
    /// Where it runs, if it has a worker.
    pub runs_on: Option<RunsOn>,
    /// The furthest iteration that it has reported.
    pub iteration: u64,
    /// Its last report.
    pub last: Option<Arc<Report>>,
    /// The number of its attempts, from 1.
    pub attempts: u32,
    /// Its checkpoints that are kept, the oldest first.
    pub checkpoints: Vec<Arc<Checkpoint>>,
    /// All its failures, those that were tried again included.
    pub failures: Vec<Arc<Failure>>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Why it ended or was paused, if anybody said.
    pub reason: Option<Cow<'static, str>>,
    /// When it first ran.
    pub started: Option<Moment>,
    /// When it ended.
    pub ended: Option<Moment>,
}

impl From<&TrialStatus> for TrialView {
    fn from(status: &TrialStatus) -> Self {
        let TrialStatus { record, waiting, request, priority, runs_on } = status;
        Self {
            id: record.id,
            name: record.name.clone(),
            config: record.config.clone(),
            status: record.status,
            waits: waiting.to_string(),
            waiting: waiting.clone(),
            request: request.clone(),
            priority: *priority,
            runs_on: runs_on.clone(),
            iteration: record.reported,
            last: record.last.clone(),
            attempts: record.attempts,
            checkpoints: record.checkpoints.clone(),
            failures: record.failures.clone(),
            ending: record.ending,
            reason: record.reason.clone(),
            started: record.started,
            ended: record.ended,
        }
    }
}
