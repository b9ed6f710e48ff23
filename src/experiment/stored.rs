//! The settings of an experiment in the form in which its journal keeps them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::builder::Experiment;
use crate::error::SettingsError;
use crate::logic::metrics::Objective;

/// All that can be stored.
pub(super) fn settings(experiment: &Experiment) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Result<Value, serde_json::Error>| {
        // Our own settings serialise; one that didn't would only be missing.
        map.insert(key.to_owned(), value.unwrap_or(Value::Null));
    };
    put("seed", json(&experiment.seed));
    put("samples", json(&experiment.samples));
    put("objective", json(&experiment.objective));
    put("resources", json(&experiment.resources));
    put("per_trial", json(&experiment.per_trial));
    put("concurrency", json(&experiment.concurrency));
    put("staged", json(&experiment.staged));
    put("reuse", json(&experiment.reuse));
    put("grace", json(&experiment.grace));
    put("abandoned", json(&experiment.abandoned));
    put("retry", json(&experiment.retry));
    put("fail_fast", json(&experiment.fail_fast));
    put("checkpoint_every", json(&experiment.checkpoint_every));
    put("checkpoint_budget", json(&experiment.checkpoint_budget));
    put("at_end", json(&experiment.at_end));
    put("retention", json(&experiment.retention));
    put("export", json(&experiment.export));
    put("batching", json(&experiment.batching));
    put("history", json(&experiment.history));
    put("points", json(&experiment.points));
    map
}

fn json<T: Serialize>(value: &T) -> Result<Value, serde_json::Error> {
    serde_json::to_value(value)
}

/// What counts, as it is stored.
pub(super) fn objective(stored: &Map<String, Value>) -> Option<Objective> {
    stored.get("objective").and_then(|value| serde_json::from_value(value.clone()).ok())
}

/// Gives an experiment the settings that are stored.
pub(super) fn apply(experiment: &mut Experiment, stored: &Map<String, Value>) -> Result<(), SettingsError> {
    take(stored, "seed", &mut experiment.seed)?;
    take(stored, "samples", &mut experiment.samples)?;
    take(stored, "objective", &mut experiment.objective)?;
    take(stored, "resources", &mut experiment.resources)?;
    take(stored, "per_trial", &mut experiment.per_trial)?;
    take(stored, "concurrency", &mut experiment.concurrency)?;
    take(stored, "staged", &mut experiment.staged)?;
    take(stored, "reuse", &mut experiment.reuse)?;
    take(stored, "grace", &mut experiment.grace)?;
    take(stored, "abandoned", &mut experiment.abandoned)?;
    take(stored, "retry", &mut experiment.retry)?;
    take(stored, "fail_fast", &mut experiment.fail_fast)?;
    take(stored, "checkpoint_every", &mut experiment.checkpoint_every)?;
    take(stored, "checkpoint_budget", &mut experiment.checkpoint_budget)?;
    take(stored, "at_end", &mut experiment.at_end)?;
    take(stored, "retention", &mut experiment.retention)?;
    take(stored, "export", &mut experiment.export)?;
    take(stored, "batching", &mut experiment.batching)?;
    take(stored, "history", &mut experiment.history)?;
    take(stored, "points", &mut experiment.points)
}

fn take<T: DeserializeOwned>(stored: &Map<String, Value>, key: &str, into: &mut T) -> Result<(), SettingsError> {
    let Some(value) = stored.get(key) else { return Ok(()) };
    *into = serde_json::from_value(value.clone()).map_err(|source| SettingsError::Stored {
        setting: key.to_owned(),
        value: value.to_string(),
        source,
    })?;
    Ok(())
}

/// What is set differently from what is stored, in words.
pub(super) fn differences(stored: &Map<String, Value>, given: &Map<String, Value>) -> Vec<String> {
    let changed = |(key, value): (&String, &Value)| {
        let before = stored.get(key).unwrap_or(&Value::Null);
        (before != value).then(|| format!("`{key}` was {before} in the earlier session and is {value} now"))
    };
    given.iter().filter_map(changed).collect()
}
