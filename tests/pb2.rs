//! PB2: populations that choose their numbers by what they have learned.
#![cfg(feature = "gp")]

use tryout::logic::schedule::{ScheduleError, Scheduler};
use tryout::prelude::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const INTERVAL: u64 = 2;

fn population(exploration: Exploration, seed: u64) -> Pbt {
    let mutations = Space::new().with("x", uniform(0.0, 1.0)).with("y", uniform(0.0, 1.0));
    Pbt::new()
        .time_attr("training_iteration")
        .perturbation_interval(INTERVAL as f64)
        .rounds(Rounds::Synchronous)
        .quantile_fraction(0.5)
        .mutations(mutations)
        .exploration(exploration)
        .seed(seed)
}

/// What four members have reached after 30 steps, of which each is worth most at x = 0.8 and y = 0.2.
fn reached(exploration: Exploration, seed: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let trainable = function("climb", |config: Config, trial: &mut Session| {
        let (mut done, mut sum) = match trial.checkpoint()? {
            Some(saved) => saved.json::<(u64, f64)>("state")?,
            None => (0, 0.0),
        };
        let at = |name| config.number(name).unwrap_or(0.0);
        let step = 1.0 - (at("x") - 0.8).powi(2) - (at("y") - 0.2).powi(2);
        while done < 30 {
            (done, sum) = (done + 1, sum + step);
            let state = (done, sum);
            trial.report_with([("sum", sum)], |writer| Ok(writer.json("state", &state)?))?;
        }
        Ok(())
    });
    let results = Experiment::new("climb", trainable)
        .seed(0)
        .points((0..4).map(|place| Config::new().with("x", 0.05 * f64::from(place)).with("y", 0.9)))
        .objective(Objective::max("sum"))
        .concurrency(4)
        .scheduler(population(exploration, seed))
        .run()?;
    let sums = results.trials().iter().filter_map(|trial| trial.last.as_ref()?.number("sum"));
    Ok(sums.fold(f64::MIN, f64::max))
}

#[test]
fn a_small_population_gets_further_than_by_random_steps() -> Outcome {
    let (mut chosen, mut random) = (0.0, 0.0);
    for seed in 0..8 {
        chosen += reached(Exploration::Bandit, seed)? / 8.0;
        random += reached(Exploration::Perturb, seed)? / 8.0;
    }
    assert!(chosen > random, "{chosen} against {random} on average");
    Ok(())
}

#[test]
fn without_numbers_there_is_nothing_to_choose() {
    let mut pbt = population(Exploration::Bandit, 0).mutations(Space::new().with("kind", choice(["a", "b"])));
    let refused: ScheduleError = pbt.prepare(Some(&Objective::max("sum"))).expect_err("there is no range");
    let expected = "Pbt: `exploration` is Bandit, but must be used with a range among the `mutations`: it chooses numbers and nothing else";
    assert_eq!(refused.to_string(), expected);
}
