//! One rule of several is enough.

use serde::{Deserialize, Serialize};

use super::joined::{restore_all, save_all, words};
use super::{Progress, Rules, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, pack, unpack};
use crate::logic::time::Moment;

const PART: &str = "any";

/// Stops when one of its rules does. Made by [`any`] and [`StopRule::or`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Any {
    rules: Vec<Box<dyn StopRule>>,
}

#[derive(Serialize, Deserialize)]
struct State {
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

impl StopRule for Any {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        // The argument of `or` is evaluated whether or not it is needed: each rule is asked.
        self.rules.iter_mut().fold(None, |found, rule| found.or(rule.check(trial, report)))
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        self.rules.iter_mut().fold(None, |found, rule| found.or(rule.check_experiment(progress)))
    }

    fn last_iteration(&self) -> Option<u64> {
        self.rules.iter().filter_map(|rule| rule.last_iteration()).min()
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

    fn words(&self) -> StopReason {
        words(&self.rules, " or ")
    }

    fn save(&self) -> Option<PartState> {
        pack(PART, &State { rules: save_all(&self.rules)? })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        restore_all(PART, &mut self.rules, unpack::<State>(PART, state)?.rules)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn validate(&self) -> Result<(), StopError> {
        if self.rules.is_empty() {
            return Err(StopError::Empty { rule: PART });
        }
        self.rules.iter().try_for_each(|rule| rule.validate())
    }
}
