//! Trials: all as columns, their curves, and one of them with all that is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Trials as columns: the n-th of each list is of the same trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Columns {
    /// How far the run was read.
    pub position: u64,
    /// How many trials the run has.
    pub of: usize,
    /// How many are here.
    pub shown: usize,
    /// Which: `all`, or in words.
    pub chosen: String,
    /// Their numbers.
    pub number: Vec<u32>,
    /// What they are called besides; empty if trials have no names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Option<String>>)]
    pub name: Vec<Option<Arc<str>>>,
    /// Their statuses: 0 to 4, in the order of [`Counts`](super::Counts).
    pub status: Vec<u8>,
    /// The iterations of their last reports.
    pub iteration: Vec<u64>,
    /// The objective's value in their last reports.
    pub value: Vec<Option<f64>>,
    /// The best value that they ever reported of it.
    pub best_value: Vec<Option<f64>>,
    /// When they first ran.
    pub started: Vec<Option<f64>>,
    /// When they ended.
    pub ended: Vec<Option<f64>>,
    /// The numbers of their attempts, from 1.
    pub attempts: Vec<u32>,
    /// How often they failed.
    pub failures: Vec<usize>,
    /// Their priorities; 0 once they have ended.
    pub priority: Vec<i32>,
    /// Why they wait, ended or were paused: places in `words`.
    pub why: Vec<Option<u32>>,
    /// The words, each once.
    pub words: Vec<String>,
    /// The values of their configurations, by path.
    #[schema(value_type = BTreeMap<String, Vec<Object>>)]
    pub parameters: BTreeMap<String, Vec<Value>>,
    /// The values of their last reports.
    #[schema(value_type = BTreeMap<String, Vec<Object>>)]
    pub metrics: BTreeMap<String, Vec<Value>>,
}

/// A trial's values of one metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Curve {
    /// The trial.
    pub number: u32,
    /// Iterations.
    pub x: Vec<u64>,
    /// Values.
    pub y: Vec<Option<f64>>,
}

/// Curves of one metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Curves {
    /// How far the run was read.
    pub position: u64,
    /// Which metric.
    pub metric: String,
    /// Whose curves are here, in words.
    pub chosen: String,
    /// The curves, at most 200 points each; the last one is kept.
    pub curves: Vec<Curve>,
}

/// A checkpoint of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CheckpointView {
    /// Its index within the trial.
    pub index: u32,
    /// At which iteration it was taken.
    pub iteration: u64,
    /// Its size.
    pub bytes: u64,
    /// Why it is kept, if there is more to say than that it is one of the trial's.
    pub kept: Option<String>,
}

/// A failure of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct FailureView {
    /// When.
    pub at: f64,
    /// Of which attempt.
    pub attempt: u32,
    /// What kind of failure.
    pub kind: String,
    /// What was said.
    pub message: String,
    /// The last lines that its process printed.
    pub output: Option<String>,
    /// Whether it was tried again.
    pub retried: bool,
}

/// All that a trial has reported of all its metrics, thinned like [`Curve`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct TrialCurves {
    /// Iterations.
    pub x: Vec<u64>,
    /// The values of each metric.
    pub metrics: BTreeMap<String, Vec<Option<f64>>>,
}

/// Something that was decided, by whom- or whatever.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Decision {
    /// Its number in the order in which they were made.
    pub seq: u64,
    /// When.
    pub at: f64,
    /// Of which trial, if it is about one.
    pub number: Option<u32>,
    /// What, in words.
    pub what: String,
    /// Why, if anybody said.
    pub why: Option<String>,
}

/// A trial became a copy of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CopyView {
    /// When; none if that was before the journal's snapshot.
    pub at: Option<f64>,
    /// Which trial.
    pub number: u32,
    /// Of which.
    pub donor: u32,
    /// How far it had come itself.
    pub iteration: u64,
    /// What differs in its configuration: before and after.
    #[schema(value_type = BTreeMap<String, Vec<Object>>)]
    pub changed: BTreeMap<String, (Value, Value)>,
}

/// One trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct TrialPage {
    /// How far the run was read.
    pub position: u64,
    /// Its number.
    pub number: u32,
    /// Its id.
    pub id: String,
    /// What it is called besides, if trials have names.
    pub name: Option<String>,
    /// Its status, as in [`Counts`](super::Counts).
    pub status: String,
    /// Its configuration.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Why it isn't running.
    pub waits: Option<String>,
    /// Why it ended or was paused, if anybody said.
    pub reason: Option<String>,
    /// How it ended.
    pub ending: Option<String>,
    /// What it needs, if it hasn't ended.
    pub request: Option<String>,
    /// Those with a higher one are launched first.
    pub priority: i32,
    /// The worker that it has.
    pub runs_on: Option<String>,
    /// The iteration of its last report.
    pub iteration: u64,
    /// The number of its attempts, from 1.
    pub attempts: u32,
    /// When it first ran.
    pub started: Option<f64>,
    /// When it ended.
    pub ended: Option<f64>,
    /// The metrics of its last report.
    #[schema(value_type = Option<Object>)]
    pub last: Option<BTreeMap<String, Value>>,
    /// Its checkpoints, the oldest first.
    pub checkpoints: Vec<CheckpointView>,
    /// Its failures, the oldest first.
    pub failures: Vec<FailureView>,
    /// Its reports.
    pub curves: TrialCurves,
    /// What was decided of it, the newest first, as far as the log reaches back.
    pub decisions: Vec<Decision>,
    /// The names of what it has printed and is kept.
    pub outputs: Vec<String>,
    /// Of whom it became a copy.
    pub copies: Vec<CopyView>,
}

/// A part of what a trial has printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutputPart {
    /// The text; what isn't UTF-8 is replaced.
    pub text: String,
    /// Where what follows begins, in bytes.
    pub next: u64,
    /// How long the file is, in bytes.
    pub size: u64,
}
