//! Which trials are compared, and where.

use std::collections::BTreeMap;

use super::{Compared, ImportanceError, Importances, importances};
use crate::logic::config::Config;
use crate::logic::engine::TrialRecord;
use crate::logic::metrics::{Objective, Report};
use crate::logic::space::{Dimensions, Space};

/// So many trials are enough to look no further back than where they have come to.
const ENOUGH: usize = 50;

/// How much each value of the configurations of these trials mattered, the trials being compared as `compared` says.
pub(crate) fn importance_of<'t, T: Iterator<Item = &'t TrialRecord>>(
    trials: &impl Fn() -> T,
    space: Option<&Space>,
    objective: &Objective,
    compared: Compared,
) -> Result<Importances, ImportanceError> {
    let iteration = match compared {
        Compared::Equally => common_iteration(trials(), objective),
        Compared::At(iteration) => Some(iteration),
        Compared::Last => None,
    };
    let (mut configs, mut values) = (Vec::new(), Vec::new());
    for trial in trials() {
        let report = match iteration {
            Some(iteration) => trial.reports().rev().find(|report| report.iteration() == iteration),
            None => trial.last.as_deref(),
        };
        if let Some(value) = report.and_then(|report| finite(report, objective)) {
            configs.push(config_at(trial, iteration));
            values.push(value);
        }
    }
    importances(objective, iteration, &Dimensions::of(space, configs), &values)
}

/// The furthest iteration at which enough trials can be compared.
fn common_iteration<'t>(trials: impl Iterator<Item = &'t TrialRecord>, objective: &Objective) -> Option<u64> {
    let mut reached: BTreeMap<u64, usize> = BTreeMap::new();
    let mut count = 0;
    for trial in trials {
        let mut before = None;
        for iteration in trial.reports().filter(|report| finite(report, objective).is_some()).map(Report::iteration) {
            // One that became a copy of another may come by twice.
            if before < Some(iteration) {
                *reached.entry(iteration).or_default() += 1;
                before = Some(iteration);
            }
        }
        count += usize::from(before.is_some());
    }
    let enough = ENOUGH.min(count.div_ceil(2)).max(1);
    reached.into_iter().rev().find(|(_, count)| *count >= enough).map(|(iteration, _)| iteration)
}

fn finite(report: &Report, objective: &Objective) -> Option<f64> {
    report.number(&objective.metric).filter(|value| value.is_finite())
}

/// The configuration with which a trial came to an iteration: that of before if it became a copy of another later.
fn config_at(trial: &TrialRecord, iteration: Option<u64>) -> &Config {
    let later = iteration.and_then(|iteration| trial.lineage.iter().find(|copy| copy.iteration >= iteration));
    later.map_or(&*trial.config, |copy| &*copy.before)
}
