//! One result as a row of named cells: the form that all files share.

use std::collections::HashMap;
use std::sync::Arc;

use super::date::Dates;
use crate::edge::host;
use crate::logic::config::Config;
use crate::logic::event::{Change, EventKind, Process, WorkerChange};
use crate::logic::ids::{TrialId, WorkerId};
use crate::logic::metrics::{Report, Value};

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Float(f64),
    Int(i64),
    Bool(bool),
    Text(&'a str),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Float(value) => Cell::Float(*value),
            Value::Int(value) => Cell::Int(*value),
            Value::Bool(value) => Cell::Bool(*value),
            Value::Text(value) => Cell::Text(value),
        }
    }
}

/// Counts beyond `i64::MAX` become floats.
fn count(value: u64) -> Cell<'static> {
    i64::try_from(value).map_or(Cell::Float(value as f64), Cell::Int)
}

/// What is the same in all rows of a trial.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) id: String,
    /// The configuration as JSON.
    pub(super) config: String,
    /// The leaves of the configuration: `config/net/hidden`. Levels are joined with `/`, a list is one cell of JSON text, and
    /// null has no cell.
    pub(super) leaves: Vec<(String, Value)>,
}

impl Subject {
    pub(super) fn new(trial: TrialId, config: &Config) -> Self {
        let mut leaves = Vec::new();
        for (key, value) in config.as_map() {
            flatten(format!("config/{key}"), value, &mut leaves);
        }
        Self { id: trial.to_string(), config: config.to_string(), leaves }
    }
}

fn flatten(name: String, value: &serde_json::Value, leaves: &mut Vec<(String, Value)>) {
    use serde_json::Value as Json;
    let leaf = match value {
        Json::Null => return,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Int(value),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.as_str().into()),
        Json::Array(_) => Value::from(value.to_string()),
        Json::Object(map) => {
            return map.iter().for_each(|(key, value)| flatten(format!("{name}/{key}"), value, leaves));
        }
    };
    leaves.push((name, leaf));
}

/// The machines and processes that trials run on, which stand in every row.
#[derive(Clone, Debug)]
pub(super) struct Host {
    here: Arc<Process>,
    /// Those of workers in processes of their own.
    processes: HashMap<WorkerId, Arc<Process>>,
    /// Which worker each trial has, or had last.
    workers: HashMap<TrialId, WorkerId>,
    dates: Dates,
}

impl Host {
    /// All trials run here, until something else is said.
    pub(super) fn here() -> Self {
        let here = Arc::new(host::this_process());
        Self { here, processes: HashMap::new(), workers: HashMap::new(), dates: Dates::default() }
    }

    /// The name of this machine.
    pub(super) fn name(&self) -> Option<&str> {
        self.here.host.as_deref()
    }

    /// Takes note of where trials run.
    pub(super) fn note(&mut self, kind: &EventKind) {
        match kind.change() {
            // Workers of an earlier session may have had other processes.
            Change::Began { .. } => (self.processes, self.workers) = Default::default(),
            Change::Launched { trial, worker } => drop(self.workers.insert(trial, worker)),
            Change::Worker { worker, change: WorkerChange::Placed { process } } => {
                self.processes.insert(worker, process.clone());
            }
            Change::Worker { worker, change: WorkerChange::Gone } => drop(self.processes.remove(&worker)),
            Change::Ended { trial, .. } => drop(self.workers.remove(&trial)),
            Change::Added { .. }
            | Change::Returned { .. }
            | Change::Revived { .. }
            | Change::Moved { .. }
            | Change::Restored { .. }
            | Change::Reported { .. }
            | Change::Reconfigured { .. }
            | Change::Failed { .. }
            | Change::Worker { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
    }

    /// The automatic keys of a report in their order, but for those that the trainable reports itself. The number of the
    /// iteration and the trial's id are always ours: files are continued by them.
    pub(super) fn automatic<'a>(
        &'a mut self,
        report: &'a Report,
        subject: &'a Subject,
        mut each: impl FnMut(&'a str, Cell<'a>),
    ) {
        let counters = &report.counters;
        let Self { here, processes, workers, dates } = self;
        let process = workers.get(&report.trial).and_then(|worker| processes.get(worker)).unwrap_or(here);
        let date = dates.text(report.timestamp);
        let own = &report.metrics;
        let mut cell = |name: &'static str, cell: Option<Cell<'a>>| {
            if let Some(cell) = cell.filter(|_| is_ours(name) || own.get(name).is_none()) {
                each(name, cell);
            }
        };
        cell("timestamp", Some(Cell::Float(report.timestamp)));
        cell("date", Some(Cell::Text(date)));
        cell("done", Some(Cell::Bool(report.done)));
        cell("training_iteration", Some(count(counters.training_iteration)));
        cell("trial_id", Some(Cell::Text(&subject.id)));
        cell("time_this_iter_s", Some(Cell::Float(report.time_this_iter_s)));
        cell("time_total_s", Some(Cell::Float(counters.time_total_s)));
        cell("pid", Some(Cell::Int(process.pid.into())));
        cell("hostname", process.host.as_deref().map(Cell::Text));
        cell("time_since_restore", Some(Cell::Float(counters.time_since_restore)));
        cell("iterations_since_restore", Some(count(counters.iterations_since_restore)));
        cell("timesteps_total", counters.timesteps_total.map(Cell::Int));
        cell("episodes_total", counters.episodes_total.map(Cell::Int));
    }

    /// All cells of a row: the trainable's own metrics, the automatic keys, the leaves of the configuration.
    pub(super) fn cells<'a>(
        &'a mut self,
        report: &'a Report,
        subject: &'a Subject,
        mut each: impl FnMut(&'a str, Cell<'a>),
    ) {
        metrics(report).for_each(|(name, cell)| each(name, cell));
        self.automatic(report, subject, &mut each);
        for (name, value) in &subject.leaves {
            if report.metrics.get(name).is_none() {
                each(name, value.into());
            }
        }
    }
}

/// What the trainable reported itself.
pub(super) fn metrics(report: &Report) -> impl Iterator<Item = (&str, Cell<'_>)> {
    let own = report.metrics.iter().map(|(name, value)| (name.as_ref(), value.into()));
    own.filter(|(name, _)| !is_ours(name))
}

fn is_ours(name: &str) -> bool {
    matches!(name, "training_iteration" | "trial_id")
}

/// Writes a float as JSON and Python do, with the bare tokens `NaN`, `Infinity` and `-Infinity` for what isn't finite.
pub(super) fn write_json_float(value: f64, out: &mut Vec<u8>) {
    match value {
        value if value.is_nan() => out.extend_from_slice(b"NaN"),
        f64::INFINITY => out.extend_from_slice(b"Infinity"),
        f64::NEG_INFINITY => out.extend_from_slice(b"-Infinity"),
        value => write_plain(&value, out),
    }
}

/// Writes what has a plain JSON form.
pub(super) fn write_plain<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Numbers and texts serialise, and memory takes all that is written to it.
    let _ = serde_json::to_writer(&mut *out, value);
}

/// Writes a cell as JSON.
pub(super) fn write_json(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Float(value) => write_json_float(value, out),
        Cell::Int(value) => write_plain(&value, out),
        Cell::Bool(value) => write_plain(&value, out),
        Cell::Text(text) => write_plain(text, out),
    }
}
