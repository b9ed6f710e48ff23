//! Population-based training: the weak go on as mutated copies of the strong.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::mutate::{Mutations, Refusal, Step};
use self::turn::Run;
use super::{Buffering, Cohort, ScheduleError, Scheduler, settle_objective, steps};
use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::function::Function;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::space::{Space, SpaceError};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, float};

#[cfg(feature = "gp")]
mod bandit;
mod exploration;
mod mutate;
mod policy;
mod population;
mod state;
mod turn;

pub use exploration::Exploration;
pub use policy::{Policy, PolicyStep, Replay};

const NAME: &str = "Pbt";

/// When the members of a population are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rounds {
    /// Each at its own intervals, with what the others have reported by then. Nobody waits for anybody.
    #[default]
    Asynchronous,
    /// All together, once each has been trained for another interval. (Ray Tune: `synch=True`.)
    Synchronous,
}

fn wrong_mutations(refusal: Refusal) -> ScheduleError {
    let (value, expected) = match refusal {
        Refusal::Space(error) => (format!("wrong: {error}"), "a space that can be drawn from"),
        Refusal::Kind(path, found) => {
            (format!("{found} at `{path}`"), "a range, a choice of plain values, or a map of these")
        }
    };
    ScheduleError::Setting { scheduler: NAME, setting: "mutations", value, expected }
}

/// A function that has the last word on a copy's configuration.
type Explore = Function<dyn Fn(Config) -> Config + Send + Sync>;

/// Population-based training: at intervals, a trial in the worse part of the population becomes a copy of one in the
/// better part, takes over its checkpoint, and goes on with a configuration that differs a little.
///
/// When to use it: where what is good changes in the course of training, such as learning rates and regularisation: it
/// finds a schedule, not a point. The trainable must be able to save and restore. All members train from the beginning to
/// the end, so nothing is saved by ending trials early.
///
/// - **Exploit.** Of the trials that haven't ended and have a score, the best and the worst
///   [`quantile_fraction`](Pbt::quantile_fraction) are told apart, at most half of them each. A trial in the better part
///   is saved; one in the worse part becomes a copy of one drawn from the better part. A copy's times are its donor's, so
///   that neither is compared again before another interval is over. See [`Directive::Exploit`] for what it waits for: nothing.
/// - **Explore.** Each value of [`mutations`](Pbt::mutations) is drawn anew with
///   [`resample_probability`](Pbt::resample_probability). Otherwise a number from a range is multiplied by one of the two
///   [`perturbation_factors`](Pbt::perturbation_factors) and kept within the range, whole numbers rounded; and of a choice
///   the option before or after it is taken. With [`Exploration::Bandit`] (PB2) numbers are chosen by what the population
///   has learned. Then [`explore`](Pbt::explore) has the last word.
/// - A value that a new trial's configuration lacks is drawn when it is added.
/// - With fewer places than trials, the least trained go first, each for an interval.
/// - In [synchronous rounds](Rounds::Synchronous) each trial pauses at the end of a round. The last one to get there, or
///   to end, lets all be compared.
/// - Where a client changes the space while the run goes on, the mutations of the same names change with it. Trials keep the values
///   that they have until they become copies.
/// - NaN is no score. A report without the time attribute changes nothing; each report must have the metric.
///
/// Costs O(log n) a report with n members, and O(log n) for each member at the end of a synchronous round.
///
/// ```
/// use tryout::prelude::*;
///
/// let pbt = Pbt::new()
///     .time_attr("training_iteration")
///     .perturbation_interval(5.0)
///     .mutations(Space::new().with("lr", log_uniform(1e-4, 1e-1)).with("batch", choice([16, 32, 64])));
/// # let trainable = function("t", |config: Config, trial| { trial.report([("loss", config.get::<f64>("lr")?)])?; Ok(()) });
/// let experiment = Experiment::new("schedules", trainable)
///     .space(Space::new().with("lr", log_uniform(1e-4, 1e-1)).with("batch", 32))
///     .samples(8)
///     .objective(Objective::min("loss"))
///     .scheduler(pbt);
/// # experiment.run()?;
/// # Ok::<(), RunError>(())
/// ```
///
/// Source: Jaderberg et al. 2017, "Population Based Training of Neural Networks"; intervals, quantiles, factors and
/// rounds are those of Ray Tune's `PopulationBasedTraining`. Unlike there, a number never leaves its range.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Pbt {
    time_attr: String,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    perturbation_interval: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    burn_in: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    quantile_fraction: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    resample_probability: f64,
    perturbation_factors: (f64, f64),
    rounds: Rounds,
    exploration: Exploration,
    mutations: Space,
    seed: Option<u64>,
    objective: Option<Objective>,
    #[serde(skip)]
    explore: Option<Explore>,
    #[serde(skip)]
    run: Option<Run>,
}

