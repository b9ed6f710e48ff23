//! Where workers come from.

use serde::{Deserialize, Serialize};

/// Where a worker comes from that a trial is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Arrival {
    /// It was started here.
    #[default]
    Spawned,
    /// It has joined from elsewhere.
    Joined,
    /// It has joined from elsewhere, and still has this very trial from before the engine was started anew.
    CameBack,
}
