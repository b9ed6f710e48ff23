//! The schedulers of this module, made from their settings as data.

use serde::de::DeserializeOwned;

use super::{
    Asha, Fifo, HyperBand, MedianStopping, MoAsha, Patient, Pbt, Percentile, Replay, ResourceChanging, Scheduler,
    Threshold, Wilcoxon,
};
use crate::logic::spec::{Kinds, PartSpec, SpecError, kind, part_in_settings};

/// `Fifo` has none.
#[cfg(feature = "cli")]
#[derive(schemars::JsonSchema)]
struct NoSettings {}

pub(crate) const KINDS: Kinds<dyn Scheduler> = Kinds {
    sort: "scheduler",
    all: &[
        kind!("Asha", read::<Asha> => Asha),
        kind!("Fifo", |_| Ok(Box::new(Fifo)) => NoSettings),
        kind!("HyperBand", read::<HyperBand> => HyperBand),
        kind!("MedianStopping", read::<MedianStopping> => MedianStopping),
        kind!("MoAsha", read::<MoAsha> => MoAsha),
        kind!("Patient", read::<Patient> => Patient),
        kind!("Pbt", read::<Pbt> => Pbt),
        kind!("Percentile", read::<Percentile> => Percentile),
        kind!("Replay", read::<Replay> => Replay),
        kind!("ResourceChanging", read::<ResourceChanging> => ResourceChanging),
        kind!("Threshold", read::<Threshold> => Threshold),
        kind!("Wilcoxon", read::<Wilcoxon> => Wilcoxon),
    ],
};

fn read<S: Scheduler + DeserializeOwned + 'static>(spec: &PartSpec) -> Result<Box<dyn Scheduler>, SpecError> {
    Ok(Box::new(spec.read::<S>()?))
}

part_in_settings!(Scheduler);

/// The scheduler that `spec` describes: one like that which [said it](Scheduler::spec), with nothing of its past.
///
/// ```
/// use tryout::schedule::{self, Scheduler};
/// use tryout::state::PartSpec;
///
/// let spec = PartSpec { kind: "Asha".into(), settings: serde_json::json!({"max_t": 81}) };
/// assert_eq!(schedule::from_spec(&spec)?.name(), "Asha");
/// # Ok::<(), tryout::state::SpecError>(())
/// ```
///
/// # Errors
/// If there is no such scheduler here, or its settings can't be read. Whether they can work, its
/// [`prepare`](Scheduler::prepare) says.
pub fn from_spec(spec: &PartSpec) -> Result<Box<dyn Scheduler>, SpecError> {
    KINDS.make(spec)
}
