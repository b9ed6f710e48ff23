//! Whether settings make sense: everything that can be said of them without the parts and the machine.

use std::borrow::Cow;

use super::Settings;
use crate::logic::engine::SameError;
use crate::logic::search::Samples;

/// A setting that is out of its range.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("`{setting}` is {value}, but must be {expected}")]
pub struct WrongSetting {
    /// Which.
    pub setting: &'static str,
    /// What it is.
    pub value: Cow<'static, str>,
    /// What it must be.
    pub expected: Cow<'static, str>,
}

crate::logic::failure::debug_as_chain!(WrongSetting);

impl WrongSetting {
    /// `setting` is `value`, but must be `expected`.
    pub fn new(
        setting: &'static str,
        value: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { setting, value: value.into(), expected: expected.into() }
    }
}

/// Refuses `value` below `least`.
fn at_least(setting: &'static str, value: Option<u64>, least: u64, unit: &str) -> Result<(), WrongSetting> {
    match value.filter(|value| *value < least) {
        None => Ok(()),
        Some(value) => Err(WrongSetting::new(setting, value.to_string(), format!("at least {least}{unit}"))),
    }
}

impl Settings {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first that isn't: its name, its value, and what would be right.
    pub fn check(&self) -> Result<(), WrongSetting> {
        if self.name.trim().is_empty() {
            return Err(WrongSetting::new("name", "empty", "a name"));
        }
        if self.objective.as_ref().is_some_and(|objective| objective.metric.is_empty()) {
            return Err(WrongSetting::new("objective", "a metric without a name", "the name of a metric"));
        }
        let finite = |samples: Samples| match samples {
            Samples::Finite(count) => Some(count),
            Samples::Infinite => None,
        };
        at_least("samples", self.samples.and_then(finite), 1, "")?;
        at_least("passes", self.passes.and_then(finite), 1, "")?;
        at_least("concurrency", self.concurrency.map(u64::from), 1, "")?;
        at_least("staged", Some(self.staged.into()), 1, "")?;
        at_least("checkpoint_every", self.checkpoint_every.map(u64::from), 1, "")?;
        let keep = self.retention.keep().map(|keep| keep as u64);
        at_least("retention", keep, 1, ": the latest checkpoint is always kept")?;
        at_least("checkpoint_budget", self.checkpoint_budget, 1, " byte")?;
        if self.time_limit.is_some_and(|limit| limit.after.is_zero()) {
            return Err(WrongSetting::new("time_limit", "0 s", "longer than zero, or nothing would ever run"));
        }
        let limits = self.report_limits;
        at_least("report_limits.names", Some(limits.names.into()), 1, "")?;
        at_least("report_limits.names_of_trial", Some(limits.names_of_trial.into()), 1, "")?;
        at_least("report_limits.bytes", Some(limits.bytes), 1, "")?;
        at_least("withdraw_gpus_after", self.withdraw_gpus_after.map(u64::from), 2, " trials")?;
        let workers = self.same_error.map(|SameError { workers, .. }| workers.into());
        at_least("same_error", workers, 2, " workers")?;
        self.retry.check().map_err(|(value, expected)| WrongSetting::new("retry", value, expected))
    }
}
