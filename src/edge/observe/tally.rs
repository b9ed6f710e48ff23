//! A running count of a run, folded from its events: constant cost an event, memory for the live trials only.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::logic::config::Config;
use crate::logic::event::{AddedBy, Change, Ending, EventKind, ExperimentEvent, Outcome};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Objective, Report};
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// The best report so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Whose report it is.
    pub trial: TrialId,
    /// The objective's value in it; never NaN.
    pub value: f64,
    /// In which iteration.
    pub iteration: u64,
    /// The trial's configuration, if the tally saw the trial being added.
    pub config: Option<Arc<Config>>,
}

/// What is known of a trial that hasn't ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTrial {
    /// What it is called besides its id, if it is.
    pub name: Option<Arc<str>>,
    /// Its configuration.
    pub config: Arc<Config>,
    /// Its status.
    pub status: Status,
    /// The highest iteration it reported.
    pub iterations: u64,
    /// Its seconds of work, as last reported.
    pub seconds: f64,
    /// What it needs.
    pub request: Arc<ResourceRequest>,
}

impl LiveTrial {
    fn new(config: &Arc<Config>, name: Option<&Arc<str>>) -> Self {
        let (status, request) = (Status::Pending, Arc::default());
        Self { name: name.cloned(), config: config.clone(), status, iterations: 0, seconds: 0.0, request }
    }
}

