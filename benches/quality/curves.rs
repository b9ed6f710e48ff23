//! Schedulers on learning curves: how many iterations they need to find what random search finds.

use std::sync::Arc;
use std::time::Duration;

use tryout::logic::config::Config;
use tryout::logic::engine::{Engine, EngineSettings, History};
use tryout::logic::event::EventKind;
use tryout::logic::ids::RunId;
use tryout::logic::metrics::{Metrics, Objective};
use tryout::logic::pool::{Pool, Resources};
use tryout::logic::schedule::{Asha, AshaForm, Exploration, Fifo, HyperBand, MedianStopping, Pbt, Rounds, Scheduler};
use tryout::logic::search::Variants;
use tryout::logic::settings::Settings;
use tryout::logic::space::{Space, uniform};
use tryout::logic::stop;
use tryout::logic::trial::TrialSettings;
use tryout::testing::{Script, Sim};

use super::{SEEDS, median};

const ITERATIONS: u64 = 81;
/// Random search trains so many to the end.
const TRIALS: u64 = 64;
const WORKERS: u32 = 8;

fn space() -> Space {
    ["x", "y", "rate", "start"].into_iter().fold(Space::new(), |space, name| space.with(name, uniform(0.0, 1.0)))
}

/// A power law from a start to a final value, with noise. Who begins well or learns fast needn't end well.
fn loss(config: &Config, iteration: u64) -> f64 {
    let part = |name| config.number(name).unwrap_or(0.5);
    let last = ((part("x") - 0.3).powi(2) + (part("y") - 0.7).powi(2)).sqrt();
    let first = 1.5 + part("start");
    let noise = (f64::sin((part("x") * 977.0 + part("y") * 613.0) * iteration as f64) * 43_758.545).fract() * 0.01;
    last + (first - last) * (iteration as f64).powf(-0.4 - part("rate")) + noise
}

/// The best loss after each iteration of a whole run, all trials together.
fn run(scheduler: Box<dyn Scheduler>, trials: u64, seed: u64) -> Vec<f64> {
    let mut scheduler = scheduler;
    scheduler.prepare(Some(&Objective::min("loss"))).expect("the settings are fine");
    let cpus = Resources::cpus(WORKERS);
    let settings = EngineSettings {
        experiment: Arc::new(Settings {
            objective: Some(Objective::min("loss")),
            history: History::None,
            ..Settings::new("curves")
        }),
        ..EngineSettings::new(RunId::new(1), "curves", cpus.clone())
    };
    let searcher = Variants::new(space(), seed).expect("the space is fine").samples(trials);
    let engine = Engine::new(settings, Box::new(searcher), scheduler, Box::new(stop::iterations(ITERATIONS)));
    let report = |config: &Config, iteration: u64| Metrics::from([("loss", loss(config, iteration))]);
    let second = Duration::from_secs(1);
    let script = Script::new(report).times(Duration::ZERO, second, Duration::ZERO);
    let sim = Sim::new(seed, engine, Pool::new(cpus, Settings::default()), TrialSettings::default(), script);
    let end = sim.run().expect("it comes to its end");
    let mut best = f64::INFINITY;
    let mut after = Vec::new();
    for event in &end.events {
        if let EventKind::Reported { report } = &event.kind {
            best = best.min(report.number("loss").unwrap_or(f64::INFINITY));
            after.push(best);
        }
    }
    after
}

/// A scheduler, and how many trials it may begin.
type Make = (&'static str, fn(u64) -> Box<dyn Scheduler>, u64);

pub(crate) fn print() {
    let all: &[Make] = &[
        ("Asha", |_| Box::new(Asha::new().max_t(ITERATIONS).reduction_factor(3.0)), 400),
        (
            "Asha, promotion",
            |_| Box::new(Asha::new().max_t(ITERATIONS).reduction_factor(3.0).form(AshaForm::Promotion)),
            400,
        ),
        ("HyperBand", |_| Box::new(HyperBand::new().max_t(ITERATIONS)), 286),
        ("MedianStopping", |_| Box::new(MedianStopping::new().time_attr("training_iteration").grace_period(3.0)), 200),
        ("Pbt", |seed| population(seed, Rounds::Asynchronous, Exploration::Perturb), 16),
        ("Pbt, in rounds", |seed| population(seed, Rounds::Synchronous, Exploration::Perturb), 16),
        #[cfg(feature = "gp")]
        ("Pbt, PB2", |seed| population(seed, Rounds::Asynchronous, Exploration::Bandit), 16),
        ("Pbt", |seed| population(seed, Rounds::Asynchronous, Exploration::Perturb), 4),
        #[cfg(feature = "gp")]
        ("Pbt, PB2", |seed| population(seed, Rounds::Asynchronous, Exploration::Bandit), 4),
    ];
    println!(
        "\nMedian share of the {} iterations of random search, until its final value is reached:\n",
        TRIALS * ITERATIONS
    );
    println!("| scheduler | trials | share | reached by |\n|---|---|---|---|");
    for (name, make, trials) in all.iter().copied() {
        let mut shares = Vec::new();
        for seed in 0..SEEDS {
            let random = run(Box::new(Fifo), TRIALS, seed);
            let target = random.last().copied().unwrap_or(f64::NAN);
            let found = run(make(seed), trials, seed + 1_000).into_iter().position(|best| best <= target);
            shares.push(found.map_or(f64::INFINITY, |at| (at + 1) as f64 / random.len() as f64));
        }
        let reached = shares.iter().filter(|share| share.is_finite()).count();
        println!("| {name} | {trials} | {:.2} | {reached} of {SEEDS} |", median(shares));
    }
}

fn population(seed: u64, rounds: Rounds, exploration: Exploration) -> Box<dyn Scheduler> {
    let pbt = Pbt::new().time_attr("training_iteration").perturbation_interval(3.0).seed(seed);
    Box::new(pbt.mutations(space()).rounds(rounds).exploration(exploration))
}
