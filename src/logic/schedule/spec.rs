//! The schedulers of this module, made from their settings as data.

use super::{
    Asha, Fifo, HyperBand, MedianStopping, MoAsha, Patient, Pbt, Percentile, Replay, ResourceChanging, Scheduler,
    Threshold, Wilcoxon,
};
use crate::logic::spec::{PartSpec, SpecError};

const KNOWN: &[&str] = &[
    "Asha",
    "Fifo",
    "HyperBand",
    "MedianStopping",
    "MoAsha",
    "Patient",
    "Pbt",
    "Percentile",
    "Replay",
    "ResourceChanging",
    "Threshold",
    "Wilcoxon",
];

/// The scheduler that `spec` describes: one like that which [said it](Scheduler::spec), with nothing of its past.
///
/// ```
/// use tryout::logic::schedule::{self, Scheduler};
/// use tryout::logic::spec::PartSpec;
///
/// let spec = PartSpec { kind: "Asha".into(), settings: serde_json::json!({"max_t": 81}) };
/// assert_eq!(schedule::from_spec(&spec)?.name(), "Asha");
/// # Ok::<(), tryout::logic::spec::SpecError>(())
/// ```
///
/// # Errors
/// If there is no such scheduler here, or its settings can't be read. Whether they can work, its
/// [`prepare`](Scheduler::prepare) says.
pub fn from_spec(spec: &PartSpec) -> Result<Box<dyn Scheduler>, SpecError> {
    Ok(match &*spec.kind {
        "Asha" => Box::new(spec.read::<Asha>()?),
        "Fifo" => Box::new(Fifo),
        "HyperBand" => Box::new(spec.read::<HyperBand>()?),
        "MedianStopping" => Box::new(spec.read::<MedianStopping>()?),
        "MoAsha" => Box::new(spec.read::<MoAsha>()?),
        "Patient" => Box::new(Patient::from_spec(spec)?),
        "Pbt" => Box::new(spec.read::<Pbt>()?),
        "Percentile" => Box::new(spec.read::<Percentile>()?),
        "Replay" => Box::new(spec.read::<Replay>()?),
        "ResourceChanging" => Box::new(ResourceChanging::from_spec(spec)?),
        "Threshold" => Box::new(spec.read::<Threshold>()?),
        "Wilcoxon" => Box::new(spec.read::<Wilcoxon>()?),
        _ => return Err(spec.unknown("scheduler", KNOWN)),
    })
}
