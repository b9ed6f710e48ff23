//! Which values of the configurations mattered.

use std::collections::BTreeMap;

use super::Results;
use crate::logic::config::Config;
use crate::logic::engine::TrialRecord;
use crate::logic::metrics::importance::{Compared, ImportanceError, Importances, importances};
use crate::logic::metrics::{Objective, Report};
use crate::logic::space::Dimensions;

/// So many trials are enough to look no further back than where they have come to.
const ENOUGH: usize = 50;

impl Results {
    /// How much each value of the configurations mattered for being among the best tenth of the trials, by the experiment's
    /// objective, trials being compared at equal iterations: see [`Compared::Equally`] and
    /// [`importance`](crate::logic::metrics::importance).
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let square = function("square", |config: Config, trial| {
    ///     let x: f64 = config.get("x")?;
    ///     Ok(trial.report([("loss", x * x)])?)
    /// });
    /// let space = Space::new().with("x", uniform(-1.0, 1.0)).with("y", uniform(-1.0, 1.0));
    /// let experiment = Experiment::new("square", square).space(space).samples(60).seed(1);
    /// let results = experiment.objective(Objective::min("loss")).run()?;
    /// let found = results.importance()?;
    /// assert_eq!((found.trials, found.best, found.values[0].name.as_str()), (60, 6, "x"));
    /// assert!(found.values[0].share > 0.8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no objective, fewer than ten trials can be compared, or nothing differs.
    pub fn importance(&self) -> Result<Importances, ImportanceError> {
        let objective = self.objective.as_ref().ok_or(ImportanceError::NoObjective)?;
        self.importance_by(objective, Compared::Equally)
    }

    /// The same for any objective, trials being compared as `compared` says.
    ///
    /// # Errors
    /// If fewer than ten trials can be compared, or nothing differs.
    pub fn importance_by(&self, objective: &Objective, compared: Compared) -> Result<Importances, ImportanceError> {
        let iteration = match compared {
            Compared::Equally => self.common_iteration(objective),
            Compared::At(iteration) => Some(iteration),
            Compared::Last => None,
        };
        let (mut configs, mut values) = (Vec::new(), Vec::new());
        for trial in &self.trials {
            let report = match iteration {
                Some(iteration) => reports(trial).rev().find(|report| report.iteration() == iteration),
                None => trial.last.as_deref(),
            };
            if let Some(value) = report.and_then(|report| finite(report, objective)) {
                configs.push(config_at(trial, iteration));
                values.push(value);
            }
        }
        let dimensions = Dimensions::of(self.settings.space_tried().as_ref(), configs);
        importances(objective, iteration, &dimensions, &values)
    }

    /// The furthest iteration at which enough trials can be compared.
    fn common_iteration(&self, objective: &Objective) -> Option<u64> {
        let mut reached: BTreeMap<u64, usize> = BTreeMap::new();
        let mut trials = 0;
        for trial in &self.trials {
            let mut before = None;
            for iteration in reports(trial).filter(|report| finite(report, objective).is_some()).map(Report::iteration)
            {
                // One that became a copy of another may come by twice.
                if before < Some(iteration) {
                    *reached.entry(iteration).or_default() += 1;
                    before = Some(iteration);
                }
            }
            trials += usize::from(before.is_some());
        }
        let enough = ENOUGH.min(trials.div_ceil(2)).max(1);
        reached.into_iter().rev().find(|(_, count)| *count >= enough).map(|(iteration, _)| iteration)
    }
}

/// The reports of a trial that are kept.
fn reports(trial: &TrialRecord) -> impl DoubleEndedIterator<Item = &Report> {
    let only = trial.last.as_deref().filter(|_| trial.history.is_empty());
    trial.history.iter().map(AsRef::as_ref).chain(only)
}

fn finite(report: &Report, objective: &Objective) -> Option<f64> {
    report.number(&objective.metric).filter(|value| value.is_finite())
}

/// The configuration with which a trial came to an iteration: that of before if it became a copy of another later.
fn config_at(trial: &TrialRecord, iteration: Option<u64>) -> &Config {
    let later = iteration.and_then(|iteration| trial.lineage.iter().find(|copy| copy.iteration >= iteration));
    later.map_or(&*trial.config, |copy| &*copy.before)
}
