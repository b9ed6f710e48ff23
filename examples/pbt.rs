//! Population-based training of the digits network: eight networks train side by side, and every few epochs the worst go on
//! as mutated copies of the best. What is found is a schedule: it is shown, and the same networks without copying beside it.

use std::error::Error;
use std::time::Duration;

use tryout::prelude::*;

#[path = "digits/data.rs"]
mod data;
#[path = "digits/network.rs"]
mod network;
#[path = "digits/trial.rs"]
mod trial;

use trial::DigitsTrial;

const EPOCHS: u64 = 40;

/// Eight networks from the same seed, with whatever rates they drew.
fn population() -> Experiment {
    let space = Space::new()
        .with("lr", log_uniform(1e-3, 1.0))
        .with("momentum", uniform(0.0, 0.99))
        .with("weight_decay", log_uniform(1e-6, 1e-1))
        .with("hidden", 32)
        .with("batch_size", 32);
    Experiment::new("pbt", stepwise::<DigitsTrial>())
        .space(space)
        .samples(8)
        .seed(3)
        .objective(Objective::min("val_loss"))
        .stop(stop::iterations(EPOCHS))
        .on_ctrl_c(Duration::from_secs(5))
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let mutations = Space::new()
        .with("lr", log_uniform(1e-3, 1.0))
        .with("momentum", uniform(0.0, 0.99))
        .with("weight_decay", log_uniform(1e-6, 1e-1));
    let pbt = Pbt::new().perturbation_interval(4.0).mutations(mutations);
    let results = population().scheduler(pbt.rounds(Rounds::Synchronous)).run()?;
    if results.outcome() == &Outcome::Drained {
        return Ok(());
    }

    let last = Objective::min("val_loss");
    let best = results.best_by(&last, Scope::Last)?;
    let policy = results.policy(best.id)?;
    println!("epoch        lr  momentum  weight_decay   the way of trial {}", best.id.number());
    let begin = (0, &policy.start);
    for (epoch, config) in std::iter::once(begin).chain(policy.steps.iter().map(|step| (step.iteration, &step.config)))
    {
        let number = |name| config.number(name).unwrap_or(f64::NAN);
        println!("{epoch:>5}  {:>8.5}  {:>8.3}  {:>12.2e}", number("lr"), number("momentum"), number("weight_decay"));
    }
    if let Some(reason) = best.lineage.last().and_then(|exploit| exploit.reason.as_deref()) {
        println!("its last change: {reason}");
    }

    let alone = population().run()?;
    let loss = |trial: &TrialRecord| trial.last.as_ref().and_then(|last| last.number("val_loss")).unwrap_or(f64::NAN);
    println!("best loss of a population: {:.4}", loss(best));
    println!("best loss without copying: {:.4}", loss(alone.best_by(&last, Scope::Last)?));
    Ok(())
}
