//! What every searcher that models a space keeps: the points that are being tried, and what came of those that were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SearchError;
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{Frame, Space, SpaceError};
use crate::logic::state::{Float, StateError, common_run};

/// A point of the frame: a coordinate for each axis that counts there.
pub(super) type Point = Vec<Option<f64>>;

/// What came of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) point: Point,
    /// Less is better, whatever the objective's mode; infinite if nothing came of it.
    #[serde(with = "crate::logic::state::float")]
    pub(super) value: f64,
}

/// The points of one searcher.
#[derive(Clone, Debug)]
pub(super) struct Study {
    frame: Frame,
    objective: Option<Objective>,
    trying: BTreeMap<TrialId, Point>,
    outcomes: Vec<Outcome>,
    /// How many points were asked for: each has draws of its own.
    asked: u64,
}

/// What of it is kept between sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedStudy {
    /// As JSON: a coordinate means nothing in another space.
    space: String,
    pub(super) run: RunId,
    objective: Option<Objective>,
    trying: Vec<(u32, Vec<Option<Float>>)>,
    outcomes: Vec<Outcome>,
    asked: u64,
}

/// So many outcomes are kept at most: the best, and of the others the newest.
const MEMORY: usize = 1_000;
/// So many of them because they are the best.
const BEST: usize = 200;

impl Study {
    pub(super) fn new(space: Space) -> Result<Self, SpaceError> {
        let frame = Frame::new(space)?;
        Ok(Self { frame, objective: None, trying: BTreeMap::new(), outcomes: Vec::new(), asked: 0 })
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    pub(super) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The points that are being tried.
    pub(super) fn trying(&self) -> impl Iterator<Item = &Point> {
        self.trying.values()
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// Takes over the experiment's objective.
    pub(super) fn prepare(&mut self, part: &'static str, objective: Option<&Objective>) -> Result<(), SearchError> {
        let need = || SearchError::new(format!("{part} needs an objective: `.objective(Objective::min(\"loss\"))`"));
        self.objective = Some(objective.ok_or_else(need)?.clone());
        Ok(())
    }

    /// A trial tries this point, whose coordinates that don't count may be anything. Answers its configuration.
    pub(super) fn begin(&mut self, trial: TrialId, point: &[f64], seed: u64) -> Result<Config, SearchError> {
        let config = self.frame.config(point, seed, self.asked).map_err(SearchError::new)?;
        self.asked += 1;
        // What is modelled is what is tried: a whole number, not the coordinate that led to it.
        let exact = self.frame.point(&config).map_err(SearchError::new)?;
        self.trying.insert(trial, exact);
        Ok(config)
    }

    /// A trial of an earlier session tries this configuration.
    pub(super) fn replay(&mut self, trial: TrialId, config: &Config) {
        self.asked += 1;
        if let Ok(point) = self.frame.point(config) {
            self.trying.insert(trial, point);
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
        let point = self.trying.get(&trial)?.clone();
        Some(Outcome { point, value: self.value(last.map(|last| &last.metrics)) })
    }

    /// A trial has ended. Answers what came of it, if it was one of these, and if anything came of it: one that somebody
    /// ended before it reported might have been good.
    pub(super) fn end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) -> Option<Outcome> {
        let outcome = self.so_far(trial, last.filter(|_| ending != Ending::Error))?;
        self.trying.remove(&trial);
        (last.is_some() || matches!(ending, Ending::Done | Ending::Error)).then_some(outcome)
    }

    pub(super) fn learn(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
        if self.outcomes.len() >= MEMORY + MEMORY / 4 {
            self.forget();
        }
    }

    /// Keeps the best, and the newest of the others.
    fn forget(&mut self) {
        let mut values: Vec<f64> = self.outcomes.iter().map(|outcome| outcome.value).collect();
        let (_, bar, _) = values.select_nth_unstable_by(BEST, f64::total_cmp);
        let (bar, old) = (*bar, self.outcomes.len() - (MEMORY - BEST));
        let mut place = 0;
        self.outcomes.retain(|outcome| {
            place += 1;
            outcome.value < bar || place > old
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
        Ok(Outcome { point, value: self.value(Some(metrics)) })
    }

    pub(super) fn saved(&self) -> Option<SavedStudy> {
        let point = |point: &Point| point.iter().map(|part| part.map(Float)).collect();
        Some(SavedStudy {
            space: self.space(),
            run: common_run(self.trying.keys().copied())?,
            objective: self.objective.clone(),
            trying: self.trying.iter().map(|(trial, tried)| (trial.number(), point(tried))).collect(),
            outcomes: self.outcomes.clone(),
            asked: self.asked,
        })
    }

    fn space(&self) -> String {
        serde_json::to_string(self.frame.space()).unwrap_or_default()
    }

    /// Takes up what was kept.
    ///
    /// # Errors
    /// If it is of another space or objective.
    pub(super) fn take_up(&mut self, part: &'static str, saved: SavedStudy) -> Result<(), StateError> {
        let words = |objective: &Option<Objective>| {
            objective.as_ref().map_or("none".to_owned(), |is| format!("{:?} {}", is.mode, is.metric))
        };
        crate::logic::state::same(part, "space", &saved.space, &self.space())?;
        crate::logic::state::same(part, "objective", &words(&saved.objective), &words(&self.objective))?;
        let axes = self.frame.axes().len();
        let points = saved.outcomes.iter().map(|outcome| outcome.point.len());
        let tried = saved.trying.iter().map(|(_, point)| point.len());
        if let Some(other) = points.chain(tried).find(|length| *length != axes) {
            return Err(crate::logic::state::StateError::Value {
                part,
                at: "the number of variables of a point",
                found: other.to_string(),
                expected: format!("{axes}, as the space has"),
            });
        }
        let point = |point: Vec<Option<Float>>| point.into_iter().map(|part| part.map(|part| part.0)).collect();
        let id = |number| TrialId::new(saved.run, number);
        self.trying = saved.trying.into_iter().map(|(number, tried)| (id(number), point(tried))).collect();
        (self.outcomes, self.asked) = (saved.outcomes, saved.asked);
        Ok(())
    }
}
