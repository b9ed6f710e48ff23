//! What to do when a limit on time is reached.

use serde::{Deserialize, Serialize};

/// What becomes of work that has reached a limit on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// The step that is under way comes to its end, then the trial stops.
    FinishStep,
    /// The step that is under way comes to its end, a checkpoint is written, then the trial stops.
    SaveThenStop,
    /// It is ended at once.
    Kill,
}
