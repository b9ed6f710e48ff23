//! What the console's last table needs: the best ten trials and the last ten failures, never all of them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::tally::Tally;
use crate::logic::config::Config;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::failure::Failure;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::trial::Status;

const ROWS: usize = 10;

/// One trial of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) trial: TrialId,
    pub(super) status: Status,
    pub(super) iterations: u64,
    pub(super) seconds: f64,
    /// The best value of the objective that it ever reported.
    pub(super) best: Option<f64>,
    pub(super) config: Option<Arc<Config>>,
}

/// The best trials, each by the best value it ever reported, so that ten rows are enough to be exact: a trial that drops
/// out comes back only with a better value. Without an objective it is the trials that ended last.
#[derive(Debug, Default)]
pub(super) struct Board {
    rows: VecDeque<Row>,
    failed: VecDeque<(TrialId, Arc<Failure>)>,
}

impl Board {
    /// Notes what an event says. It must come before the tally's own `add`, which forgets trials that end.
    pub(super) fn add(&mut self, event: &ExperimentEvent, tally: &Tally) {
        match &event.kind {
            EventKind::Reported { report } => self.judge(report, tally),
            EventKind::Ended { trial, status, last, .. } => {
                match tally.objective() {
                    Some(_) => self.judge(last, tally),
                    None => keep_last(&mut self.rows, Self::row(last, None, tally)),
                }
                if let Some(row) = self.rows.iter_mut().find(|row| row.trial == *trial) {
                    (row.status, row.iterations) = (*status, last.iteration());
                    row.seconds = last.counters.time_total_s;
                }
            }
            EventKind::Failed { trial, failure, retry_at: None } => {
                keep_last(&mut self.failed, (*trial, failure.clone()));
            }
            _ => {}
        }
    }

    fn judge(&mut self, report: &Report, tally: &Tally) {
        let Some(objective) = tally.objective() else { return };
        let Some(value) = report.number(&objective.metric).filter(|value| !value.is_nan()) else { return };
        let beats = |row: &Row| row.best.is_none_or(|best| objective.compare(value, best).is_gt());
        // The common case, at the cost of one comparison: it isn't among the best.
        if self.rows.len() == ROWS && !self.rows.back().is_some_and(beats) {
            return;
        }
        let old = self.rows.iter().position(|row| row.trial == report.trial);
        if old.is_some_and(|old| !beats(&self.rows[old])) {
            return;
        }
        match old {
            Some(old) => drop(self.rows.remove(old)),
            None if self.rows.len() == ROWS => drop(self.rows.pop_back()),
            None => {}
        }
        let place = self.rows.iter().position(beats).unwrap_or(self.rows.len());
        self.rows.insert(place, Self::row(report, Some(value), tally));
    }

    fn row(report: &Report, best: Option<f64>, tally: &Tally) -> Row {
        Row {
            trial: report.trial,
            status: Status::Running,
            iterations: report.iteration(),
            seconds: report.counters.time_total_s,
            best,
            config: tally.live(report.trial).map(|live| live.config.clone()),
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

    /// The last failures that ended their trials, oldest first.
    pub(super) fn failed(&self) -> impl ExactSizeIterator<Item = &(TrialId, Arc<Failure>)> {
        self.failed.iter()
    }
}

fn keep_last<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() == ROWS {
        items.pop_front();
    }
    items.push_back(item);
}
