//! Fits the four numbers of an epidemic's simulation to what was reported: a run of such a simulation is a trial, and few
//! are to be enough. Random search, the tree-structured Parzen estimator and a Gaussian process get sixty each.

use std::error::Error;
use std::time::Duration;

use tryout::prelude::*;
use tryout::search::{GaussianProcess, Searcher, Tpe, Variants};

const TRIALS: u64 = 60;

/// Kermack and McKendrick: the cases that are reported by the day among a thousand people.
fn reported(config: &Config) -> Result<Vec<f64>, ConfigError> {
    let number = |name| config.get::<f64>(name);
    let (contacts, recovery, share) = (number("contacts")?, number("recovery")?, number("reported")?);
    let (mut healthy, mut ill) = (1000.0 - number("first")?, number("first")?);
    let day = |_| {
        let caught = contacts * healthy * ill / 1000.0;
        healthy -= caught;
        ill += caught - recovery * ill;
        share * caught
    };
    Ok((0..60).map(day).collect())
}

fn space() -> Space {
    Space::new()
        .with("contacts", log_uniform(0.05, 1.0))
        .with("recovery", log_uniform(0.02, 0.5))
        .with("first", log_uniform(0.1, 50.0))
        .with("reported", uniform(0.05, 1.0))
}

/// How far a simulation is from what was measured, on average, as a logarithm.
fn search(name: &str, searcher: impl Searcher + 'static) -> Result<Results, Box<dyn Error>> {
    let truth = Config::new().with("contacts", 0.35).with("recovery", 0.1).with("first", 2.0).with("reported", 0.4);
    let measured = reported(&truth)?;
    let trainable = function(name, move |config: Config, trial| {
        let apart: f64 =
            reported(&config)?.iter().zip(&measured).map(|(one, other)| (one.ln_1p() - other.ln_1p()).abs()).sum();
        Ok(trial.report([("error", apart / measured.len() as f64)])?)
    });
    let experiment = Experiment::new(name, trainable).searcher(searcher).samples(TRIALS).seed(1);
    let experiment = experiment.objective(Objective::min("error")).concurrency(2);
    // Ctrl-C ends this search, and what it has found by then is shown.
    Ok(experiment.on_ctrl_c(Duration::from_secs(5)).run()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let found = [
        ("random", search("random", Variants::new(space(), 1)?.samples(TRIALS))?),
        ("density", search("density", Tpe::new(space(), 1)?)?),
        ("process", search("process", GaussianProcess::new(space(), 1)?)?),
    ];
    for (name, results) in &found {
        let best = results.best()?;
        let error = best.last.as_ref().and_then(|last| last.number("error")).unwrap_or(f64::NAN);
        println!("{name}: off by {error:.3} with {}", best.config);
    }
    Ok(())
}
