//! A limit that the worker itself watches over ends its trial as a stop rule does.

mod common;

use common::live::{Diary, SpyScheduler, SpySearcher, WordsOnly, numbered, results};
use tryout::extend::{Batch, BatchEnd, Keep, Over, Report, WorkerFact, WorkerOrder};
use tryout::prelude::*;
use tryout::testing::{Saves, Script, scripted};

fn script() -> Script {
    Script::new(|_, iteration| Metrics::from([("x", iteration as f64)]))
}

/// The iterations of the checkpoints that are kept.
fn kept(results: &Results) -> Vec<u64> {
    results.trials()[0].checkpoints.iter().map(|checkpoint| checkpoint.report.iteration()).collect()
}

#[test]
fn the_reason_stays_with_the_trial_and_the_scheduler_isnt_asked() {
    let diary = Diary::new();
    let experiment = Experiment::new("over", scripted(script().over_at(3, Keep::Nothing)))
        .workers(1)
        .batching(Batching::Single)
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::new(&diary));
    let results = results(experiment);
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.ending), (Status::Terminated, Some(Ending::StopRule)));
    assert_eq!(trial.reason.as_deref(), Some("it has worked for 3.0 s, of 3.0 s at most"));
    assert_eq!(trial.last.as_ref().map(|last| (last.iteration(), last.done)), Some((3, true)));
    assert_eq!((kept(&results), results.totals().reports), (vec![], 3), "no checkpoint was asked for");
    assert_eq!(diary.of("S.report").len(), 2, "{:?}", diary.lines());
    assert_eq!(diary.of("S.end"), ["S.end 0 StopRule i3"]);
    assert_eq!(diary.of("A.end"), ["A.end 0 StopRule i3"]);
}

#[test]
fn a_checkpoint_comes_first_if_the_worker_says_so() {
    let run = |name: &str, saves| {
        let script = script().saves(saves).over_at(3, Keep::Checkpoint);
        results(Experiment::new(name, scripted(script)).workers(1).points(numbered(1)))
    };
    let saved = run("over-saved", Saves::Supported);
    assert_eq!((kept(&saved), saved.trials()[0].status), (vec![3], Status::Terminated));
    let unsaved = run("over-unsaved", Saves::Unsupported);
    assert_eq!((kept(&unsaved), unsaved.trials()[0].status), (vec![], Status::Terminated));
}

/// A rule that had stopped it on an earlier report of the batch, or on the same one, keeps the word.
#[test]
fn a_stop_rule_goes_before_the_workers_own_limit() {
    for (at, reason) in [
        (2, "iteration 2 is the last of 2"),
        (3, "iteration 3 is the last of 3"),
        (4, "it has worked for 3.0 s, of 3.0 s at most"),
    ] {
        let experiment = Experiment::new(format!("over-{at}"), scripted(script().over_at(3, Keep::Checkpoint)))
            .workers(1)
            .points(numbered(1))
            .stop(stop::iterations(at));
        let results = results(experiment);
        let trial = &results.trials()[0];
        assert_eq!((trial.ending, trial.reason.as_deref()), (Some(Ending::StopRule), Some(reason)));
        assert_eq!(kept(&results), if at == 4 { vec![3] } else { vec![] }, "the rule's end, under its own settings");
    }
}

/// A limit that is reached before the first report, and one that is announced without a word.
#[test]
fn an_empty_batch_ends_the_trial_too() {
    let run = |name: &str, over: Option<Over>| {
        let backend = WordsOnly::new(move |order| match order {
            WorkerOrder::Start { .. } => Some(WorkerFact::Ready),
            _ => {
                let over = over.clone();
                Some(WorkerFact::Reported(Batch { reports: Vec::new(), end: BatchEnd::Over, handed_in: None, over }))
            }
        });
        let results = results(Experiment::new(name, backend).workers(1).points(numbered(1)));
        let trial = &results.trials()[0];
        let iteration = trial.last.as_deref().map(Report::iteration);
        assert_eq!((trial.status, trial.ending, iteration), (Status::Terminated, Some(Ending::StopRule), Some(0)));
        trial.reason.clone()
    };
    let over = Over { reason: "no time left".into(), keep: Keep::Nothing };
    assert_eq!(run("over-empty", Some(over)).as_deref(), Some("no time left"));
    assert_eq!(run("over-wordless", None), None);
}
