//! The tree-structured Parzen estimator: values that good trials had and bad ones hadn't.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::propose::likeliest;
use self::split::split;
use super::study::{Outcome, Point, Study};
use super::tried::Tried;
use super::{Effort, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, StateForm, float};

mod mixture;
mod propose;
mod split;
mod width;

const PART: &str = "Tpe";
/// So many outcomes of each budget are remembered, the newest.
const MOST_OF_A_BUDGET: usize = 1_000;
/// How much a trial that runs counts as bad.
const RUNNING: f64 = 0.5;
/// No more of them than these, the newest.
const MOST_RUNNING: usize = 100;
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

/// Splits what was tried into good and bad, estimates how dense either lies in the space, and tries next where good
/// ones are dense and bad ones aren't: the tree-structured Parzen estimator, with a joint density over all variables.
///
/// When to use it: the first choice for up to a few hundred trials with any mixture of numbers, choices and conditional
/// values, at almost no cost. With few trials, numbers only and time to think [`GaussianProcess`](super::GaussianProcess) finds more.
///
/// - The first [`startup`](Tpe::startup) points are drawn at random.
/// - The best tenth is good, 25 at most; each of them counts by the logarithm of its rank, with several objectives all alike. Of
///   [`candidates`](Tpe::candidates) points that are drawn from the good ones' density the one is taken where it is largest beside
///   the bad ones'.
/// - A density has a kernel at each point, which is a product over all variables, and a wide one, the prior. On a number a kernel is a
///   normal distribution that ends at the bounds; on whole numbers and steps, if they are at most 32, it is the mass of each one's cell;
///   on a choice it is the option, with some weight for the others.
/// - A conditional variable that a point hasn't is there as the prior has it.
/// - In a space of choices and steps alone nothing is tried twice, until all was tried.
/// - A trial that runs counts as half a bad one ([`running_as_bad`](Tpe::running_as_bad)). A trial that failed, or whose last value is
///   NaN, is as bad as can be. One that was ended before it reported isn't counted.
/// - A trial that the scheduler or a client ended counts for what it says: after all that came to their end, the one that got further
///   before the others, and by its value among those that got as far.
/// - The 200 best outcomes and the newest others are remembered, a thousand in all. A suggestion costs O(variables) for each.
/// - In a space that is changed while the run goes on, an outcome counts for the variables whose values are still in their ranges;
///   for the others it is one that hadn't them.
/// - Grids are refused: make them choices.
/// - With [`Model::ByBudget`] and [`HyperBand`](crate::logic::schedule::HyperBand) it is BOHB.
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
/// Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; the joint density, budgets: Falkner et al.
/// 2018, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale"; what each part
/// is worth: Watanabe 2023, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their Roles for Better
/// Empirical Performance"; weights by rank: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; widths of bad kernels, which are less
/// in few dimensions: Scott 1992, "Multivariate Density Estimation"; trials that run: Ginsbourger et
/// al. 2010, "Kriging Is Well-Suited to Parallelize Optimization". Start-up, the size of the good part, the widths of good
/// kernels, how old outcomes fade and how trials that were stopped are ordered are Optuna's.
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
    #[serde(default = "sixty_four")]
    candidates: u32,
    #[serde(default)]
    model: Model,
    #[serde(default, with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    random_share: f64,
    #[serde(default = "twenty_five")]
    recent: u32,
    #[serde(default = "yes")]
    running_as_bad: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    objectives: Vec<Objective>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    constraints: Vec<String>,
}

fn ten() -> u32 {
    10
}

fn sixty_four() -> u32 {
    64
}

fn twenty_five() -> u32 {
    25
}

fn yes() -> bool {
    true
}

