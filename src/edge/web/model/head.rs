//! What stands above a run's page.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::columns::leaves;
use super::state::State;
use super::views::{Budget, Counts, Goal, Has, Header, Parameter, ParameterKind, PoolView, RunState, Summary};
use super::words;
use crate::logic::api::{PoolStatus, RunStatus};
use crate::logic::event::Outcome;
use crate::logic::schedule::Cohort;
use crate::logic::search::Samples;
use crate::logic::settings::OrCode;
use crate::logic::space::{Dimensions, Extent, Space};
use crate::logic::spec::PartSpec;
use crate::logic::trial::Status;

/// So many configurations are looked at to say what the parameters are.
const ENOUGH: usize = 256;

/// Whether and how a run goes on.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Whether a process has it.
    pub(super) held: bool,
    /// Whether it is followed, and can be steered.
    pub(super) attended: bool,
    /// What it said itself, when it was asked last.
    pub(super) status: Option<RunStatus>,
    pub(super) pool: Option<PoolStatus>,
    /// When it was last heard of.
    pub(super) heard: Option<Instant>,
}

impl Standing {
    fn goes_on(&self) -> bool {
        self.held || self.attended
    }
}

/// How a run stands.
pub(super) fn state_of(state: &State, standing: &Standing) -> RunState {
    match &state.ledger().run().outcome {
        Some(Outcome::Completed) => RunState::Completed,
        Some(Outcome::Stopped(_)) => RunState::Stopped,
        Some(Outcome::Drained) => RunState::Drained,
        Some(Outcome::Failed(_)) => RunState::Failed,
        Some(Outcome::Unfinished) => RunState::CutOff,
        None if !standing.goes_on() => RunState::CutOff,
        None if state.ending.is_some() => RunState::Ending,
        None => RunState::Running,
    }
}

/// Whether a run goes on.
pub(super) fn goes_on(state: &State, standing: &Standing) -> bool {
    matches!(state_of(state, standing), RunState::Running | RunState::Ending)
}

/// The run's time in seconds: up to now if it goes on.
pub(super) fn now(state: &State, standing: &Standing) -> f64 {
    let read = state.ledger().run().now.since_start();
    let since = standing.heard.filter(|_| goes_on(state, standing)).map(|heard| heard.elapsed()).unwrap_or_default();
    (read + since).as_secs_f64()
}

/// The run in a list.
pub(super) fn summary(state: &State, standing: &Standing, key: &str, dir: Option<String>) -> Summary {
    let stands = state_of(state, standing);
    let (ledger, run) = (state.ledger(), state.ledger().run());
    let why = match stands {
        RunState::CutOff => Some("its process was killed, or its machine stopped: it can be gone on with".to_owned()),
        RunState::Ending => state.ending.as_ref().map(|closing| match closing.by {
            Some(by) => {
                let seconds = by.since_start().as_secs();
                format!("it is ending, at the latest {seconds} s after its start: {}", closing.outcome)
            }
            None => format!("it is ending: {}", closing.outcome),
        }),
        RunState::Running => run.hold.as_ref().map(|why| format!("it is held: {why}")),
        _ => run.outcome.as_ref().and_then(words::of_outcome),
    };
    Summary {
        run: key.to_owned(),
        name: state.settings().name.to_string(),
        dir,
        state: stands,
        live: standing.attended && goes_on(state, standing),
        why,
        counts: Counts {
            pending: ledger.count(Status::Pending),
            running: ledger.count(Status::Running),
            paused: ledger.count(Status::Paused),
            terminated: ledger.count(Status::Terminated),
            error: ledger.count(Status::Error),
        },
        total: total(state, standing),
        iterations: state.rows.iterations(),
        began: state.began,
        elapsed: now(state, standing),
        best: state.rows.best(),
        objective: state.objective().map(Goal::from),
    }
}

/// How many trials there will be, as far as that is known.
fn total(state: &State, standing: &Standing) -> Option<u64> {
    let run = state.ledger().run();
    match &run.outcome {
        Some(Outcome::Completed) => return Some(state.ledger().len() as u64),
        Some(_) => {}
        None => {
            if let Some(total) = standing.status.as_ref().and_then(|status| status.total) {
                return Some(total);
            }
        }
    }
    match run.samples().or(state.settings().samples) {
        Some(Samples::Finite(count)) => Some((count + run.withdrawn).max(state.ledger().len() as u64)),
        _ => None,
    }
}

fn budget(state: &State) -> Budget {
    let run = state.ledger().run();
    let samples = match run.samples().or(state.settings().samples) {
        Some(Samples::Finite(count)) => Some(count),
        _ => None,
    };
    let limit = run.time_limit().unwrap_or(state.settings().time_limit);
    let concurrency = match run.limited {
        Some(0) => None,
        Some(most) => Some(most),
        None => state.settings().concurrency,
    };
    Budget { samples, time_limit: limit.map(|limit| limit.after.as_secs_f64()), concurrency, stop: stop_rules(state) }
}

/// The stop rules that hold, in the form that a file has, if all of them are data.
fn stop_rules(state: &State) -> Option<Vec<Value>> {
    let form = |spec: &PartSpec| json!({ (&*spec.kind): spec.settings });
    if let Some(changed) = state.ledger().run().stop_rules() {
        return Some(changed.iter().map(form).collect());
    }
    let data = |rule: &OrCode<PartSpec>| if let OrCode::Data(spec) = rule { Some(form(spec)) } else { None };
    state.settings().stop.iter().map(data).collect()
}

