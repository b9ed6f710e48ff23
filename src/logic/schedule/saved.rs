//! What the saved states of all schedulers that compare scores have in common.

use serde::{Deserialize, Serialize};

use super::in_words;
use crate::logic::metrics::Objective;
use crate::logic::state::{StateError, same};

/// What scores are of, and by what time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Measure {
    time_attr: String,
    objective: Objective,
}

impl Measure {
    /// None without an objective: nothing is compared then.
    pub(super) fn new(time_attr: &str, objective: Option<&Objective>) -> Option<Self> {
        Some(Self { time_attr: time_attr.to_owned(), objective: objective?.clone() })
    }

    /// Whether scores that were saved can be compared with new ones.
    ///
    /// # Errors
    /// If they can't.
    pub(super) fn same(
        &self,
        part: &'static str,
        time_attr: &str,
        objective: Option<&Objective>,
    ) -> Result<(), StateError> {
        same(part, "time_attr", &self.time_attr.as_str(), &time_attr)?;
        let given = objective.map_or_else(|| "none".to_owned(), in_words);
        same(part, "objective", &in_words(&self.objective), &given)
    }
}
