//! What the settings come to: the form, the rungs, the checks, and a run at its beginning.

use serde::{Deserialize, Serialize};

use super::bracket::{Bracket, MOST_RUNGS, milestones};
use super::gate::Gate;
use super::promotion::Promotion;
use super::run::Run;
use super::{Asha, Going};
use crate::logic::schedule::ScheduleError;

/// What becomes of a trial that isn't among the best at a rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AshaForm {
    /// It is stopped. Nobody is ever paused, and nobody comes back. The first one at a rung always goes on.
    #[default]
    Stopping,
    /// It is paused, and goes on once it is among the best `1 / reduction_factor` of those that were there. Nobody goes on
    /// for having been there first.
    Promotion,
}

impl std::fmt::Display for AshaForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            AshaForm::Stopping => "stopping",
            AshaForm::Promotion => "promotion",
        })
    }
}

impl Asha {
    /// The times of the rungs of each bracket, ascending, as the settings stand.
    pub fn rungs(&self) -> Vec<Vec<f64>> {
        let all = milestones(self.grace_period, self.max_t, self.reduction_factor);
        (0..all.len().min(self.brackets as usize)).map(|first| all[first..].to_vec()).collect()
    }

    /// The probability of each bracket to get a new trial, as the settings stand; they sum to 1.
    pub fn bracket_odds(&self) -> Vec<f64> {
        // Relative to the largest power, which is the first, so that many rungs don't overflow.
        let weights: Vec<f64> = self.rungs().iter().enumerate().map(|(fewer, _)| (-(fewer as f64)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    pub(super) fn check(&self) -> Result<(), ScheduleError> {
        let refuse = |setting, value: String, expected| {
            Err(ScheduleError::Setting { scheduler: "Asha", setting, value, expected })
        };
        if self.max_t == 0 {
            return refuse("max_t", self.max_t.to_string(), "at least 1");
        }
        if self.grace_period == 0 || self.grace_period > self.max_t {
            return refuse("grace_period", self.grace_period.to_string(), "at least 1 and at most `max_t`");
        }
        if !self.reduction_factor.is_finite() || self.reduction_factor <= 1.0 {
            return refuse("reduction_factor", self.reduction_factor.to_string(), "a finite number above 1");
        }
        if milestones(self.grace_period, self.max_t, self.reduction_factor).len() > MOST_RUNGS {
            let expected = "so far above 1 that there are no more than 1000 rungs up to `max_t`";
            return refuse("reduction_factor", self.reduction_factor.to_string(), expected);
        }
        if self.brackets == 0 {
            return refuse("brackets", self.brackets.to_string(), "at least 1");
        }
        if self.time_attr.is_empty() {
            return refuse("time_attr", "empty".to_owned(), "the name of a metric, as in `training_iteration`");
        }
        Ok(())
    }

    /// A run in which nobody has reported.
    pub(super) fn begin(&self) -> Going {
        let (rungs, odds) = (self.rungs(), self.bracket_odds());
        match self.form {
            AshaForm::Stopping => {
                let brackets = rungs.iter().map(|times| Bracket::new(times, self.reduction_factor)).collect();
                Going::Stopping(Run::new(brackets, odds, self.seed))
            }
            AshaForm::Promotion => {
                // Nobody waits at the end.
                let below = |time: &&f64| **time < self.max_t as f64;
                let gates = |times: &Vec<f64>| -> Vec<Gate> {
                    times.iter().filter(below).map(|time| Gate::new(*time, self.reduction_factor)).collect()
                };
                Going::Promotion(Promotion::new(Run::new(rungs.iter().map(gates).collect(), odds, self.seed)))
            }
        }
    }
}
