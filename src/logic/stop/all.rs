//! All rules of several are needed, each at its own time.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::joined::{Settings, restore_all, save_all, spec_all};
use super::{Progress, Rules, StopError, StopReason, StopRule};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, common_run, pack, same, unpack};
use crate::logic::time::Moment;

const PART: &str = "all";

/// Stops once all of its rules have said so. Made by [`all`] and [`StopRule::and`].
pub struct All {
    rules: Vec<Box<dyn StopRule>>,
    /// What each rule has said of the whole experiment.
    of_experiment: Vec<Option<StopReason>>,
    /// What each rule has said of a trial; only of trials of which one has said something.
    of_trials: HashMap<TrialId, Vec<Option<StopReason>>>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    rules: Vec<PartState>,
    /// How each rule was set when it said what it said; none of rules that can't tell.
    settings: Vec<Option<PartSpec>>,
    of_experiment: Vec<Option<StopReason>>,
    run: RunId,
    of_trials: Vec<(u32, Vec<Option<StopReason>>)>,
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

impl fmt::Debug for All {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("All")
            .field("rules", &self.rules.len())
            .field("of_experiment", &self.of_experiment)
            .field("of_trials", &self.of_trials)
            .finish()
    }
}

/// All reasons in one, if there are all.
fn joined<'a>(reasons: impl Iterator<Item = Option<&'a StopReason>>) -> Option<StopReason> {
    let reasons: Option<Vec<&str>> = reasons.map(|reason| reason.map(|text| text.as_ref())).collect();
    reasons.filter(|reasons| !reasons.is_empty()).map(|reasons| reasons.join(", and ").into())
}

impl All {
    fn settings(&self) -> Vec<Option<PartSpec>> {
        self.rules.iter().map(|rule| rule.spec()).collect()
    }

    /// One answer for each rule, no more and no fewer.
    fn expect_each(&self, said: &[Option<StopReason>]) -> Result<(), StateError> {
        if said.len() == self.rules.len() {
            return Ok(());
        }
        let (found, expected) = (format!("{} answers", said.len()), format!("one of each of {}", self.rules.len()));
        Err(StateError::Value { part: PART, at: "what the rules said", found, expected })
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

    fn save(&self) -> Option<PartState> {
        let mut of_trials: Vec<_> = self.of_trials.iter().map(|(trial, said)| (trial.number(), said.clone())).collect();
        of_trials.sort_unstable_by_key(|(number, _)| *number);
        let saved = Saved {
            rules: save_all(&self.rules)?,
            settings: self.settings(),
            of_experiment: self.of_experiment.clone(),
            run: common_run(self.of_trials.keys().copied())?,
            of_trials,
        };
        pack(PART, &saved)
    }

    /// What a rule has said holds, but not if it is set otherwise now: then all of them have to be asked again.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        let text = |settings: &[Option<PartSpec>]| serde_json::json!(settings).to_string();
        same(PART, "the rules' settings", &text(&saved.settings), &text(&self.settings()))?;
        self.expect_each(&saved.of_experiment)?;
        saved.of_trials.iter().try_for_each(|(_, said)| self.expect_each(said))?;
        restore_all(PART, &mut self.rules, saved.rules)?;
        self.of_experiment = saved.of_experiment;
        let of_trials = saved.of_trials.into_iter();
        self.of_trials = of_trials.map(|(number, said)| (TrialId::new(saved.run, number), said)).collect();
        Ok(())
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
