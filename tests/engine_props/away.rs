//! A searcher that is sent away to think hears of every trial of its own, exactly once, whoever took its number meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tryout::logic::config::Config;
use tryout::logic::event::{AddedBy, Ending, EventKind, Outcome};
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::Report;
use tryout::logic::search::{Effort, SearchError, Searcher, Suggestion};

use super::rig::{Rig, rig, scheduler};

/// What it suggested, by the number it was asked for, and what it heard of that.
#[derive(Debug, Default)]
struct Own {
    x: f64,
    reports: Vec<u64>,
    ends: u32,
}

/// Takes its time, and knows its trials by the number it was asked for.
struct Thinker {
    left: u64,
    own: Arc<Mutex<BTreeMap<TrialId, Own>>>,
}

impl Searcher for Thinker {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(Suggestion::Exhausted) };
        self.left = left;
        let x = left as f64;
        let before = self.own.lock().expect("not poisoned").insert(trial, Own { x, ..Own::default() });
        assert!(before.is_none(), "{trial} is asked for twice");
        Ok(Suggestion::Next(Config::new().with("x", x)))
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        if let Some(own) = self.own.lock().expect("not poisoned").get_mut(&trial) {
            own.reports.push(report.iteration());
        }
    }

    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>) {
        if let Some(own) = self.own.lock().expect("not poisoned").get_mut(&trial) {
            own.ends += 1;
        }
    }

    fn effort(&self) -> Effort {
        Effort::Heavy
    }
}

fn thinks(rig: &Rig) -> Result<(), TestCaseError> {
    let own = Arc::new(Mutex::new(BTreeMap::new()));
    let thinker = Thinker { left: rig.samples, own: own.clone() };
    let sim = rig.sim(scheduler(rig), Box::new(thinker)).at_most(200_000);
    let end = sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let own = own.lock().expect("not poisoned");
    let added = end.events.iter().filter_map(|event| match &event.kind {
        EventKind::Added { trial, config, by: AddedBy::Searcher, .. } => Some((*trial, config.number("x"))),
        _ => None,
    });
    let mut count = 0;
    for (trial, x) in added {
        count += 1;
        let known = own.values().find(|own| Some(own.x) == x);
        let Some(known) = known else { return Err(TestCaseError::fail(format!("{trial} isn't known"))) };
        let over = end.ledger.get(trial).is_some_and(|record| record.status.is_terminal());
        // One that was still away when the run ended hears no more.
        let heard = known.ends == u32::from(over) || (known.ends == 0 && end.outcome != Outcome::Completed);
        prop_assert!(heard, "{trial} ended, and the searcher heard {} times of it", known.ends);
        let told = end.events.iter().filter_map(|event| match &event.kind {
            EventKind::Reported { report } if report.trial == trial && !report.done => Some(report.iteration()),
            _ => None,
        });
        let told: Vec<u64> = told.collect();
        prop_assert!(known.reports == told || end.outcome != Outcome::Completed, "{:?} of {told:?}", known.reports);
    }
    if end.outcome == Outcome::Completed {
        prop_assert_eq!((count, own.len() as u64), (rig.samples, rig.samples));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_searcher_that_thinks_hears_of_its_own(rig in rig()) {
        thinks(&rig)?;
    }
}
