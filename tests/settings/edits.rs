//! DECISIONS 10: what a client changed while a run went on holds in the next session, unless the program has changed the same
//! setting since; a changed space or objective needs an explicit word.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use futures::executor::block_on;
use tempfile::TempDir;
use tryout::logic::engine::ClientOrder;
use tryout::prelude::*;

use super::{Warnings, Work, space};

/// Trials that go on until the run is drained.
fn endless(dir: &Path, concurrency: u32) -> Experiment {
    let points = (0..8).map(|x| Config::new().with("x", x));
    let experiment = Experiment::new("edits", stepwise::<Work>()).points(points).workers(8).concurrency(concurrency);
    experiment.existing(Existing::Resume).history(History::None).dir(dir)
}

/// How many trials a session runs at once before it is given this order and drained.
fn session(experiment: Experiment, order: Option<u32>) -> usize {
    let handle = experiment.start().unwrap();
    let trials = block_on(handle.trials(0, 100)).unwrap();
    if let Some(most) = order {
        block_on(handle.order(ClientOrder::Concurrency(NonZeroU32::new(most)))).unwrap();
    }
    block_on(handle.drain(Duration::from_secs(20))).unwrap();
    assert_eq!(handle.wait_blocking().unwrap().outcome(), &Outcome::Drained);
    trials.iter().filter(|trial| trial.waiting != Waiting::ForTurn).count()
}

#[test]
fn a_clients_change_holds_until_the_program_changes_the_same() {
    let dir = TempDir::new().unwrap();
    assert_eq!(session(endless(dir.path(), 4), Some(2)), 4);
    assert_eq!(session(endless(dir.path(), 4), None), 2, "the program is what it was, so the client's word holds");
    let again = || Experiment::resume(dir.path().join("edits"), stepwise::<Work>()).unwrap();
    assert_eq!(session(again(), None), 2, "a program that says nothing has changed nothing");
    let (warnings, sink) = Warnings::new();
    assert_eq!(session(endless(dir.path(), 3).observer(warnings), None), 3, "the program has changed it");
    let expected = "`concurrency` was 4 in the earlier session and is 3 now";
    assert_eq!(sink.lock().unwrap().iter().filter(|warning| *warning == expected).count(), 1);
    assert_eq!(session(again(), None), 3, "and what the client had said is over for good");
}

#[test]
fn what_says_another_question_needs_a_word() {
    let dir = TempDir::new().unwrap();
    let program = |space: Space, objective: Objective| {
        let experiment = Experiment::new("asked", stepwise::<Work>()).seed(0).space(space).objective(objective);
        experiment.stop(stop::iterations(2)).existing(Existing::Resume).dir(dir.path())
    };
    let (first, other) = (space(), space().with("kind", grid(["a", "b", "c"])));
    let (down, up) = (|| Objective::min("loss"), || Objective::max("loss"));
    program(first.clone(), down()).run().unwrap();
    let refused = |experiment: Experiment| experiment.start().err().unwrap().to_string();
    let message = refused(program(other.clone(), down()));
    assert!(message.starts_with("`space` was {") && message.ends_with("say `.with_changed_space()`"), "{message}");
    let message = refused(program(first.clone(), up()).with_changed_space());
    assert!(message.starts_with("`objective` was {\"metric\":\"loss\",\"mode\":\"min\"}"), "{message}");
    assert!(message.ends_with("if that is meant, say `.with_changed_objective()`"), "{message}");
    let results = program(other, up()).with_changed_space().with_changed_objective().run().unwrap();
    assert_eq!((results.objective(), results.trials().len()), (Some(&up()), 3));

    let searcher = |high: f64| {
        let space = Space::new().with("x", uniform(0.0, high));
        let searcher = tryout::logic::search::Variants::new(space, 3).unwrap().passes(2);
        let experiment = Experiment::new("searcher", stepwise::<Work>()).stop(stop::iterations(1)).samples(2);
        experiment.searcher(searcher).existing(Existing::Resume).dir(dir.path())
    };
    searcher(1.0).run().unwrap();
    let message = refused(searcher(2.0));
    assert!(message.starts_with("`space` was {"), "a searcher's own space counts: {message}");
    searcher(1.0).run().unwrap();
}
