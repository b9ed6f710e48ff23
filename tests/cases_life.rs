//! The life of trials through the whole engine: who hears what, in which order (the S cases).

mod common;

use common::live::{Diary, Gate, Script, SpyScheduler, SpySearcher, Watch, end, pool_until, results, run, wait};
use tryout::extend::{Decision, EventKind, ObserverError, Verdict};
use tryout::logic::engine::Waiting;
use tryout::logic::event::{ExperimentEvent, RunFailure};
use tryout::ports::observer::Observer;
use tryout::prelude::*;

/// What schedulers and searchers heard is in the diary; observers have a thread of their own, so their order is their own.
#[test]
fn case_s_01_order_of_notifications() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let experiment = Script::new()
        .experiment("s-01")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::new(&diary))
        .stop(stop::iterations(2))
        .observer(watcher);
    let results = results(experiment);

    let heard: Vec<String> = diary.lines().into_iter().filter(|line| !line.starts_with("A.suggest")).collect();
    let expected = ["S.add 0", "S.report 0 i1", "A.report 0 i1", "S.end 0 StopRule i2", "A.end 0 StopRule i2"];
    assert_eq!(heard, expected);
    assert_eq!(watch.finish(), Outcome::Completed);
    let expected = [
        "added",
        "launched a1",
        "PENDING>RUNNING",
        "reported i1",
        "reported i2 done",
        "RUNNING>TERMINATED",
        "ended TERMINATED StopRule",
    ];
    assert_eq!(watch.about(0), expected);
    assert!(results.trials()[0].last.as_ref().unwrap().done);
    assert_eq!(results.count(Status::Terminated), 1);
}

/// A scheduler that pauses at the first report: FIFO takes the trial up again.
#[test]
fn case_s_04_a_paused_trial_is_taken_up_again() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let pause_once = |_, report: &Report, _: &dyn tryout::extend::Cohort| match report.iteration() {
        1 => Verdict::pause("look at it later"),
        _ => Verdict::CONTINUE,
    };
    let experiment = Script::new()
        .saves()
        .experiment("s-04")
        .points(common::live::numbered(1))
        .scheduler(SpyScheduler::judging(&diary, pause_once))
        .stop(stop::iterations(2))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    let statuses: Vec<String> = watch.about(0).into_iter().filter(|line| line.contains('>')).collect();
    let expected = ["PENDING>RUNNING", "RUNNING>PAUSED", "PAUSED>PENDING", "PENDING>RUNNING", "RUNNING>TERMINATED"];
    assert_eq!(statuses, expected);
    assert_eq!(diary.of("S.end").len(), 1);
    assert_eq!(common::live::iterations(&results), [2]);
}

/// The trial that is tried again keeps its place (DECISIONS 9), and the searcher doesn't hear of it. Who is staged
/// stands in the pool's line already, where requests are served as they come.
#[test]
fn case_s_05_a_retry_keeps_its_place_in_the_line() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let experiment =
        Script::new()
            .step(|mock| {
                if mock.n() == 0 && mock.info.attempt == 1 { Err(TrialError::new("not yet")) } else { Ok(mock.score()) }
            })
            .experiment("s-05")
            .searcher(SpySearcher::counting(&diary, 3))
            .staged(1)
            .scheduler(SpyScheduler::new(&diary))
            .max_failures(1)
            .stop(stop::iterations(1))
            .observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!(diary.of("S.retry"), ["S.retry 0"]);
    assert_eq!(diary.of("A.end"), [1, 0, 2].map(|n| format!("A.end {n} StopRule i1")));
    let launched: Vec<u32> = watch.launches().into_iter().map(|(trial, _)| trial).collect();
    assert_eq!(launched, [0, 1, 0, 2], "the second was staged already; the retry goes before the third");
    assert_eq!(results.trials()[0].failures.len(), 1);
    assert_eq!(results.trials()[0].attempts, 2);
    assert!(results.trials()[0].error().is_none());
}

#[test]
fn case_s_07_a_worker_that_dies_while_it_is_set_up_is_replaced() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let experiment = Script::new()
        .setup(|mock| if mock.info.attempt == 1 { Err(TrialError::new("no data")) } else { Ok(()) })
        .experiment("s-07")
        .points(common::live::numbered(1))
        .scheduler(SpyScheduler::new(&diary))
        .max_failures(1)
        .stop(stop::iterations(1))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!(diary.of("S."), ["S.add 0", "S.retry 0", "S.end 0 StopRule i1"]);
    let failure = &results.trials()[0].failures[0];
    assert_eq!((failure.fault.kind, failure.attempt, failure.iteration), (FailureKind::SetupFailed, 1, 0));
    let about = watch.about(0);
    assert!(about.contains(&"failed set-up failed retry".to_owned()), "{about:?}");
    assert_eq!(about.iter().filter(|line| line.starts_with("launched")).count(), 2);
}

