//! What is answered of one run: the JSON of every `GET` below `api/runs/KEY`, as `docs/http.md` says it.
//!
//! Numbers that aren't finite are `null`, times are seconds since the run's start, trials are named by their numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::logic::metrics::Objective;

/// How a run stands, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It goes on.
    Running,
    /// Its end was decided, and it comes to rest.
    Ending,
    /// All trials ended, and there are no more.
    Completed,
    /// A stop rule, a limit or a person ended it.
    Stopped,
    /// It was drained: what isn't finished can go on.
    Drained,
    /// It couldn't go on.
    Failed,
    /// Its process was killed.
    CutOff,
    /// Its journal can't be read.
    #[default]
    Unreadable,
}

/// How many trials have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub struct Counts {
    /// They wait for their turn or for a worker.
    pub pending: usize,
    /// They have a worker.
    pub running: usize,
    /// They were put aside.
    pub paused: usize,
    /// They ended.
    pub terminated: usize,
    /// They failed for good.
    pub error: usize,
}

/// The best trial by the objective in its last report.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Best {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub value: f64,
}

/// What counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Goal {
    /// Which metric.
    pub metric: String,
    /// `min` or `max`.
    pub mode: &'static str,
}

impl From<&Objective> for Goal {
    fn from(objective: &Objective) -> Self {
        use crate::logic::metrics::Mode;
        let mode = match objective.mode {
            Mode::Min => "min",
            Mode::Max => "max",
        };
        Self { metric: objective.metric.clone(), mode }
    }
}

/// A run in a list of runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    /// The name under which the server has it.
    pub run: String,
    /// The experiment's name.
    pub name: String,
    /// Its directory, if it has one.
    pub dir: Option<String>,
    /// How it stands.
    pub state: RunState,
    /// Whether it can be steered.
    pub live: bool,
    /// Why it ended, waits, or can't be read.
    pub why: Option<String>,
    /// How many trials have each status.
    pub counts: Counts,
    /// How many trials there will be, if that is known.
    pub total: Option<u64>,
    /// The sum of all trials' iterations.
    pub iterations: u64,
    /// When it began, in seconds since 1970.
    pub began: f64,
    /// How long it has taken, in seconds.
    pub elapsed: f64,
    /// The best trial.
    pub best: Option<Best>,
    /// What counts.
    pub objective: Option<Goal>,
}

/// What there is to run on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PoolView {
    /// All there is, in words.
    pub total: String,
    /// What no trial holds, in words.
    pub free: String,
    /// How many workers there are.
    pub workers: usize,
}

/// What limits a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Budget {
    /// So many samples.
    pub samples: Option<u64>,
    /// So many seconds.
    pub time_limit: Option<f64>,
    /// So many trials at once.
    pub concurrency: Option<u32>,
}

/// What kind of values a parameter has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// A number.
    Float,
    /// A whole number.
    Int,
    /// One of several options.
    Choice,
    /// Always the same.
    Fixed,
    /// Something else.
    #[default]
    Other,
}

/// A value that configurations have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Parameter {
    /// Its path, levels joined with `/`.
    pub name: String,
    /// What kind of values it has.
    pub kind: ParameterKind,
    /// Whether it is drawn on a log scale.
    pub log: bool,
    /// The smallest value, if there is one.
    pub low: Option<f64>,
    /// The largest value, if there is one.
    pub high: Option<f64>,
    /// The options of a choice.
    #[schema(value_type = Vec<Object>)]
    pub options: Vec<Value>,
}

/// Which views of a run have something to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Has {
    /// The scheduler stopped or paused trials early.
    pub rungs: bool,
    /// Trials became copies of others.
    pub lineage: bool,
    /// There is more than one objective.
    pub pareto: bool,
    /// What trials print is kept.
    pub outputs: bool,
}

/// A change that somebody made while the run went on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct LiveChange {
    /// When.
    pub at: f64,
    /// What, in words.
    pub what: String,
    /// Who, if that was said.
    pub by: Option<String>,
}

