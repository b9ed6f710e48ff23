//! An evolution of configurations: the best of all so far have children, for one objective or several.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::breed::Crossover;
use self::breed::{Breeding, anywhere};
use self::population::{Individual, Member, best, ranked};
use super::setting::SearchSettingError;
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report, pareto};
use crate::logic::space::{Frame, Space, SpaceError};
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, float};

mod breed;
mod population;
mod saved;

const PART: &str = "Nsga2";

/// The settings, as they are said.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings<'a> {
    space: Cow<'a, Space>,
    #[serde(default)]
    objectives: Cow<'a, [Objective]>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "default_population")]
    population: u32,
    #[serde(default)]
    crossover: Crossover,
    #[serde(default = "default_crossover_prob", with = "float")]
    crossover_prob: f64,
    #[serde(default)]
    mutation_prob: Option<f64>,
    #[serde(default = "default_mutation_eta", with = "float")]
    mutation_eta: f64,
}

fn default_population() -> u32 {
    50
}

fn default_crossover_prob() -> f64 {
    0.9
}

fn default_mutation_eta() -> f64 {
    20.0
}

/// Suggests children of the best configurations so far: the evolutionary algorithm NSGA-II. For several objectives that pull
/// in different directions (accuracy and size), in spaces of any kind, with some hundreds of trials and more; with one
/// objective it works too, but searchers that model it need fewer trials.
///
/// The first [`population`](Nsga2::population) trials (50 if not said) are drawn at random. Whenever as many have ended, they
/// and their parents' generation are sorted into fronts (a point on the first is dominated by none), and the best of them are
/// the parents of what comes next: whole fronts as long as they find a place, then those with the most room around them.
/// A parent is the better of two that are drawn; two parents' values are [mixed](Nsga2::crossover), then some are
/// [changed](Nsga2::mutation_prob). Nobody waits for a generation to be complete: children come from the newest parents there
/// are, and whoever ends late counts in the generation that is then being gathered.
///
/// The values of a trial are those of its last report. One that failed, or has no number (NaN) for an objective, counts as
/// worse than all others and never has children. Numbers are bred on their own scale, options of a choice are taken from
/// a parent or drawn; what is nested in an option that isn't taken is inherited unseen.
///
/// A suggestion costs O(variables); sorting comes once a generation, and nothing grows with the number of trials.
///
/// ```
/// use tryout::logic::search::Nsga2;
/// use tryout::prelude::*;
///
/// let trade = function("trade", |config: Config, trial| {
///     let x = config.number("x").unwrap_or(0.0);
///     Ok(trial.report([("cost", x * x), ("delay", (x - 2.0) * (x - 2.0))])?)
/// });
/// let objectives = [Objective::min("cost"), Objective::min("delay")];
/// let search = Nsga2::new(Space::new().with("x", uniform(-10.0, 10.0)), &objectives, 0)?.population(20);
/// let results = Experiment::new("trade", trade).searcher(search).samples(400).run()?;
///
/// // The best compromises lie between 0 and 2.
/// let front = results.pareto(&objectives, Scope::Last);
/// assert!(front.len() > 20);
/// assert!(front.iter().all(|trial| trial.config.number("x").is_some_and(|x| (-0.1..2.1).contains(&x))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Deb, Pratap, Agarwal and Meyarivan 2002, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", with its
/// polynomial mutation and, if wanted, its simulated binary crossover. The size of the population, uniform crossover, and
/// children without waiting for a generation are those of Optuna's `NSGAIISampler`.
#[derive(Clone, Debug)]
pub struct Nsga2 {
    frame: Frame,
    objectives: Vec<Objective>,
    seed: u64,
    size: u32,
    breeding: Breeding,
    /// How many streams of random numbers have been used.
    drawn: u64,
    /// Who has children now; empty in the first generation.
    parents: Vec<Member>,
    /// Who has ended since.
    gathered: Vec<Individual>,
    /// The genes of live trials.
    live: BTreeMap<TrialId, Vec<f64>>,
}

