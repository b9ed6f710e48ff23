//! What several test files share: reports made by hand, and a cohort of nobody.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod live;
pub(crate) mod roster;
pub(crate) mod town;

use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Metrics, Report};

/// The trial `number` of a run.
pub(crate) fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

/// The report of `trial` at `iteration` with one metric.
pub(crate) fn report(trial: TrialId, iteration: u64, metric: &'static str, value: f64) -> Report {
    let mut report = Report::empty(trial);
    report.counters.training_iteration = iteration;
    report.counters.time_total_s = iteration as f64;
    report.metrics = Metrics::from([(metric, value)]);
    report
}
