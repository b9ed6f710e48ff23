//! What `any` and `all` have in common: the states of several rules.

use super::{StopReason, StopRule};
use crate::logic::state::{PartState, StateError};

/// The states of all rules; none if one of them has none.
pub(super) fn save_all(rules: &[Box<dyn StopRule>]) -> Option<Vec<PartState>> {
    rules.iter().map(|rule| rule.save()).collect()
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

/// The words of all rules; those of a combination in brackets.
pub(super) fn words(rules: &[Box<dyn StopRule>], between: &str) -> StopReason {
    let each = rules.iter().map(|rule| match rule.words() {
        words if words.contains(" or ") || words.contains(" and ") => format!("({words})"),
        words => words.into_owned(),
    });
    each.collect::<Vec<_>>().join(between).into()
}
