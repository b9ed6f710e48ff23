//! What is known of one trial: its record, the plan for what is still to come of it, and what serves only running it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::usage::Held;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::event::{AddedBy, Ending, EventKind, Exploit, ExploitOrder, PausedBy};
use crate::logic::failure::Failure;
use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use crate::logic::metrics::{Report, TrialStats};
use crate::logic::pool::{ResourceRequest, Slot};
use crate::logic::time::Moment;
use crate::logic::trial::{Inherited, Keep, Loaded, State, Status};

/// What stays known of a trial, during the run and after it. Only an event changes it.
///
/// ```
/// use tryout::prelude::*;
///
/// let halves = function("halves", |config: Config, trial| {
///     let mut x: f64 = config.get("x")?;
///     for _ in 0..3 {
///         x /= 2.0;
///         trial.report([("x", x)])?;
///     }
///     Ok(())
/// });
/// let results = Experiment::new("halves", halves).points([Config::new().with("x", 8.0)]).run()?;
/// let trial: &TrialRecord = &results.trials()[0];
/// assert_eq!(trial.status, Status::Terminated);
/// assert_eq!(trial.last.as_ref().and_then(|report| report.number("x")), Some(1.0));
/// let path: Vec<_> = trial.history.iter().filter_map(|report| report.number("x")).collect();
/// assert_eq!(path, [4.0, 2.0, 1.0]);
/// assert!(trial.error().is_none() && trial.attempts == 1);
/// # Ok::<(), RunError>(())
/// ```
///
/// Its stored form is that of a snapshot. What other records of the snapshot say (name, configuration, reports) isn't in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Its name.
    #[serde(skip, default = "nobody")]
    pub id: TrialId,
    /// What it is called besides, if the experiment names its trials.
    #[serde(skip)]
    pub name: Option<Arc<str>>,
    /// Its configuration.
    #[serde(skip)]
    pub config: Arc<Config>,
    /// Who added it.
    #[serde(skip)]
    pub by: AddedBy,
    /// Its status.
    pub status: Status,
    /// The furthest iteration that it has reported since it began or became a copy of another trial. Reports up to here that
    /// come again, after a retry or in a resumed run, aren't results again.
    #[serde(skip)]
    pub reported: u64,
    /// Its last report.
    #[serde(skip)]
    pub last: Option<Arc<Report>>,
    /// Statistics of its metrics over all its reports.
    #[serde(skip)]
    pub stats: TrialStats,
    /// Its newest reports, as many as the experiment keeps.
    #[serde(skip)]
    pub history: VecDeque<Arc<Report>>,
    /// The index of its next checkpoint. An index is spent when a worker was given it, also if nothing came of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub saves: u32,
    /// Its checkpoints that are kept, in the order in which they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Arc<Checkpoint>>,
    /// Where it goes on from, if that isn't its own last checkpoint: it became a copy of another trial, or was given a checkpoint
    /// to begin from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited: Option<Inherited>,
    /// What it became, and of whom, each time it became a copy of another trial.
    #[serde(skip)]
    pub lineage: Vec<Arc<Exploit>>,
    /// What it needs, if it was given other resources than its configuration asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized: Option<Arc<ResourceRequest>>,
    /// All its failures, those that were tried again included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Arc<Failure>>,
    /// After how many of its failures a checkpoint was restored that had failed to be restored before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<usize>,
    /// The number of its attempts, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempts: u32,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Why it ended or was paused, if anybody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// When it first ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Moment>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
}

pub(super) fn nobody() -> TrialId {
    TrialId::new(RunId::default(), 0)
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TrialRecord {
    pub(crate) fn new(id: TrialId, config: Arc<Config>) -> Self {
        Self {
            id,
            name: None,
            config,
            by: AddedBy::default(),
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
            restores: Vec::new(),
            attempts: 1,
            ending: None,
            reason: None,
            started: None,
            ended: None,
        }
    }

    /// Its reports that are kept, the oldest first: its history, or else the last one alone.
    pub(crate) fn reports(&self) -> impl DoubleEndedIterator<Item = &Report> {
        let only = self.last.as_deref().filter(|_| self.history.is_empty());
        self.history.iter().map(AsRef::as_ref).chain(only)
    }

    /// What it is called: its name, or its id if it has none.
    pub fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| self.id.to_string(), ToString::to_string)
    }

    /// The failure that ended it; none if it ended otherwise.
    pub fn error(&self) -> Option<&Arc<Failure>> {
        (self.status == Status::Error).then(|| self.failures.last()).flatten()
    }

    /// The checkpoint that its next attempt goes on from.
    pub fn goes_on_from(&self) -> Option<&Arc<Checkpoint>> {
        self.inherited.as_ref().map(|inherited| &inherited.checkpoint).or_else(|| self.checkpoints.last())
    }

    /// One of its checkpoints, or the one that it goes on from as a copy.
    pub(super) fn checkpoint(&self, id: CheckpointId) -> Option<&Arc<Checkpoint>> {
        let inherited = self.inherited.iter().map(|inherited| &inherited.checkpoint);
        self.checkpoints.iter().chain(inherited).find(|kept| kept.id == id)
    }
}