impl Default for Pbt {
    fn default() -> Self {
        Self {
            time_attr: "training_iteration".to_owned(),
            perturbation_interval: 10.0,
            burn_in: 0.0,
            quantile_fraction: 0.25,
            resample_probability: 0.25,
            perturbation_factors: (1.2, 0.8),
            rounds: Rounds::Asynchronous,
            exploration: Exploration::Perturb,
            mutations: Space::new(),
            seed: None,
            objective: None,
            explore: None,
            run: None,
        }
    }
}

impl Pbt {
    /// With the defaults: intervals of 10 by `training_iteration`, quarters, asynchronous. [`mutations`](Pbt::mutations) or
    /// [`explore`](Pbt::explore) must be given.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The name of the metric or automatic key that is a trial's time, in whatever unit. Default `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// How long a trial is trained before it is compared again; above 0. Default 10.
        perturbation_interval(interval: f64) => perturbation_interval = interval;

        /// The time before which no trial is compared; from 0. Default 0.
        burn_in(burn_in: f64) => burn_in = burn_in;

        /// How much of the population the better part is, and the worse; from 0 to 0.5. Default 0.25.
        quantile_fraction(fraction: f64) => quantile_fraction = fraction;

        /// How often a value is drawn anew instead of moved; from 0 to 1. Default 0.25.
        resample_probability(probability: f64) => resample_probability = probability;

        /// What a number is multiplied by, one or the other. Default 1.2 and 0.8.
        perturbation_factors(up: f64, down: f64) => perturbation_factors = (up, down);

        /// When the members are compared. Default [`Rounds::Asynchronous`].
        rounds(rounds: Rounds) => rounds = rounds;

        /// How a copy's numbers are chosen. Default [`Exploration::Perturb`].
        exploration(exploration: Exploration) => exploration = exploration;

        /// The values that differ in a copy, by the same names and nesting as in the configuration: ranges, and choices among
        /// plain values.
        mutations(mutations: Space) => mutations = mutations;

