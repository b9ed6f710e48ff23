//! All rules of several are needed, each at its own time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::joined::{restore_all, save_all, words};
use super::{Progress, Rules, StopError, StopReason, StopRule};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, StateForm};
use crate::logic::time::Moment;

const PART: &str = "all";

/// Stops once all of its rules have said so. Made by [`all`] and [`StopRule::and`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct All {
    rules: Vec<Box<dyn StopRule>>,
    /// What each rule has said of the whole experiment; none before any was asked.
    #[serde(skip)]
    of_experiment: Vec<Option<StopReason>>,
    /// What each rule has said of a trial; only of trials of which one has said something.
    #[serde(skip)]
    of_trials: HashMap<TrialId, Vec<Option<StopReason>>>,
}

#[derive(Serialize, Deserialize)]
struct State {
    rules: Vec<PartState>,
    of_experiment: Vec<Option<StopReason>>,
    of_trials: HashMap<TrialId, Vec<Option<StopReason>>>,
}

/// Ends a trial once each of `rules` has ended it at some report, not necessarily the same one. At least one rule.
///
/// What a rule has said of a trial holds: it isn't asked about that trial again. A rule that has ended the whole
/// experiment has ended each trial; the experiment itself ends when all rules have ended it. So this lets every trial
/// have its ten iterations even after the hour:
///
/// ```
/// use std::time::Duration;
/// use tryout::prelude::*;
///
/// let rule = stop::all((stop::iterations(10), stop::experiment_time(Duration::from_secs(3600))));
/// ```
pub fn all(rules: impl Rules) -> All {
    let rules = rules.boxed();
    All { of_experiment: vec![None; rules.len()], rules, of_trials: HashMap::new() }
}

/// All reasons in one, if there are all.
fn joined<'a>(reasons: impl Iterator<Item = Option<&'a StopReason>>) -> Option<StopReason> {
    let reasons: Option<Vec<&str>> = reasons.map(|reason| reason.map(|text| text.as_ref())).collect();
    reasons.filter(|reasons| !reasons.is_empty()).map(|reasons| reasons.join(", and ").into())
}

impl All {
    /// Before any rule has said anything.
    pub(super) fn begun(self) -> Self {
        all(self.rules)
    }

    /// What a rule has said holds, but not if it is set otherwise now: then all of them have to be asked again.
    fn state_form(&self) -> StateForm {
        let settings: Vec<Option<PartSpec>> = self.rules.iter().map(|rule| rule.spec()).collect();
        StateForm::new(PART).under("the rules' settings", serde_json::json!(settings))
    }

    /// One answer for each rule, no more and no fewer.
    fn expect_each(&self, said: &[Option<StopReason>]) -> Result<(), StateError> {
        if said.len() == self.rules.len() {
            return Ok(());
        }
        let (found, expected) = (format!("{} answers", said.len()), format!("one of each of {}", self.rules.len()));
        Err(self.state_form().wrong("what the rules said", found, expected))
    }
}

impl StopRule for All {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let count = self.rules.len();
        for (index, rule) in self.rules.iter_mut().enumerate() {
            if self.of_trials.get(&trial).is_some_and(|said| said[index].is_some()) {
                continue;
            }
            if let Some(reason) = rule.check(trial, report) {
                self.of_trials.entry(trial).or_insert_with(|| vec![None; count])[index] = Some(reason);
            }
        }
        let said = self.of_trials.get(&trial);
        let reason = |index: usize| said.and_then(|said| said[index].as_ref()).or(self.of_experiment[index].as_ref());
        // Looked at first, so that nothing is allocated while a rule is still missing.
        let complete = (0..count).all(|index| reason(index).is_some());
        if complete { joined((0..count).map(reason)) } else { None }
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        for (rule, said) in self.rules.iter_mut().zip(&mut self.of_experiment) {
            if said.is_none() {
                *said = rule.check_experiment(progress);
            }
        }
        if self.of_experiment.iter().any(Option::is_none) {
            return None;
        }
        joined(self.of_experiment.iter().map(Option::as_ref))
    }

    /// The first deadline of those rules that haven't ended the experiment yet.
    fn last_iteration(&self) -> Option<u64> {
        let all: Option<Vec<u64>> = self.rules.iter().map(|rule| rule.last_iteration()).collect();
        all?.into_iter().max()
    }

    fn deadline(&self) -> Option<Moment> {
        let open = self.rules.iter().zip(&self.of_experiment).filter(|(_, said)| said.is_none());
        open.filter_map(|(rule, _)| rule.deadline()).min()
    }

    fn forget(&mut self, trial: TrialId) {
        self.of_trials.remove(&trial);
        self.rules.iter_mut().for_each(|rule| rule.forget(trial));
    }

    fn warning(&mut self) -> Option<String> {
        self.rules.iter_mut().find_map(|rule| rule.warning())
    }

    fn words(&self) -> StopReason {
        words(&self.rules, " and ")
    }

    fn save(&self) -> Option<PartState> {
        let (of_experiment, of_trials) = (self.of_experiment.clone(), self.of_trials.clone());
        self.state_form().pack(&State { rules: save_all(&self.rules)?, of_experiment, of_trials })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let state: State = self.state_form().unpack(state)?;
        self.expect_each(&state.of_experiment)?;
        state.of_trials.values().try_for_each(|said| self.expect_each(said))?;
        restore_all(PART, &mut self.rules, state.rules)?;
        (self.of_experiment, self.of_trials) = (state.of_experiment, state.of_trials);
        Ok(())
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