#[test]
fn case_s_08_a_failure_without_retries_ends_the_trial_for_everybody() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let experiment = Script::new()
        .step(|mock| if mock.count == 2 { Err(TrialError::new("broken")) } else { Ok(mock.score()) })
        .experiment("s-08")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::new(&diary))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    let heard: Vec<String> = diary.lines().into_iter().filter(|line| !line.starts_with("A.suggest")).collect();
    assert_eq!(heard, ["S.add 0", "S.report 0 i1", "A.report 0 i1", "S.end 0 Error i1", "A.end 0 Error i1"]);
    let about = watch.about(0);
    assert_eq!(about[about.len() - 3..], ["failed error no more", "RUNNING>ERROR", "ended ERROR Error"]);
    let trial = &results.trials()[0];
    assert_eq!(trial.error().unwrap().fault.message, "broken");
    assert!(!trial.last.as_ref().unwrap().done, "a trial in error isn't done");
    assert_eq!(results.errors().count(), 1);
}

/// A trial that waits for resources is stopped: everybody hears of it, and nothing of its request is left (S-10 in the
/// reference leaks a staged slot).
#[test]
fn case_s_09_and_s_10_a_waiting_trial_is_stopped() {
    let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("s-09")
        .searcher(SpySearcher::counting(&diary, 2))
        .scheduler(SpyScheduler::new(&diary))
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    watch.line("1 added");
    let second = wait(handle.trials(1, 1)).unwrap().remove(0);
    assert!(matches!(second.waiting, Waiting::ForResources { .. }), "{:?}", second.waiting);
    pool_until(&handle, |counts| counts.waiting == 1);

    wait(handle.stop_trial(second.record.id)).unwrap();
    watch.line("1 ended TERMINATED Client");
    pool_until(&handle, |counts| counts.waiting == 0);
    assert!(diary.has("S.end 1 Client without a report") && diary.has("A.end 1 Client without a report"));
    let gone = wait(handle.trial(second.record.id)).unwrap().unwrap();
    assert_eq!((gone.record.status, gone.waiting), (Status::Terminated, Waiting::Not));
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!(results.trials()[1].last.as_ref().unwrap().iteration(), 0);
    assert!(results.trials()[1].started.is_none());
}

#[test]
fn case_s_11_a_trial_that_was_never_staged_is_stopped() {
    let gate = Gate::new();
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("s-11")
        .points(common::live::numbered(3))
        .staged(1)
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(1);
    let third = wait(async { handle.add(Config::new().with("n", 9)).await }).unwrap();
    let before = wait(handle.trial(third)).unwrap().unwrap();
    assert_eq!((before.record.status, before.waiting), (Status::Pending, Waiting::ForTurn));
    wait(handle.stop_trial(third)).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    let third = results.trial(third).unwrap();
    assert_eq!((third.status, third.ending), (Status::Terminated, Some(Ending::Client)));
    assert_eq!(results.trials().len(), 4);
}

#[test]
fn case_s_13_a_trial_without_a_trainable_fails_alone() {
    #[derive(serde::Deserialize)]
    struct Settings {
        n: u32,
    }
    let trainable = function("s-13", |config: Settings, trial| Ok(trial.report([("n", f64::from(config.n))])?));
    let bad = Config::new().with("n", "many");
    let experiment = Experiment::new("s-13", trainable).workers(1).points([bad, Config::new().with("n", 3)]);
    let results = results(experiment);
    assert_eq!(common::live::statuses(&results), [Status::Error, Status::Terminated]);
    assert_eq!(common::live::last(&results, "n")[1], 3.0);
}

#[test]
fn case_s_16_both_trials_end_and_the_run_is_over_afterwards() {
    let experiment = Script::new().experiment("s-16").points(common::live::numbered(2)).stop(stop::iterations(5));
    let handle = experiment.start().unwrap();
    let control = handle.control();
    let results = end(handle).unwrap();
    assert_eq!(common::live::iterations(&results), [5, 5]);
    assert_eq!(wait(control.stop()), Err(ControlError::Over));
    assert!(matches!(wait(control.status()), Err::<RunStatus, _>(ControlError::Over)));
}

/// Function trials: one saves, one fails, one is slow.
#[test]
fn case_s_18_what_observers_see_of_three_trials() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let trainable = function("s-18", move |config: Config, trial| match config.number("n") {
        Some(0.0) => trial.report_with([("x", 1.0)], |to| Ok(to.json("x.json", &1)?)),
        Some(1.0) => Err(TrialError::new("on purpose")),
        _ => {
            inside.pass();
            Ok(trial.report([("x", 2.0)])?)
        }
    });
    let experiment = Experiment::new("s-18", trainable).workers(3).points(common::live::numbered(3)).observer(watcher);
    let handle = experiment.start().unwrap();
    watch.line("started Some(3)");
    let mut ended = 0;
    watch.until(|kind| {
        ended += u32::from(matches!(kind, EventKind::Ended { .. }));
        ended == 2
    });
    gate.open();
    assert_eq!(watch.finish(), Outcome::Completed);
    let lines = watch.lines();
    assert_eq!(lines[0], "started Some(3)");
    assert!(lines.contains(&"0 saved c0 i1".to_owned()) && lines.contains(&"1 failed error no more".to_owned()));
    let tail = &lines[lines.len() - 2..];
    assert_eq!(tail, ["2 ended TERMINATED Done", "finished"], "the slow one is last");
    end(handle).unwrap();
}

