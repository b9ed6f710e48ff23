//! The experiment is over when its trials have used up so much of a resource.

use serde::{Deserialize, Serialize};

use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{Float, PartState, StateError, float, pack, same, unpack};
use crate::logic::time::Moment;

const PART: &str = "budget";

/// A resource whose use is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Used {
    /// Cpu-seconds: each cpu that a trial holds counts for as long as it holds it, busy or not.
    CpuSeconds,
    /// GPU-seconds, shares of GPUs counting as such.
    GpuSeconds,
}

impl Used {
    fn of(self, progress: &Progress) -> (f64, f64) {
        match self {
            Used::CpuSeconds => (progress.cpu_seconds, progress.cpus),
            Used::GpuSeconds => (progress.gpu_seconds, progress.gpus),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Used::CpuSeconds => "cpu-seconds",
            Used::GpuSeconds => "GPU-seconds",
        }
    }
}

/// Ends the whole experiment when its trials have used so much of a resource. Made by [`cpu_seconds`] and [`gpu_seconds`].
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    resource: Used,
    limit: f64,
    /// What earlier sessions used, and all together so far.
    before: f64,
    used: f64,
    deadline: Option<Moment>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) resource: Used,
    #[serde(with = "float")]
    pub(super) limit: f64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    resource: String,
    used: Float,
}

/// Ends the whole experiment when its trials have held cpus for `limit` seconds together; above 0. A trial with two cpus
/// uses two cpu-seconds a second, from the moment at which it gets its worker to that at which it leaves it.
///
/// ```
/// use tryout::prelude::*;
///
/// // Two cpu-hours, however many trials share them.
/// let rule = stop::cpu_seconds(7200.0);
/// ```
pub fn cpu_seconds(limit: f64) -> Budget {
    Budget::new(Used::CpuSeconds, limit)
}

/// Ends the whole experiment when its trials have held GPUs for `limit` seconds together; above 0.
///
/// ```
/// use tryout::prelude::*;
///
/// let rule = stop::gpu_seconds(3600.0).or(stop::cpu_seconds(36_000.0));
/// ```
pub fn gpu_seconds(limit: f64) -> Budget {
    Budget::new(Used::GpuSeconds, limit)
}

impl Budget {
    pub(super) fn new(resource: Used, limit: f64) -> Self {
        Self { resource, limit, before: 0.0, used: 0.0, deadline: None }
    }
}

impl StopRule for Budget {
    fn check(&mut self, _: TrialId, _: &Report) -> Option<StopReason> {
        None
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        let (used, rate) = self.resource.of(progress);
        self.used = self.before + used;
        let left = self.limit - self.used;
        // A nanosecond is as near as a clock comes.
        if left <= rate * 1e-9 {
            return Some(format!("the experiment's {} {} are used up", self.limit, self.resource.words()).into());
        }
        let wait = std::time::Duration::try_from_secs_f64(left / rate).ok();
        self.deadline = wait.map(|wait| progress.now + wait);
        None
    }

    fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    fn save(&self) -> Option<PartState> {
        pack(PART, &Saved { resource: self.resource.words().to_owned(), used: Float(self.used) })
    }

    /// What was used counts against the limit that is set now.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "the resource", &saved.resource.as_str(), &self.resource.words())?;
        (self.before, self.used) = (saved.used.0, saved.used.0);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { resource: self.resource, limit: self.limit })
    }

    fn validate(&self) -> Result<(), StopError> {
        if self.limit.is_finite() && self.limit > 0.0 {
            return Ok(());
        }
        let expected = "finite and above 0, or nothing would ever run";
        Err(StopError::Setting { rule: PART, setting: "the limit", value: self.limit.to_string(), expected })
    }
}
