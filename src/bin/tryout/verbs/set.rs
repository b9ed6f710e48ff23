//! `tryout set`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tryout::api::ClientOrder;
use tryout::event::TrialId;

use super::live::Live;
use super::open::Which;
use super::{Problem, json_line};

/// Changes settings of a run that goes on.
///
/// Each change is kept in the run's journal: a resumed run has it too. Of the run: `concurrency=8` (or `none`), `staged=4`,
/// `machine={cpu=8,gpu=2}`, `space.lr={log_uniform=[1e-4,1e-2]}`, `samples=200`, `limits.time=8h` (or `none`; of all sessions together),
/// `stop={iterations={limit=50}}` (all rules from now on; or `none`, or `program` for those that the file has).
/// With `--trial`, of one trial: `priority=5`, `resources={gpu=1}`. All are read before the first is made; they are made one by
/// one, in the order of their names.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// What becomes what, written as in an experiment file.
    #[arg(required = true, value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Of this trial: its number, or its id.
    #[arg(long)]
    trial: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

const OF_RUN: [&str; 7] = ["concurrency", "staged", "machine", "samples", "space", "limits", "stop"];
const OF_TRIAL: [&str; 2] = ["priority", "resources"];

/// With `--json`: what was set.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Changed<'r> {
    /// The experiment's name.
    run: &'r str,
    /// The run's directory.
    dir: &'r Path,
    /// What became what, as it was given.
    set: &'r [String],
}

impl Set {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let mut values = Map::new();
        for change in &self.changes {
            tryout::assign(&mut values, change).map_err(|why| Problem::Given(format!("`{change}`: {why}")))?;
        }
        let mut live = self.which.connect()?;
        let orders = self.orders(&live, values)?;
        let mut done = Vec::new();
        for (key, order) in orders {
            if let Err(problem) = live.order(order) {
                let before = if done.is_empty() { "nothing is".to_owned() } else { format!("{} are", done.join(", ")) };
                return Err(Problem::Given(format!("`{key}`: {problem}; {before} set")));
            }
            done.push(key);
        }
        let mut out = std::io::stdout().lock();
        if self.json {
            json_line(&mut out, &Changed { run: &live.name.name, dir: &live.dir, set: &self.changes })?;
        } else {
            writeln!(out, "set in `{}`: {}", live.dir.display(), self.changes.join(", "))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn orders(&self, live: &Live, values: Map<String, Value>) -> Result<Vec<(String, ClientOrder)>, Problem> {
        let trial = self.trial.as_deref().map(|name| live.trial(name)).transpose()?;
        values
            .into_iter()
            .map(|(key, value)| {
                let order = order(&key, value, trial)?;
                Ok((key, order))
            })
            .collect()
    }
}

fn order(key: &str, value: Value, trial: Option<TrialId>) -> Result<ClientOrder, Problem> {
    // What an order holds is read from its own form.
    let (form, expected) = match (key, trial) {
        ("concurrency", None) if value == "none" => return Ok(ClientOrder::Concurrency(None)),
        ("concurrency", None) => (json!({ "concurrency": value }), "a whole number of at least 1, or none"),
        ("staged", None) => (json!({ "staged": value }), "a whole number of at least 1"),
        ("space", None) => (json!({ "set_space": { "changes": value } }), "names, and what each may be"),
        ("samples", None) => (json!({ "set": { "setting": { "samples": value } } }), "a whole number, or infinite"),
        ("limits", None) => (json!({ "set": { "setting": { "time_limit": time_limit(&value)? } } }), "a time"),
        ("stop", None) => {
            (json!({ "set": { "setting": { "stop": stop_rules(value.clone()) } } }), "stop rules by their names")
        }
        ("machine", None) => (json!({ "resources": value }), "a table as in {cpu=8, gpu=2}"),
        ("priority", Some(trial)) => (json!({ "prioritise": [trial, value] }), "a whole number"),
        ("resources", Some(trial)) => (json!({ "request": [trial, value] }), "a table as in {cpu=2, gpu=1}"),
        (key, None) if OF_TRIAL.contains(&key) => {
            return Err(Problem::Given(format!("`{key}` is a trial's: say which one by `--trial`")));
        }
        (key, Some(_)) if OF_RUN.contains(&key) => {
            return Err(Problem::Given(format!("`{key}` is the run's and not a trial's: leave `--trial` out")));
        }
        (key, _) => {
            let known = [OF_RUN.as_slice(), OF_TRIAL.as_slice()].concat().join(", ");
            return Err(Problem::Given(format!(
                "`{key}` can't be set while a run goes on: {known} can; other settings are changed in the experiment file, \
                 between two sessions"
            )));
        }
    };
    serde_json::from_value(form)
        .map_err(|error| Problem::Given(format!("`{key}` can't be {value}: expected {expected} ({error})")))
}

/// How long the run may take in all, from `limits.time`.
fn time_limit(limits: &Value) -> Result<Value, Problem> {
    let time = limits.as_object().filter(|limits| limits.len() == 1).and_then(|limits| limits.get("time"));
    match time {
        Some(none) if none == "none" => Ok(Value::Null),
        Some(limit) if limit.is_object() => Ok(limit.clone()),
        Some(after) => Ok(json!({ "after": after, "then": "save_then_stop" })),
        None => Err(Problem::Given(format!(
            "`limits` can't be {limits}: while a run goes on only `limits.time` can be set, as in limits.time=8h, or none"
        ))),
    }
}

/// Rules as in a file's `stop`: by their names, or a list of such.
fn stop_rules(rules: Value) -> Value {
    match rules {
        Value::Object(rules) => rules.into_iter().map(|(name, settings)| json!({ name: settings })).collect(),
        none if none == "none" => json!([]),
        program if program == "program" => Value::Null,
        other => other,
    }
}
