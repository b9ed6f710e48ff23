//! What is known of every trial and of the run, with the lines and counts that make every look-up constant.
//!
//! | file | what it does |
//! |---|---|
//! | `record` | what is known of one trial |
//! | `run` | what is known of the run as a whole |
//! | `apply` | what each event means for a trial |
//! | `lines` | who waits where, and how many there are |
//! | `stored` | a trial in a snapshot |

mod apply;
mod lines;
mod record;
mod run;
mod stored;

use std::collections::BTreeSet;
use std::sync::Arc;

use lines::{Lines, Standing};
pub(crate) use record::{Entry, Live};
pub use record::{Ordered, Place, Plan, TrialRecord};
pub use run::{RunRecord, SpaceChange};
pub use stored::StoredTrial;

use super::io::Waiting;
use super::settings::{EngineSettings, History};
use crate::logic::config::Config;
use crate::logic::event::{EventKind, ExperimentEvent, PausedBy};
use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use crate::logic::metrics::Report;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::schedule::Cohort;
use crate::logic::time::Moment;
use crate::logic::trial::{Phase, State, Status};

/// All trials of a run, in the order of their creation. `apply` alone changes what is known of them.
#[derive(Debug)]
pub struct Ledger {
    id: RunId,
    history: History,
    /// What there is, at the beginning of a session and now.
    total: Resources,
    resources: Resources,
    /// The GPUs that were withdrawn in this session.
    withdrawn: BTreeSet<u32>,
    run: RunRecord,
    entries: Vec<Entry>,
    lines: Lines,
    granted: usize,
    pausing: usize,
}

