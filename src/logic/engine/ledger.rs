//! What is known of every trial, with the lines and counts that make every look-up constant.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::logic::config::Config;
use crate::logic::event::{Ending, PausedBy};
use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use crate::logic::metrics::Report;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::schedule::Cohort;
use crate::logic::time::Moment;
use crate::logic::trial::{Phase, State, Status};

use super::entry::{Entry, Live, Standing, TrialRecord};
use super::io::Waiting;
use super::settings::{EngineSettings, History};

/// A place in the line: by priority, then those that an earlier session left, then by number.
type Place = (Reverse<i32>, u32, u32);

fn place(live: &Live, trial: TrialId) -> Place {
    (Reverse(live.priority), live.rank.unwrap_or(u32::MAX), trial.number())
}

/// All trials of a run, in the order of their creation.
#[derive(Debug)]
pub struct Ledger {
    run: RunId,
    history: History,
    resources: Resources,
    entries: Vec<Entry>,
    counts: [usize; 5],
    launched: usize,
    granted: usize,
    pausing: usize,
    line: BTreeSet<Place>,
    parked: BTreeSet<(u64, TrialId)>,
    parkings: u64,
    backing_off: BTreeSet<(Moment, TrialId)>,
    live: BTreeSet<TrialId>,
}

impl Ledger {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Self {
            run: settings.run,
            history: settings.history,
            resources: settings.resources.clone(),
            entries: Vec::new(),
            counts: [0; 5],
            launched: 0,
            granted: 0,
            pausing: 0,
            line: BTreeSet::new(),
            parked: BTreeSet::new(),
            parkings: 0,
            backing_off: BTreeSet::new(),
            live: BTreeSet::new(),
        }
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

    /// Why a trial isn't running.
    pub fn waiting(&self, trial: TrialId) -> Waiting {
        let Some(live) = self.entry(trial).and_then(|entry| entry.live.as_deref()) else { return Waiting::Not };
        match live.state {
            State::Running { phase: Phase::Saving, .. } => Waiting::ForSave,
            State::Running { .. } | State::Terminated | State::Error => Waiting::Not,
            State::Starting if live.lease.is_some() => Waiting::ForWorker,
            State::Starting => Waiting::ForResources { needs: live.request.clone() },
            State::Queued | State::Paused => match (live.retry_at, live.paused_by) {
                (Some(until), _) => Waiting::BackingOff { until },
                (None, _) if let Some(exploit) = &live.exploit => Waiting::ForDonor { donor: exploit.donor },
                _ if live.in_line => Waiting::ForTurn,
                (None, Some(PausedBy::Scheduler)) => Waiting::ForScheduler,
                (None, Some(PausedBy::Client)) => Waiting::ForClient,
                (None, Some(PausedBy::Drain)) => Waiting::ForResume,
                (None, None) => Waiting::ForTurn,
            },
        }
    }

    pub(super) fn entry(&self, trial: TrialId) -> Option<&Entry> {
        self.entries.get(trial.index()).filter(|entry| entry.record.id == trial)
    }

    pub(super) fn entry_mut(&mut self, trial: TrialId) -> Option<&mut Entry> {
        self.entries.get_mut(trial.index()).filter(|entry| entry.record.id == trial)
    }

    pub(super) fn live(&self, trial: TrialId) -> Option<&Live> {
        self.entry(trial)?.live.as_deref()
    }

    pub(super) fn live_mut(&mut self, trial: TrialId) -> Option<&mut Live> {
        self.entry_mut(trial)?.live.as_deref_mut()
    }

    /// The trials that haven't ended, in the order of their creation.
    pub(super) fn live_trials(&self) -> impl Iterator<Item = TrialId> {
        self.live.iter().copied()
    }

    pub(super) fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Trials that have or want a worker.
    pub(super) fn launched(&self) -> usize {
        self.launched
    }

