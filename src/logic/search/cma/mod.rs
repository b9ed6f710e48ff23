//! CMA-ES: a normal distribution of points that moves, stretches and turns towards the better ones.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::distribution::{Distribution, SavedDistribution};
use super::setting::SearchSettingError;
use super::study::{Outcome, SavedStudy, Study};
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{AxisKind, Space, SpaceError};
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{Float, PartState, StateError, common_run, float, pack, unpack};

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
/// - When its steps become too small to matter, it begins anew at a random place with twice the population.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::CmaEs;
///
/// let space = Space::new().with("x", uniform(-10.0, 10.0)).with("y", uniform(-10.0, 10.0));
/// # let trainable = function("t", |config: Config, trial| {
/// #     let (x, y) = (config.number("x").unwrap_or(0.0), config.number("y").unwrap_or(0.0));
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
#[serde(deny_unknown_fields)]
struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
    #[serde(default = "sixth", with = "float")]
    sigma: f64,
    #[serde(default)]
    population: Option<usize>,
}

fn sixth() -> f64 {
    1.0 / 6.0
}

#[derive(Serialize, Deserialize)]
struct Saved {
    study: SavedStudy,
    distribution: SavedDistribution,
    run: RunId,
    drawn: Vec<(u32, Vec<Float>)>,
    generation: Vec<(Vec<Float>, Float)>,
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
        let axes = study.frame().axes().iter().enumerate();
        let numbers: Vec<usize> =
            axes.filter(|(_, axis)| !matches!(axis.kind(), AxisKind::Options(_))).map(|(number, _)| number).collect();
        let distribution = Distribution::new(vec![0.5; numbers.len()], settings.sigma, first(&settings, numbers.len()));
        let (drawn, generation) = (BTreeMap::new(), Vec::new());
        Ok(Self { settings, study, numbers, distribution, drawn, generation, restarts: 0 })
    }

    /// How far from the middle the first points are drawn: the standard deviation, in ranges; above 0. Default 1/6.
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

    /// The numbers of a point; what doesn't count there is in the middle.
    fn numbers_of(&self, outcome: &Outcome) -> Vec<f64> {
        self.numbers.iter().map(|&axis| outcome.point.get(axis).copied().flatten().unwrap_or(0.5)).collect()
    }
}

fn first(settings: &Settings, size: usize) -> usize {
    settings.population.unwrap_or(4 + (3.0 * (size.max(1) as f64).ln()) as usize)
}

impl Searcher for CmaEs {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.study.asked());
        let mut point: Vec<f64> = self.study.frame().axes().iter().map(|_| random.random()).collect();
        let drawn = self.distribution.draw(&mut random);
        for (&axis, part) in self.numbers.iter().zip(&drawn) {
            point[axis] = *part;
        }
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
        let refuse = |setting, value: String, expected| {
            Err(SearchSettingError { searcher: PART, setting, value, expected }.into())
        };
        if self.numbers.is_empty() {
            return refuse(
                "space",
                "without a number".to_owned(),
                "one with ranges: choices alone are drawn at random",
            );
        }
        if !(self.settings.sigma.is_finite() && self.settings.sigma > 0.0) {
            return refuse("sigma", self.settings.sigma.to_string(), "finite and above 0");
        }
        if let Some(few @ 0..4) = self.settings.population {
            return refuse("population", few.to_string(), "at least 4");
        }
        self.study.prepare(PART, objective)
    }

    fn objectives(&self) -> &[Objective] {
        self.study.objectives()
    }

    /// A generation doesn't wait for all of the one before.
    fn lookahead(&self) -> usize {
        1
    }

    fn save(&self) -> Option<PartState> {
        let floats = |values: &[f64]| values.iter().map(|value| Float(*value)).collect::<Vec<_>>();
        let saved = Saved {
            study: self.study.saved()?,
            distribution: self.distribution.saved(),
            run: common_run(self.drawn.keys().copied())?,
            drawn: self.drawn.iter().map(|(trial, drawn)| (trial.number(), floats(drawn))).collect(),
            generation: self.generation.iter().map(|(point, value)| (floats(point), Float(*value))).collect(),
            restarts: self.restarts,
        };
        pack(PART, &saved)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        let size = self.numbers.len();
        let numbers = |floats: Vec<Float>| floats.into_iter().map(|float| float.0).collect::<Vec<f64>>();
        let wrong = || StateError::Value {
            part: PART,
            at: "the number of variables",
            found: "another".to_owned(),
            expected: format!("{size}, as the space has"),
        };
        let fits = saved.generation.iter().all(|(point, _)| point.len() == size);
        if !fits || saved.drawn.iter().any(|(_, drawn)| drawn.len() != size) {
            return Err(wrong());
        }
        let distribution = Distribution::restored(saved.distribution, size).ok_or_else(wrong)?;
        self.study.take_up(PART, saved.study)?;
        self.distribution = distribution;
        let id = |number| TrialId::new(saved.run, number);
        self.drawn = saved.drawn.into_iter().map(|(number, drawn)| (id(number), numbers(drawn))).collect();
        self.generation = saved.generation.into_iter().map(|(point, value)| (numbers(point), value.0)).collect();
        self.restarts = saved.restarts;
        Ok(())
    }

    /// Where it was drawn isn't known any more: what it became is near.
    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
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
