//! CMA-ES: a normal distribution of points that moves, stretches and turns towards the better ones.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::model::{Model, ModelState};
use super::study::{Outcome, Study};
use super::tried::Tried;
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, StateForm, float};

mod distribution;
mod margin;
mod model;
mod options;
mod rates;

#[cfg(test)]
mod tests;

const PART: &str = "CmaEs";
/// So many points in a row that were tried before are only counted; then one is looked for that wasn't.
const REPEATS: usize = 100;

/// The covariance matrix adaptation evolution strategy: points are drawn from a normal distribution, which learns from
/// each generation where and in what direction better ones lie.
///
/// When to use it: for a few to about fifty numbers, whole or not, and choices beside them, with at least a hundred trials for each ten
/// of them, on functions that are rough, curved or badly scaled. It needs no model of the values, only their order, and costs
/// microseconds. For few trials take [`Tpe`](super::Tpe).
///
/// - Suggestions never wait: as many trials as there is room for are drawn from the distribution as it is. A generation is
///   complete with so many outcomes, whichever generation their trials were drawn in.
/// - Directions of one generation are at right angles to one another, as many as there are numbers.
/// - A trial that failed, or whose last value is NaN, is the worst of its generation.
/// - A point that falls outside of its range is drawn anew, and after a hundred times taken to the bound.
/// - Whole numbers and steps are learnt as what they are. None becomes certain: the neighbours of the one at the mean keep a probability
///   of one by the number of variables and the population together, or half of that each.
/// - Choices are drawn independently, each option with a probability that is learnt. None becomes impossible: with a probability of
///   0.27 some choice is other than its likeliest.
/// - What is nested in an option is learnt from the points that took it.
/// - In a space of choices and few whole numbers alone nothing is tried twice, until all was tried: what is drawn again counts with the
///   value that it had.
/// - In a space that is changed while the run goes on, mean and steps keep their places: a mean outside goes to the nearer bound, steps
///   become no wider than the first ones, a new option is as likely as any, and outcomes outside count for nothing.
/// - When its steps become too small to matter, or many generations in a row had the same best value, it begins anew at a random place
///   with twice the population.
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
/// Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; weights of the worse half: Jastrebski and Arnold 2006, "Improving
/// Evolution Strategies through Active Covariance Matrix Adaptation"; the margin: Hamano et al. 2022, "CMA-ES with Margin: Lower-Bounding
/// Marginal Probability for Mixed-Integer Black-Box Optimization"; choices: Hamano et al. 2024, "CatCMA: Stochastic Optimization for
/// Mixed-Category Problems"; restarts: Auger and Hansen 2005, "A Restart CMA Evolution Strategy With Increasing Population Size";
/// directions at right angles: Wang, Emmerich and Bäck 2019, "Mirrored Orthogonal Sampling for Covariance Matrix Adaptation Evolution
/// Strategies". The first step, a sixth of each range, is Optuna's, and so is that whole numbers are learnt rounded.
#[derive(Clone, Debug)]
pub struct CmaEs {
    settings: Settings,
    study: Study,
    model: Model,
    generation: Vec<Outcome>,
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
    model: ModelState,
    generation: Vec<Outcome>,
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
        let model = Model::new(study.frame(), settings.sigma, settings.population);
        Ok(Self { settings, study, model, generation: Vec::new(), restarts: 0 })
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.model = Model::new(self.study.frame(), self.settings.sigma, self.settings.population);
        self
    }

    /// How far from the middle the first points are drawn: the standard deviation, in ranges; from 1e-6 to 1. Default 1/6.
    #[must_use]
    pub fn sigma(self, sigma: f64) -> Self {
        self.set(|settings| settings.sigma = sigma)
    }

    /// How many outcomes make a generation; at least 4. By default 4 and three times the logarithm of the number of
    /// variables.
    #[must_use]
    pub fn population(self, population: usize) -> Self {
        self.set(|settings| settings.population = Some(population))
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    fn learn(&mut self, outcome: Outcome) {
        // The space was changed since it was suggested.
        if !self.study.frame().holds(&outcome.point) {
            return;
        }
        self.generation.push(outcome);
        if self.generation.len() < self.model.population() {
            return;
        }
        self.model.learn(std::mem::take(&mut self.generation));
        if self.model.is_at_rest() {
            self.restarts += 1;
            let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed ^ self.restarts.rotate_left(32));
            self.model = self.model.anew(self.study.frame(), &mut random);
        }
    }

    /// The same for one that came of a trial, or that was told.
    fn hear(&mut self, outcome: Outcome) {
        if Tried::can_be_told(self.study.frame()) {
            self.study.learn(outcome.clone());
        }
        self.learn(outcome);
    }

    /// The next point. Points that were tried before are counted once more on the way to it.
    fn draw(&mut self) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.study.asked());
        if !Tried::can_be_told(self.study.frame()) {
            return self.model.draw(self.settings.seed, &mut random);
        }
        let points = self.study.outcomes().iter().map(|outcome| &outcome.point);
        let tried = Tried::new(self.study.frame(), points.chain(self.study.trying()));
        for _ in 0..REPEATS {
            let draft = self.model.draw(self.settings.seed, &mut random);
            let Some(place) = tried.place_of(self.study.frame(), &draft) else { return draft };
            // One that is being tried has none yet.
            if let Some(outcome) = self.study.outcomes().get(place).cloned() {
                self.learn(outcome);
            }
        }
        tried.anywhere(self.study.frame(), &mut random)
    }
}

impl Searcher for CmaEs {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let point = self.draw();
        self.study.begin(trial, &point, self.settings.seed).map(Suggestion::Next)
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        if let Some(outcome) = self.study.end(trial, ending, last) {
            self.hear(outcome);
        }
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        let outcome = self.study.observe(config, metrics)?;
        self.hear(outcome);
        Ok(())
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        let (check, sigma) = (Check(PART), self.settings.sigma);
        check.require((1e-6..=1.0).contains(&sigma), "sigma", sigma, "from 1e-6 to 1")?;
        let population = self.settings.population.unwrap_or(usize::MAX);
        check.require(population >= 4, "population", population, "at least 4")?;
        self.study.prepare(PART, objective)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        Study::space_with(&self.settings.space, changes)
    }

    fn set_space(&mut self, changes: &Space) {
        let Some(shift) = self.study.set_space(&self.settings.space, changes) else { return };
        self.model = self.model.moved(self.study.frame(), &shift);
        for outcome in std::mem::take(&mut self.generation) {
            let point = shift.point(&outcome.point);
            self.learn(Outcome { point, ..outcome });
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
        let state = State { model: self.model.state(), generation: self.generation.clone(), restarts: self.restarts };
        StateForm::new(PART).pack_around(&state, self.study.save(PART)?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let form = StateForm::new(PART);
        let (State { model, generation, restarts }, study) = form.unpack_around(state)?;
        let axes = self.study.frame().axes().len();
        let expected = format!("{axes}, as the space has");
        let wrong = || form.wrong("the number of variables", "another", &expected);
        if generation.iter().any(|outcome| outcome.point.len() != axes) {
            return Err(wrong());
        }
        let model = self.model.with_state(self.study.frame(), model).ok_or_else(wrong)?;
        self.study.restore(PART, study)?;
        (self.model, self.generation, self.restarts) = (model, generation, restarts);
        Ok(())
    }

    /// What was counted on the way to it is counted again.
    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.draw();
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
