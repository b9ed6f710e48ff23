//! A trial as a row of values by the names of columns.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tryout::event::TrialId;
use tryout::prelude::*;

/// The columns that every trial has.
pub(crate) const OWN: [&str; 11] = [
    "trial",
    "id",
    "name",
    "status",
    "iterations",
    "attempts",
    "failures",
    "checkpoints",
    "seconds",
    "ending",
    "reason",
];

/// With `--json`: a trial. Of its columns those are there that were asked for and that have a value.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Row<'r> {
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<TrialId>,
    /// What it is called besides, if the experiment names its trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// The furthest iteration that it has reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    iterations: Option<u64>,
    /// The number of its attempts, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// How many failures it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<usize>,
    /// How many checkpoints of it are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<usize>,
    /// How long it has worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<Ending>,
    /// Why it ended or was paused, if anybody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    /// The values of its configuration under `config/NAME`, and the metrics of its last report by their names.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Row<'_> {
    pub(crate) fn of(trial: &TrialRecord) -> Map<String, Value> {
        let mut more = Map::new();
        for (name, value) in tryout::space::leaves(&trial.config).into_iter().filter(|(_, value)| !value.is_null()) {
            more.insert(format!("config/{name}"), value);
        }
        for (name, value) in trial.last.iter().flat_map(|last| last.metrics.iter()) {
            // A metric can't take the name of a column that every trial has.
            let name = if OWN.contains(&name.as_ref()) { format!("metric/{name}") } else { name.to_string() };
            more.insert(name, json!(value));
        }
        let row = Row {
            trial: Some(trial.id.number()),
            id: Some(trial.id),
            name: trial.name.as_deref(),
            status: Some(trial.status),
            iterations: Some(trial.reported),
            attempts: Some(trial.attempts),
            failures: Some(trial.failures.len()),
            checkpoints: Some(trial.checkpoints.len()),
            seconds: trial.last.as_ref().map(|last| last.counters.time_total_s),
            ending: trial.ending,
            reason: trial.reason.as_deref(),
            more,
        };
        match json!(row) {
            Value::Object(row) => row,
            _ => Map::new(),
        }
    }
}
