//! Where a scheduler stopped trials, or lets them wait, as the trials' own records tell it: for pictures and pages.

use std::collections::BTreeMap;

use super::engine::TrialRecord;
use super::event::Ending;
use super::metrics::Report;
use super::trial::Status;

/// What became of a trial at a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stopped,
    Waits,
    WentOn,
}

/// The furthest iteration of all trials.
pub(crate) fn furthest<'t>(trials: impl Iterator<Item = &'t TrialRecord>) -> u64 {
    trials.filter_map(|trial| trial.last.as_ref()).map(|last| last.iteration()).max().unwrap_or(0)
}

/// At which iteration the scheduler stopped a trial before others came further, or lets it wait.
pub(crate) fn halted(trial: &TrialRecord, furthest: u64) -> Option<u64> {
    let last = trial.last.as_ref()?.iteration();
    let stopped = trial.ending == Some(Ending::Scheduler) && last < furthest;
    (stopped || trial.status == Status::Paused).then_some(last)
}

/// The iterations at which most trials were halted, at most so many, in their order; and how many there are in all.
pub(crate) fn rungs<'t>(
    trials: impl Iterator<Item = &'t TrialRecord>,
    furthest: u64,
    most: usize,
) -> (Vec<u64>, usize) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for iteration in trials.filter_map(|trial| halted(trial, furthest)) {
        *counts.entry(iteration).or_default() += 1;
    }
    let all = counts.len();
    let mut found: Vec<(usize, u64)> = counts.into_iter().map(|(iteration, count)| (count, iteration)).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(most);
    let mut rungs: Vec<u64> = found.into_iter().map(|(_, iteration)| iteration).collect();
    rungs.sort_unstable();
    (rungs, all)
}

/// What became of a trial at a rung; none if it never came to it.
pub(crate) fn fate(trial: &TrialRecord, rung: u64, furthest: u64) -> Option<Fate> {
    match halted(trial, furthest) {
        Some(here) if here == rung && trial.status == Status::Paused => Some(Fate::Waits),
        Some(here) if here == rung => Some(Fate::Stopped),
        _ => (trial.last.as_ref()?.iteration() > rung).then_some(Fate::WentOn),
    }
}

/// Its value of a metric at a rung, if that report is kept.
pub(crate) fn value_at(trial: &TrialRecord, rung: u64, metric: &str) -> Option<f64> {
    let report: &Report = trial.reports().rev().find(|report| report.iteration() == rung)?;
    report.number(metric).filter(|value| value.is_finite())
}
