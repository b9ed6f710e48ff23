//! What the settings come to: the form, the rungs, the checks, and a run at its beginning.

use serde::{Deserialize, Serialize};

use super::bracket::{Bracket, MOST_RUNGS, milestones};
use super::gate::Gate;
use super::promotion::Promotion;
use super::run::Run;
use super::{Asha, Going};
use crate::logic::schedule::ScheduleError;
use crate::logic::spec::Check;

/// What becomes of a trial that isn't among the best at a rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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

/// Holds the settings of rungs against what can work.
pub(in crate::logic::schedule) fn ladder(
    check: Check,
    max_t: u64,
    grace_period: u64,
    reduction_factor: f64,
) -> Result<(), ScheduleError> {
    check.halving(max_t, reduction_factor)?;
    let holds = (1..=max_t).contains(&grace_period);
    check.require(holds, "grace_period", grace_period, "at least 1 and at most `max_t`")?;
    let few = milestones(grace_period, max_t, reduction_factor).len() <= MOST_RUNGS;
    let expected = "so far above 1 that there are no more than 1000 rungs up to `max_t`";
    Ok(check.require(few, "reduction_factor", reduction_factor, expected)?)
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
        let check = Check("Asha");
        ladder(check, self.max_t, self.grace_period, self.reduction_factor)?;
        check.require(self.brackets > 0, "brackets", self.brackets, "at least 1")?;
        Ok(check.time_attr(&self.time_attr)?)
    }

    /// A run in which nobody has reported.
    pub(super) fn begin(&self) -> Going {
        let (rungs, odds, seed) = (self.rungs(), self.bracket_odds(), self.seed.unwrap_or_default());
        match self.form {
            AshaForm::Stopping => {
                let brackets = rungs.iter().map(|times| Bracket::new(times, self.reduction_factor)).collect();
                Going::Stopping(Run::new(brackets, odds, seed))
            }
            AshaForm::Promotion => {
                // Nobody waits at the end.
                let below = |time: &&f64| **time < self.max_t as f64;
                let gates = |times: &Vec<f64>| -> Vec<Gate> {
                    times.iter().filter(below).map(|time| Gate::new(*time, self.reduction_factor)).collect()
                };
                Going::Promotion(Promotion::new(Run::new(rungs.iter().map(gates).collect(), odds, seed)))
            }
        }
    }
}
