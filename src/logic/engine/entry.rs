//! What is known of one trial: the record that stays, and what serves only running it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::usage::Held;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::config::Config;
use crate::logic::event::{Ending, Exploit, PausedBy};
use crate::logic::failure::Failure;
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::metrics::{Report, TrialStats};
use crate::logic::pool::{ResourceRequest, Slot};
use crate::logic::time::Moment;
use crate::logic::trial::{Inherited, Keep, State, Status};

/// What stays known of a trial, during the run and after it.
#[derive(Clone, Debug)]
pub struct TrialRecord {
    /// Its name.
    pub id: TrialId,
    /// Its configuration.
    pub config: Arc<Config>,
    /// Its status.
    pub status: Status,
    /// The furthest iteration that it has reported since it began or became a copy of another trial. Reports up to here that
    /// come again, after a retry or in a resumed run, aren't results again.
    pub reported: u64,
    /// Its last report.
    pub last: Option<Arc<Report>>,
    /// Statistics of its metrics over all its reports.
    pub stats: TrialStats,
    /// Its newest reports, as many as the experiment keeps.
    pub history: VecDeque<Arc<Report>>,
    /// How many checkpoints it has written; the next one gets this index.
    pub saves: u32,
    /// Its checkpoints that are kept, in the order in which they were written.
    pub checkpoints: Vec<Arc<Checkpoint>>,
    /// Where it goes on from, if that isn't its own last checkpoint: it became a copy of another trial.
    pub inherited: Option<Inherited>,
    /// What it became, and of whom, each time it became a copy of another trial.
    pub lineage: Vec<Arc<Exploit>>,
    /// What it needs, if it was given other resources than its configuration asks for.
    pub resized: Option<Arc<ResourceRequest>>,
    /// All its failures, those that were tried again included.
    pub failures: Vec<Arc<Failure>>,
    /// The number of its attempts, from 1.
    pub attempts: u32,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Why it ended or was paused, if anybody said.
    pub reason: Option<Cow<'static, str>>,
    /// When it first ran.
    pub started: Option<Moment>,
    /// When it ended.
    pub ended: Option<Moment>,
}

impl TrialRecord {
    /// The failure that ended it; none if it ended otherwise.
    pub fn error(&self) -> Option<&Arc<Failure>> {
        (self.status == Status::Error).then(|| self.failures.last()).flatten()
    }
}

/// What serves only running a trial; it goes when the trial ends.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) request: Arc<ResourceRequest>,
    pub(super) state: State,
    pub(super) lease: Option<LeaseId>,
    /// What it holds, if it has GPUs that are watched.
    pub(super) slot: Option<Arc<Slot>>,
    /// Whether it has reported since it got that.
    pub(super) reported_here: bool,
    pub(super) worker: Option<WorkerId>,
    pub(super) priority: i32,
    /// Its place among those of its priority that an earlier session left; before all others.
    pub(super) rank: Option<u32>,
    pub(super) paused_by: Option<PausedBy>,
    pub(super) standing: Standing,
    pub(super) save_requested: bool,
    /// Whether it writes a checkpoint, or is about to.
    pub(super) saving: bool,
    /// What it holds, as long as it has a worker.
    pub(super) holds: Option<Held>,
    /// What it is to become as soon as its donor's checkpoint is there and it has come to rest.
    pub(super) exploit: Option<super::exploit::Pending>,
    pub(super) pausing: bool,
    pub(super) retry_at: Option<Moment>,
    pub(super) parked: Option<u64>,
    pub(super) in_line: bool,
}

/// What has been ordered of a running trial and takes effect at its next report.
#[derive(Clone, Debug, Default)]
pub(super) enum Standing {
    #[default]
    None,
    /// Pause; then perhaps straight back into the line.
    Pause { resume: bool },
    /// Stop, after a last checkpoint if there is to be one.
    Stop { ending: Ending, keep: Keep },
    /// The stop has been ordered; this is what will be said of it.
    Ending(Ending),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: TrialRecord,
    pub(super) live: Option<Box<Live>>,
}

impl Entry {
    /// Of a trial that waits to be launched.
    pub(super) fn new(id: TrialId, config: Arc<Config>, request: Arc<ResourceRequest>) -> Self {
        let record = TrialRecord {
            id,
            config,
            status: Status::Pending,
            reported: 0,
            last: None,
            stats: TrialStats::default(),
            history: VecDeque::new(),
            saves: 0,
            checkpoints: Vec::new(),
            inherited: None,
            lineage: Vec::new(),
            resized: None,
            failures: Vec::new(),
            attempts: 1,
            ending: None,
            reason: None,
            started: None,
            ended: None,
        };
        Self { record, live: Some(Box::new(Live::queued(request))) }
    }
}

impl Live {
    /// Of a trial that waits to be launched.
    pub(super) fn queued(request: Arc<ResourceRequest>) -> Self {
        Self {
            request,
            state: State::Queued,
            lease: None,
            slot: None,
            reported_here: false,
            worker: None,
            priority: 0,
            rank: None,
            paused_by: None,
            standing: Standing::None,
            save_requested: false,
            saving: false,
            holds: None,
            exploit: None,
            pausing: false,
            retry_at: None,
            parked: None,
            in_line: false,
        }
    }
}
