//! What the console's table needs: the best trials, and the failures in groups, never all of them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::tally::Tally;
use super::words;
use crate::logic::config::Config;
use crate::logic::event::{Change, Ending, ExperimentEvent};
use crate::logic::failure::{Failure, Fault};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::trial::Status;

/// So many different failures are told apart.
const GROUPS: usize = 10;

/// So many trials of a group are named.
const NAMED: usize = 3;

/// One trial of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) trial: TrialId,
    pub(super) name: Option<Arc<str>>,
    pub(super) status: Status,
    pub(super) iterations: u64,
    pub(super) seconds: f64,
    /// The best value of the objective that it ever reported.
    pub(super) best: Option<f64>,
    pub(super) config: Option<Arc<Config>>,
    /// The report that this is of, for metrics besides the objective.
    pub(super) report: Arc<Report>,
    /// How it ended, in a few words; empty before.
    pub(super) how: String,
}

/// Trials that failed for good in the same way: one kind, one place, the same words but for numbers and ids.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) first: Arc<Failure>,
    pub(super) trials: Vec<TrialId>,
    pub(super) count: u64,
}

impl Group {
    fn is_of(&self, fault: &Fault) -> bool {
        self.first.fault.is_same(fault)
    }
}

/// The best trials, each by the best value it ever reported, so that few rows are enough to be exact: a trial that drops
/// out comes back only with a better value. Without an objective it is the trials that ended last.
#[derive(Debug)]
pub(super) struct Board {
    most: usize,
    rows: VecDeque<Row>,
    groups: Vec<Group>,
    others: u64,
    scheduler: String,
}

impl Board {
    /// A board of so many rows.
    pub(super) fn new(most: usize) -> Self {
        Self { most, rows: VecDeque::new(), groups: Vec::new(), others: 0, scheduler: String::new() }
    }

    /// How many rows it has from now on; before anything is noted.
    pub(super) fn keep(&mut self, most: usize) {
        self.most = most;
    }

    /// Notes what an event says. It must come before the tally's own `add`, which forgets trials that end.
    pub(super) fn add(&mut self, event: &ExperimentEvent, tally: &Tally) {
        match event.kind.change() {
            Change::Began { info, .. } => self.scheduler.clone_from(&info.scheduler),
            Change::Reported { report } => self.judge(report, tally),
            Change::Ended { trial, status, ending, reason, last } => {
                match tally.objective() {
                    Some(_) => self.judge(last, tally),
                    None => self.keep_last(Self::row(last, None, tally)),
                }
                let how = self.how(ending, reason.map(AsRef::as_ref), last.iteration());
                if let Some(row) = self.rows.iter_mut().find(|row| row.trial == trial) {
                    (row.status, row.iterations) = (status, last.iteration());
                    (row.seconds, row.how) = (last.counters.time_total_s, how);
                }
            }
            Change::Failed { trial, failure, retry_at: None } => self.fail(trial, failure),
            Change::Added { .. }
            | Change::Returned { .. }
            | Change::Revived { .. }
            | Change::Moved { .. }
            | Change::Launched { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Reconfigured { .. }
            | Change::Failed { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
    }

    /// `stopped by Asha at 9`, and the like.
    fn how(&self, ending: Ending, reason: Option<&str>, iteration: u64) -> String {
        match ending {
            Ending::Scheduler if self.scheduler.is_empty() => format!("stopped by the scheduler at {iteration}"),
            Ending::Scheduler => format!("stopped by {} at {iteration}", words::line_of(&self.scheduler)),
            Ending::StopRule => words::line_of(reason.unwrap_or("a stop rule")),
            Ending::Client => format!("stopped by a client at {iteration}"),
            Ending::Experiment => "ended with the run".to_owned(),
            Ending::Restarted => "restarted as another".to_owned(),
            Ending::Withdrawn => "withdrawn before it began".to_owned(),
            Ending::Done | Ending::Error => String::new(),
        }
    }

    fn fail(&mut self, trial: TrialId, failure: &Arc<Failure>) {
        let room = self.groups.len() < GROUPS;
        match self.groups.iter_mut().find(|group| group.is_of(&failure.fault)) {
            Some(group) => {
                group.count += 1;
                if group.trials.len() < NAMED && !group.trials.contains(&trial) {
                    group.trials.push(trial);
                }
            }
            None if !room => self.others += 1,
            None => self.groups.push(Group { first: failure.clone(), trials: vec![trial], count: 1 }),
        }
    }

    fn judge(&mut self, report: &Arc<Report>, tally: &Tally) {
        let Some(objective) = tally.objective() else { return };
        let Some(value) = report.number(&objective.metric).filter(|value| !value.is_nan()) else { return };
        let beats = |row: &Row| row.best.is_none_or(|best| objective.compare(value, best).is_gt());
        // The common case, at the cost of one comparison: it isn't among the best.
        if self.rows.len() == self.most && !self.rows.back().is_some_and(beats) {
            return;
        }
        let old = self.rows.iter().position(|row| row.trial == report.trial);
        if old.is_some_and(|old| !beats(&self.rows[old])) {
            return;
        }
        let mut row = Self::row(report, Some(value), tally);
        match old.and_then(|old| self.rows.remove(old)) {
            Some(old) => (row.config, row.name) = (row.config.or(old.config), row.name.or(old.name)),
            None if self.rows.len() == self.most => drop(self.rows.pop_back()),
            None => {}
        }
        let place = self.rows.iter().position(beats).unwrap_or(self.rows.len());
        self.rows.insert(place, row);
    }

    fn row(report: &Arc<Report>, best: Option<f64>, tally: &Tally) -> Row {
        Row {
            trial: report.trial,
            name: tally.live(report.trial).and_then(|live| live.name.clone()),
            status: Status::Running,
            iterations: report.iteration(),
            seconds: report.counters.time_total_s,
            best,
            config: tally.live(report.trial).map(|live| live.config.clone()),
            report: report.clone(),
            how: String::new(),
        }
    }

    fn keep_last(&mut self, row: Row) {
        if self.rows.len() >= self.most {
            self.rows.pop_front();
        }
        if self.most > 0 {
            self.rows.push_back(row);
        }
    }

    /// The rows, best first, as their trials stand now.
    pub(super) fn rows(&self, tally: &Tally) -> Vec<Row> {
        let up_to_date = |row: &Row| match tally.live(row.trial) {
            Some(live) => {
                Row { status: live.status, iterations: live.iterations, seconds: live.seconds, ..row.clone() }
            }
            None => row.clone(),
        };
        self.rows.iter().map(up_to_date).collect()
    }

    /// What failed for good, the same together, in the order in which it came first.
    pub(super) fn failed(&self) -> &[Group] {
        &self.groups
    }

    /// How many trials failed in yet another way.
    pub(super) fn failed_otherwise(&self) -> u64 {
        self.others
    }

    /// Whether a failure is the first of its kind.
    pub(super) fn is_new(&self, failure: &Failure) -> bool {
        !self.groups.iter().any(|group| group.is_of(&failure.fault)) && self.groups.len() < GROUPS
    }
}