/// Counts, the best so far, rates and the time that is left, as of the last event.
///
/// ```
/// use tryout::observe::Tally;
/// use tryout::extend::*;
/// use tryout::event::{Moment, Status};
///
/// let mut tally = Tally::new();
/// let trial = TrialId::new(RunId::new(1), 0);
/// let (config, request) = Default::default();
/// let kind = EventKind::Added { trial, config, request, by: AddedBy::Searcher, from: None, rank: None, name: None };
/// tally.add(&ExperimentEvent { at: Moment::START, kind });
/// assert_eq!(tally.count(Status::Pending), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tally {
    run: RunId,
    name: Option<Arc<str>>,
    objective: Option<Objective>,
    total: Option<u64>,
    /// Trials that the searcher doesn't count: a client's, and those that took another's place.
    extra: u64,
    stopped_early: u64,
    resources: BTreeMap<String, f64>,
    counts: [u64; Status::ALL.len()],
    live: HashMap<TrialId, LiveTrial>,
    best: Option<Best>,
    iterations: u64,
    failures: u64,
    missed: u64,
    reports: Pace,
    ends: Pace,
    now: Moment,
    outcome: Option<Outcome>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds one more event in.
    pub fn add(&mut self, event: &ExperimentEvent) {
        self.now = self.now.max(event.at);
        match event.kind.change() {
            Change::Began { run, name, total, objective, info } => {
                self.resources.clone_from(&info.resources);
                self.run = run;
                self.name = Some(name.clone());
                self.total = total;
                self.objective = objective.cloned();
                self.reports.start(event.at);
                self.ends.start(event.at);
            }
            Change::Added { trial, config, by, name } => {
                self.extra += u64::from(by != AddedBy::Searcher);
                self.counts[Status::Pending as usize] += 1;
                self.live.insert(trial, LiveTrial::new(config, name));
            }
            Change::Returned { trial, config, status, .. } => {
                // Whoever wasn't told of the past hears of it for the first time.
                self.live.entry(trial).or_insert_with(|| {
                    self.counts[Status::Pending as usize] += 1;
                    LiveTrial::new(config, None)
                });
                self.settle(trial, status);
            }
            Change::Moved { trial, from, to } => self.moved(trial, from, to, event.at),
            Change::Reported { report } => {
                self.reports.add(event.at, 1);
                self.judge(report);
            }
            Change::Reconfigured { trial, exploit } => {
                if let Some(live) = self.live.get_mut(&trial) {
                    live.config = exploit.config.clone();
                }
            }
            Change::Failed { .. } => self.failures += 1,
            Change::Ended { trial, last, ending, .. } => {
                self.stopped_early += u64::from(ending == Ending::Scheduler);
                self.judge(last);
                self.live.remove(&trial);
            }
            Change::Finished { outcome } => self.outcome = Some(outcome.clone()),
            Change::Revived { .. }
            | Change::Launched { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Other => {}
        }
        if let Some((trial, request)) = event.kind.request()
            && let Some(live) = self.live.get_mut(&trial)
        {
            live.request = request.clone();
        }
        if let EventKind::Rescaled { total } = &event.kind {
            self.resources = total.iter().map(|(name, amount)| (name.to_owned(), amount.as_f64())).collect();
        }
    }

    /// Folds one event of an earlier session in. Of what a snapshot tells, changes of status are left out.
    pub fn recall(&mut self, event: &ExperimentEvent) {
        let change = event.kind.change();
        if let Change::Ended { trial, status, .. } = change {
            self.settle(trial, status);
        }
        // An earlier session's end isn't this one's.
        if !matches!(change, Change::Finished { .. }) {
            self.add(event);
        }
    }

    /// A trial has this status now, whatever was heard of it before.
    fn settle(&mut self, trial: TrialId, status: Status) {
        let Some(live) = self.live.get_mut(&trial) else { return };
        let before = std::mem::replace(&mut live.status, status);
        self.counts[before as usize] = self.counts[before as usize].saturating_sub(1);
        self.counts[status as usize] += 1;
    }

    /// Counts reports that were missed: they count as reports, and nothing else is known of them.
    pub fn missed(&mut self, reports: u64) {
        self.missed += reports;
        self.reports.add(self.now, reports);
    }

    fn moved(&mut self, trial: TrialId, from: Status, to: Status, at: Moment) {
        // Of a session that was killed not every move was heard: what was counted last counts.
        let counted = self.live.get_mut(&trial).map_or(from, |live| std::mem::replace(&mut live.status, to));
        let left = &mut self.counts[counted as usize];
        *left = left.saturating_sub(1);
        self.counts[to as usize] += 1;
        if to.is_terminal() && !from.is_terminal() {
            self.ends.add(at, 1);
        }
    }

    fn judge(&mut self, report: &Report) {
        if let Some(live) = self.live.get_mut(&report.trial) {
            self.iterations += report.iteration().saturating_sub(live.iterations);
            live.iterations = live.iterations.max(report.iteration());
            live.seconds = report.counters.time_total_s;
        }
        let Some(objective) = &self.objective else { return };
        let Some(value) = report.number(&objective.metric).filter(|value| !value.is_nan()) else { return };
        let better = self.best.as_ref().is_none_or(|best| objective.compare(value, best.value).is_gt());
        if better {
            let config = self.live.get(&report.trial).map(|live| live.config.clone());
            self.best = Some(Best { trial: report.trial, value, iteration: report.iteration(), config });
        }
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The experiment's name; empty before the first event.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// What counts, if anything does.
    pub fn objective(&self) -> Option<&Objective> {
        self.objective.as_ref()
    }

    /// How many trials there will be, if that is known: what the searcher gives, what clients have added, and what took the
    /// place of another.
    pub fn total(&self) -> Option<u64> {
        self.total.map(|total| total.saturating_add(self.extra))
    }

    /// How many trials the scheduler has ended.
    pub fn stopped_early(&self) -> u64 {
        self.stopped_early
    }

    /// What the trials that run hold of each resource, and how much of it there is; by name.
    pub fn in_use(&self) -> Vec<(&str, f64, f64)> {
        let mut held = Resources::new();
        self.live
            .values()
            .filter(|live| live.status == Status::Running)
            .for_each(|live| held.add(live.request.total()));
        self.resources.iter().map(|(name, all)| (name.as_str(), held.get(name).as_f64(), *all)).collect()
    }

    /// How many trials have this status.
    pub fn count(&self, status: Status) -> u64 {
        self.counts[status as usize]
    }

    /// How many trials there are, ended ones included.
    pub fn trials(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many trials ended, well or not.
    pub fn ended(&self) -> u64 {
        self.count(Status::Terminated) + self.count(Status::Error)
    }

    /// A trial that hasn't ended.
    pub fn live(&self, trial: TrialId) -> Option<&LiveTrial> {
        self.live.get(&trial)
    }

    /// The best report so far.
    pub fn best(&self) -> Option<&Best> {
        self.best.as_ref()
    }

    /// How many reports there were, those that were missed included.
    pub fn reports(&self) -> u64 {
        self.reports.count
    }

    /// How many events were missed.
    pub fn events_missed(&self) -> u64 {
        self.missed
    }

    /// The sum over all trials of the highest iteration each of them reported.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// How many failures there were, those that were retried included.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// The time of the last event.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// How it ended, once it did.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Reports a second, lately; it falls while nothing is reported.
    pub fn reports_per_second(&self, now: Moment) -> f64 {
        self.reports.per_second(now)
    }

    /// Trials that ended a second, lately.
    pub fn trials_per_second(&self, now: Moment) -> f64 {
        self.ends.per_second(now)
    }

    /// The time that the remaining trials will take at the rate of late; none if the total or the rate isn't known.
    pub fn eta(&self, now: Moment) -> Option<Duration> {
        let rate = self.trials_per_second(now);
        let remaining = self.total()?.saturating_sub(self.ended());
        if rate > 0.0 { Duration::try_from_secs_f64(remaining as f64 / rate).ok() } else { None }
    }
}

/// A count, and how fast it grew lately: over the last 32 seconds where it grows often, else over its last 64 steps.
#[derive(Clone, Debug, Default)]
struct Pace {
    count: u64,
    marks: VecDeque<(Moment, u64)>,
}

impl Pace {
    const MARKS: usize = 64;
    const APART: Duration = Duration::from_millis(500);

    fn start(&mut self, at: Moment) {
        self.marks.clear();
        self.marks.push_back((at, self.count));
    }

    fn add(&mut self, at: Moment, more: u64) {
        self.count += more;
        if self.marks.back().is_some_and(|(last, _)| at.since(*last) < Self::APART) {
            return;
        }
        if self.marks.len() == Self::MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back((at, self.count));
    }

    fn per_second(&self, now: Moment) -> f64 {
        let Some((since, before)) = self.marks.front() else { return 0.0 };
        let seconds = now.since(*since).as_secs_f64();
        if seconds > 0.0 { (self.count - before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
