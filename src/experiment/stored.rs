//! The settings of an experiment in the form in which its journal keeps them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::builder::Experiment;
use crate::error::SettingsError;
use crate::logic::metrics::Objective;
use crate::logic::spec::PartSpec;
use crate::logic::{schedule, search, stop};

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
    put("same_error", json(&experiment.same_error));
    put("time_limit", json(&experiment.time_limit));
    put("withdraw_gpus_after", json(&experiment.withdraw_gpus_after));
    put("checkpoint_every", json(&experiment.checkpoint_every));
    put("checkpoint_budget", json(&experiment.checkpoint_budget));
    put("at_end", json(&experiment.at_end));
    put("retention", json(&experiment.retention));
    put("export", json(&experiment.export));
    put("batching", json(&experiment.batching));
    put("history", json(&experiment.history));
    put("points", json(&experiment.points));
    let searcher = experiment.searcher.as_ref();
    put("searcher", searcher.map_or(Ok(Value::Null), |part| part_of(part.spec(), part.name())));
    put("scheduler", part_of(experiment.scheduler.spec(), experiment.scheduler.name()));
    let rules = experiment.stop.iter().map(|rule| part_of(rule.spec(), "a stop rule"));
    put("stop", rules.collect::<Result<_, _>>().map(Value::Array));
    put("space", experiment.space.as_ref().map_or(Ok(Value::Null), |space| json(space).or_else(|_| code("the space"))));
    map
}

/// A part in data, or its name if it is code.
fn part_of(spec: Option<PartSpec>, name: &str) -> Result<Value, serde_json::Error> {
    spec.map_or_else(|| code(name), |spec| json(&spec))
}

/// The key under which the name of what is code stands.
const CODE: &str = "code";

fn code(name: &str) -> Result<Value, serde_json::Error> {
    Ok(serde_json::json!({ CODE: name }))
}

/// What is stored of a part.
enum Stored<'a> {
    Nothing,
    /// The name of what has to be supplied again.
    Code(&'a str),
    Data(&'a Value),
}

fn stored<'a>(map: &'a Map<String, Value>, key: &str) -> Stored<'a> {
    match map.get(key) {
        None | Some(Value::Null) => Stored::Nothing,
        Some(value) => value.get(CODE).and_then(Value::as_str).map_or(Stored::Data(value), Stored::Code),
    }
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
    take(stored, "same_error", &mut experiment.same_error)?;
    take(stored, "time_limit", &mut experiment.time_limit)?;
    take(stored, "withdraw_gpus_after", &mut experiment.withdraw_gpus_after)?;
    take(stored, "checkpoint_every", &mut experiment.checkpoint_every)?;
    take(stored, "checkpoint_budget", &mut experiment.checkpoint_budget)?;
    take(stored, "at_end", &mut experiment.at_end)?;
    take(stored, "retention", &mut experiment.retention)?;
    take(stored, "export", &mut experiment.export)?;
    take(stored, "batching", &mut experiment.batching)?;
    take(stored, "history", &mut experiment.history)?;
    take(stored, "points", &mut experiment.points)?;
    experiment.from_file.points = !experiment.points.is_empty();
    parts(experiment, stored)
}

/// The parts: those that are data are built again, the others have to be supplied.
fn parts(experiment: &mut Experiment, map: &Map<String, Value>) -> Result<(), SettingsError> {
    match stored(map, "space") {
        Stored::Nothing => {}
        Stored::Code(name) => experiment.from_file.supply("space", name),
        Stored::Data(_) => take(map, "space", &mut experiment.space)?,
    }
    match stored(map, "searcher") {
        Stored::Nothing => {}
        Stored::Code(name) => experiment.from_file.supply("searcher", name),
        Stored::Data(data) => experiment.searcher = Some(search::from_spec(&spec("searcher", data)?)?),
    }
    match stored(map, "scheduler") {
        Stored::Nothing => {}
        Stored::Code(name) => experiment.from_file.supply("scheduler", name),
        Stored::Data(data) => experiment.scheduler = schedule::from_spec(&spec("scheduler", data)?)?,
    }
    for rule in map.get("stop").and_then(Value::as_array).into_iter().flatten() {
        experiment.from_file.stop = true;
        match rule.get(CODE).and_then(Value::as_str) {
            Some(name) => experiment.from_file.supply("stop", name),
            None => experiment.stop.push(stop::from_spec(&spec("stop", rule)?)?),
        }
    }
    Ok(())
}

fn spec(setting: &str, data: &Value) -> Result<PartSpec, SettingsError> {
    serde_json::from_value(data.clone()).map_err(|source| SettingsError::Stored {
        setting: setting.to_owned(),
        value: data.to_string(),
        source,
    })
}

/// What of an experiment came from a file: what is said of it now takes its place.
#[derive(Debug, Default)]
pub(super) struct FromFile {
    pub(super) points: bool,
    pub(super) stop: bool,
    /// What is code, and its name.
    missing: BTreeMap<&'static str, String>,
}

impl FromFile {
    fn supply(&mut self, what: &'static str, name: &str) {
        self.missing.insert(what, name.to_owned());
    }

    /// Somebody has said it.
    pub(super) fn supplied(&mut self, what: &'static str) {
        self.missing.remove(what);
    }

    /// Whether everything that is code has been supplied.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let missing = self.missing.iter().next();
        missing.map_or(Ok(()), |(what, name)| Err(SettingsError::Supply { setting: what, name: name.clone() }))
    }
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
