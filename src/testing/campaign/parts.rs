//! The schedulers, searchers and stop rules that take part, each with settings drawn from the seed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::schedulers;
use crate::logic::config::Config;
use crate::logic::metrics::Objective;
use crate::logic::schedule::Scheduler;
use crate::logic::search::{
    Capped, ConcurrencyLimiter, Crossover, Distinct, Feedback, Nsga2, Points, Repeater, Searcher, Variants, WarmStart,
    Within,
};
use crate::logic::space::{Space, choice, grid, int, uniform};
use crate::logic::stop::{self, StopRule};

/// What a part is made for.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The seed of its draws.
    pub seed: u64,
    /// So many iterations a trial has at most.
    pub longest: u64,
    /// So many trials the searcher is to give; one that gives more is capped.
    pub trials: u64,
}

pub(super) type Made<T> = Result<Box<T>, Box<dyn Error>>;

/// A part by its name.
pub(super) struct Named<T: ?Sized> {
    pub(super) name: String,
    pub(super) make: Arc<dyn Fn(&Setup) -> Made<T> + Send + Sync>,
    /// Whether it may pause trials: one that can't save begins again each time then.
    pub(super) pauses: bool,
    /// Whether what it decides depends on the results alone, and not on when a trial began or was taken up again.
    pub(super) steady: bool,
    /// Whether trials get other configurations than were suggested.
    pub(super) completes: bool,
    /// Whether what it suggests is in [`space`].
    pub(super) in_space: bool,
    /// Whether it can be told of earlier results.
    pub(super) learns: bool,
}

impl<T: ?Sized> Clone for Named<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), make: self.make.clone(), ..*self }
    }
}

impl<T: ?Sized> Named<T> {
    pub(super) fn new(name: &str, make: impl Fn(&Setup) -> Made<T> + Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            make: Arc::new(make),
            pauses: false,
            steady: false,
            completes: false,
            in_space: false,
            learns: false,
        }
    }
}

/// All that can take part.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) schedulers: Vec<Named<dyn Scheduler>>,
    pub(super) searchers: Vec<Named<dyn Searcher>>,
    pub(super) rules: Vec<Named<dyn StopRule>>,
}

impl Parts {
    pub(super) fn bundled() -> Self {
        Self { schedulers: schedulers::bundled(), searchers: searchers(), rules: rules() }
    }
}

/// What stands around a searcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapper {
    Capped,
    ConcurrencyLimiter,
    Repeater,
    Distinct,
    Within,
    WarmStart,
}

impl Wrapper {
    pub(super) const ALL: [Wrapper; 6] = [
        Wrapper::Capped,
        Wrapper::ConcurrencyLimiter,
        Wrapper::Repeater,
        Wrapper::Distinct,
        Wrapper::Within,
        Wrapper::WarmStart,
    ];

    pub(super) fn around(self, inner: Box<dyn Searcher>, dice: &mut Dice, trials: u64) -> Made<dyn Searcher> {
        Ok(match self {
            Wrapper::Capped => Box::new(Capped::new(inner, trials)),
            Wrapper::ConcurrencyLimiter => {
                let feedback = dice.pick([Feedback::Single, Feedback::Batch]);
                Box::new(ConcurrencyLimiter::new(inner, dice.between(1, 4) as usize)?.feedback(feedback))
            }
            Wrapper::Repeater => {
                let repeated = Repeater::new(inner, dice.small(1, 3))?;
                Box::new(if dice.chance(0.5) { repeated.index("which") } else { repeated })
            }
            Wrapper::Distinct => Box::new(Distinct::new(inner)),
            Wrapper::Within => Box::new(Within::new(space(), inner)),
            Wrapper::WarmStart => {
                let point = |x: f64| Config::new().with("x", x).with("n", 3).with("kind", "a");
                let warm = WarmStart::new(inner).outcome(point(0.25), [("loss", 0.5), ("training_iteration", 3.0)]);
                Box::new(if dice.chance(0.5) { warm.first(point(0.75)) } else { warm })
            }
        })
    }
}

/// What is searched.
pub(super) fn space() -> Space {
    Space::new().with("x", uniform(0.0, 1.0)).with("n", int(0, 9)).with("kind", choice(["a", "b", "c"]))
}

fn searcher(name: &str, make: impl Fn(&Setup) -> Made<dyn Searcher> + Send + Sync + 'static) -> Named<dyn Searcher> {
    Named { in_space: true, ..Named::new(name, make) }
}

fn learner(name: &str, make: impl Fn(&Setup) -> Made<dyn Searcher> + Send + Sync + 'static) -> Named<dyn Searcher> {
    Named { learns: true, ..searcher(name, make) }
}

