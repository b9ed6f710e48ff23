//! What every scheduler must do.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::config::Config;
use crate::logic::engine::{Engine, EngineSettings, History};
use crate::logic::event::Ending;
use crate::logic::failure::{Budget, RetryPolicy};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Counters, Metrics, Objective};
use crate::logic::pool::{Pool, Resources};
use crate::logic::schedule::Scheduler;
use crate::logic::search::Variants;
use crate::logic::settings::Settings;
use crate::logic::space::{Space, uniform};
use crate::logic::stop;
use crate::logic::trial::{Status, TrialSettings};
use crate::testing::{Chance, Nobody, Renewed, Script, Sim};

const RUN: RunId = RunId::new(0xc0_4f1);
const RUNS: u64 = 60;
const RENEWALS: u32 = 8;

/// Holds what `make` makes against the contract of [`Scheduler`]. It gets an objective called `loss` from the experiment,
/// and trials of up to 81 iterations, in whole simulated runs with faults. If it [gives its state](Scheduler::save), others
/// take that up in the middle of a run.
///
/// # Panics
/// If a rule is broken; the message names it.
pub fn scheduler(make: impl Fn() -> Box<dyn Scheduler>) {
    let fresh = || {
        let mut scheduler = make();
        scheduler.prepare(Some(&Objective::min("loss"))).expect("it takes over the experiment's objective");
        scheduler
    };
    strange_reports(fresh().as_mut());
    assert_eq!(fresh().choose(&Nobody), None, "it chooses nobody when there is nobody");
    for seed in 0..RUNS {
        let one = simulate(seed, fresh());
        assert_eq!(one, simulate(seed, fresh()), "seed {seed}: the same run is decided in the same way");
        // One that gives its state decides as if it had never been replaced by another that took it up.
        let spares: Vec<Box<dyn Scheduler>> = (0..RENEWALS).map(|_| fresh()).collect();
        let renewed = Renewed::new(fresh(), spares, seed);
        assert_eq!(one, simulate(seed, Box::new(renewed)), "seed {seed}: a state that is taken up changes nothing");
    }
}

/// Numbers that aren't, metrics that are missing, trials that nobody has heard of.
fn strange_reports(scheduler: &mut dyn Scheduler) {
    let trial = |number| TrialId::new(RUN, number);
    for number in 0..4 {
        scheduler.on_add(trial(number), &Config::new());
    }
    let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0];
    for iteration in 1..=9 {
        for (number, loss) in strange.into_iter().enumerate() {
            let trial = trial(number as u32);
            let mut counters = Counters { training_iteration: iteration - 1, ..Counters::default() };
            let metrics = if iteration == 5 { Metrics::new() } else { Metrics::from([("loss", loss)]) };
            let report = counters.stamp(trial, metrics, Duration::from_secs(1), 0.0);
            scheduler.on_report(trial, &report, &Nobody);
        }
    }
    scheduler.on_retry(trial(0), &Nobody);
    for (number, ending) in [(0, Ending::Error), (1, Ending::Done), (99, Ending::Client), (98, Ending::Experiment)] {
        scheduler.on_end(trial(number), ending, None, &Nobody);
    }
}

/// A whole run with faults; the simulator checks that every end is announced once and that nobody is left behind.
fn simulate(seed: u64, scheduler: Box<dyn Scheduler>) -> Vec<(Status, u64)> {
    let chance = Chance { error: 0.01, lost: 0.01, vanish: 0.01, setup: 0.02, save: 0.01, ..Chance::default() };
    let reports = |config: &Config, iteration: u64| {
        let x = config.number("x").unwrap_or(0.0);
        Metrics::from([("loss", if iteration == 7 && x > 0.9 { f64::NAN } else { x + 1.0 / iteration as f64 })])
    };
    let cpus = Resources::cpus(1 + (seed % 6) as u32);
    let experiment = Arc::new(Settings {
        seed: Some(seed),
        objective: Some(Objective::min("loss")),
        retry: RetryPolicy::new(Budget::Limited((seed % 3) as u32)),
        history: History::None,
        ..Settings::new("conformance")
    });
    let settings =
        EngineSettings { experiment: experiment.clone(), ..EngineSettings::new(RUN, "conformance", cpus.clone()) };
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let searcher = Variants::new(space, seed).expect("the space is fine").passes(5 + seed % 25);
    let engine = Engine::new(settings, Box::new(searcher), scheduler, Box::new(stop::iterations(81)));
    let pool = Pool::new(cpus, experiment.clone());
    let trials = TrialSettings { experiment, ..TrialSettings::default() };
    let script = Script::new(reports).done_at(81 - seed % 40).chance(chance, seed);
    let end = match Sim::new(seed, engine, pool, trials, script).at_most(1_000_000).run() {
        Ok(end) => end,
        Err(error) => panic!("seed {seed}: {error}"),
    };
    assert_eq!(end.outcome, crate::logic::event::Outcome::Completed, "seed {seed}: the run completes");
    end.ledger.iter().map(|trial| (trial.status, trial.last.as_ref().map_or(0, |last| last.iteration()))).collect()
}
