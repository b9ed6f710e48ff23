//! What every searcher that models a space keeps: the points that are being tried, and what came of those that were.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SearchError;
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
}

impl Outcome {
    /// The better first: those of trials that came to their end, by value; then those that were stopped, the later the better, and by
    /// value; then those of which nothing came.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let class = |outcome: &Self| match outcome {
            Self { value, .. } if !value.is_finite() => 2,
            Self { stopped: Some(_), .. } => 1,
            _ => 0,
        };
        let later = || other.stopped.cmp(&self.stopped);
        class(self).cmp(&class(other)).then_with(later).then_with(|| self.value.total_cmp(&other.value))
    }
}

/// The points of one searcher.
#[derive(Clone, Debug)]
pub(super) struct Study {
    frame: Frame,
    objective: Option<Objective>,
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
        Ok(Self { frame, objective: None, state: State::default() })
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
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
        self.objective = Some(objective.ok_or_else(need)?.clone());
        Ok(())
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

    /// The value in a report, less being better; infinite if there is none that can be compared.
    fn value(&self, metrics: Option<&Metrics>) -> f64 {
        let value = self.objective.as_ref().and_then(|objective| {
            let number = metrics?.get(&objective.metric)?.as_f64()?;
            Some(-objective.score(number))
        });
        value.filter(|value| !value.is_nan()).unwrap_or(f64::INFINITY)
    }

    /// What a trial has reported so far, at its point.
    pub(super) fn so_far(&self, trial: TrialId, last: Option<&Report>) -> Option<Outcome> {
        let point = self.state.trying.get(&trial)?.clone();
        Some(Outcome { point, value: self.value(last.map(|last| &last.metrics)), stopped: None })
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
        let mut order: Vec<usize> = (0..old).collect();
        let outcomes = &self.state.outcomes;
        order.sort_by(|one, other| outcomes[*one].compare(&outcomes[*other]));
        let mut kept = vec![false; old];
        order.into_iter().take(BEST).for_each(|place| kept[place] = true);
        let mut place = 0;
        self.state.outcomes.retain(|_| {
            place += 1;
            kept.get(place - 1).copied().unwrap_or(true)
        });
    }

    /// What came of a configuration elsewhere.
    pub(super) fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<Outcome, SearchError> {
        let point = self.frame.point(config).map_err(SearchError::new)?;
        if let Some(objective) = &self.objective
            && metrics.get(&objective.metric).is_none()
        {
            let metric = &objective.metric;
            return Err(SearchError::new(format!("an outcome has no metric `{metric}`, which is what counts")));
        }
        Ok(Outcome { point, value: self.value(Some(metrics)), stopped: None })
    }

    /// What was kept is of another space or objective as little as it is of another searcher.
    fn state_form(&self, part: &'static str) -> StateForm {
        let objective = self.objective.as_ref().map_or("none".to_owned(), |is| format!("{:?} {}", is.mode, is.metric));
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