fn searchers() -> Vec<Named<dyn Searcher>> {
    let objectives = || [Objective::min("loss"), Objective::max("training_iteration")];
    let mut all: Vec<Named<dyn Searcher>> = vec![
        searcher("Variants", |setup| Ok(Box::new(Variants::new(space(), setup.seed)?.passes(setup.trials)))),
        Named::<dyn Searcher>::new("VariantsGrid", |setup| {
            let space = space().with("side", grid(["left", "right"]));
            Ok(Box::new(Variants::new(space, setup.seed)?.passes(setup.trials.div_ceil(2))))
        }),
        searcher("Points", |setup| {
            let mut dice = Dice::new(setup.seed, "points");
            let point = |_| Config::new().with("x", dice.share()).with("n", dice.below(9)).with("kind", "a");
            Ok(Box::new(Points::new((0..setup.trials).map(point).collect::<Vec<_>>())))
        }),
        learner("Nsga2", |setup| {
            let mut dice = Dice::new(setup.seed, "nsga2");
            let evolved = Nsga2::new(space(), &[], setup.seed)?.population(dice.small(2, 6));
            Ok(Box::new(evolved.crossover(if dice.chance(0.3) { Crossover::Uniform } else { Crossover::default() })))
        }),
        learner("Nsga2Several", move |setup| {
            let mut dice = Dice::new(setup.seed, "nsga2");
            let evolved = Nsga2::new(space(), &objectives(), setup.seed)?.population(dice.small(2, 6));
            Ok(Box::new(evolved.mutation_prob(dice.share())))
        }),
    ];
    all.extend(modelling());
    all
}

/// Those that stand behind features.
fn modelling() -> Vec<Named<dyn Searcher>> {
    vec![
        #[cfg(feature = "sobol")]
        searcher("QuasiRandom", |setup| Ok(Box::new(crate::logic::search::QuasiRandom::new(space(), setup.seed)?))),
        learner("Tpe", |setup| {
            use crate::logic::search::{Model, Tpe};
            let mut dice = Dice::new(setup.seed, "tpe");
            let model = dice.pick([Model::AtEnd, Model::ByBudget]);
            Ok(Box::new(Tpe::new(space(), setup.seed)?.startup(dice.small(2, 6)).candidates(4).model(model)))
        }),
        learner("Auto", |setup| Ok(Box::new(crate::logic::search::Auto::new(space(), setup.seed)?.parallel(4)))),
        #[cfg(feature = "cma-es")]
        learner("CmaEs", |setup| Ok(Box::new(crate::logic::search::CmaEs::new(space(), setup.seed)?.population(4)))),
        #[cfg(feature = "gp")]
        learner("GaussianProcess", |setup| {
            Ok(Box::new(crate::logic::search::GaussianProcess::new(space(), setup.seed)?.startup(3)))
        }),
    ]
}

fn rules() -> Vec<Named<dyn StopRule>> {
    fn rule(dice: &mut Dice, setup: &Setup, kind: u64) -> Box<dyn StopRule> {
        let loss = || Objective::min("loss");
        match kind {
            0 => Box::new(stop::iterations(dice.between(1, setup.longest))),
            1 => Box::new(stop::trial_time(Duration::from_millis(700 * dice.between(1, setup.longest)))),
            2 => Box::new(stop::experiment_time(Duration::from_secs(dice.between(1, 20)))),
            3 => Box::new(stop::at_least("loss", 1.0 + dice.share())),
            4 => Box::new(stop::at_most("loss", dice.share() / 2.0)),
            5 => Box::new(stop::best_reached(loss(), dice.share() / 4.0)),
            6 => Box::new(stop::trial_plateau("loss").std(dice.share()).num_results(2).grace(dice.small(0, 4))),
            7 => Box::new(stop::experiment_plateau(loss()).std(dice.share() / 4.0).top(3).patience(dice.small(0, 3))),
            8 => Box::new(stop::no_improvement(loss(), dice.between(2, 9)).min_delta(dice.share() / 9.0)),
            9 => Box::new(stop::cpu_seconds(dice.between(1, 60) as f64)),
            _ => Box::new(stop::gpu_seconds(dice.between(1, 60) as f64)),
        }
    }
    const NAMES: [&str; 11] = [
        "iterations",
        "trial_time",
        "experiment_time",
        "at_least",
        "at_most",
        "best_reached",
        "trial_plateau",
        "experiment_plateau",
        "no_improvement",
        "cpu_seconds",
        "gpu_seconds",
    ];
    let single = NAMES.iter().zip(0..).map(|(name, kind)| {
        Named::<dyn StopRule>::new(name, move |setup| Ok(rule(&mut Dice::new(setup.seed, "rule"), setup, kind)))
    });
    let several = |setup: &Setup| {
        let mut dice = Dice::new(setup.seed, "rules");
        let count = dice.between(2, 3);
        (0..count).map(|_| dice.below(NAMES.len() as u64)).map(|kind| (kind, setup.seed ^ kind)).collect::<Vec<_>>()
    };
    let made = move |setup: &Setup| -> Vec<Box<dyn StopRule>> {
        several(setup).into_iter().map(|(kind, seed)| rule(&mut Dice::new(seed, "rule"), setup, kind)).collect()
    };
    let any = Named::<dyn StopRule>::new("any", move |setup| Ok(Box::new(stop::any(made(setup)))));
    let all = Named::<dyn StopRule>::new("all", move |setup| Ok(Box::new(stop::all(made(setup)))));
    single.chain([any, all]).collect()
}
