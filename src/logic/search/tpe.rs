//! The tree-structured Parzen estimator: values that good trials had and bad ones hadn't.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tpe::density_estimation::DefaultEstimatorBuilder;
use tpe::{TpeOptimizer, TpeOptimizerBuilder};

use super::study::{Outcome, Study};
use super::{Effort, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{AxisKind, Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "Tpe";
/// No more outcomes than this count as good, however many there are.
const MOST_GOOD: f64 = 25.0;
/// So many outcomes of each budget are remembered, the newest.
const MOST_OF_A_BUDGET: usize = 1_000;
/// From so many outcomes on a suggestion takes longer than a run should wait.
const HEAVY: usize = 200;

/// Which outcomes a model is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// The last report of each trial that has ended.
    #[default]
    AtEnd,
    /// What trials reported when they were paused or ended, those with the largest number of iterations of which there are
    /// enough: for a scheduler that gives its trials budgets, such as [`HyperBand`](crate::logic::schedule::HyperBand).
    ByBudget,
}

/// Splits what was tried into good and bad, estimates for each variable how dense either lies, and tries next where good
/// ones are dense and bad ones aren't: the tree-structured Parzen estimator.
///
/// When to use it: the first choice for up to a few hundred trials with any mixture of numbers, choices and conditional
/// values, at almost no cost. Variables are modelled one by one: where only their combination matters, as in narrow
/// curved valleys, take [`GaussianProcess`](super::GaussianProcess) or [`CmaEs`](super::CmaEs).
///
/// - The first [`startup`](Tpe::startup) points are drawn at random.
/// - The best tenth is good, 25 at most. Of [`candidates`](Tpe::candidates) values that are drawn from the good ones' density
///   the one is taken that is likeliest to be good.
/// - A conditional variable learns from the trials that had it.
/// - A trial that failed, or whose last value is NaN, is as bad as can be. One that still runs isn't counted, nor one that
///   was ended before it reported.
/// - The 200 best outcomes and the newest others are remembered, a thousand in all.
/// - In a space that is changed while the run goes on, an outcome counts for the variables whose values are still in their ranges;
///   for the others it is one that hadn't them.
/// - Grids are refused: make them choices.
/// - With [`Model::ByBudget`] and [`HyperBand`](crate::logic::schedule::HyperBand) it is BOHB, but for the joint density.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::Tpe;
///
/// let space = Space::new().with("x", uniform(-10.0, 10.0)).with("kind", choice(["a", "b"]));
/// # let trainable = function("t", |config: Config, trial| {
/// #     trial.report([("loss", config.get::<f64>("x")?.powi(2))])?; Ok(()) });
/// let results = Experiment::new("parabola", trainable)
///     .searcher(Tpe::new(space, 7)?)
///     .samples(50)
///     .objective(Objective::min("loss"))
///     .run()?;
/// # assert!(results.best()?.last.as_ref().and_then(|last| last.number("loss")).is_some_and(|loss| loss < 1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", by the crate `tpe`; budgets: Falkner et al.
/// 2018, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale". Start-up and the size of the good part are
/// Optuna's.
#[derive(Clone, Debug)]
pub struct Tpe {
    settings: Settings,
    study: Study,
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// By iterations, if budgets count; none below the one that is modelled.
    budgets: BTreeMap<u64, Vec<Outcome>>,
    /// The budget at which a trial was counted last.
    counted: BTreeMap<TrialId, u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
    #[serde(default = "ten")]
    startup: u32,
    #[serde(default = "twenty_four")]
    candidates: u32,
    #[serde(default)]
    model: Model,
}

fn ten() -> u32 {
    10
}

fn twenty_four() -> u32 {
    24
}

impl Tpe {
    /// A searcher of `space`; all draws follow from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        let study = Study::new(space.clone())?;
        let settings = Settings { space, seed, startup: ten(), candidates: twenty_four(), model: Model::AtEnd };
        Ok(Self { settings, study, state: State::default() })
    }

    setters! {
        /// How many points are drawn at random before anything is modelled; at least 2. Default 10.
        startup(points: u32) => settings.startup = points;

        /// Of how many candidates a value is the best; at least 1. Default 24.
        candidates(candidates: u32) => settings.candidates = candidates;

        /// Which outcomes count. Default [`Model::AtEnd`].
        model(model: Model) => settings.model = model;
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        let settings: Settings = spec.read()?;
        let study = Study::new(settings.space.clone()).map_err(|error| spec.refuse(error))?;
        Ok(Self { settings, study, state: State::default() })
    }

    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("model", format_args!("{:?}", self.settings.model))
    }

    /// The outcomes that the next point is modelled on.
    fn outcomes(&self) -> &[Outcome] {
        match self.settings.model {
            Model::AtEnd => self.study.outcomes(),
            Model::ByBudget => {
                self.modelled().and_then(|budget| self.state.budgets.get(&budget)).map_or(&[], Vec::as_slice)
            }
        }
    }

    /// The largest budget with enough outcomes.
    fn modelled(&self) -> Option<u64> {
        let enough = |outcomes: &Vec<Outcome>| outcomes.len() >= self.settings.startup as usize;
        self.state.budgets.iter().rev().find(|(_, outcomes)| enough(outcomes)).map(|(budget, _)| *budget)
    }

    /// A coordinate for each axis, those that don't count drawn as any.
    fn point(&self) -> Result<Vec<f64>, SearchError> {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.study.asked());
        let (frame, outcomes) = (self.study.frame(), self.outcomes());
        let mut point: Vec<f64> = frame.axes().iter().map(|_| random.random()).collect();
        if outcomes.len() < self.settings.startup as usize {
            return Ok(point);
        }
        let gamma = 0.1_f64.min(MOST_GOOD / outcomes.len() as f64);
        let mut builder = TpeOptimizerBuilder::new();
        builder.gamma(gamma).candidates(self.settings.candidates as usize);
        // A choice comes before what depends on it.
        for (number, axis) in frame.axes().iter().enumerate() {
            if !frame.counts(number, &point) {
                continue;
            }
            let mut model = AxisModel::new(axis.kind(), &builder)?;
            for outcome in outcomes {
                model.tell(outcome.point.get(number).copied().flatten(), outcome.value)?;
            }
            point[number] = model.ask(&mut random)?;
        }
        Ok(point)
    }

    fn learn(&mut self, outcome: Outcome, budget: u64) {
        if self.settings.model == Model::ByBudget {
            let outcomes = self.state.budgets.entry(budget).or_default();
            outcomes.push(outcome);
            if outcomes.len() > MOST_OF_A_BUDGET {
                outcomes.remove(0);
            }
            // What is enough stays enough: smaller budgets never count again.
            if let Some(modelled) = self.modelled() {
                self.state.budgets = self.state.budgets.split_off(&modelled);
            }
        } else {
            self.study.learn(outcome);
        }
    }
}