    /// Trials that want a worker and have none.
    pub(super) fn unserved(&self) -> usize {
        self.launched - self.granted
    }

    /// Trials that could be launched at once.
    pub(super) fn candidates(&self) -> usize {
        self.line.len() + self.parked.len()
    }

    pub(super) fn in_line(&self) -> usize {
        self.line.len()
    }

    pub(super) fn next_id(&self) -> TrialId {
        TrialId::new(self.run, u32::try_from(self.entries.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn add(&mut self, config: Arc<Config>, request: Arc<ResourceRequest>) -> TrialId {
        let id = self.next_id();
        self.entries.push(Entry::new(id, config, request));
        self.counts[Status::Pending as usize] += 1;
        self.live.insert(id);
        self.enqueue(id);
        id
    }

    /// Puts a trial into the line, at its priority and the place of its number.
    pub(super) fn enqueue(&mut self, trial: TrialId) {
        self.leave_lines(trial);
        if let Some(live) = self.live_mut(trial) {
            live.in_line = true;
            let place = place(live, trial);
            self.line.insert(place);
        }
    }

    /// Offers a paused trial to the scheduler.
    pub(super) fn park(&mut self, trial: TrialId) {
        self.leave_lines(trial);
        self.parkings += 1;
        let turn = self.parkings;
        if let Some(live) = self.live_mut(trial) {
            live.parked = Some(turn);
            self.parked.insert((turn, trial));
        }
    }

    /// Makes a trial that had ended one that waits to be launched.
    pub(super) fn revive(&mut self, trial: TrialId, attempt: u32, request: Arc<ResourceRequest>) {
        let Some(entry) = self.entry_mut(trial).filter(|entry| entry.live.is_none()) else { return };
        entry.live = Some(Box::new(Live::queued(request)));
        let record = &mut entry.record;
        let before = std::mem::replace(&mut record.status, Status::Pending);
        (record.attempts, record.ending, record.ended, record.reason) = (attempt, None, None, None);
        self.counts[before as usize] -= 1;
        self.counts[Status::Pending as usize] += 1;
        self.live.insert(trial);
        self.enqueue(trial);
    }

    /// Another trial has taken the place of this one, which had ended.
    pub(super) fn superseded(&mut self, trial: TrialId, reason: std::borrow::Cow<'static, str>) {
        let Some(entry) = self.entry_mut(trial).filter(|entry| entry.live.is_none()) else { return };
        let before = std::mem::replace(&mut entry.record.status, Status::Terminated);
        (entry.record.ending, entry.record.reason) = (Some(Ending::Restarted), Some(reason));
        self.counts[before as usize] -= 1;
        self.counts[Status::Terminated as usize] += 1;
    }

    pub(super) fn back_off(&mut self, trial: TrialId, until: Moment) {
        self.leave_lines(trial);
        if let Some(live) = self.live_mut(trial) {
            live.retry_at = Some(until);
            self.backing_off.insert((until, trial));
        }
    }

    pub(super) fn leave_lines(&mut self, trial: TrialId) {
        let Some(live) = self.entries.get_mut(trial.index()).and_then(|entry| entry.live.as_deref_mut()) else {
            return;
        };
        if std::mem::take(&mut live.in_line) {
            self.line.remove(&place(live, trial));
        }
        if let Some(turn) = live.parked.take() {
            self.parked.remove(&(turn, trial));
        }
        if let Some(until) = live.retry_at.take() {
            self.backing_off.remove(&(until, trial));
        }
    }

    pub(super) fn is_candidate(&self, trial: TrialId) -> bool {
        self.live(trial).is_some_and(|live| live.in_line || live.parked.is_some())
    }

    /// Whether something is still to be heard: of a trial that was told to pause or stop, or from a client that paused
    /// one. A scan, of a run in which no trial has or wants a worker.
    pub(super) fn expects_word(&self) -> bool {
        self.live.iter().filter_map(|trial| self.live(*trial)).any(|live| {
            !matches!(live.standing, Standing::None) || (live.paused_by == Some(PausedBy::Client) && !live.in_line)
        })
    }

    /// A GPU has been withdrawn from service: there is one less to share.
    pub(super) fn lose_gpu(&mut self) {
        let one = Resources::new().with("gpu", 1.0).unwrap_or_default();
        // A ledger that knows of no GPUs has none to lose.
        let _taken = self.resources.take(&one);
    }

    pub(super) fn prioritise(&mut self, trial: TrialId, priority: i32) {
        let waits = self.live(trial).is_some_and(|live| live.in_line);
        if waits {
            self.leave_lines(trial);
        }
        if let Some(live) = self.live_mut(trial) {
            live.priority = priority;
        }
        if waits {
            self.enqueue(trial);
        }
    }

    pub(super) fn next_retry(&self) -> Option<Moment> {
        self.backing_off.first().map(|(at, _)| *at)
    }

    /// The next trial whose wait is over.
    pub(super) fn due_retry(&self, now: Moment) -> Option<TrialId> {
        self.backing_off.first().filter(|(at, _)| *at <= now).map(|(_, trial)| *trial)
    }

    /// Writes a trial's new state down; answers the old and the new status if they differ.
    pub(super) fn moved(&mut self, trial: TrialId, state: State) -> Option<(Status, Status)> {
        let entry = self.entries.get_mut(trial.index())?;
        let live = entry.live.as_deref_mut()?;
        let (was, is) = (live.state.holds_worker(), state.holds_worker());
        match (was, is) {
            (false, true) => self.launched += 1,
            (true, false) => {
                self.launched -= 1;
                self.pausing -= usize::from(std::mem::take(&mut live.pausing));
                if live.lease.take().is_some() {
                    self.granted -= 1;
                }
            }
            _ => {}
        }
        live.state = state;
        let (from, to) = (entry.record.status, state.status());
        entry.record.status = to;
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
        (from != to).then_some((from, to))
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
        self.pausing > 0 || self.live.len() > self.granted
    }

    /// Drops what served only running a trial.
    pub(super) fn retire(&mut self, trial: TrialId) -> Option<Box<Live>> {
        self.leave_lines(trial);
        self.live.remove(&trial);
        self.entry_mut(trial)?.live.take()
    }

    /// Writes one more report into the statistics and, if the experiment keeps them, into the history.
    pub(super) fn keeps_history(&self) -> bool {
        !matches!(self.history, History::None | History::Last(0))
    }

    pub(super) fn remember(&mut self, trial: TrialId, report: &Arc<Report>) {
        let History::Last(most) = self.history else { return };
        let Some(entry) = self.entry_mut(trial) else { return };
        if entry.record.history.len() == most {
            entry.record.history.pop_front();
        }
        entry.record.history.push_back(report.clone());
    }

    pub(crate) fn into_records(self) -> Vec<TrialRecord> {
        self.entries.into_iter().map(|entry| entry.record).collect()
    }
}

impl Cohort for Ledger {
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
        self.get(trial).is_some_and(|record| record.inherited.is_some() || !record.checkpoints.is_empty())
    }

    fn request(&self, trial: TrialId) -> Option<&Arc<ResourceRequest>> {
        self.live(trial).map(|live| &live.request)
    }

    fn resources(&self) -> Option<&Resources> {
        Some(&self.resources)
    }

    fn count(&self, status: Status) -> usize {
        self.counts[status as usize]
    }

    fn first_pending(&self) -> Option<TrialId> {
        self.line.first().map(|(_, _, number)| TrialId::new(self.run, *number))
    }

    fn first_paused(&self) -> Option<TrialId> {
        self.parked.first().map(|(_, trial)| *trial)
    }

    fn can_launch(&self, trial: TrialId) -> bool {
        self.is_candidate(trial)
    }
}