        /// Has the last word on a copy's configuration, once for each copy. With it the settings can't be
        /// [said as data](Scheduler::spec).
        explore(explore: impl Fn(Config) -> Config + Send + Sync + 'static) => explore = Some(Function(Arc::new(explore)));

        /// What all draws follow from. Default: the seed of the experiment.
        seed(seed: u64) => seed = Some(seed);

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);
    }

    fn check(&self) -> Result<Mutations, ScheduleError> {
        let check = Check(NAME);
        let within = |setting, number: f64, most: f64, expected| {
            check.require((0.0..=most).contains(&number), setting, number, expected)
        };
        check.time_attr(&self.time_attr)?;
        let holds = self.perturbation_interval.is_finite() && self.perturbation_interval > 0.0;
        check.require(holds, "perturbation_interval", self.perturbation_interval, "finite and above 0")?;
        check.not_negative("burn_in", self.burn_in)?;
        within("quantile_fraction", self.quantile_fraction, 0.5, "from 0 to 0.5")?;
        within("resample_probability", self.resample_probability, 1.0, "from 0 to 1")?;
        let (up, down) = self.perturbation_factors;
        let (holds, value) = (up.is_finite() && down.is_finite(), format_args!("{up} and {down}"));
        check.require(holds, "perturbation_factors", value, "two finite numbers")?;
        let mutations = Mutations::new(self.mutations.clone()).map_err(wrong_mutations)?;
        #[cfg(feature = "gp")]
        {
            let holds = self.exploration != Exploration::Bandit || mutations.numbers() > 0;
            let expected = "used with a range among the `mutations`: it chooses numbers and nothing else";
            check.require(holds, "exploration", "Bandit", expected)?;
        }
        let expected = "given, or `explore` must be: else a copy is only a copy";
        check.require(!mutations.is_empty() || self.explore.is_some(), "mutations", "empty", expected)?;
        Ok(mutations)
    }

    /// What may be mutated once a client has changed the space so.
    fn mutations_with(&self, changes: &Space) -> Result<Mutations, ScheduleError> {
        let refused = |error: SpaceError| ScheduleError::Space { scheduler: NAME.to_owned(), why: error.to_string() };
        Mutations::new(self.mutations.changed(changes).map_err(refused)?).map_err(wrong_mutations)
    }

    /// The time and the score (more is better) in `report`, if it has both.
    fn read(&self, report: &Report) -> Option<(f64, f64)> {
        steps::read(&self.time_attr, self.objective.as_ref(), report)
    }

    /// That of the setting, or of the experiment.
    fn seed_of_draws(&self) -> u64 {
        self.seed.unwrap_or_default()
    }

    fn step(&self) -> Step {
        Step { resample: self.resample_probability, factors: self.perturbation_factors }
    }
}

impl Scheduler for Pbt {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        match self.read(report) {
            Some((time, score)) => self.reported(trial, time, score, cohort),
            None => Verdict::CONTINUE,
        }
    }

    fn progress(&self) -> Option<String> {
        let population = &self.run.as_ref()?.population;
        let (members, waiting) = (population.members().count(), population.waiting().count());
        Some(format!("a population of {members}, {waiting} of them wait for their turn"))
    }

    fn take_seed(&mut self, seed: u64) {
        self.seed.get_or_insert(seed);
    }

    fn complete(&mut self, trial: TrialId, config: &mut Config) {
        if let Some(run) = &self.run {
            run.mutations.complete(config, self.seed_of_draws(), u64::from(trial.number()));
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        if let Some(run) = &mut self.run {
            run.population.join(trial);
        }
    }

    fn on_retry(&mut self, trial: TrialId, _: &dyn Cohort) -> Vec<Directive> {
        self.on_resume(trial);
        Vec::new()
    }

    fn on_resume(&mut self, trial: TrialId) {
        if let Some(run) = &mut self.run {
            run.population.wait(trial);
        }
    }

    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.ended(trial, cohort)
    }

    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        self.next(cohort)
    }

    /// Checks the settings; before it, every report is answered with "go on".
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        let mutations = self.check()?;
        settle_objective(NAME, &mut self.objective, objective)?;
        let first = self.perturbation_interval.max(self.burn_in);
        self.run = Some(Run::new(self.quantile_fraction, mutations, first));
        Ok(())
    }

    fn space_with(&self, changes: &Space) -> Result<Option<Space>, ScheduleError> {
        let mutations = self.mutations_with(changes)?;
        Ok(Some(mutations.into_space()))
    }

    fn set_space(&mut self, changes: &Space) {
        if let (Ok(mutations), Some(run)) = (self.mutations_with(changes), &mut self.run) {
            #[cfg(feature = "gp")]
            run.bandit.moved(&run.mutations, &mutations);
            run.mutations = mutations;
        }
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    fn buffering(&self) -> Buffering {
        Buffering::Refused
    }

    fn replaces_configs(&self) -> bool {
        true
    }

    fn time_attr(&self) -> Option<&str> {
        Some(&self.time_attr)
    }

    fn save(&self) -> Option<PartState> {
        self.state()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.load_state(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        if self.explore.is_some() { None } else { PartSpec::new(NAME, self) }
    }

    fn name(&self) -> &str {
        NAME
    }
}