/// All that stands above a run's page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Header {
    /// What the list of runs has of it.
    #[serde(flatten)]
    pub summary: Summary,
    /// How far the run was read: a number that only grows. Of a run with a directory it is that of the journal's last line, the
    /// same whoever reads it and whenever; of another the number of events.
    pub position: u64,
    /// Why nothing moves, in words; empty if it moves or is over.
    pub waits: Vec<String>,
    /// What there is to run on, if that is known.
    pub pool: Option<PoolView>,
    /// What limits it.
    pub budget: Budget,
    /// How many seconds it will take still, if that can be guessed.
    pub eta: Option<f64>,
    /// The values that configurations have.
    pub parameters: Vec<Parameter>,
    /// The names of all metrics that were reported.
    pub metrics: Vec<String>,
    /// What counts, all of it.
    pub objectives: Vec<Goal>,
    /// Which views have something to show.
    pub has: Has,
    /// The scheduler's name.
    pub scheduler: String,
    /// The searcher's name.
    pub searcher: String,
    /// How often the space was changed.
    pub space_version: u32,
    /// What was changed while it went on.
    pub changes: Vec<LiveChange>,
}

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
    /// Their statuses: 0 to 4, in the order of [`Counts`].
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
    /// Its name.
    pub id: String,
    /// Its status, as in [`Counts`].
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

/// How much one parameter mattered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ParameterImportance {
    /// The parameter.
    pub name: String,
    /// Its share; all together are 1.
    pub importance: f64,
}

/// How much the parameters mattered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ImportanceView {
    /// How far the run was read.
    pub position: u64,
    /// Which trials were compared, in words.
    pub compared: String,
    /// The parameters, the most important first.
    pub parameters: Vec<ParameterImportance>,
    /// Why it can't be computed.
    pub why: Option<String>,
}

/// A trial among others by several objectives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ParetoPoint {
    /// The trial.
    pub number: u32,
    /// Its values, in the order of the objectives.
    pub values: Vec<f64>,
    /// Whether no other trial dominates it.
    pub front: bool,
}

/// All trials by all objectives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ParetoView {
    /// How far the run was read.
    pub position: u64,
    /// What counts.
    pub objectives: Vec<Goal>,
    /// The trials that have a value of each.
    pub points: Vec<ParetoPoint>,
}

/// What became of a trial at a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RungFate {
    /// It came further.
    WentOn,
    /// The scheduler stopped it here.
    Cut,
    /// It is paused here, and may go on.
    Waits,
}

/// A trial at a rung.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct RungTrial {
    /// The trial.
    pub number: u32,
    /// Its value there.
    pub value: Option<f64>,
    /// What became of it.
    pub fate: RungFate,
}

/// A rung.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Rung {
    /// Where it is.
    pub iteration: u64,
    /// How many came to it.
    pub reached: usize,
    /// How many came further.
    pub went_on: usize,
    /// How many were stopped here.
    pub cut: usize,
    /// How many are paused here.
    pub waits: usize,
    /// The worst value with which a trial went on, if some were cut or wait.
    pub cut_at: Option<f64>,
    /// The trials; at most 2,000.
    pub trials: Vec<RungTrial>,
}

/// Rungs that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct BracketView {
    /// Its name.
    pub name: String,
    /// Its rungs, the lowest first.
    pub rungs: Vec<Rung>,
}

/// All rungs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RungsView {
    /// How far the run was read.
    pub position: u64,
    /// The brackets.
    pub brackets: Vec<BracketView>,
    /// Why there are none.
    pub why: Option<String>,
}

/// Who became a copy of whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct LineageView {
    /// How far the run was read.
    pub position: u64,
    /// The copies, in their order.
    pub copies: Vec<CopyView>,
}

/// A trial on a worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Span {
    /// From when.
    pub from: f64,
    /// Until when; none if it goes on.
    pub to: Option<f64>,
    /// Which trial.
    pub number: u32,
}

/// A time in which a lane had no trial.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Gap {
    /// From when.
    pub from: f64,
    /// Until when; none if it goes on.
    pub to: Option<f64>,
    /// Why.
    pub why: String,
}

/// A place for one worker at a time. Its spans and gaps follow each other without holes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Lane {
    /// Its number, from 0. The workers that were in it one after another may have had other numbers.
    pub worker: u32,
    /// What ran.
    pub spans: Vec<Span>,
    /// When nothing ran, and why.
    pub gaps: Vec<Gap>,
}

/// The timeline of the workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WorkersView {
    /// How far the run was read.
    pub position: u64,
    /// The run's time.
    pub now: f64,
    /// The lanes.
    pub lanes: Vec<Lane>,
    /// What is here: `all`, or from when on.
    pub chosen: String,
}

/// A part of the decision log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct DecisionsView {
    /// How far the run was read.
    pub position: u64,
    /// The decisions, the newest first.
    pub decisions: Vec<Decision>,
}

/// What has changed since a position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Delta {
    /// How far the run was read.
    pub position: u64,
    /// The header as it is now.
    pub header: Header,
    /// Of the trials those alone that have changed.
    pub trials: Columns,
}
