//! What the settings come to: the checks, and a run at its beginning.

use super::bracket::{Bracket, MOST_RUNGS, milestones};
use super::gate::Gate;
use super::promotion::Promotion;
use super::run::Run;
use super::{Asha, AshaForm, Going};
use crate::logic::schedule::ScheduleError;

impl Asha {
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
