//! What is known of a trial, in one record: what a snapshot has in place of the events that said it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::event::{Ending, EventKind, Exploit, PausedBy};
use crate::logic::failure::Failure;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::{Inherited, Loaded, Status};

/// What is known of a trial besides its configuration and its reports. It adds to what an earlier record of the same trial
/// said: a trial that was revived has several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialFacts {
    /// Its number.
    pub trial: u32,
    /// Its status.
    pub status: Status,
    /// The number of its attempts, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempts: u32,
    /// When it first ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Moment>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
    /// How it ended, or is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Why it ended or was paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<PausedBy>,
    /// Its priority.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Moment>,
    /// Its failures since the record before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Arc<Failure>>,
    /// How many checkpoints it has written, those that are gone included.
    #[serde(default, skip_serializing_if = "is_none")]
    pub saves: u32,
    /// Its checkpoints since the record before that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Arc<Checkpoint>>,
    /// The indices of checkpoints of the record before that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<u32>,
    /// The report that it stands at, if that isn't the last of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Arc<Report>>,
    /// Where it goes on from, if that isn't its own last checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited: Option<Inherited>,
    /// What it became since the record before: the last one's configuration is its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Arc<Exploit>>,
    /// From which iteration on its reports count, if it became a copy since its last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_from: Option<u64>,
    /// What it needs, if that isn't what its configuration asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized: Option<Arc<ResourceRequest>>,
    /// The iteration of the last of its rows, as far as this record's events told it.
    #[serde(skip)]
    reported: u64,
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_none(number: &u32) -> bool {
    *number == 0
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

impl TrialFacts {
    /// Of a trial that was just added.
    pub fn new(trial: u32) -> Self {
        Self {
            trial,
            status: Status::Pending,
            attempts: 1,
            started: None,
            ended: None,
            ending: None,
            reason: None,
            paused_by: None,
            priority: 0,
            retry_at: None,
            failures: Vec::new(),
            saves: 0,
            checkpoints: Vec::new(),
            gone: Vec::new(),
            last: None,
            inherited: None,
            lineage: Vec::new(),
            counts_from: None,
            resized: None,
            reported: 0,
        }
    }

    /// Takes in one more event about this trial.
    pub fn follow(&mut self, kind: &EventKind, at: Moment) {
        match kind {
            EventKind::Status { to, .. } => {
                self.status = *to;
                if *to == Status::Running {
                    self.started.get_or_insert(at);
                }
            }
            EventKind::Chosen { .. } => (self.paused_by, self.retry_at) = (None, None),
            EventKind::Revived { attempt, .. } => self.attempts = *attempt,
            EventKind::Failed { failure, retry_at, .. } => {
                self.failures.push(failure.clone());
                self.attempts += u32::from(retry_at.is_some());
                self.retry_at = *retry_at;
            }
            EventKind::Saved { checkpoint } => {
                self.saves = checkpoint.id.index + 1;
                self.checkpoints.push(checkpoint.clone());
                self.inherited.take_if(|inherited| inherited.loaded == Loaded::Yes);
            }
            EventKind::Deleted { checkpoint } => {
                let before = self.checkpoints.len();
                self.checkpoints.retain(|kept| kept.id != *checkpoint);
                if self.checkpoints.len() == before {
                    self.gone.push(checkpoint.index);
                }
            }
            EventKind::Paused { by, reason, .. } => {
                self.paused_by = Some(*by);
                self.reason = reason.clone().or_else(|| self.reason.take());
            }
            EventKind::Resumed { .. } => self.paused_by = None,
            EventKind::Stopping { ending, reason, .. } => {
                self.ending = Some(*ending);
                self.reason = reason.clone().or_else(|| self.reason.take());
            }
            EventKind::Prioritised { priority, .. } => self.priority = *priority,
            EventKind::Restored { trial, checkpoint, .. } => {
                self.restored(*trial, *checkpoint);
            }
            EventKind::Exploited { exploit, .. } => self.exploited(exploit),
            EventKind::Resized { request, .. } => self.resized = Some(request.clone()),
            EventKind::Reported { report } => {
                (self.last, self.counts_from, self.reported) = (None, None, report.iteration());
            }
            EventKind::Ended { status, ending, reason, last, .. } => {
                (self.status, self.ending, self.ended) = (*status, Some(*ending), Some(at));
                self.reason = reason.clone();
                (self.paused_by, self.retry_at) = (None, None);
                // Of two copies that stand at the same iteration, each has a report of its own.
                self.last = (self.last.is_some() || last.iteration() != self.reported).then(|| last.clone());
            }
            _ => {}
        }
    }

    fn restored(&mut self, trial: TrialId, id: CheckpointId) {
        let inherited = self.inherited.iter().map(|inherited| &inherited.checkpoint);
        let from = self.checkpoints.iter().chain(inherited).find(|kept| kept.id == id);
        let report = from.map(|from| &from.report).filter(|report| report.iteration() > 0);
        self.last = report.map(|report| Arc::new(Report { trial, ..report.clone() }));
        if let Some(inherited) = self.inherited.as_mut().filter(|inherited| inherited.checkpoint.id == id) {
            inherited.loaded = Loaded::Yes;
        }
    }

    fn exploited(&mut self, exploit: &Arc<Exploit>) {
        let checkpoint = exploit.checkpoint.clone();
        self.counts_from = Some(checkpoint.report.iteration());
        self.inherited = Some(Inherited { checkpoint, loaded: Loaded::No });
        self.reason = exploit.reason.clone().or_else(|| self.reason.take());
        self.lineage.push(exploit.clone());
    }
}
