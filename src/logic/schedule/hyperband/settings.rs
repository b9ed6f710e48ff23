//! What the settings come to: the checks, and the order in which brackets are filled.

use serde::{Deserialize, Serialize};

use super::HyperBand;
use crate::logic::schedule::ScheduleError;
use crate::logic::spec::Check;

/// More halvings than this in a bracket are refused: no factor that is of any use gives them.
pub(super) const MOST_HALVINGS: u32 = 1000;

/// In which order the brackets of a band are filled, and when one may be halved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
        let check = Check("HyperBand");
        check.halving(self.max_t, self.reduction_factor)?;
        let few = self.plan().brackets() <= MOST_HALVINGS + 1;
        let expected = "so far above 1 that there are no more than 1000 halvings up to `max_t`";
        check.require(few, "reduction_factor", self.reduction_factor, expected)?;
        Ok(check.time_attr(&self.time_attr)?)
    }
}