impl Tpe {
    /// A searcher of `space`; all draws follow from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        let study = Study::new(space.clone())?;
        let settings = Settings {
            space,
            seed,
            startup: ten(),
            candidates: sixty_four(),
            model: Model::AtEnd,
            random_share: 0.0,
            recent: twenty_five(),
            running_as_bad: yes(),
            objectives: Vec::new(),
            constraints: Vec::new(),
        };
        Ok(Self { settings, study, state: State::default() })
    }

    setters! {
        /// How many points are drawn at random before anything is modelled; at least 2. Default 10.
        startup(points: u32) => settings.startup = points;

        /// Of how many candidates a point is the likeliest to be good; at least 1. More of them make it greedier. Default 64.
        candidates(candidates: u32) => settings.candidates = candidates;

        /// Which outcomes count. Default [`Model::AtEnd`].
        model(model: Model) => settings.model = model;

        /// The share of points that are drawn at random, from 0 to 1. Default 0: the prior is part of every density, so that any point
        /// may be drawn at any time.
        random_share(share: f64) => settings.random_share = share;

        /// So many of the newest bad outcomes count in full, and older ones the less the older they are; from 0. Default 25. With
        /// `u32::MAX` all count alike.
        recent(outcomes: u32) => settings.recent = outcomes;

        /// Whether a trial that runs counts as bad until more is known, so that no two at a time try nearly the same. Default true.
        running_as_bad(whether: bool) => settings.running_as_bad = whether;

        /// Several objectives, in the place of the experiment's: good are the points that no other dominates, then those of the next
        /// front, and of a front that hasn't room as a whole those that together dominate most. Every report must have a number for
        /// each. Default none: the experiment's objective is the only one.
        judged_by(objectives: &[Objective]) => settings.objectives = objectives.to_vec();

        /// Metrics that must be at most 0 for a trial to be of use, such as the memory it took less what there is. One that is above
        /// counts as worse than all that came to something otherwise, by how much all of them are above together; one that lacks a
        /// number counts as above all. Default none.
        constraints(metrics: &[&str]) => settings.constraints = metrics.iter().map(|metric| (*metric).to_owned()).collect();
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

    /// The points of trials that run, of which nothing is known yet.
    fn running(&self) -> impl Iterator<Item = &Point> {
        let paused = |trial: &TrialId| self.settings.model == Model::ByBudget && self.state.counted.contains_key(trial);
        self.study.live().filter(move |(trial, _)| !paused(trial)).map(|(_, point)| point)
    }

    /// A coordinate for each axis, those that don't count drawn as any.
    fn point(&self) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.study.asked());
        let Settings { startup, candidates, random_share, recent, running_as_bad, .. } = self.settings;
        let (frame, outcomes) = (self.study.frame(), self.outcomes());
        let tried = outcomes.iter().map(|outcome| &outcome.point).chain(self.study.trying());
        let tried = Tried::new(frame, tried);
        if outcomes.len() < startup as usize || random.random::<f64>() < random_share {
            return tried.anywhere(frame, &mut random);
        }
        let (good, mut bad) = split(outcomes, recent as usize);
        if running_as_bad {
            let running: Vec<&Point> = self.running().collect();
            let newest = running.iter().rev().take(MOST_RUNNING);
            newest.for_each(|point| bad.push(point, RUNNING));
        }
        likeliest(frame, (&good, &bad), candidates, &tried, &mut random)
    }

    fn learn(&mut self, mut outcome: Outcome, budget: u64) {
        if self.settings.model == Model::ByBudget {
            // Those of one budget can be compared.
            outcome.stopped = None;
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

impl Searcher for Tpe {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let point = self.point();
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
        let Settings { startup, candidates, random_share, .. } = self.settings;
        Check(PART).require(startup >= 2, "startup", startup, "at least 2")?;
        Check(PART).require(candidates > 0, "candidates", candidates, "at least 1")?;
        let is_share = (0.0..=1.0).contains(&random_share);
        Check(PART).require(is_share, "random_share", random_share, "from 0 to 1")?;
        let Settings { objectives, constraints, .. } = &self.settings;
        let mut names = objectives.iter().map(|objective| &objective.metric).chain(constraints);
        let named = names.all(|name| !name.is_empty());
        Check(PART).require(
            named,
            "objectives",
            "a metric without a name",
            "names, as in `loss` or `test/accuracy`",
        )?;
        if objectives.is_empty() {
            self.study.prepare(PART, objective)?;
        }
        let objectives = if objectives.is_empty() { self.study.objectives().to_vec() } else { objectives.clone() };
        self.study.judge_by(&objectives, constraints);
        Ok(())
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