impl Nsga2 {
    /// A search of `space` for what is best by `objectives`, each of them a metric that every report must have. If there are
    /// none, the experiment's objective is the only one. The same seed, with outcomes in the same order, gives the same
    /// suggestions.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, objectives: &[Objective], seed: u64) -> Result<Self, SpaceError> {
        let breeding = Breeding {
            crossover: Crossover::default(),
            crossover_prob: default_crossover_prob(),
            mutation_prob: None,
            mutation_eta: default_mutation_eta(),
        };
        Ok(Self {
            frame: Frame::new(space)?,
            objectives: objectives.to_vec(),
            seed,
            size: default_population(),
            breeding,
            drawn: 0,
            parents: Vec::new(),
            gathered: Vec::new(),
            live: BTreeMap::new(),
        })
    }

    /// How many are in a generation; from 2. Default 50.
    #[must_use]
    pub fn population(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// How two parents' values are mixed. Default [`Crossover::Uniform`].
    #[must_use]
    pub fn crossover(mut self, crossover: Crossover) -> Self {
        self.breeding.crossover = crossover;
        self
    }

    /// The probability that a child has two parents and not only one; from 0 to 1. Default 0.9.
    #[must_use]
    pub fn crossover_prob(mut self, probability: f64) -> Self {
        self.breeding.crossover_prob = probability;
        self
    }

    /// The probability of each value of a child to be changed; from 0 to 1. By default it is such that one value is changed
    /// in the mean. A child that would be like its parent is changed in any case.
    #[must_use]
    pub fn mutation_prob(mut self, probability: f64) -> Self {
        self.breeding.mutation_prob = Some(probability);
        self
    }

    /// How little a number is changed: the index of the polynomial distribution, above 0. Default 20, with which it mostly
    /// moves by less than a twentieth of its range.
    #[must_use]
    pub fn mutation_eta(mut self, eta: f64) -> Self {
        self.breeding.mutation_eta = eta;
        self
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        let set: Settings<'static> = spec.read()?;
        let made = Nsga2::new(set.space.into_owned(), &set.objectives, set.seed).map_err(|error| spec.refuse(error))?;
        let Settings { crossover, crossover_prob, mutation_prob, mutation_eta, .. } = set;
        let breeding = Breeding { crossover, crossover_prob, mutation_prob, mutation_eta };
        Ok(Self { size: set.population, breeding, ..made })
    }

    fn check(&self) -> Result<(), SearchSettingError> {
        let refuse =
            |setting, value: String, expected| Err(SearchSettingError { searcher: PART, setting, value, expected });
        let Breeding { crossover, crossover_prob, mutation_prob, mutation_eta } = self.breeding;
        if self.objectives.is_empty() {
            return refuse("objectives", "empty".to_owned(), "at least one, here or as the experiment's objective");
        }
        if self.objectives.iter().any(|objective| objective.metric.is_empty()) {
            return refuse(
                "objectives",
                "a metric without a name".to_owned(),
                "names, as in `loss` or `test/accuracy`",
            );
        }
        if self.size < 2 {
            return refuse("population", self.size.to_string(), "at least 2");
        }
        if !(0.0..=1.0).contains(&crossover_prob) {
            return refuse("crossover_prob", crossover_prob.to_string(), "from 0 to 1");
        }
        if let Some(probability) = mutation_prob.filter(|probability| !(0.0..=1.0).contains(probability)) {
            return refuse("mutation_prob", probability.to_string(), "from 0 to 1");
        }
        let positive = |eta: f64| eta.is_finite() && eta > 0.0;
        if !positive(mutation_eta) {
            return refuse("mutation_eta", mutation_eta.to_string(), "a finite number above 0");
        }
        match crossover {
            Crossover::SimulatedBinary { eta } if !positive(eta) => {
                refuse("the crossover's eta", eta.to_string(), "a finite number above 0")
            }
            _ => Ok(()),
        }
    }

    /// A stream of random numbers that nobody else has.
    fn random(&mut self) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.drawn);
        self.drawn += 1;
        random
    }

    /// A child of the parents, and the number it was drawn with.
    fn child(&mut self) -> (Vec<f64>, u64) {
        let number = self.drawn;
        let mut random = self.random();
        (self.breeding.child(&self.frame, &self.parents, &mut random), number)
    }

    fn gather(&mut self, individual: Individual) {
        self.gathered.push(individual);
        if self.gathered.len() >= self.size.max(1) as usize {
            let parents = std::mem::take(&mut self.parents).into_iter().map(|member| member.individual);
            let all = parents.chain(self.gathered.drain(..)).collect();
            self.parents = ranked(best(all, self.size as usize));
        }
    }

    /// The genes of a configuration that comes from elsewhere: those that it doesn't show are `hidden`.
    fn genes(&self, config: &Config, hidden: Vec<f64>) -> Result<Vec<f64>, SearchError> {
        let point = self.frame.point(config).map_err(SearchError::new)?;
        Ok(point.into_iter().zip(hidden).map(|(shown, hidden)| shown.unwrap_or(hidden)).collect())
    }
}

impl Searcher for Nsga2 {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let (genes, number) = self.child();
        let config = self.frame.config(&genes, self.seed, number).map_err(SearchError::new)?;
        self.live.insert(trial, genes);
        Ok(Suggestion::Next(config))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(genes) = self.live.remove(&trial) else { return };
        let last = last.filter(|_| ending != Ending::Error);
        let scores = pareto::scores(&self.objectives, |name| last?.number(name));
        self.gather(Individual { genes, scores });
    }

    /// Counts as one of the generation that is being gathered. The metrics must have a number for each objective.
    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        if let Some(missing) = self.objectives.iter().find(|objective| metrics.number(&objective.metric).is_none()) {
            let names: Vec<String> = metrics.iter().map(|(name, _)| format!("`{name}`")).collect();
            let (missing, names) = (&missing.metric, names.join(", "));
            return Err(SearchError::new(format!("the outcome has no number `{missing}`; it has {names}")));
        }
        let mut random = self.random();
        let hidden = anywhere(&self.frame, &mut random);
        let genes = self.genes(config, hidden)?;
        let scores = pareto::scores(&self.objectives, |name| metrics.number(name));
        self.gather(Individual { genes, scores });
        Ok(())
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        if self.objectives.is_empty() {
            self.objectives.extend(objective.cloned());
        }
        Ok(self.check()?)
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn save(&self) -> Option<PartState> {
        self.saved()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.take_up(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        let Breeding { crossover, crossover_prob, mutation_prob, mutation_eta } = self.breeding;
        let settings = Settings {
            space: Cow::Borrowed(self.frame.space()),
            objectives: Cow::Borrowed(&self.objectives),
            seed: self.seed,
            population: self.size,
            crossover,
            crossover_prob,
            mutation_prob,
            mutation_eta,
        };
        PartSpec::new(PART, &settings)
    }

    /// What was tried counts, also if other settings would suggest something else now.
    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        let (genes, _) = self.child();
        // Of what isn't in the space any more nothing can be learnt.
        if let Ok(genes) = self.genes(config, genes) {
            self.live.insert(trial, genes);
        }
        Ok(())
    }

    fn name(&self) -> &str {
        PART
    }
}