/// The model of one variable.
struct AxisModel {
    optimizer: TpeOptimizer<DefaultEstimatorBuilder>,
    /// How many options there are, if it is a choice.
    options: Option<usize>,
}

impl AxisModel {
    fn new(kind: AxisKind, builder: &TpeOptimizerBuilder) -> Result<Self, SearchError> {
        let (estimator, range, options) = match kind {
            AxisKind::Options(count) => (tpe::histogram_estimator(), tpe::categorical_range(count), Some(count)),
            _ => (tpe::parzen_estimator(), tpe::range(0.0, 1.0 + f64::EPSILON), None),
        };
        let range = range.map_err(|error| SearchError::new(error.to_string()))?;
        let optimizer = builder.build(estimator, range).map_err(|error| SearchError::new(error.to_string()))?;
        Ok(Self { optimizer, options })
    }

    fn tell(&mut self, part: Option<f64>, value: f64) -> Result<(), SearchError> {
        let parameter = match (part, self.options) {
            (Some(part), None) if (0.0..=1.0).contains(&part) => part,
            // It hadn't this variable, or its value isn't in the range any more.
            (_, None) | (None, _) => f64::NAN,
            (Some(part), Some(count)) => (part * count as f64).floor().clamp(0.0, count as f64 - 1.0),
        };
        self.optimizer.tell(parameter, value).map_err(|error| SearchError::new(error.to_string()))
    }

    fn ask(&mut self, random: &mut ChaCha8Rng) -> Result<f64, SearchError> {
        let value = self.optimizer.ask(random).map_err(|error| SearchError::new(error.to_string()))?;
        Ok(self.options.map_or(value, |count| (value.floor() + 0.5) / count as f64))
    }
}

impl Searcher for Tpe {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let point = self.point()?;
        self.study.begin(trial, &point, self.settings.seed).map(Suggestion::Next)
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        if self.settings.model == Model::ByBudget
            && let Some((outcome, last)) = self.study.so_far(trial, last).zip(last)
            // It may be paused again, or ended, where it was paused before.
            && self.state.counted.insert(trial, last.iteration()) != Some(last.iteration())
        {
            self.learn(outcome, last.iteration());
        }
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let (counted, budget) = (self.state.counted.remove(&trial), last.map_or(0, Report::iteration));
        if let Some(outcome) = self.study.end(trial, ending, last)
            && counted != Some(budget)
        {
            self.learn(outcome, budget);
        }
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        let outcome = self.study.observe(config, metrics)?;
        let budget = metrics.get("training_iteration").and_then(|value| value.as_f64()).unwrap_or(0.0);
        self.learn(outcome, budget as u64);
        Ok(())
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        let Settings { startup, candidates, .. } = self.settings;
        Check(PART).require(startup >= 2, "startup", startup, "at least 2")?;
        Check(PART).require(candidates > 0, "candidates", candidates, "at least 1")?;
        self.study.prepare(PART, objective)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        Study::space_with(&self.settings.space, changes)
    }

    fn set_space(&mut self, changes: &Space) {
        if let Some(shift) = self.study.set_space(&self.settings.space, changes) {
            let outcomes = self.state.budgets.values_mut().flatten();
            outcomes.for_each(|outcome| outcome.point = shift.point(&outcome.point));
        }
    }

    fn objectives(&self) -> &[Objective] {
        self.study.objectives()
    }

    fn effort(&self) -> Effort {
        if self.outcomes().len() < HEAVY { Effort::Light } else { Effort::Heavy }
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack_around(&self.state, self.study.save(PART)?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (state, study) = self.state_form().unpack_around(state)?;
        self.study.restore(PART, study)?;
        self.state = state;
        Ok(())
    }

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
