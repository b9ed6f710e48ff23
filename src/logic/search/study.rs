//! What every searcher that models a space keeps: the points that are being tried, and what came of those that were.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SearchError;
use super::ranking::best;
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{Frame, Shift, Space, SpaceError};
use crate::logic::state::{PartState, StateError, StateForm, float};

/// A point of the frame: a coordinate for each axis that counts there.
pub(super) type Point = Vec<Option<f64>>;

/// What came of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) point: Point,
    /// Less is better, whatever the objective's mode; infinite if nothing came of it.
    #[serde(with = "float")]
    pub(super) value: f64,
    /// The iteration at which it was stopped, if it wasn't left to its end: then the value is none to compare with those of trials
    /// that were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<u64>,
    /// The values for further objectives, as this one.
    #[serde(default, with = "float", skip_serializing_if = "Vec::is_empty")]
    pub(super) others: Vec<f64>,
    /// By how much the metrics that must be at most 0 are above it, together.
    #[serde(default, with = "float", skip_serializing_if = "is_zero")]
    pub(super) excess: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl Outcome {
    /// Whether it came to its end, with a value, and breaks no constraint.
    pub(super) fn is_whole(&self) -> bool {
        self.is_something() && self.stopped.is_none() && self.excess <= 0.0
    }

    fn is_something(&self) -> bool {
        self.value.is_finite() && self.others.iter().all(|value| value.is_finite())
    }

    /// For each objective a score of which more is better.
    pub(super) fn scores(&self) -> Vec<f64> {
        std::iter::once(self.value).chain(self.others.iter().copied()).map(|value| -value).collect()
    }

    /// The better first: those of trials that came to their end, by value; then those that were stopped, the later the better, and by
    /// value; then those that break a constraint, by how much; then those of which nothing came.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let class = |outcome: &Self| match outcome {
            outcome if !outcome.is_something() => 3,
            Self { excess, .. } if *excess > 0.0 => 2,
            Self { stopped: Some(_), .. } => 1,
            _ => 0,
        };
        let excess = || self.excess.total_cmp(&other.excess);
        let later = || other.stopped.cmp(&self.stopped);
        class(self)
            .cmp(&class(other))
            .then_with(excess)
            .then_with(later)
            .then_with(|| self.value.total_cmp(&other.value))
    }
}

/// The points of one searcher.
#[derive(Clone, Debug)]
pub(super) struct Study {
    frame: Frame,
    /// The first is what is looked for by those that know but one.
    objectives: Vec<Objective>,
    /// Metrics that must be at most 0.
    constraints: Vec<String>,
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    #[serde(with = "float")]
    trying: BTreeMap<TrialId, Point>,
    outcomes: Vec<Outcome>,
    /// How many points were asked for: each has draws of its own.
    asked: u64,
}

/// So many outcomes are kept at most: the best, and of the others the newest.
const MEMORY: usize = 1_000;
/// So many of them because they are the best.
const BEST: usize = 200;

