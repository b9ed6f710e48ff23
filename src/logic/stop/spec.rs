//! The stop rules of this module, made from their settings as data.

use serde::de::DeserializeOwned;

use super::threshold::{Side, Threshold};
use super::{
    All, Any, BestReached, Budget, ExperimentPlateau, ExperimentTime, MaxIterations, NoImprovement, StopRule,
    TrialPlateau, TrialTime,
};
use crate::logic::spec::{Kinds, PartSpec, SpecError, kind, part_in_settings};

pub(crate) const KINDS: Kinds<dyn StopRule> = Kinds {
    sort: "stop rule",
    all: &[
        kind!("all", |spec| Ok(Box::new(spec.read::<All>()?.begun())) => All),
        kind!("any", read::<Any> => Any),
        kind!("at_least", |spec| Ok(Box::new(spec.read::<Threshold>()?.on(Side::AtLeast))) => Threshold),
        kind!("at_most", |spec| Ok(Box::new(spec.read::<Threshold>()?.on(Side::AtMost))) => Threshold),
        kind!("best_reached", read::<BestReached> => BestReached),
        kind!("budget", read::<Budget> => Budget),
        kind!("experiment_plateau", read::<ExperimentPlateau> => ExperimentPlateau),
        kind!("experiment_time", read::<ExperimentTime> => ExperimentTime),
        kind!("iterations", read::<MaxIterations> => MaxIterations),
        kind!("no_improvement", read::<NoImprovement> => NoImprovement),
        kind!("trial_plateau", read::<TrialPlateau> => TrialPlateau),
        kind!("trial_time", read::<TrialTime> => TrialTime),
    ],
};

fn read<R: StopRule + DeserializeOwned + 'static>(spec: &PartSpec) -> Result<Box<dyn StopRule>, SpecError> {
    Ok(Box::new(spec.read::<R>()?))
}

part_in_settings!(StopRule);

impl std::fmt::Debug for dyn StopRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a stop rule")
    }
}

/// The rule that `spec` describes: one like that which [said it](StopRule::spec), with nothing of its past.
///
/// ```
/// use tryout::state::PartSpec;
/// use tryout::stop::{self, StopRule};
///
/// let settings = serde_json::json!({"metric": "loss", "bound": 0.1});
/// let rule = stop::from_spec(&PartSpec { kind: "at_most".into(), settings })?;
/// assert!(rule.validate().is_ok());
/// # Ok::<(), tryout::state::SpecError>(())
/// ```
///
/// # Errors
/// If there is no such rule here, or its settings can't be read. Whether they can work, its
/// [`validate`](StopRule::validate) says.
pub fn from_spec(spec: &PartSpec) -> Result<Box<dyn StopRule>, SpecError> {
    KINDS.make(spec)
}