impl Ledger {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Self {
            id: settings.run,
            history: settings.history,
            total: settings.total.clone(),
            resources: settings.total.clone(),
            withdrawn: BTreeSet::new(),
            run: RunRecord::default(),
            entries: Vec::new(),
            lines: Lines::default(),
            granted: 0,
            pausing: 0,
        }
    }

    /// Changes what is known as an event says. Nothing else does.
    pub(crate) fn apply(&mut self, event: &ExperimentEvent) {
        self.run.apply(event);
        match &event.kind {
            EventKind::Withdrawn { gpu, .. } => {
                self.withdrawn.insert(*gpu);
                self.share_out();
            }
            EventKind::Rescaled { .. } => self.share_out(),
            _ => {}
        }
        if let Some((trial, entry)) = Entry::added(&event.kind)
            && trial == self.next_id()
        {
            self.lines.enter(trial, Standing::of(&entry));
            self.entries.push(entry);
            return;
        }
        let Some(trial) = event.kind.trial() else { return };
        let Some(entry) = self.entries.get_mut(trial.index()).filter(|entry| entry.record.id == trial) else { return };
        if let EventKind::Reported { .. } = &event.kind {
            return entry.apply(event, self.run.turn, self.history);
        }
        let before = Standing::of(entry);
        self.run.turn = entry.follow(event, self.run.turn, self.history);
        self.lines.moved(trial, before, Standing::of(entry));
    }

    /// Takes all trials out. What is known of the run stays.
    pub(super) fn take(&mut self, settings: &EngineSettings) -> Self {
        let left = Self { run: self.run.clone(), ..Self::new(settings) };
        std::mem::replace(self, left)
    }

    /// A session begins.
    pub(super) fn open(&mut self) {
        self.run.open();
        self.withdrawn.clear();
        self.share_out();
    }

    /// A snapshot has left turns out up to here.
    pub(super) fn begin_turn(&mut self, turn: u64) {
        self.run.turn = self.run.turn.max(turn);
    }

    /// A snapshot ends, which says this of the run.
    pub(super) fn join(&mut self, run: RunRecord) {
        self.run.join(run);
    }

    /// What holds for the run as a whole.
    pub fn run(&self) -> &RunRecord {
        &self.run
    }

    /// How many trials there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is known of a trial.
    pub fn get(&self, trial: TrialId) -> Option<&TrialRecord> {
        self.entry(trial).map(|entry| &entry.record)
    }

    /// What is known of all trials, in the order of their creation.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &TrialRecord> {
        self.entries.iter().map(|entry| &entry.record)
    }

    /// What is to come of a trial; none if it has ended.
    pub fn plan(&self, trial: TrialId) -> Option<&Plan> {
        self.entry(trial)?.open.as_ref().map(|open| &open.plan)
    }

    /// Why a trial isn't running.
    pub fn waiting(&self, trial: TrialId) -> Waiting {
        let Some(open) = self.entry(trial).and_then(|entry| entry.open.as_deref()) else { return Waiting::Not };
        let (plan, live) = (&open.plan, &open.live);
        match live.state {
            State::Running { phase: Phase::Saving, .. } => Waiting::ForSave,
            State::Running { .. } | State::Terminated | State::Error => Waiting::Not,
            State::Starting if live.lease.is_some() => Waiting::ForWorker,
            State::Starting => Waiting::ForResources { needs: plan.request.clone() },
            State::Queued | State::Paused => match (plan.place, plan.paused_by) {
                (Place::BackingOff(until), _) => Waiting::BackingOff { until },
                _ if let Some(order) = &plan.exploit => Waiting::ForDonor { donor: order.donor },
                (Place::Line, _) => Waiting::ForTurn,
                (Place::Parked(_), _) | (Place::Aside, Some(PausedBy::Scheduler)) => Waiting::ForScheduler,
                (Place::Aside, Some(PausedBy::Client)) => Waiting::ForClient,
                (Place::Aside, Some(PausedBy::Drain)) => Waiting::ForResume,
                (Place::Aside, None) => Waiting::ForTurn,
            },
        }
    }

    fn entry(&self, trial: TrialId) -> Option<&Entry> {
        self.entries.get(trial.index()).filter(|entry| entry.record.id == trial)
    }

    pub(super) fn live(&self, trial: TrialId) -> Option<&Live> {
        self.entry(trial)?.open.as_ref().map(|open| &open.live)
    }

    pub(super) fn live_mut(&mut self, trial: TrialId) -> Option<&mut Live> {
        let entry = self.entries.get_mut(trial.index()).filter(|entry| entry.record.id == trial)?;
        entry.open.as_mut().map(|open| &mut open.live)
    }

    /// The trials that haven't ended, in the order of their creation.
    pub(super) fn open_trials(&self) -> impl Iterator<Item = TrialId> {
        self.lines.open.iter().copied()
    }

    pub(super) fn open_count(&self) -> usize {
        self.lines.open.len()
    }

    /// Trials that have or want a worker.
    pub(super) fn launched(&self) -> usize {
        self.lines.launched
    }

    /// Trials that want a worker and have none.
    pub(super) fn unserved(&self) -> usize {
        self.lines.launched.saturating_sub(self.granted)
    }

    /// Trials that could be launched at once.
    pub(super) fn candidates(&self) -> usize {
        self.lines.line.len() + self.lines.parked.len()
    }

    pub(super) fn in_line(&self) -> usize {
        self.lines.line.len()
    }

    #[cfg(feature = "web")]
    pub(super) fn backing_off(&self) -> usize {
        self.lines.backing_off.len()
    }

    pub(super) fn next_id(&self) -> TrialId {
        TrialId::new(self.id, u32::try_from(self.entries.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn is_candidate(&self, trial: TrialId) -> bool {
        self.plan(trial).is_some_and(Plan::is_candidate)
    }

    /// Whether the end of a trial was decided, and no report of it is waited for any more.
    pub(super) fn is_ending(&self, trial: TrialId) -> bool {
        let open = self.entry(trial).and_then(|entry| entry.open.as_ref());
        open.is_some_and(|open| matches!(open.plan.ordered, Ordered::End(_)) && open.live.last_step.is_none())
    }

    /// Whether something is still to be heard: of a trial that was told to pause or stop, or from a client that paused
    /// one. A scan, of a run in which no trial has or wants a worker.
    pub(super) fn expects_word(&self) -> bool {
        self.open_trials().filter_map(|trial| self.plan(trial).zip(self.live(trial))).any(|(plan, live)| {
            let paused_by_client = plan.paused_by == Some(PausedBy::Client) && plan.place != Place::Line;
            plan.ordered != Ordered::Nothing || live.last_step.is_some() || paused_by_client
        })
    }

    /// What there is to share: what a client said last, else what the session began with, without the GPUs that were withdrawn.
    fn share_out(&mut self) {
        self.resources.clone_from(self.run.resources.as_ref().unwrap_or(&self.total));
        let lost = self.resources.gpus().iter().filter(|gpu| self.withdrawn.contains(gpu)).count();
        let _all_there = self.resources.take(&Resources::new().with("gpu", lost as f64));
    }

    pub(super) fn next_retry(&self) -> Option<Moment> {
        self.lines.backing_off.first().map(|(at, _)| *at)
    }

    /// The next trial whose wait is over.
    pub(super) fn due_retry(&self, now: Moment) -> Option<TrialId> {
        self.lines.backing_off.first().filter(|(at, _)| *at <= now).map(|(_, trial)| *trial)
    }

    /// Follows a trial's machine. Answers its status, and the one that follows from its state.
    pub(super) fn follow(&mut self, trial: TrialId, state: State) -> Option<(Status, Status)> {
        let entry = self.entries.get_mut(trial.index()).filter(|entry| entry.record.id == trial)?;
        let live = &mut entry.open.as_mut()?.live;
        live.state = state;
        if !state.holds_worker() {
            self.pausing -= usize::from(std::mem::take(&mut live.pausing));
            self.granted -= usize::from(live.lease.take().is_some());
        }
        Some((entry.record.status, state.status()))
    }

    pub(super) fn granted(&mut self, trial: TrialId, lease: LeaseId, worker: WorkerId) {
        let Some(live) = self.live_mut(trial) else { return };
        live.worker = Some(worker);
        if live.lease.replace(lease).is_none() {
            self.granted += 1;
        }
    }

    /// A trial is about to leave its worker and come back for one later.
    pub(super) fn pausing(&mut self, trial: TrialId) {
        let Some(live) = self.live_mut(trial) else { return };
        if live.state.holds_worker() && !std::mem::replace(&mut live.pausing, true) {
            self.pausing += 1;
        }
    }

    /// Whether there are trials without a worker, or about to leave theirs, that will want one. A launched trial counts
    /// until it has its worker: its request may still be on the way.
    pub(super) fn some_come_back(&self) -> bool {
        self.pausing > 0 || self.open_count() > self.granted
    }

    pub(crate) fn into_records(self) -> Vec<TrialRecord> {
        self.entries.into_iter().map(|entry| entry.record).collect()
    }
}

impl Cohort for Ledger {
    fn trials(&self) -> Box<dyn Iterator<Item = TrialId> + '_> {
        Box::new(self.iter().map(|record| record.id))
    }

    fn open(&self) -> Box<dyn Iterator<Item = TrialId> + '_> {
        Box::new(self.open_trials())
    }

    fn status(&self, trial: TrialId) -> Option<Status> {
        self.get(trial).map(|record| record.status)
    }

    fn last_report(&self, trial: TrialId) -> Option<&Report> {
        self.get(trial).and_then(|record| record.last.as_deref())
    }

    fn config(&self, trial: TrialId) -> Option<&Config> {
        self.get(trial).map(|record| &*record.config)
    }

    fn has_checkpoint(&self, trial: TrialId) -> bool {
        self.get(trial).is_some_and(|record| record.goes_on_from().is_some())
    }

    fn request(&self, trial: TrialId) -> Option<&Arc<ResourceRequest>> {
        self.plan(trial).map(|plan| &plan.request)
    }

    fn resources(&self) -> Option<&Resources> {
        Some(&self.resources)
    }

    fn count(&self, status: Status) -> usize {
        self.lines.counts[status as usize]
    }

    fn first_pending(&self) -> Option<TrialId> {
        self.lines.line.first().map(|(_, _, trial)| *trial)
    }

    fn first_paused(&self) -> Option<TrialId> {
        self.lines.parked.first().map(|(_, trial)| *trial)
    }

    fn can_launch(&self, trial: TrialId) -> bool {
        self.is_candidate(trial)
    }
}