/// Where a trial waits that has no worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the line of those that can be launched, by priority and number.
    #[default]
    Line,
    /// Among the paused ones that the scheduler is offered, by the turn in which they came.
    Parked(u64),
    /// For its next attempt, until this moment.
    BackingOff(Moment),
    /// In no line: it was launched, or somebody else must say first that it goes on.
    Aside,
}

/// What was ordered of a trial and takes effect when it has come to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordered {
    /// Nothing.
    #[default]
    Nothing,
    /// It pauses, and then perhaps goes straight back into the line.
    Pause {
        /// Whether it does.
        resume: bool,
    },
    /// It ends.
    End(Ending),
}

/// What is to come of a trial that hasn't ended. Only an event changes it; a snapshot has it beside the record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it needs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub request: Arc<ResourceRequest>,
    /// Whether it was chosen to run and hasn't come to rest since.
    #[serde(default, skip_serializing_if = "is_default")]
    pub launched: bool,
    /// Whether a worker from elsewhere has it, or had it when the engine was lost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub elsewhere: bool,
    /// Where it waits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub place: Place,
    /// Those with a higher one are launched first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Its place among those of its priority that an earlier session left; before all others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rank: Option<u32>,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paused_by: Option<PausedBy>,
    /// What takes effect when it has come to rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ordered: Ordered,
    /// What it is to become once its donor's checkpoint is there and it has come to rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exploit: Option<Arc<ExploitOrder>>,
    /// Whether a client or the scheduler wants a checkpoint at its next report.
    #[serde(default, skip_serializing_if = "is_default")]
    pub save_requested: bool,
}

impl Plan {
    /// Of a trial that waits to be launched.
    pub(super) fn queued(request: Arc<ResourceRequest>) -> Self {
        Self { request, ..Self::default() }
    }

    /// Whether it could be launched at once.
    pub(crate) fn is_candidate(&self) -> bool {
        matches!(self.place, Place::Line | Place::Parked(_))
    }
}

/// What serves only running a trial in this session. It starts empty, and no event changes it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) state: State,
    pub(crate) lease: Option<LeaseId>,
    pub(crate) worker: Option<WorkerId>,
    /// What it was given last; it holds it as long as it has a lease.
    pub(crate) slot: Option<Arc<Slot>>,
    /// Whether it has reported since it got that.
    pub(crate) reported_here: bool,
    /// What it holds, as long as it has a worker.
    pub(crate) holds: Option<Held>,
    /// Whether it writes a checkpoint, or is about to.
    pub(crate) saving: bool,
    /// Whether it is about to leave its worker and come back for one later.
    pub(crate) pausing: bool,
    /// Its next report is its last: how it ends then, and whether a checkpoint is written first.
    pub(crate) last_step: Option<(Ending, Keep)>,
    /// A report that it ends with and that isn't a result, since it had got further before.
    pub(crate) ends_with: Option<Arc<Report>>,
}

impl Live {
    pub(crate) fn at(state: State) -> Self {
        Self {
            state,
            lease: None,
            worker: None,
            slot: None,
            reported_here: false,
            holds: None,
            saving: false,
            pausing: false,
            last_step: None,
            ends_with: None,
        }
    }
}

/// A trial that hasn't ended.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) plan: Plan,
    pub(super) live: Live,
}

/// A trial: what stays of it, and what goes when it ends.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) record: TrialRecord,
    pub(super) open: Option<Box<Open>>,
}

impl Entry {
    /// Of a trial that waits to be launched, if this event adds one.
    pub(crate) fn added(event: &EventKind) -> Option<(TrialId, Self)> {
        let EventKind::Added { trial, config, request, by, from, rank, name } = event else { return None };
        let mut entry = Self::new(*trial, config.clone(), request.clone());
        (entry.record.by, entry.record.name) = (*by, name.clone());
        entry.open.iter_mut().for_each(|open| open.plan.rank = *rank);
        if let Some(checkpoint) = from.clone() {
            entry.record.reported = checkpoint.report.iteration();
            entry.record.inherited = Some(Inherited { checkpoint, loaded: Loaded::No });
        }
        Some((*trial, entry))
    }

    /// Of a trial that waits to be launched and has no checkpoint.
    pub(crate) fn new(id: TrialId, config: Arc<Config>, request: Arc<ResourceRequest>) -> Self {
        let open = Open { plan: Plan::queued(request), live: Live::at(State::Queued) };
        Self { record: TrialRecord::new(id, config), open: Some(Box::new(open)) }
    }

    pub(crate) fn record(&self) -> &TrialRecord {
        &self.record
    }

    pub(crate) fn plan_of(&self) -> Option<&Plan> {
        self.open.as_ref().map(|open| &open.plan)
    }
}
