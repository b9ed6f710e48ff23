//! The resources of one worker.

use serde::{Deserialize, Serialize};

use super::resources::Resources;
use super::units;

/// The resources that a worker holds, bundle by bundle, with the indices of its GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Slot {
    /// As requested.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "Vec<std::collections::BTreeMap<String, units::Written<f64>>>"))]
    pub bundles: Vec<Resources>,
    /// For each bundle, the indices of its GPUs, ascending; a share of a GPU has the index of that GPU. An index counts the
    /// GPUs that the engine's process sees, from 0: CUDA's ordinals within this process. A worker process finds what it
    /// may use in `CUDA_VISIBLE_DEVICES` and its like, under the names that the engine's process inherited there.
    pub gpus: Vec<Vec<u32>>,
}
