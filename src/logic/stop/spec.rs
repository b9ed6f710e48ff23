//! The stop rules of this module, made from their settings as data.

use super::{
    Budget, ExperimentPlateau, ExperimentTime, MaxIterations, NoImprovement, StopRule, TrialPlateau, TrialTime, all,
    any, at_least, at_most, best_reached, joined, threshold,
};
use crate::logic::spec::{PartSpec, SpecError};

const KNOWN: &[&str] = &[
    "all",
    "any",
    "at_least",
    "at_most",
    "best_reached",
    "budget",
    "experiment_plateau",
    "experiment_time",
    "iterations",
    "no_improvement",
    "trial_plateau",
    "trial_time",
];

/// The rule that `spec` describes: one like that which [said it](StopRule::spec), with nothing of its past.
///
/// ```
/// use tryout::logic::spec::PartSpec;
/// use tryout::logic::stop::{self, StopRule};
///
/// let settings = serde_json::json!({"metric": "loss", "bound": 0.1});
/// let rule = stop::from_spec(&PartSpec { kind: "at_most".into(), settings })?;
/// assert!(rule.validate().is_ok());
/// # Ok::<(), tryout::logic::spec::SpecError>(())
/// ```
///
/// # Errors
/// If there is no such rule here, or its settings can't be read. Whether they can work, its
/// [`validate`](StopRule::validate) says.
pub fn from_spec(spec: &PartSpec) -> Result<Box<dyn StopRule>, SpecError> {
    let joined = || spec.read::<joined::Settings>()?.rules.iter().map(from_spec).collect::<Result<Vec<_>, _>>();
    let bound = || spec.read::<threshold::Settings>();
    Ok(match &*spec.kind {
        "all" => Box::new(all(joined()?)),
        "any" => Box::new(any(joined()?)),
        "at_least" => Box::new(bound().map(|set| at_least(set.metric, set.bound))?),
        "at_most" => Box::new(bound().map(|set| at_most(set.metric, set.bound))?),
        "best_reached" => {
            let super::best_reached::Settings { objective, target } = spec.read()?;
            Box::new(best_reached(objective, target))
        }
        "budget" => {
            let super::budget::Settings { resource, limit } = spec.read()?;
            Box::new(Budget::new(resource, limit))
        }
        "experiment_plateau" => Box::new(ExperimentPlateau::of(spec.read()?)),
        "experiment_time" => Box::new(spec.read::<ExperimentTime>()?),
        "iterations" => Box::new(spec.read::<MaxIterations>()?),
        "no_improvement" => Box::new(NoImprovement::of(spec.read()?)),
        "trial_plateau" => Box::new(TrialPlateau::of(spec.read()?)),
        "trial_time" => Box::new(spec.read::<TrialTime>()?),
        _ => return Err(spec.unknown("stop rule", KNOWN)),
    })
}
