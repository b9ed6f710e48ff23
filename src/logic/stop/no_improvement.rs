//! The experiment is over when many trials in a row have brought nothing better.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::watched::{Missing, Watched};
use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{Float, PartState, StateError, common_run, float, pack, same, unpack};

const PART: &str = "no_improvement";

/// Ends the whole experiment when many trials in a row have brought no better best. Made by [`no_improvement`].
#[derive(Clone, Debug, PartialEq)]
pub struct NoImprovement {
    settings: Settings,
    metric: Watched,
    /// The best value that counts so far, and whose it is.
    best: Option<(TrialId, f64)>,
    /// Live trials that were the best at one of their reports.
    improvers: HashSet<TrialId>,
    /// How many trials have ended since then that never were.
    in_vain: u64,
}

/// The settings, as they are said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    objective: Objective,
    trials: u64,
    #[serde(default, with = "float")]
    min_delta: f64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    objective: Objective,
    run: RunId,
    best: Option<(u32, Float)>,
    improvers: Vec<u32>,
    in_vain: u64,
    missing: Missing,
}

/// Ends the whole experiment when `trials` trials in a row (from 1) have ended and none of them brought a better value of the
/// objective than all before it, in any of its reports. For searches without a known number of samples.
///
/// A better value begins the count anew at the report that brings it; the trial that brought it isn't counted at its end.
/// Failed trials are counted, and so are those that never reported a number. Improvements by
/// [`min_delta`](NoImprovement::min_delta) or less don't count; NaN is never better. A report costs O(1).
///
/// ```
/// use tryout::prelude::*;
///
/// let rule = stop::no_improvement(Objective::max("accuracy"), 50).min_delta(0.001);
/// assert!(rule.validate().is_ok());
/// ```
///
/// Source: early stopping by patience, as in Prechelt 1998, "Early Stopping - but when?", over trials instead of epochs;
/// Hyperopt has it as `no_progress_loss`.
pub fn no_improvement(objective: Objective, trials: u64) -> NoImprovement {
    NoImprovement::of(Settings { objective, trials, min_delta: 0.0 })
}

impl NoImprovement {
    pub(super) fn of(settings: Settings) -> Self {
        let metric = Watched::new(settings.objective.metric.clone().into());
        Self { settings, metric, best: None, improvers: HashSet::new(), in_vain: 0 }
    }

    /// By how much a value must be better than the best before it, in the metric's unit; finite, from 0. Default 0: any
    /// better value counts.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.settings.min_delta = min_delta;
        self
    }

    /// Whether `value` is better than the best so far, by as much as is asked for.
    fn is_better(&self, value: f64) -> bool {
        let score = |value| self.settings.objective.score(value);
        match self.best {
            _ if value.is_nan() => false,
            None => true,
            // The first part for infinities, which differ by NaN from themselves.
            Some((_, best)) => score(value) > score(best) && score(value) - score(best) > self.settings.min_delta,
        }
    }
}

impl StopRule for NoImprovement {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let value = self.metric.number(report, PART)?;
        if self.is_better(value) {
            self.best = Some((trial, value));
            self.improvers.insert(trial);
            self.in_vain = 0;
        }
        None
    }

    fn check_experiment(&mut self, _: &Progress) -> Option<StopReason> {
        if self.in_vain < self.settings.trials {
            return None;
        }
        let (count, name) = (self.in_vain, self.metric.name());
        Some(match self.best {
            Some((trial, value)) => {
                format!("{count} trials in a row have brought no better {name} than {value}, of trial {trial}").into()
            }
            None => format!("{count} trials in a row have brought no {name}").into(),
        })
    }

    fn forget(&mut self, trial: TrialId) {
        if !self.improvers.remove(&trial) {
            self.in_vain += 1;
        }
    }

    fn warning(&mut self) -> Option<String> {
        self.metric.warning()
    }

    fn save(&self) -> Option<PartState> {
        let best = self.best.map(|(trial, _)| trial);
        let mut improvers: Vec<u32> = self.improvers.iter().map(|trial| trial.number()).collect();
        improvers.sort_unstable();
        let saved = Saved {
            objective: self.settings.objective.clone(),
            run: common_run(self.improvers.iter().copied().chain(best))?,
            best: self.best.map(|(trial, value)| (trial.number(), Float(value))),
            improvers,
            in_vain: self.in_vain,
            missing: self.metric.missing.clone(),
        };
        pack(PART, &saved)
    }

    /// Another number of trials is held against the count so far; another `min_delta` goes for what comes.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        let text = |objective: &Objective| format!("{:?} {}", objective.mode, objective.metric);
        same(PART, "the objective", &text(&saved.objective), &text(&self.settings.objective))?;
        let id = |number| TrialId::new(saved.run, number);
        self.best = saved.best.map(|(number, value)| (id(number), value.0));
        self.improvers = saved.improvers.into_iter().map(id).collect();
        self.in_vain = saved.in_vain;
        self.metric.missing = saved.missing;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn validate(&self) -> Result<(), StopError> {
        let refuse =
            |setting, value: String, expected| Err(StopError::Setting { rule: PART, setting, value, expected });
        let Settings { objective, trials, min_delta } = &self.settings;
        if objective.metric.is_empty() {
            return refuse("the metric", "empty".to_owned(), "a name, as in `loss` or `test/accuracy`");
        }
        if *trials == 0 {
            return refuse("the number of trials", trials.to_string(), "at least 1");
        }
        if !min_delta.is_finite() || *min_delta < 0.0 {
            return refuse("min_delta", min_delta.to_string(), "a finite number, at least 0");
        }
        Ok(())
    }
}
