//! What a trial needs: ordered bundles of resources.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::resources::{Amount, ResourceError, Resources};
use super::units;

/// What a trial needs: ordered bundles of resources. Two requests that are equal by value share workers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceRequest {
    bundles: Vec<Resources>,
    total: Resources,
}

impl Default for ResourceRequest {
    /// One cpu.
    fn default() -> Self {
        Self { bundles: vec![Resources::cpus(1)], total: Resources::cpus(1) }
    }
}

impl ResourceRequest {
    /// One bundle, of a trainable that works in one place.
    ///
    /// # Errors
    /// If it asks for nothing, for what can't be, or for one and a half GPUs.
    pub fn single(bundle: Resources) -> Result<Self, ResourceError> {
        Self::bundles(vec![bundle])
    }

    /// Several bundles: the first for the trainable itself (it may be empty), the others for its helpers.
    ///
    /// # Errors
    /// If all of them are empty, or one asks for what can't be or for one and a half GPUs, or names GPUs by their indices.
    pub fn bundles(bundles: Vec<Resources>) -> Result<Self, ResourceError> {
        let mut total = Resources::new();
        for bundle in &bundles {
            bundle.check()?;
            if bundle.names_gpus() {
                return Err(ResourceError::Indices { name: "gpu".to_owned() });
            }
            let gpus = bundle.get("gpu");
            if gpus > Amount::whole(1) && gpus.parts() % Amount::whole(1).parts() != 0 {
                return Err(ResourceError::PartialGpus { value: gpus.as_f64() });
            }
            total.add(bundle);
        }
        if total.is_empty() { Err(ResourceError::Empty) } else { Ok(Self { bundles, total }) }
    }

    /// What is written in units, as in `{"cpu": 2, "gpu": 0.5}`; a list of those for several bundles.
    ///
    /// # Errors
    /// If it isn't that, or asks for what can't be.
    pub fn from_units(value: serde_json::Value) -> Result<Self, String> {
        units::deserialize(value).map_err(|error: serde_json::Error| error.to_string())
    }

    /// The bundles in their order.
    pub fn as_bundles(&self) -> &[Resources] {
        &self.bundles
    }

    /// The sum of the bundles.
    pub fn total(&self) -> &Resources {
        &self.total
    }
}

impl fmt::Display for ResourceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.total.fmt(f)
    }
}
