//! What trials are judged by: importance, the Pareto front, rungs.

use super::columns::{columns, thinned};
use super::state::State;
use super::views::{
    BracketView, Columns, Goal, ImportanceView, ParameterImportance, ParetoPoint, ParetoView, Rung, RungFate,
    RungTrial, RungsView,
};
use crate::logic::engine::TrialRecord;
use crate::logic::metrics::importance::{Compared, ImportanceError, Importances, importance_of};
use crate::logic::metrics::{Objective, Scope, pareto};
use crate::logic::rungs::{self, Fate};

/// So many rungs are shown, and so many trials of each.
const MOST_RUNGS: usize = 30;
const MOST_TRIALS: usize = 2_000;

/// How much the parameters mattered, as [`Results::importance`](crate::Results::importance) says.
pub(super) fn importance(state: &State) -> ImportanceView {
    let found = state.objective().ok_or(ImportanceError::NoObjective).and_then(|objective| {
        let space = state.settings().space_tried();
        importance_of(&|| state.ledger().iter(), space.as_ref(), objective, Compared::Equally)
    });
    let position = state.position;
    match found {
        Err(why) => ImportanceView { position, why: Some(why.to_string()), ..ImportanceView::default() },
        Ok(found) => {
            let compared = compared(&found);
            let named = |value: &crate::logic::metrics::importance::Importance| ParameterImportance {
                name: value.name.clone(),
                importance: value.share,
            };
            ImportanceView { position, compared, parameters: found.values.iter().map(named).collect(), why: None }
        }
    }
}

fn compared(found: &Importances) -> String {
    let at = match found.iteration {
        Some(iteration) => format!("at iteration {iteration}"),
        None => "by their last reports".to_owned(),
    };
    let hint = if found.best < 5 { "; so few are no more than a hint" } else { "" };
    format!("how the best {} differ from all of {} trials compared {at}{hint}", found.best, found.trials)
}

/// All trials by all objectives.
pub(super) fn pareto(state: &State) -> ParetoView {
    let objectives = &state.objectives;
    let value = |record: &TrialRecord, objective: &Objective| {
        let value = record.stats.value(&objective.metric, Scope::Last, objective.mode, record.last.as_deref());
        value.filter(|value| value.is_finite())
    };
    let mut front = pareto::Front::new();
    let mut points = Vec::new();
    for record in state.ledger().iter() {
        let values: Option<Vec<f64>> = objectives.iter().map(|objective| value(record, objective)).collect();
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            let scores = objectives.iter().zip(&values).map(|(objective, value)| objective.score(*value)).collect();
            front.insert(points.len(), scores);
            points.push(ParetoPoint { number: record.id.number(), values, front: false });
        }
    }
    for place in front.into_keys() {
        if let Some(point) = points.get_mut(place) {
            point.front = true;
        }
    }
    ParetoView { position: state.position, objectives: objectives.iter().map(Goal::from).collect(), points }
}

/// The rungs, and the fate of each trial there.
pub(super) fn rungs(state: &State, scheduler: &str) -> RungsView {
    let position = state.position;
    let trials = || state.ledger().iter();
    let Some(objective) = state.objective().or(state.objectives.first()) else {
        let why = "nobody said what counts: there is nothing to judge trials by".to_owned();
        return RungsView { position, why: Some(why), ..RungsView::default() };
    };
    let furthest = rungs::furthest(trials());
    let (found, all) = rungs::rungs(trials(), furthest, MOST_RUNGS);
    if found.is_empty() {
        let why = "the scheduler has stopped no trial early, and none waits: there are no rungs".to_owned();
        return RungsView { position, why: Some(why), ..RungsView::default() };
    }
    let shown = found.len();
    let rungs = found.into_iter().map(|iteration| rung(trials(), iteration, furthest, objective)).collect();
    let name = if shown < all {
        format!("{scheduler}: the {shown} of {all} iterations with most stops")
    } else {
        scheduler.to_owned()
    };
    RungsView { position, brackets: vec![BracketView { name, rungs }], why: None }
}

fn rung<'t>(
    trials: impl Iterator<Item = &'t TrialRecord>,
    iteration: u64,
    furthest: u64,
    objective: &Objective,
) -> Rung {
    let mut rung = Rung { iteration, ..Rung::default() };
    let mut met = Vec::new();
    for trial in trials {
        let Some(fate) = rungs::fate(trial, iteration, furthest) else { continue };
        let value = rungs::value_at(trial, iteration, &objective.metric);
        rung.reached += 1;
        let fate = match fate {
            Fate::Stopped => {
                rung.cut += 1;
                RungFate::Cut
            }
            Fate::Waits => {
                rung.waits += 1;
                RungFate::Waits
            }
            Fate::WentOn => {
                rung.went_on += 1;
                RungFate::WentOn
            }
        };
        met.push(RungTrial { number: trial.id.number(), value, fate });
    }
    let went_on = met.iter().filter(|trial| trial.fate == RungFate::WentOn).filter_map(|trial| trial.value);
    rung.cut_at =
        went_on.reduce(|worst, value| if objective.score(value) < objective.score(worst) { value } else { worst });
    rung.trials = thinned(met, MOST_TRIALS).collect();
    rung
}

/// The rows that have changed since a position; none if there are too many of them.
pub(super) fn changed(state: &State, since: u64, most: usize) -> Option<Columns> {
    let numbers: Vec<u32> = state.rows.since(since).take(most + 1).collect();
    (numbers.len() <= most).then(|| columns(state, numbers.into_iter(), "what has changed".to_owned()))
}
