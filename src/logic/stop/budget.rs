//! The experiment is over when its trials have used up so much of a resource.

use serde::{Deserialize, Serialize};

use super::{Progress, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};
use crate::logic::time::Moment;

const PART: &str = "budget";

/// A resource whose use is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budget {
    resource: Used,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    limit: f64,
    /// What earlier sessions used.
    #[serde(skip)]
    before: f64,
    #[serde(skip)]
    state: State,
    #[serde(skip)]
    deadline: Option<Moment>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// What all sessions used so far.
    #[serde(with = "float")]
    used: f64,
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
    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("the resource", self.resource.words())
    }

    fn new(resource: Used, limit: f64) -> Self {
        Self { resource, limit, before: 0.0, state: State::default(), deadline: None }
    }
}

impl StopRule for Budget {
    fn check(&mut self, _: TrialId, _: &Report) -> Option<StopReason> {
        None
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        let (used, rate) = self.resource.of(progress);
        self.state.used = self.before + used;
        let left = self.limit - self.state.used;
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

    fn words(&self) -> StopReason {
        format!("{} {} of the experiment", self.limit, self.resource.words()).into()
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    /// What was used counts against the limit that is set now.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        self.before = self.state.used;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn validate(&self) -> Result<(), StopError> {
        let (holds, expected) =
            (self.limit.is_finite() && self.limit > 0.0, "finite and above 0, or nothing would ever run");
        Ok(Check(PART).require(holds, "the limit", self.limit, expected)?)
    }
}
