//! A run, in the list and above its page.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::logic::metrics::{Mode, Objective};

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
    /// What no worker holds, in words.
    pub free: String,
    /// How much other runs of this host leave it, in words, if it shares the host with some.
    pub cap: Option<String>,
    /// How many workers there are.
    pub workers: usize,
}

/// What limits a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Budget {
    /// So many samples.
    pub samples: Option<u64>,
    /// So many seconds.
    pub time_limit: Option<f64>,
    /// So many trials at once.
    pub concurrency: Option<u32>,
    /// The stop rules, each by its name and with its settings, as in a file; none if one of them is code.
    pub stop: Option<Vec<Value>>,
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
    /// How the scheduler stands, in one line, if it says.
    pub progress: Option<String>,
    /// The searcher's name.
    pub searcher: String,
    /// How often the space was changed.
    pub space_version: u32,
    /// What was changed while it went on.
    pub changes: Vec<LiveChange>,
}
