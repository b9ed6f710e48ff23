//! A run that breaks a promise, made smaller as long as it still breaks it.

use super::parts::Parts;
use super::plan::{Limits, Plan};
use super::promises::{Broken, Promise};
use super::run::play;
use crate::testing::Reached;

/// So many smaller runs are tried.
const TRIES: u32 = 400;

/// The smallest limits that were found under which the run of this seed breaks the same promise, and how it does.
pub(super) fn shrink(seed: u64, given: &Limits, parts: &Parts, except: &[Promise], broken: Broken) -> (Limits, Broken) {
    let (mut limits, mut broken, mut tries) = (given.clone(), broken, 0);
    loop {
        let plan = Plan::new(seed, parts, &limits);
        let smaller = candidates(&plan, &limits).into_iter().find_map(|smaller| {
            tries += 1;
            let plan = Plan::new(seed, parts, &smaller);
            let found = (tries <= TRIES).then(|| play(&plan, parts, except, &mut Reached::default()).err()).flatten();
            found.filter(|found| found.promise == broken.promise).map(|found| (smaller, found))
        });
        match smaller {
            Some((smaller, found)) => (limits, broken) = (smaller, found),
            None => return (limits, broken),
        }
    }
}

/// Smaller runs, those that are smallest first.
fn candidates(plan: &Plan, limits: &Limits) -> Vec<Limits> {
    let mut all = Vec::new();
    let cuts: Vec<u64> = plan.sessions.iter().chain([&plan.last]).map(|session| session.cut).collect();
    for fewer in 1..cuts.len() {
        all.push(limits.clone().cuts(cuts.iter().take(fewer).copied().collect()));
    }
    for trials in [1, plan.trials / 2, plan.trials - 1].into_iter().filter(|trials| (1..plan.trials).contains(trials)) {
        all.push(limits.clone().trials(trials));
    }
    let fewer = [1, plan.iterations / 2, plan.iterations - 1];
    for iterations in fewer.into_iter().filter(|iterations| (1..plan.iterations).contains(iterations)) {
        all.push(limits.clone().iterations(iterations));
    }
    for trouble in &plan.troubles {
        all.push(limits.clone().without(*trouble));
    }
    for (index, cut) in cuts.iter().enumerate() {
        for earlier in [1, cut / 2, cut - cut / 8, cut - 1].into_iter().filter(|earlier| (1..*cut).contains(earlier)) {
            let mut cuts = cuts.clone();
            cuts.iter_mut().skip(index).take(1).for_each(|cut| *cut = earlier);
            all.push(limits.clone().cuts(cuts));
        }
    }
    all
}