/// How long a run will take still: as fast as until now, and within its time limit.
fn eta(summary: &Summary, budget: &Budget) -> Option<f64> {
    // No trial begins any more in a run that is ending: how long it takes isn't in their number.
    if summary.state != RunState::Running {
        return None;
    }
    let ended = (summary.counts.terminated + summary.counts.error) as f64;
    let left = summary.total.map(|total| (total as f64 - ended).max(0.0));
    let by_trials = left.filter(|_| ended > 0.0).map(|left| summary.elapsed / ended * left);
    let by_time = budget.time_limit.map(|limit| (limit - summary.elapsed).max(0.0));
    by_trials.into_iter().chain(by_time).reduce(f64::min)
}

/// All that stands above the page. `parameters` and `outputs` are found by others.
pub(super) fn header(
    state: &State,
    standing: &Standing,
    summary: Summary,
    parameters: Vec<Parameter>,
    outputs: bool,
) -> Header {
    let budget = budget(state);
    let goes_on = goes_on(state, standing);
    let pool = standing.pool.as_ref().filter(|_| goes_on).map(|pool| PoolView {
        total: pool.total.to_string(),
        free: pool.free.to_string(),
        cap: pool.cap.as_ref().map(ToString::to_string),
        workers: pool.counts.leased + pool.counts.settling + pool.counts.idle,
    });
    let searcher = match &state.settings().searcher {
        Some(part) => part_name(part),
        None => "Variants".to_owned(),
    };
    Header {
        eta: eta(&summary, &budget),
        summary,
        position: state.position,
        waits: if goes_on { waits(state, standing) } else { Vec::new() },
        pool,
        budget,
        parameters,
        metrics: state.metrics.clone(),
        objectives: state.objectives.iter().map(Goal::from).collect(),
        has: Has {
            rungs: state.halted,
            lineage: !state.copies.is_empty(),
            pareto: state.objectives.len() > 1,
            outputs,
        },
        scheduler: scheduler(state),
        progress: standing.status.as_ref().and_then(|status| status.scheduler.clone()),
        searcher,
        space_version: state.ledger().run().space.as_ref().map_or(0, |space| space.version),
        changes: state.edits.clone(),
    }
}

/// The scheduler's name.
pub(super) fn scheduler(state: &State) -> String {
    part_name(&state.settings().scheduler)
}

fn part_name(part: &OrCode<PartSpec>) -> String {
    match part {
        OrCode::Data(spec) => spec.kind.to_string(),
        OrCode::Code(name) => name.clone(),
    }
}

/// Why nothing moves, if nothing does.
fn waits(state: &State, standing: &Standing) -> Vec<String> {
    let (ledger, run) = (state.ledger(), state.ledger().run());
    let mut waits: Vec<String> = run.hold.iter().map(|why| format!("the run is held: {why}")).collect();
    if let Some(status) = &standing.status {
        waits.extend(status.held.iter().map(|why| format!("no results are processed: {why}")));
        if ledger.count(Status::Running) == 0 {
            waits.extend(status.thinking.iter().map(|who| format!("{who} makes its next suggestion")));
        }
    }
    if ledger.count(Status::Running) == 0 {
        waits.extend(words::stillness(ledger));
    }
    if state.missed > 0 {
        waits.push(format!("{} events weren't heard: some values may be older than they are", state.missed));
    }
    waits
}

/// The values that configurations have: as the space says, and as they are seen.
pub(super) fn parameters(state: &State) -> Vec<Parameter> {
    let trials = state.ledger().len();
    let step = trials.div_ceil(ENOUGH).max(1);
    let configs: Vec<_> = state.ledger().iter().step_by(step).map(|record| &*record.config).collect();
    let mut seen: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for config in &configs {
        leaves(config.as_map(), &mut String::new(), &mut |path, value| {
            let values = seen.entry(path.to_owned()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        });
    }
    let dimensions = Dimensions::of(space(state).as_ref(), configs.iter().copied());
    let mut found: Vec<Parameter> = Vec::new();
    for dimension in dimensions.all {
        let values = seen.get(&dimension.name).map(Vec::as_slice).unwrap_or_default();
        // A value that depends on another is there once for each of its conditions.
        if !found.iter().any(|known| known.name == dimension.name) {
            found.push(parameter(dimension.name, dimension.extent, values));
        }
    }
    let known: BTreeSet<String> = found.iter().map(|parameter| parameter.name.clone()).collect();
    for (name, values) in seen.into_iter().filter(|(name, _)| !known.contains(name)) {
        let kind = if values.len() == 1 { ParameterKind::Fixed } else { ParameterKind::Other };
        let options = if values.len() == 1 { values } else { Vec::new() };
        found.push(Parameter { name, kind, options, ..Parameter::default() });
    }
    found
}

/// The space as it is now.
fn space(state: &State) -> Option<Space> {
    let given = state.settings().space_tried()?;
    let changes = state.ledger().run().space.as_ref().map(|space| space.changes.clone());
    Some(changes.and_then(|changes| given.changed(&changes).ok()).unwrap_or(given))
}

fn parameter(name: String, extent: Extent, seen: &[Value]) -> Parameter {
    use crate::logic::space::Scale;
    match extent {
        Extent::Number { low, high, scale, whole, .. } => Parameter {
            name,
            kind: if whole { ParameterKind::Int } else { ParameterKind::Float },
            log: scale == Scale::Log,
            low: Some(low).filter(|low| low.is_finite()),
            high: Some(high).filter(|high| high.is_finite()),
            options: Vec::new(),
        },
        Extent::Normal(_) => Parameter { name, kind: ParameterKind::Float, ..Parameter::default() },
        Extent::Options(names) => {
            // As they stand in configurations, if they were seen there.
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value =
                |name: String| seen.iter().find(|value| text(value) == name).cloned().unwrap_or(Value::String(name));
            let options = names.into_iter().map(value).collect();
            Parameter { name, kind: ParameterKind::Choice, options, ..Parameter::default() }
        }
    }
}
