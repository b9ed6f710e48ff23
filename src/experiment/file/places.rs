//! Where a file has the crate's settings: under their own names, but for those that this table moves.

use serde_json::{Map, Value};

use super::Wrong;
use super::error::unknown;
use crate::logic::settings::Settings;

/// A place in a file, and the setting that stands there.
pub(super) const MOVED: [(&str, &str); 10] = [
    ("search", "searcher"),
    ("schedule", "scheduler"),
    ("machine", "resources"),
    ("resources", "per_trial"),
    ("checkpoints.every", "checkpoint_every"),
    ("checkpoints.at_end", "at_end"),
    ("checkpoints.keep", "retention.keep"),
    ("checkpoints.best_by", "retention.best_by"),
    ("checkpoints.budget", "checkpoint_budget"),
    ("checkpoints.export", "export"),
];

/// Settings that a file can't have: a limit stands in `[limits]`, and the others are code.
const HIDDEN: [&str; 4] = ["time_limit", "store", "observers", "objects"];

/// What says how trials run, and isn't in the settings.
pub(super) const PROGRAM: [&str; 7] = ["worker", "command", "ask_tell", "process", "limits", "notify", "shared_host"];

/// The settings that a file has under their own names.
pub(super) fn own_names() -> Vec<String> {
    let moved = |name: &String| MOVED.iter().any(|(_, setting)| setting.split('.').next() == Some(name));
    let all = Settings::default().to_map().into_iter().map(|(name, _)| name);
    all.filter(|name| !moved(name) && !HIDDEN.contains(&name.as_str())).collect()
}

/// All names at the top of a file.
pub(super) fn names() -> Vec<&'static str> {
    static NAMES: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(own_names);
    let moved = MOVED.iter().map(|(place, _)| place.split('.').next().unwrap_or(place));
    let mut names: Vec<&str> = NAMES.iter().map(String::as_str).chain(moved).chain(PROGRAM).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The settings in the tree of a file, under their own names.
pub(super) fn settings(mut tree: Map<String, Value>) -> Result<Map<String, Value>, Wrong> {
    let mut moved = Map::new();
    if let Some(table) = tree.remove("checkpoints") {
        let Value::Object(table) = table else {
            return Err(Wrong::new("checkpoints", format!("found {table}, expected settings by their names")));
        };
        let known: Vec<&str> = MOVED.iter().filter_map(|(place, _)| place.strip_prefix("checkpoints.")).collect();
        for (name, value) in table {
            let place = format!("checkpoints.{name}");
            let Some((_, setting)) = MOVED.iter().find(|(known, _)| *known == place) else {
                return Err(Wrong::new(place, unknown("setting", &name, &known)));
            };
            match setting.split_once('.') {
                None => _ = moved.insert((*setting).to_owned(), value),
                Some((outer, inner)) => {
                    let table = moved.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                    table
                        .as_object_mut()
                        .into_iter()
                        .for_each(|table| _ = table.insert(inner.to_owned(), value.clone()));
                }
            }
        }
    }
    for (place, setting) in MOVED.iter().filter(|(place, _)| !place.contains('.')) {
        if let Some(value) = tree.remove(*place) {
            moved.insert((*setting).to_owned(), value);
        }
    }
    tree.extend(moved);
    Ok(tree)
}

/// The place in a file of a place in the settings.
pub(super) fn in_file(setting: String) -> String {
    if let Some(rest) = setting.strip_prefix("time_limit") {
        return format!("limits.time{rest}");
    }
    let moved = MOVED.iter().find_map(|(place, name)| {
        let rest = setting.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{place}{rest}"))
    });
    moved.unwrap_or(if setting == "retention" { "checkpoints.keep".to_owned() } else { setting })
}
