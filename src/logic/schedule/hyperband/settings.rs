//! What the settings come to: the checks, and the order in which brackets are filled.

use serde::{Deserialize, Serialize};

use super::HyperBand;
use super::plan::MOST_HALVINGS;
use crate::logic::schedule::ScheduleError;

/// In which order the brackets of a band are filled, and when one may be halved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filling {
    /// From the one with the fewest trials on. A bracket is halved as soon as all the trials it has are at the milestone.
    #[default]
    SmallestFirst,
    /// From the one with the most trials on, which judges soonest. A bracket is halved once it has been full, or when
    /// nothing runs any more and no other trial is to come; its trials end at its last milestone without waiting for each
    /// other. A searcher that learns from pauses then hears of many short trials before it is asked for those that follow.
    LargestFirst,
}

impl std::fmt::Display for Filling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Filling::SmallestFirst => "smallest_first",
            Filling::LargestFirst => "largest_first",
        })
    }
}

impl HyperBand {
    pub(super) fn check(&self) -> Result<(), ScheduleError> {
        let refuse = |setting, value: String, expected| {
            Err(ScheduleError::Setting { scheduler: "HyperBand", setting, value, expected })
        };
        if self.max_t == 0 {
            return refuse("max_t", self.max_t.to_string(), "at least 1");
        }
        if !self.reduction_factor.is_finite() || self.reduction_factor <= 1.0 {
            return refuse("reduction_factor", self.reduction_factor.to_string(), "a finite number above 1");
        }
        if self.plan().brackets() > MOST_HALVINGS + 1 {
            let expected = "so far above 1 that there are no more than 1000 halvings up to `max_t`";
            return refuse("reduction_factor", self.reduction_factor.to_string(), expected);
        }
        if self.time_attr.is_empty() {
            return refuse("time_attr", "empty".to_owned(), "the name of a metric, as in `training_iteration`");
        }
        Ok(())
    }
}
