//! What `any` and `all` have in common: the states and settings of several rules.

use serde::{Deserialize, Serialize};

use super::StopRule;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError};

/// The settings of a combination: those of its rules.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) rules: Vec<PartSpec>,
}

/// The states of all rules; none if one of them has none.
pub(super) fn save_all(rules: &[Box<dyn StopRule>]) -> Option<Vec<PartState>> {
    rules.iter().map(|rule| rule.save()).collect()
}

/// The settings of all rules; none if those of one can't be said.
pub(super) fn spec_all(rules: &[Box<dyn StopRule>]) -> Option<Vec<PartSpec>> {
    rules.iter().map(|rule| rule.spec()).collect()
}

/// Gives each rule its state. If one of them doesn't take it up, those before it get back what they had.
pub(super) fn restore_all(
    part: &'static str,
    rules: &mut [Box<dyn StopRule>],
    states: Vec<PartState>,
) -> Result<(), StateError> {
    if rules.len() != states.len() {
        let (stored, given) = (format!("{} rules", states.len()), format!("{} rules", rules.len()));
        return Err(StateError::Setting { part, setting: "what it joins", stored, given });
    }
    let before: Vec<Option<PartState>> = rules.iter().map(|rule| rule.save()).collect();
    for (index, state) in states.into_iter().enumerate() {
        let Some(Err(error)) = rules.get_mut(index).map(|rule| rule.restore(state)) else { continue };
        for (rule, before) in rules.iter_mut().zip(before).take(index) {
            if let Some(before) = before {
                rule.restore(before)?;
            }
        }
        return Err(error);
    }
    Ok(())
}
