//! The resources of one worker.

use serde::{Deserialize, Serialize};

use super::resources::Resources;

/// The resources that a worker holds, bundle by bundle, with the indices of its GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// As requested.
    pub bundles: Vec<Resources>,
    /// For each bundle, the indices of its GPUs, ascending; a share of a GPU has the index of that GPU.
    pub gpus: Vec<Vec<u32>>,
}
