//! No scheduler leaves a run stuck: ten thousand simulated runs with random failures, early ends, clients that stop, pause
//! and resume, and every scheduler there is.

#[path = "../engine_props/rig.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the engine, which use all of it")]
mod rig;

use proptest::prelude::*;
use rig::{Rig, rig, searcher};
use tryout::logic::event::{Ending, Outcome, RunFailure};
use tryout::logic::metrics::Objective;
use tryout::logic::schedule::{
    Asha, AshaForm, AtMaxT, Distribution, Fifo, HyperBand, MedianStopping, MoAsha, Patient, Pbt, Percentile,
    ResourceChanging, Rounds, Scheduler, Threshold, WhenBehind, Wilcoxon,
};
use tryout::logic::space::{Space, uniform};
use tryout::testing::Saves;

const RUNS: u32 = 10_000;

/// How many kinds of schedulers there are.
const KINDS: u8 = if cfg!(feature = "gp") { 22 } else { 21 };

/// All of them, by number.
fn scheduler(kind: u8, rig: &Rig) -> Box<dyn Scheduler> {
    let (longest, seed) = (rig.iterations.max(1), rig.seed);
    let median = || MedianStopping::new().time_attr("training_iteration").grace_period(1.0).min_samples(2);
    let mutations = || Space::new().with("x", uniform(0.0, 1.0));
    let pbt =
        || Pbt::new().time_attr("training_iteration").perturbation_interval(2.0).mutations(mutations()).seed(seed);
    let promotion = || Asha::new().max_t(longest).reduction_factor(3.0).form(AshaForm::Promotion);
    let mut scheduler: Box<dyn Scheduler> = match kind {
        0 => Box::new(Fifo),
        1 => Box::new(Asha::new().max_t(longest).reduction_factor(2.0)),
        2 => Box::new(Asha::new().max_t(longest).brackets(3).at_max_t(AtMaxT::RunOn).seed(seed)),
        3 => Box::new(HyperBand::new().max_t(longest)),
        4 => Box::new(HyperBand::new().max_t(longest).reduction_factor(2.0).at_max_t(AtMaxT::RunOn)),
        5 => Box::new(median()),
        6 => Box::new(median().when_behind(WhenBehind::PauseOnce)),
        7 => Box::new(pbt()),
        8 => Box::new(ResourceChanging::new(HyperBand::new().max_t(longest)).limit(1)),
        9 => Box::new(ResourceChanging::new(pbt()).distribution(Distribution::TopJob)),
        10 => {
            let several = [Objective::min("loss"), Objective::max("training_iteration"), Objective::max("loss")];
            Box::new(MoAsha::new(several).max_t(longest).reduction_factor(2.0).memory(5))
        }
        11 => Box::new(pbt().quantile_fraction(0.5).rounds(Rounds::Synchronous)),
        12 => Box::new(HyperBand::for_bohb().max_t(longest).reduction_factor(2.0).at_max_t(AtMaxT::RunOn)),
        13 => Box::new(Percentile::new().startup_trials(1)),
        14 => Box::new(Threshold::new().upper(0.9)),
        15 => Box::new(Wilcoxon::new().p_threshold(0.3)),
        16 => Box::new(Patient::new(1).of(HyperBand::new().max_t(longest))),
        17 => Box::new(Patient::new(1).of(promotion())),
        18 => Box::new(promotion()),
        19 => Box::new(HyperBand::for_bohb().max_t(longest)),
        #[cfg(feature = "gp")]
        21 => Box::new(pbt().quantile_fraction(0.5).exploration(tryout::logic::schedule::Exploration::Bandit)),
        _ => Box::new(promotion().reduction_factor(2.0).brackets(2).at_max_t(AtMaxT::RunOn).seed(seed)),
    };
    scheduler.prepare(Some(&Objective::min("loss"))).expect("the settings are fine");
    scheduler
}

proptest! {
    // A failing case belongs into this file, not into one that nobody looks at.
    #![proptest_config(ProptestConfig { cases: RUNS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_comes_to_its_end(mut rig in rig(), kind in 0..KINDS) {
        if rig.saves == Saves::Unsupported {
            // What can't be saved begins anew after each pause, for ever: that is the trainable's doing.
            rig.saves = Saves::Supported;
        }
        let sim = rig.sim(scheduler(kind, &rig), searcher(&rig)).at_most(200_000);
        let end = sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(!matches!(end.outcome, Outcome::Failed(RunFailure::Stuck { .. } | RunFailure::Part { .. })), "{:?}", end.outcome);
        for record in end.ledger.iter() {
            let decided = matches!(record.ending, Some(Ending::Scheduler));
            prop_assert!(!decided || record.reason.is_some(), "{} was ended without a word", record.id);
        }
    }
}
