//! Panics beside the trainable's own methods: in an error's words, in drops, in a store. Each is its trial's failure.

mod common;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use common::live::{Script, iterations, numbered, results, statuses};
use tryout::edge::store::MemoryStore;
use tryout::prelude::*;
use tryout::testing::{FaultyStore, StoreCall};

/// An error that panics when its words are asked for.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl std::error::Error for Speechless {}

/// An error that panics when it is dropped.
#[derive(Debug, thiserror::Error)]
#[error("sticky")]
struct Sticky;

impl Drop for Sticky {
    fn drop(&mut self) {
        panic!("dropped")
    }
}

/// What is thrown; it panics when it is dropped, and so does what it panics with.
struct Payload(u32);

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(next) = self.0.checked_sub(1) {
            std::panic::panic_any(Payload(next));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Words,
    Drop,
    Payload,
}

fn make(trouble: Trouble) -> TrialError {
    match trouble {
        Trouble::Words => Speechless.into(),
        Trouble::Drop => Sticky.into(),
        Trouble::Payload => std::panic::panic_any(Payload(3)),
    }
}

/// The trouble comes after the first report, in all four kinds of trainables.
fn experiments(trouble: Trouble) -> [(&'static str, Experiment); 4] {
    let name = |kind: &str| format!("{kind}-{trouble:?}");
    let script = Script::new().step(move |mock| {
        if mock.n() == 0 && mock.count == 2 {
            return Err(make(trouble));
        }
        Ok(if mock.count == 3 { Step::done([("score", 3.0)]) } else { mock.score() })
    });
    let closure = function(&name("closure"), move |config: Config, trial| {
        trial.report([("score", 1.0)])?;
        if config.number("n") == Some(0.0) { Err(make(trouble)) } else { Ok(()) }
    });
    let awaiting = async_function(&name("awaiting"), async move |config: Config, trial: &mut AsyncSession| {
        trial.report([("score", 1.0)]).await?;
        if config.number("n") == Some(0.0) { Err(make(trouble)) } else { Ok(()) }
    });
    [
        ("stepwise", script.clone().experiment(&name("stepwise"))),
        ("async stepwise", script.async_experiment(&name("async-stepwise"))),
        ("closure", Experiment::new(name("closure"), closure)),
        ("async closure", Experiment::new(name("awaiting"), awaiting)),
    ]
}

#[test]
fn trouble_with_an_error_or_a_payload_is_the_trials_failure_and_its_reports_are_kept() {
    let three = Batching::Fixed { reports: std::num::NonZeroU32::new(3).unwrap(), time: None };
    for (trouble, kind, words) in [
        (Trouble::Words, FailureKind::Panic, "no words"),
        (Trouble::Drop, FailureKind::UserError, "sticky"),
        (Trouble::Payload, FailureKind::Panic, "a panic without words"),
    ] {
        for (form, experiment) in experiments(trouble) {
            let results = results(experiment.workers(1).points(numbered(2)).batching(three));
            assert_eq!(statuses(&results), [Status::Error, Status::Terminated], "{form} {trouble:?}");
            let trial = &results.trials()[0];
            let fault = &trial.failures[0].fault;
            assert_eq!((trial.failures.len(), fault.kind, &*fault.message), (1, kind, words), "{form}");
            assert_eq!(iterations(&results)[0], 1, "{form} {trouble:?}: what was reported before is kept");
        }
    }
}

/// A store that panics once, at the first call of a kind for the first trial.
fn panicking(what: StoreCall) -> FaultyStore {
    let panicked = AtomicBool::new(false);
    FaultyStore::new(MemoryStore::new(), move |called| {
        if called.what == what && called.id.trial.number() == 0 {
            assert!(panicked.swap(true, Ordering::Relaxed), "the store fell over");
        }
        None
    })
}

#[test]
fn a_store_that_panics_is_the_failure_of_the_trial_that_asks_it() {
    for what in [StoreCall::Begin, StoreCall::Write, StoreCall::Commit, StoreCall::Open, StoreCall::Read] {
        let script = Script::new().saves().step(|mock| {
            let broken = mock.count == 3 && mock.info.attempt == 1;
            if broken { Err(TrialError::new("broken")) } else { Ok(mock.score()) }
        });
        let closure = function(&format!("closure-{what:?}"), |_: Config, trial| {
            let before = trial.checkpoint()?.map(|from| from.json::<u64>("count.json")).transpose()?;
            for count in before.unwrap_or(0) + 1..=4 {
                if count == 3 && trial.info().attempt == 1 {
                    return Err(TrialError::new("broken"));
                }
                trial.report_with([("score", count as f64)], |to| Ok(to.json("count.json", &count)?))?;
            }
            Ok(())
        });
        let forms = [
            script.clone().experiment(&format!("store-{what:?}")),
            script.async_experiment(&format!("async-store-{what:?}")),
            Experiment::new(format!("closure-{what:?}"), closure).workers(1),
        ];
        for experiment in forms {
            let experiment = experiment
                .points(numbered(2))
                .checkpoint_every(1)
                .max_failures(2)
                .stop(stop::iterations(4))
                .store(panicking(what));
            let results = results(experiment);
            let name = results.name();
            assert_eq!((statuses(&results), iterations(&results)), (vec![Status::Terminated; 2], vec![4; 2]), "{name}");
            let trial = &results.trials()[0];
            let panics = trial.failures.iter().filter(|failure| failure.fault.kind == FailureKind::Panic);
            let words: Vec<&str> = panics.map(|failure| &*failure.fault.message).collect();
            assert_eq!(words, ["the store fell over"], "{name}");
        }
    }
}

/// Who panics in a reset may be in any state: it is dropped, and not asked to clean up.
#[test]
fn what_panicked_in_a_reset_is_not_called_again() {
    type Form = fn(Script, &str) -> Experiment;
    for (name, form) in [("reset", Script::experiment as Form), ("reset-async", Script::async_experiment as Form)] {
        let script = Script::new().reset(|mock| if mock.n() == 1 { panic!("no reset") } else { Ok(()) });
        let diary = script.diary.clone();
        let inside = diary.clone();
        let script = script.stop(move |_| {
            inside.note("stopped");
            Ok(())
        });
        let results = results(form(script, name).points(numbered(2)).stop(stop::iterations(1)));
        assert_eq!(statuses(&results), [Status::Terminated; 2], "{name}");
        assert_eq!(diary.lines(), ["stopped"], "{name}: only the second trainable");
    }
}