/// A scheduler sees the last report before the one it judges.
#[test]
fn case_s_20_the_last_report_is_the_previous_one_while_judging() {
    let (diary, previous) = (Diary::new(), Diary::new());
    let notes = previous.clone();
    let judge = move |trial, report: &Report, cohort: &dyn tryout::extend::Cohort| {
        let before = cohort.last_report(trial).map_or(0, Report::iteration);
        notes.note(format!("{before} before {}", report.iteration()));
        Verdict::CONTINUE
    };
    let experiment = Script::new()
        .experiment("s-20")
        .points(common::live::numbered(1))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .stop(stop::iterations(4));
    results(experiment);
    assert_eq!(previous.lines(), ["0 before 1", "1 before 2", "2 before 3"]);
}

/// Fails at the first event that it dislikes.
struct Touchy(fn(&EventKind) -> bool, Diary);

impl Observer for Touchy {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.1.note("seen");
        if (self.0)(&event.kind) { Err("can't bear it".into()) } else { Ok(()) }
    }

    fn name(&self) -> &str {
        "touchy"
    }
}

/// An observer that fails is disabled and reported; trials and the other observers go on (DECISIONS 7).
#[test]
fn case_s_24_and_s_25_an_observer_that_fails_is_disabled() {
    let (seen, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
    let inside = gate.clone();
    let touchy = Touchy(|kind| matches!(kind, EventKind::Saved { .. }), seen.clone());
    let handle = Script::new()
        .saves()
        .step(move |mock| {
            if mock.count == 2 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("s-25")
        .points(common::live::numbered(1))
        .checkpoint_every(1)
        .stop(stop::iterations(4))
        .observer(touchy)
        .observer(watcher)
        .start()
        .unwrap();
    watch.line("0 saved c0 i1");
    // Its fault is reported with the next events after it, whenever its own thread came to that.
    gate.open();
    watch.finish();
    let results = end(handle).unwrap();
    assert_eq!(results.trials()[0].checkpoints.len(), 4, "checkpoints are registered all the same");
    assert!(results.trials()[0].failures.is_empty());
    let last = seen.lines().len();
    assert!(last < watch.seen.len(), "it saw {last} events of {}", watch.seen.len());
}

#[test]
fn case_s_26_a_scheduler_that_panics_ends_the_run_and_is_named() {
    let diary = Diary::new();
    let judge = |_, _: &Report, _: &dyn tryout::extend::Cohort| panic!("no idea");
    let experiment = Script::new()
        .experiment("s-26")
        .points(common::live::numbered(1))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .max_failures(3);
    let error = run(experiment).expect_err("the run can't go on");
    let RunError::Failed { failure, results } = error else { panic!("{error}") };
    assert!(matches!(failure, RunFailure::Part { .. }));
    assert!(failure.to_string().starts_with("the scheduler spy scheduler failed: it panicked: no idea"), "{failure}");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.ending, trial.failures.len()), (Status::Terminated, Some(Ending::Experiment), 0));
}

#[test]
fn case_s_27_a_panic_at_a_trials_end_is_not_the_trials_failure() {
    let diary = Diary::new();
    let scheduler = SpyScheduler::new(&diary).at_end(|| panic!("too late"));
    let experiment = Script::new()
        .experiment("s-27")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(scheduler)
        .stop(stop::iterations(1))
        .max_failures(3);
    let error = run(experiment).expect_err("the run can't go on");
    let RunError::Failed { failure, results } = error else { panic!("{error}") };
    assert!(failure.to_string().contains("the scheduler spy scheduler failed: it panicked: too late"), "{failure}");
    assert_eq!(results.trials()[0].status, Status::Terminated);
    assert_eq!(results.trials()[0].attempts, 1, "not tried again");
    assert_eq!(diary.of("A.end"), ["A.end 0 StopRule i1"], "the searcher hears of it all the same");
}

/// Decisions are joined: what was ordered never gets weaker.
#[test]
fn a_stop_is_never_weakened_by_a_pause() {
    assert_eq!(Decision::Stop.max(Decision::Pause), Decision::Stop);
    let diary = Diary::new();
    let judge = |_, _: &Report, _: &dyn tryout::extend::Cohort| Verdict::pause("always");
    let experiment = Script::new()
        .experiment("stop-over-pause")
        .points(common::live::numbered(1))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .stop(stop::iterations(1));
    let results = results(experiment);
    assert_eq!(results.trials()[0].ending, Some(Ending::StopRule));
}

/// One paused trial and nothing else: the run goes on until somebody decides.
#[test]
fn case_s_30_a_run_with_a_paused_trial_is_not_over() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("s-30")
        .points(common::live::numbered(1))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.open();
    watch.line("0 RUNNING>PAUSED");
    let status = wait(handle.status()).unwrap();
    assert_eq!(status.counts[Status::Paused as usize], 1);
    assert_eq!(wait(handle.trial(trial)).unwrap().unwrap().waiting, Waiting::ForClient);
    wait(handle.resume(trial)).unwrap();
    assert_eq!(end(handle).unwrap().count(Status::Terminated), 1);
}
