//! Observers with a state (case S-21): each session goes on with it, and nothing is told twice or never.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use tempfile::TempDir;
use tryout::extend::{ExperimentEvent, Observer, ObserverError, Past};
use tryout::logic::event::Outcome;
use tryout::prelude::*;

/// Counts reports, those of earlier sessions included.
struct Counter {
    count: u64,
    /// What it gives away as its state; with none it is told everything again.
    keeps: bool,
    last: Arc<Mutex<u64>>,
}

impl Counter {
    fn count(&mut self, event: &ExperimentEvent) {
        self.count += u64::from(matches!(event.kind, EventKind::Reported { .. }));
        *self.last.lock().unwrap() = self.count;
    }
}

impl Observer for Counter {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.count(event);
        Ok(())
    }

    fn save(&mut self) -> Option<serde_json::Value> {
        self.keeps.then(|| self.count.into())
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), ObserverError> {
        self.count = state.as_u64().ok_or("not a count")?;
        Ok(())
    }

    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.count(event);
        Ok(())
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn name(&self) -> &str {
        "counter"
    }

    fn room(&self) -> Option<usize> {
        Some(1_000_000)
    }
}

fn experiment(dir: &Path, snapshot: u64, keeps: bool, last: &Arc<Mutex<u64>>) -> Experiment {
    let work = function("work", |config: Config, trial| {
        let x = config.number("x").unwrap_or(0.0);
        for step in 1..=200 {
            trial.report([("loss", x / f64::from(step))])?;
        }
        Ok(())
    });
    Experiment::new("counted", work)
        .seed(0)
        .space(Space::new().with("x", uniform(0.0, 1.0)))
        .samples(40)
        .batching(Batching::Single)
        .workers(2)
        .snapshot_after(snapshot)
        .observer(Counter { count: 0, keeps, last: last.clone() })
        .dir(dir)
        .existing(Existing::Resume)
}

#[test]
fn s_21_an_observer_s_state_goes_on_from_session_to_session() {
    for (snapshot, keeps) in [(u64::MAX, true), (u64::MAX, false), (1, true), (1, false)] {
        let (dir, last) = (TempDir::new().unwrap(), Arc::new(Mutex::new(0)));
        for _ in 0..2 {
            let handle = experiment(dir.path(), snapshot, keeps, &last).start().unwrap();
            block_on(handle.drain(Duration::from_secs(20))).unwrap();
            let results = handle.wait_blocking().unwrap();
            assert_eq!(*last.lock().unwrap(), results.totals().reports, "{snapshot} {keeps}");
        }
        let results = experiment(dir.path(), snapshot, keeps, &last).run().unwrap();
        assert_eq!((results.outcome(), results.totals().reports), (&Outcome::Completed, 8_000));
        assert_eq!(*last.lock().unwrap(), 8_000, "{snapshot} {keeps}");
    }
}
