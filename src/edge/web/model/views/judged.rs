//! What trials are judged by, who became a copy of whom, and when which worker had which trial.

use serde::Serialize;
use utoipa::ToSchema;

use super::run::Goal;
use super::trials::{CopyView, Decision};

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
