//! What a snapshot of format 1 has in place of a stored trial.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::logic::checkpoint::Checkpoint;
use crate::logic::engine::{Ordered, Place, Plan, StoredTrial, TrialRecord};
use crate::logic::event::{Ending, Exploit, PausedBy};
use crate::logic::failure::Failure;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::Report;
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::logic::trial::{Inherited, Status};

/// What is known of a trial besides its configuration and its reports. It adds to what an earlier record of the same trial
/// said: a trial that was revived has several.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TrialFacts {
    /// Its number.
    pub trial: u32,
    /// Its status.
    pub status: Status,
    /// The number of its attempts, from 1.
    #[serde(default = "one")]
    pub attempts: u32,
    /// When it first ran.
    #[serde(default)]
    pub started: Option<Moment>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Moment>,
    /// How it ended, or is to end.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// Why it ended or was paused.
    #[serde(default)]
    pub reason: Option<Cow<'static, str>>,
    /// Who paused it.
    #[serde(default)]
    pub paused_by: Option<PausedBy>,
    /// Its priority.
    #[serde(default)]
    pub priority: i32,
    /// When it is tried again.
    #[serde(default)]
    pub retry_at: Option<Moment>,
    /// Its failures since the record before.
    #[serde(default)]
    pub failures: Vec<Arc<Failure>>,
    /// How many checkpoints it has written, those that are gone included.
    #[serde(default)]
    pub saves: u32,
    /// Its checkpoints since the record before that are kept.
    #[serde(default)]
    pub checkpoints: Vec<Arc<Checkpoint>>,
    /// The indices of checkpoints of the record before that are gone.
    #[serde(default)]
    pub gone: Vec<u32>,
    /// The report that it stands at, if that isn't the last of its rows.
    #[serde(default)]
    pub last: Option<Arc<Report>>,
    /// Where it goes on from, if that isn't its own last checkpoint.
    #[serde(default)]
    pub inherited: Option<Inherited>,
    /// What it became since the record before: the last one's configuration is its own.
    #[serde(default)]
    pub lineage: Vec<Arc<Exploit>>,
    /// From which iteration on its reports count, if it became a copy since its last report.
    #[serde(default)]
    pub counts_from: Option<u64>,
    /// What it needs, if that isn't what its configuration asks for.
    #[serde(default)]
    pub resized: Option<Arc<ResourceRequest>>,
}

fn one() -> u32 {
    1
}

impl TrialFacts {
    /// The stored form of a trial of which nothing else is known.
    pub(crate) fn alone(self, run: RunId) -> StoredTrial {
        self.onto(&TrialRecord::new(TrialId::new(run, 0), Arc::default()), None)
    }

    /// The stored form of a trial, of which this was known before.
    pub(crate) fn onto(self, known: &TrialRecord, plan: Option<&Plan>) -> StoredTrial {
        let mut record = known.clone();
        record.status = self.status;
        record.attempts = record.attempts.max(self.attempts);
        record.started = record.started.or(self.started);
        record.ended = self.ended.or(record.ended);
        record.saves = record.saves.max(self.saves);
        record.checkpoints.retain(|kept| !self.gone.contains(&kept.id.index));
        // Its own checkpoints since have taken the place of another's, if there are any.
        if self.inherited.is_some() || !self.checkpoints.is_empty() {
            record.inherited = self.inherited;
        }
        record.checkpoints.extend(self.checkpoints);
        record.failures.extend(self.failures);
        record.reason = self.reason.or(record.reason);
        record.lineage.extend(self.lineage);
        record.resized = self.resized.or(record.resized);
        let mut last = self.last.or_else(|| record.last.clone());
        let ends = self.status.is_terminal();
        if ends {
            record.ending = Some(self.ending.unwrap_or(Ending::Client));
            let mut end = last.take().unwrap_or_else(|| Arc::new(Report::empty(known.id)));
            if !end.done && record.ending != Some(Ending::Error) {
                Arc::make_mut(&mut end).done = true;
            }
            last = Some(end);
        }
        let place = match (self.status, self.paused_by, self.retry_at) {
            (Status::Pending, _, Some(until)) => Place::BackingOff(until),
            (Status::Pending | Status::Paused, None, None) => Place::Line,
            (Status::Paused, Some(PausedBy::Scheduler), _) => Place::Parked(u64::from(self.trial)),
            _ => Place::Aside,
        };
        let plan = plan.cloned().filter(|_| !ends).map(|plan| Plan {
            request: record.resized.clone().unwrap_or_else(|| plan.request.clone()),
            launched: self.status == Status::Running,
            place,
            priority: self.priority,
            paused_by: self.paused_by,
            ordered: self.ending.map_or(Ordered::Nothing, Ordered::End),
            ..plan
        });
        let reported = self.counts_from.unwrap_or(known.reported);
        StoredTrial { trial: self.trial, record, last, reported: Some(reported), plan }
    }
}
