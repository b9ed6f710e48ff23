//! CMA-ES: a normal distribution of points that moves, stretches and turns towards the better ones.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::distribution::{Distribution, DistributionState};
use super::study::{Outcome, Study};
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{AxisKind, Frame, Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, Refused, SpecError};
use crate::logic::state::{PartState, StateError, StateForm, float};

mod distribution;

const PART: &str = "CmaEs";

/// The covariance matrix adaptation evolution strategy: points are drawn from a normal distribution, which learns from
/// each generation where and in what direction better ones lie.
///
/// When to use it: for numbers only, a few to about fifty, with at least a hundred trials for each ten of them, on
/// functions that are rough, curved or badly scaled. It needs no model of the values, only their order, and costs
/// microseconds. For choices and few trials take [`Tpe`](super::Tpe).
///
/// - Suggestions never wait: as many trials as there is room for are drawn from the distribution as it is. A generation is
///   complete with so many outcomes, whichever generation their trials were drawn in.
/// - A trial that failed, or whose last value is NaN, is the worst of its generation.
/// - A point that falls outside of its range is drawn anew, and after a hundred times taken to the bound.
/// - Choices are drawn at random, each option equally often: nothing is learnt about them. What is nested in an option is
///   learnt as if it were always there.
/// - In a space that is changed while the run goes on, mean and steps keep their places: a mean outside goes to the nearer bound, steps
///   become no wider than the first ones, and outcomes outside count for nothing.
/// - When its steps become too small to matter, it begins anew at a random place with twice the population.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::CmaEs;
///
/// let space = Space::new().with("x", uniform(-10.0, 10.0)).with("y", uniform(-10.0, 10.0));
/// # let trainable = function("t", |config: Config, trial| {
/// #     let (x, y) = (config.get::<f64>("x")?, config.get::<f64>("y")?);
/// #     trial.report([("loss", (x - 1.0).powi(2) + 100.0 * (y - x).powi(2))])?; Ok(()) });
/// let results = Experiment::new("valley", trainable)
///     .searcher(CmaEs::new(space, 7)?)
///     .samples(300)
///     .objective(Objective::min("loss"))
///     .run()?;
/// # assert!(results.best()?.last.as_ref().and_then(|last| last.number("loss")).is_some_and(|loss| loss < 0.1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; restarts: Auger and Hansen 2005, "A Restart CMA
/// Evolution Strategy With Increasing Population Size". The first step, a sixth of each range, is Optuna's.
#[derive(Clone, Debug)]
pub struct CmaEs {
    settings: Settings,
    study: Study,
    /// The axes that are numbers.
    numbers: Vec<usize>,
    distribution: Distribution,
    /// Where each trial really is, by axis: the configuration may be rounded.
    drawn: BTreeMap<TrialId, Vec<f64>>,
    generation: Vec<(Vec<f64>, f64)>,
    restarts: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
    #[serde(default = "sixth", with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    sigma: f64,
    #[serde(default)]
    population: Option<usize>,
}

fn sixth() -> f64 {
    1.0 / 6.0
}

#[derive(Serialize, Deserialize)]
struct State {
    distribution: DistributionState,
    #[serde(with = "float")]
    drawn: BTreeMap<TrialId, Vec<f64>>,
    #[serde(with = "float")]
    generation: Vec<(Vec<f64>, f64)>,
    restarts: u64,
}

impl CmaEs {
    /// A searcher of `space`, which begins in its middle; all draws follow from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        Self::from_settings(Settings { space, seed, sigma: sixth(), population: None })
    }

    fn from_settings(settings: Settings) -> Result<Self, SpaceError> {
        let study = Study::new(settings.space.clone())?;
        let numbers = numbers(study.frame());
        let distribution = Distribution::new(vec![0.5; numbers.len()], settings.sigma, first(&settings, numbers.len()));
        let (drawn, generation) = (BTreeMap::new(), Vec::new());
        Ok(Self { settings, study, numbers, distribution, drawn, generation, restarts: 0 })
    }

    /// How far from the middle the first points are drawn: the standard deviation, in ranges; from 1e-6 to 1. Default 1/6.
    #[must_use]
    pub fn sigma(mut self, sigma: f64) -> Self {
        self.settings.sigma = sigma;
        self.distribution = Distribution::new(vec![0.5; self.numbers.len()], sigma, self.distribution.population());
        self
    }

    /// How many outcomes make a generation; at least 4. By default 4 and three times the logarithm of the number of
    /// variables.
    #[must_use]
    pub fn population(mut self, population: usize) -> Self {
        self.settings.population = Some(population);
        self.distribution = Distribution::new(vec![0.5; self.numbers.len()], self.settings.sigma, population);
        self
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    fn learn(&mut self, point: Vec<f64>, value: f64) {
        // The space was changed since it was suggested.
        if !point.iter().all(|part| (0.0..=1.0).contains(part)) {
            return;
        }
        self.generation.push((point, value));
        if self.generation.len() < self.distribution.population() {
            return;
        }
        self.distribution.learn(std::mem::take(&mut self.generation));
        if self.distribution.is_at_rest() {
            self.restarts += 1;
            let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed ^ self.restarts.rotate_left(32));
            let mean = self.numbers.iter().map(|_| random.random()).collect();
            let population = self.distribution.population().saturating_mul(2);
            self.distribution = Distribution::new(mean, self.settings.sigma, population);
        }
    }

    /// The next point, and its numbers.
    fn draw(&self) -> (Vec<f64>, Vec<f64>) {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.study.asked());
        let mut point: Vec<f64> = self.study.frame().axes().iter().map(|_| random.random()).collect();
        let drawn = self.distribution.draw(&mut random);
        for (&axis, part) in self.numbers.iter().zip(&drawn) {
            point[axis] = *part;
        }
        (point, drawn)
    }

    /// The numbers of a point; what doesn't count there is in the middle.
    fn numbers_of(&self, outcome: &Outcome) -> Vec<f64> {
        self.numbers.iter().map(|&axis| outcome.point.get(axis).copied().flatten().unwrap_or(0.5)).collect()
    }
}