impl Study {
    pub(super) fn new(space: Space) -> Result<Self, SpaceError> {
        let frame = Frame::new(space)?;
        Ok(Self { frame, objectives: Vec::new(), constraints: Vec::new(), state: State::default() })
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    pub(super) fn outcomes(&self) -> &[Outcome] {
        &self.state.outcomes
    }

    /// The points that are being tried.
    pub(super) fn trying(&self) -> impl Iterator<Item = &Point> {
        self.state.trying.values()
    }

    /// The same, with the trials that try them.
    pub(super) fn live(&self) -> impl Iterator<Item = (TrialId, &Point)> {
        self.state.trying.iter().map(|(trial, point)| (*trial, point))
    }

    pub(super) fn asked(&self) -> u64 {
        self.state.asked
    }

    /// Takes over the experiment's objective.
    pub(super) fn prepare(&mut self, part: &'static str, objective: Option<&Objective>) -> Result<(), SearchError> {
        let need = || SearchError::new(format!("{part} needs an objective: `.objective(Objective::min(\"loss\"))`"));
        self.objectives = vec![objective.ok_or_else(need)?.clone()];
        Ok(())
    }

    /// Takes over several objectives in the place of the experiment's, and metrics that must be at most 0.
    pub(super) fn judge_by(&mut self, objectives: &[Objective], constraints: &[String]) {
        self.objectives = objectives.to_vec();
        self.constraints = constraints.to_vec();
    }

    /// A trial tries this point, whose coordinates that don't count may be anything. Answers its configuration.
    pub(super) fn begin(&mut self, trial: TrialId, point: &[f64], seed: u64) -> Result<Config, SearchError> {
        let config = self.frame.config(point, seed, self.state.asked).map_err(SearchError::new)?;
        self.state.asked += 1;
        // What is modelled is what is tried: a whole number, not the coordinate that led to it.
        let exact = self.frame.point(&config).map_err(SearchError::new)?;
        self.state.trying.insert(trial, exact);
        Ok(config)
    }

    /// The space that it was made with, changed, as far as it can be modelled.
    pub(super) fn space_with(made_with: &Space, changes: &Space) -> Result<Space, SearchError> {
        Ok(Frame::new(made_with.changed(changes)?)?.into_space())
    }

    /// Another space takes the place of this one. All points are kept: a number that isn't in its range any more has a
    /// coordinate below 0 or above 1, and an option that has gone has none. Answers where points of the old space are now.
    pub(super) fn set_space(&mut self, made_with: &Space, changes: &Space) -> Option<Shift> {
        let frame = made_with.changed(changes).and_then(Frame::new).ok()?;
        let shift = Shift::between(&self.frame, &frame);
        self.frame = frame;
        let points = self.state.trying.values_mut();
        let points = points.chain(self.state.outcomes.iter_mut().map(|outcome| &mut outcome.point));
        points.for_each(|point| *point = shift.point(point));
        Some(shift)
    }

    /// A trial of an earlier session tries this configuration.
    pub(super) fn replay(&mut self, trial: TrialId, config: &Config) {
        self.state.asked += 1;
        if let Ok(point) = self.frame.point(config) {
            self.state.trying.insert(trial, point);
        }
    }

    /// What a report says of a point.
    fn outcome(&self, point: Point, metrics: Option<&Metrics>) -> Outcome {
        let number = |metric: &str| metrics?.get(metric)?.as_f64().filter(|number| !number.is_nan());
        // Less is better; infinite if there is none that can be compared.
        let value = |objective: &Objective| number(&objective.metric).map_or(f64::INFINITY, |is| -objective.score(is));
        let mut values = self.objectives.iter().map(value);
        let (value, others) = (values.next().unwrap_or(f64::INFINITY), values.collect());
        let above = |metric: &String| number(metric).map_or(f64::INFINITY, |is| is.max(0.0));
        // Not a sum, which is -0 of nothing: that is another number than the 0 of a state.
        let excess = self.constraints.iter().map(above).fold(0.0, |sum, above| sum + above);
        Outcome { point, value, stopped: None, others, excess }
    }

    /// What a trial has reported so far, at its point.
    pub(super) fn so_far(&self, trial: TrialId, last: Option<&Report>) -> Option<Outcome> {
        let point = self.state.trying.get(&trial)?.clone();
        Some(self.outcome(point, last.map(|last| &last.metrics)))
    }

    /// A trial has ended. Answers what came of it, if it was one of these, and if anything came of it: one that somebody
    /// ended before it reported might have been good.
    pub(super) fn end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) -> Option<Outcome> {
        let mut outcome = self.so_far(trial, last.filter(|_| ending != Ending::Error))?;
        if matches!(ending, Ending::Scheduler | Ending::Client | Ending::Experiment) {
            outcome.stopped = last.map(Report::iteration);
        }
        self.state.trying.remove(&trial);
        (last.is_some() || matches!(ending, Ending::Done | Ending::Error)).then_some(outcome)
    }

    pub(super) fn learn(&mut self, outcome: Outcome) {
        self.state.outcomes.push(outcome);
        if self.state.outcomes.len() >= MEMORY + MEMORY / 4 {
            self.forget();
        }
    }

    /// Keeps the best, and the newest of the others.
    fn forget(&mut self) {
        let old = self.state.outcomes.len() - (MEMORY - BEST);
        let best = best(self.state.outcomes.get(..old).unwrap_or_default(), BEST);
        let mut kept = vec![false; old];
        best.into_iter().for_each(|place| kept[place] = true);
        let mut place = 0;
        self.state.outcomes.retain(|_| {
            place += 1;
            kept.get(place - 1).copied().unwrap_or(true)
        });
    }

    /// What came of a configuration elsewhere.
    pub(super) fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<Outcome, SearchError> {
        let point = self.frame.point(config).map_err(SearchError::new)?;
        let named = self.objectives.iter().map(|objective| &objective.metric).chain(&self.constraints);
        if let Some(metric) = named.into_iter().find(|metric| metrics.get(metric).is_none()) {
            return Err(SearchError::new(format!("an outcome has no metric `{metric}`, which is what counts")));
        }
        Ok(self.outcome(point, Some(metrics)))
    }

    /// What was kept is of another space or objective as little as it is of another searcher.
    fn state_form(&self, part: &'static str) -> StateForm {
        let each = self.objectives.iter().map(|is| format!("{:?} {}", is.mode, is.metric));
        let constraints = self.constraints.iter().map(|metric| format!("{metric} at most 0"));
        let each: Vec<String> = each.chain(constraints).collect();
        let objective = if each.is_empty() { "none".to_owned() } else { each.join(", ") };
        let space = serde_json::to_string(self.frame.space()).unwrap_or_default();
        StateForm::new(part).under("space", space).under("objective", objective)
    }

    /// What is kept between sessions, as the state of `part`.
    pub(super) fn save(&self, part: &'static str) -> Option<PartState> {
        self.state_form(part).pack(&self.state)
    }

    /// Takes up what was kept.
    ///
    /// # Errors
    /// If it is of another space or objective.
    pub(super) fn restore(&mut self, part: &'static str, state: PartState) -> Result<(), StateError> {
        let form = self.state_form(part);
        let state: State = form.unpack(state)?;
        let axes = self.frame.axes().len();
        let points = state.outcomes.iter().map(|outcome| outcome.point.len());
        if let Some(other) = points.chain(state.trying.values().map(Vec::len)).find(|length| *length != axes) {
            let expected = format_args!("{axes}, as the space has");
            return Err(form.wrong("the number of variables of a point", other, expected));
        }
        self.state = state;
        Ok(())
    }
}
