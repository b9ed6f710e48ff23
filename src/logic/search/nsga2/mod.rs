//! An evolution of configurations: the best of all so far have children, for one objective or several.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::breed::Crossover;
use self::breed::anywhere;
use self::population::{Individual, Member, best, ranked};
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report, pareto};
use crate::logic::space::{Frame, Shift, Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, Refused, SpecError};
use crate::logic::state::{PartState, StateError, float};

mod breed;
mod population;
mod state;

const PART: &str = "Nsga2";

/// The settings, as they are said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    objectives: Vec<Objective>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "default_population")]
    population: u32,
    #[serde(default)]
    crossover: Crossover,
    /// The probability that there is a second parent.
    #[serde(default = "default_crossover_prob", with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    crossover_prob: f64,
    /// The probability of each value that counts to be changed; none for one value in the mean.
    #[serde(default)]
    mutation_prob: Option<f64>,
    #[serde(default = "default_mutation_eta", with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
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
/// The first [`population`](Nsga2::population) trials (default 50) are drawn at random. Whenever as many have ended, they
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
/// In a space that is changed while the run goes on, those that lie outside of it have no more children: the others do, and where there
/// are none of them children are drawn at random until a generation is complete.
///
/// A suggestion costs O(variables); sorting comes once a generation, and nothing grows with the number of trials.
///
/// ```
/// use tryout::search::Nsga2;
/// use tryout::prelude::*;
///
/// let trade = function("trade", |config: Config, trial| {
///     let x = config.get::<f64>("x")?;
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
    settings: Settings,
    frame: Frame,
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
        Self::from_settings(Settings {
            space,
            objectives: objectives.to_vec(),
            seed,
            population: default_population(),
            crossover: Crossover::default(),
            crossover_prob: default_crossover_prob(),
            mutation_prob: None,
            mutation_eta: default_mutation_eta(),
        })
    }

    fn from_settings(settings: Settings) -> Result<Self, SpaceError> {
        let frame = Frame::new(settings.space.clone())?;
        let (parents, gathered, live) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self { settings, frame, drawn: 0, parents, gathered, live })
    }

    setters! {
        /// How many are in a generation; from 2. Default 50.
        population(size: u32) => settings.population = size;

        /// How two parents' values are mixed. Default [`Crossover::Uniform`].
        crossover(crossover: Crossover) => settings.crossover = crossover;

        /// The probability that a child has two parents and not only one; from 0 to 1. Default 0.9.
        crossover_prob(probability: f64) => settings.crossover_prob = probability;

        /// The probability of each value of a child to be changed; from 0 to 1. By default it is such that one value is changed
        /// in the mean. A child that would be like its parent is changed in any case.
        mutation_prob(probability: f64) => settings.mutation_prob = Some(probability);

        /// How little a number is changed: the index of the polynomial distribution, above 0. Default 20, with which it mostly
        /// moves by less than a twentieth of its range.
        mutation_eta(eta: f64) => settings.mutation_eta = eta;
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    fn check(&self) -> Result<(), Refused> {
        let check = Check(PART);
        let Settings { crossover, crossover_prob, mutation_prob, mutation_eta, .. } = self.settings;
        let probability =
            |setting, number: f64| check.require((0.0..=1.0).contains(&number), setting, number, "from 0 to 1");
        let positive = |setting, number: f64| {
            check.require(number.is_finite() && number > 0.0, setting, number, "a finite number above 0")
        };
        let expected = "at least one, here or as the experiment's objective";
        check.require(!self.settings.objectives.is_empty(), "objectives", "empty", expected)?;
        let named = self.settings.objectives.iter().all(|objective| !objective.metric.is_empty());
        check.require(named, "objectives", "a metric without a name", "names, as in `loss` or `test/accuracy`")?;
        check.require(self.settings.population >= 2, "population", self.settings.population, "at least 2")?;
        probability("crossover_prob", crossover_prob)?;
        probability("mutation_prob", mutation_prob.unwrap_or(0.0))?;
        positive("mutation_eta", mutation_eta)?;
        match crossover {
            Crossover::SimulatedBinary { eta } => positive("the crossover's eta", eta),
            Crossover::Uniform => Ok(()),
        }
    }

    /// A stream of random numbers that nobody else has.
    fn random(&mut self) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.drawn);
        self.drawn += 1;
        random
    }

    /// A child of the parents, and the number it was drawn with.
    fn child(&mut self) -> (Vec<f64>, u64) {
        let number = self.drawn;
        let mut random = self.random();
        (self.settings.child(&self.frame, &self.parents, &mut random), number)
    }

    fn gather(&mut self, individual: Individual) {
        self.gathered.push(individual);
        if self.gathered.len() >= self.settings.population.max(1) as usize {
            let parents = std::mem::take(&mut self.parents).into_iter().map(|member| member.individual);
            let all = parents.chain(self.gathered.drain(..)).collect();
            self.parents = ranked(best(all, self.settings.population as usize));
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
        let config = self.frame.config(&genes, self.settings.seed, number).map_err(SearchError::new)?;
        self.live.insert(trial, genes);
        Ok(Suggestion::Next(config))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(genes) = self.live.remove(&trial).filter(|_| ending != Ending::Withdrawn) else { return };
        let last = last.filter(|_| ending != Ending::Error);
        let scores = pareto::scores(&self.settings.objectives, |name| last?.number(name));
        self.gather(Individual { genes, scores });
    }

    /// Counts as one of the generation that is being gathered. The metrics must have a number for each objective.
    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        if let Some(missing) =
            self.settings.objectives.iter().find(|objective| metrics.number(&objective.metric).is_none())
        {
            let names: Vec<String> = metrics.iter().map(|(name, _)| format!("`{name}`")).collect();
            let (missing, names) = (&missing.metric, names.join(", "));
            return Err(SearchError::new(format!("the outcome has no number `{missing}`; it has {names}")));
        }
        let mut random = self.random();
        let hidden = anywhere(&self.frame, &mut random);
        let genes = self.genes(config, hidden)?;
        let scores = pareto::scores(&self.settings.objectives, |name| metrics.number(name));
        self.gather(Individual { genes, scores });
        Ok(())
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        if self.settings.objectives.is_empty() {
            self.settings.objectives.extend(objective.cloned());
        }
        Ok(self.check()?)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        Ok(Frame::new(self.settings.space.changed(changes)?)?.into_space())
    }

    fn set_space(&mut self, changes: &Space) {
        let Ok(frame) = self.settings.space.changed(changes).and_then(Frame::new) else { return };
        let shift = Shift::between(&self.frame, &frame);
        // Genes that don't show may be anything.
        let moved = |genes: Vec<f64>| -> Option<Vec<f64>> {
            let parts = shift.point(&genes.into_iter().map(Some).collect::<Vec<_>>());
            let shown = frame.holds(&parts);
            shown.then(|| parts.into_iter().map(|part| part.unwrap_or(0.5).clamp(0.0, 1.0)).collect())
        };
        let individual = |Individual { genes, scores }| Some(Individual { genes: moved(genes)?, scores });
        let parents = std::mem::take(&mut self.parents).into_iter().map(|member| member.individual);
        self.parents = ranked(parents.filter_map(individual).collect());
        self.gathered = std::mem::take(&mut self.gathered).into_iter().filter_map(individual).collect();
        let live = std::mem::take(&mut self.live).into_iter();
        self.live = live.filter_map(|(trial, genes)| Some((trial, moved(genes)?))).collect();
        self.frame = frame;
    }

    fn objectives(&self) -> &[Objective] {
        &self.settings.objectives
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn save(&self) -> Option<PartState> {
        self.state()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.load_state(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    /// What was tried counts, also if other settings would suggest something else now.
    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        let (genes, number) = self.child();
        // The configuration doesn't show where in its cell a whole number lies: the child itself is kept if it is the same.
        let same = self.frame.config(&genes, self.settings.seed, number).is_ok_and(|own| own == *config);
        // Of what isn't in the space any more nothing can be learnt.
        if let Some(genes) = if same { Some(genes) } else { self.genes(config, genes).ok() } {
            self.live.insert(trial, genes);
        }
        Ok(())
    }

    fn name(&self) -> &str {
        PART
    }
}
