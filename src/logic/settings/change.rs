//! What differs between the settings of two sessions.

use std::fmt;

use serde_json::Value;

use super::{OrCode, Settings};

/// A setting that isn't what it was in the earlier session.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name.
    pub setting: String,
    /// What it was.
    pub before: Value,
    /// What it is.
    pub now: Value,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, before, now } = self;
        write!(f, "`{setting}` was {before} in the earlier session and is {now} now")
    }
}

impl Settings {
    /// All that isn't as it was `before`, field by field.
    pub fn changes(&self, before: &Settings) -> Vec<Change> {
        let earlier = before.to_map();
        let now = self.to_map().into_iter();
        let changes = now.filter_map(|(setting, now)| {
            let before = earlier.get(&setting).cloned().unwrap_or(Value::Null);
            (before != now).then_some(Change { setting, before, now })
        });
        changes.collect()
    }

    /// Whether what is searched is what it was `before`, and what a scheduler draws for copies too.
    pub(crate) fn has_spaces_of(&self, before: &Settings) -> bool {
        let mutations = |settings: &Settings| settings.scheduler.data()?.find("mutations").cloned();
        self.new_question(before).iter().all(|change| change.setting != "space") && mutations(self) == mutations(before)
    }

    /// The change of what is searched and what counts, without which a run isn't the same experiment any more: the
    /// objective, and the space, be it the experiment's own or the searcher's.
    pub fn new_question(&self, before: &Settings) -> Vec<Change> {
        let change = |setting: &str, before: Value, now: Value| {
            (before != now).then(|| Change { setting: setting.to_owned(), before, now })
        };
        let objective = |settings: &Settings| json(&settings.objective);
        let space = |settings: &Settings| match &settings.space {
            Some(space) => json(space),
            None => settings
                .searcher
                .as_ref()
                .and_then(OrCode::data)
                .and_then(|spec| spec.find("space"))
                .cloned()
                .unwrap_or_default(),
        };
        let changes =
            [change("objective", objective(before), objective(self)), change("space", space(before), space(self))];
        changes.into_iter().flatten().collect()
    }
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
