//! One rule of several is enough.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::joined::{Settings, restore_all, save_all, spec_all};
use super::{Progress, Rules, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, pack, unpack};
use crate::logic::time::Moment;

const PART: &str = "any";

/// Stops when one of its rules does. Made by [`any`] and [`StopRule::or`].
pub struct Any {
    rules: Vec<Box<dyn StopRule>>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    rules: Vec<PartState>,
}

/// Ends a trial, or the experiment, as soon as one of `rules` does; the reason is that of the first in their order. At
/// least one rule.
///
/// Each rule sees each report, also one that another rule has answered. (Ray Tune's `CombinedStopper` asks no further
/// then, which leaves gaps in what the later rules remember.)
///
/// ```
/// use tryout::prelude::*;
///
/// let rule = stop::any((stop::iterations(100), stop::at_most("loss", 0.1), stop::at_least("loss", 1e6)));
/// ```
pub fn any(rules: impl Rules) -> Any {
    Any { rules: rules.boxed() }
}

impl fmt::Debug for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Any").field("rules", &self.rules.len()).finish()
    }
}

impl StopRule for Any {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        // The argument of `or` is evaluated whether or not it is needed: each rule is asked.
        self.rules.iter_mut().fold(None, |found, rule| found.or(rule.check(trial, report)))
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        self.rules.iter_mut().fold(None, |found, rule| found.or(rule.check_experiment(progress)))
    }

    fn deadline(&self) -> Option<Moment> {
        self.rules.iter().filter_map(|rule| rule.deadline()).min()
    }

    fn forget(&mut self, trial: TrialId) {
        self.rules.iter_mut().for_each(|rule| rule.forget(trial));
    }

    fn warning(&mut self) -> Option<String> {
        self.rules.iter_mut().find_map(|rule| rule.warning())
    }

    fn save(&self) -> Option<PartState> {
        pack(PART, &Saved { rules: save_all(&self.rules)? })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        restore_all(PART, &mut self.rules, unpack::<Saved>(PART, state)?.rules)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { rules: spec_all(&self.rules)? })
    }

    fn validate(&self) -> Result<(), StopError> {
        if self.rules.is_empty() {
            return Err(StopError::Empty { rule: PART });
        }
        self.rules.iter().try_for_each(|rule| rule.validate())
    }
}
