//! Whatever is drawn — settings, faults, orders of clients, the order of messages — every simulated run keeps the rules.

mod away;
mod budget;
mod gpus;
mod hold;
mod limit;
mod rig;

use proptest::prelude::*;
use rig::{Rig, rig, scheduler, searcher};
use tryout::logic::event::{Ending, Outcome};
use tryout::logic::schedule::Scheduler;
use tryout::logic::search::Searcher;
use tryout::logic::trial::Status;
use tryout::testing::{SimEnd, Spy};

/// Runs it, with everybody watched.
fn run(rig: &Rig) -> Result<SimEnd, TestCaseError> {
    let scheduler: Spy<dyn Scheduler> = Spy::new(scheduler(rig));
    let searcher: Spy<dyn Searcher> = Spy::new(searcher(rig));
    let (scheduled, searched) = (scheduler.notes(), searcher.notes());
    let sim = rig.sim(Box::new(scheduler), Box::new(searcher)).at_most(200_000);
    let end = sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let (scheduled, searched) = (scheduled.lock().expect("not poisoned"), searched.lock().expect("not poisoned"));
    for record in end.ledger.iter() {
        let over = usize::from(record.status.is_terminal());
        prop_assert_eq!(scheduled[&record.id].ends.len(), over, "the scheduler, of {}", record.id);
        // A trial that a client added is none of the searcher's, but it hears of its end all the same.
        prop_assert_eq!(
            searched.get(&record.id).map_or(0, |heard| heard.ends.len()),
            over,
            "the searcher, of {}",
            record.id
        );
        if let Some(ending) = record.ending {
            prop_assert_eq!(&scheduled[&record.id].ends, &vec![ending]);
            prop_assert_eq!(ending == Ending::Error, record.status == Status::Error);
        }
        // Every failure but the last leads to another attempt, unless the trial was leaving anyway.
        prop_assert!(record.attempts as usize <= 1 + record.failures.len());
        prop_assert!(record.error().is_none() || record.attempts as usize <= record.failures.len());
    }
    Ok(end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_every_end_is_announced_once(rig in rig()) {
        run(&rig)?;
    }

    #[test]
    fn without_orders_faults_and_budgets_every_trial_reaches_its_end(mut rig in rig()) {
        rig.orders.clear();
        rig.budget = None;
        rig.over = None;
        rig.chance = Default::default();
        let end = run(&rig)?;
        prop_assert_eq!(&end.outcome, &Outcome::Completed);
        prop_assert_eq!(end.ledger.len() as u64, rig.samples);
        let full = rig.scheduler % 2 == 0;
        for record in end.ledger.iter() {
            prop_assert_eq!(record.status, Status::Terminated);
            let iteration = record.last.as_ref().map_or(0, |last| last.iteration());
            prop_assert!(iteration == rig.iterations || !full, "{} ended at {iteration}", record.id);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run(rig in rig()) {
        let (one, two) = (run(&rig)?, run(&rig)?);
        prop_assert_eq!((one.now, one.messages, one.totals), (two.now, two.messages, two.totals));
        prop_assert_eq!(one.events, two.events);
    }
}