/// The axes that are numbers.
fn numbers(frame: &Frame) -> Vec<usize> {
    let axes = frame.axes().iter().enumerate();
    axes.filter(|(_, axis)| !matches!(axis.kind(), AxisKind::Options(_))).map(|(number, _)| number).collect()
}

/// Refuses a space that has none.
fn check(numbers: &[usize]) -> Result<(), Refused> {
    let expected = "one with ranges: choices alone are drawn at random";
    Check(PART).require(!numbers.is_empty(), "space", "without a number", expected)
}

fn first(settings: &Settings, size: usize) -> usize {
    settings.population.unwrap_or(4 + (3.0 * (size.max(1) as f64).ln()) as usize)
}

impl Searcher for CmaEs {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let (point, drawn) = self.draw();
        let config = self.study.begin(trial, &point, self.settings.seed)?;
        self.drawn.insert(trial, drawn);
        Ok(Suggestion::Next(config))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let drawn = self.drawn.remove(&trial);
        let Some(outcome) = self.study.end(trial, ending, last) else { return };
        let drawn = drawn.unwrap_or_else(|| self.numbers_of(&outcome));
        self.learn(drawn, outcome.value);
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        let outcome = self.study.observe(config, metrics)?;
        self.learn(self.numbers_of(&outcome), outcome.value);
        Ok(())
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        let (check, sigma) = (Check(PART), self.settings.sigma);
        self::check(&self.numbers)?;
        check.require((1e-6..=1.0).contains(&sigma), "sigma", sigma, "from 1e-6 to 1")?;
        let population = self.settings.population.unwrap_or(usize::MAX);
        check.require(population >= 4, "population", population, "at least 4")?;
        self.study.prepare(PART, objective)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        let frame = Frame::new(self.settings.space.changed(changes)?)?;
        check(&numbers(&frame))?;
        Ok(frame.into_space())
    }

    fn set_space(&mut self, changes: &Space) {
        let Some(shift) = self.study.set_space(&self.settings.space, changes) else { return };
        let old = std::mem::replace(&mut self.numbers, numbers(self.study.frame()));
        // For each number where it was among the numbers.
        let was = |axis: &usize| old.iter().position(|old| Some(*old) == shift.was(*axis));
        let places: Vec<(usize, Option<usize>)> = self.numbers.iter().map(|axis| (*axis, was(axis))).collect();
        let moved = |axis: usize, part: f64| shift.part(axis, part);
        self.distribution = self.distribution.moved(&places, self.settings.sigma, &moved);
        let point = |parts: &[f64]| -> Vec<f64> {
            let part = |(axis, was): &(usize, Option<usize>)| moved(*axis, *parts.get((*was)?)?);
            places.iter().map(|place| part(place).unwrap_or(0.5)).collect()
        };
        self.drawn.values_mut().for_each(|drawn| *drawn = point(drawn));
        for (parts, value) in std::mem::take(&mut self.generation) {
            self.learn(point(&parts), value);
        }
    }

    fn objectives(&self) -> &[Objective] {
        self.study.objectives()
    }

    /// A generation doesn't wait for all of the one before.
    fn lookahead(&self) -> usize {
        1
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn save(&self) -> Option<PartState> {
        let (drawn, generation) = (self.drawn.clone(), self.generation.clone());
        let state = State { distribution: self.distribution.state(), drawn, generation, restarts: self.restarts };
        StateForm::new(PART).pack_around(&state, self.study.save(PART)?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let form = StateForm::new(PART);
        let (state, study): (State, _) = form.unpack_around(state)?;
        let size = self.numbers.len();
        let expected = format!("{size}, as the space has");
        let wrong = || form.wrong("the number of variables", "another", &expected);
        let points = state.generation.iter().map(|(point, _)| point).chain(state.drawn.values());
        if points.into_iter().any(|point| point.len() != size) {
            return Err(wrong());
        }
        let distribution = Distribution::of_state(state.distribution, size).ok_or_else(wrong)?;
        self.study.restore(PART, study)?;
        self.distribution = distribution;
        (self.drawn, self.generation, self.restarts) = (state.drawn, state.generation, state.restarts);
        Ok(())
    }

    /// It is drawn again. If it would be another now, what it became is near to where it was drawn.
    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        let (point, drawn) = self.draw();
        let own = self.study.frame().config(&point, self.settings.seed, self.study.asked());
        if own.is_ok_and(|own| own == *config) {
            self.drawn.insert(trial, drawn);
        }
        self.study.replay(trial, config);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn name(&self) -> &str {
        PART
    }
}
