//! Live control: orders to single trials and to the whole run, the event stream, two runs side by side.

mod common;

use std::num::NonZeroU32;
use std::time::Duration;

use common::live::{
    Diary, Gate, Script, SpyScheduler, Watch, end, ids, iterations, numbered, pool_until, results, statuses, wait,
};
use tryout::extend::{Cohort, EventKind, Verdict};
use tryout::logic::engine::{ClientOrder, Waiting};
use tryout::prelude::*;

fn waiting(handle: &ExperimentHandle, trial: TrialId) -> Waiting {
    wait(handle.trial(trial)).unwrap().unwrap().waiting
}

/// Stop ends a trial at once, though its step goes on.
#[test]
fn stop_ends_one_trial() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("stop")
        .points(numbered(2))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    wait(handle.stop_trial(trial)).unwrap();
    watch.line("0 ended TERMINATED Client");
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!((statuses(&results), iterations(&results)), (vec![Status::Terminated; 2], vec![0, 2]));
}

/// A running trial pauses at its next report, a waiting one at once; both stay so, and the run stays open.
#[test]
fn pause_and_resume() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("pause")
        .points(numbered(2))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    let first = watch.running(0);
    let second = ids(&handle)[1];
    wait(handle.pause(second)).unwrap();
    watch.line("1 PENDING>PAUSED");
    wait(handle.pause(first)).unwrap();
    assert_eq!(waiting(&handle, first), Waiting::Not, "it runs until its next report");
    gate.open();
    watch.line("0 RUNNING>PAUSED");
    assert_eq!([first, second].map(|trial| waiting(&handle, trial)), [Waiting::ForClient, Waiting::ForClient]);
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (0, 0));

    // A second pause changes nothing; a resume of what isn't paused is refused.
    wait(handle.pause(first)).unwrap();
    wait(handle.resume(first)).unwrap();
    watch.line("0 ended TERMINATED StopRule");
    let refused = wait(handle.resume(first)).unwrap_err();
    assert_eq!(refused.to_string(), format!("trial {first} is TERMINATED: it can't be resumed"));
    assert_eq!(waiting(&handle, second), Waiting::ForClient, "it is nobody's to take up");
    wait(handle.resume(second)).unwrap();
    assert_eq!(iterations(&end(handle).unwrap()), [2, 2]);
}

/// A pause that was taken back before the trial got there: it goes through the pause and on.
#[test]
fn a_pause_that_is_taken_back() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("taken-back")
        .points(numbered(1))
        .stop(stop::iterations(3))
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    wait(handle.resume(trial)).unwrap();
    gate.open();
    assert_eq!(iterations(&end(handle).unwrap()), [3]);
}

/// A scheduler's pause is the scheduler's: a client may take it over, and then it is the client's.
#[test]
fn a_client_takes_a_schedulers_pause_over() {
    let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
    let inside = gate.clone();
    let judge = |trial: TrialId, report: &Report, _: &dyn Cohort| {
        if trial.number() == 0 && report.iteration() == 1 { Verdict::pause("later") } else { Verdict::CONTINUE }
    };
    let handle = Script::new()
        .saves()
        .step(move |mock| {
            if mock.n() > 0 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("take-over")
        .points(numbered(2))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .concurrency(1)
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    watch.line("0 RUNNING>PAUSED");
    let first = ids(&handle)[0];
    watch.line("1 PENDING>RUNNING");
    assert_eq!(waiting(&handle, first), Waiting::ForScheduler);
    wait(handle.pause(first)).unwrap();
    assert_eq!(waiting(&handle, first), Waiting::ForClient);
    gate.open();
    watch.line("1 ended TERMINATED StopRule");
    assert_eq!(waiting(&handle, first), Waiting::ForClient, "the scheduler isn't offered it");
    wait(handle.resume(first)).unwrap();
    assert_eq!(iterations(&end(handle).unwrap()), [2, 2]);
}

/// A client stops a trial that writes the checkpoint of a pause: the stop stands when the pause is complete.
#[test]
fn a_stop_while_a_trial_pauses() {
    for at_end in [AtEnd::Nothing, AtEnd::Checkpoint] {
        let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
        let inside = gate.clone();
        let handle = Script::new()
            .saves()
            .on_save(move |_| {
                inside.pass();
                Ok(())
            })
            .experiment(&format!("stop-while-pausing-{at_end:?}"))
            .points(numbered(1))
            .at_end(at_end)
            .scheduler(SpyScheduler::judging(&diary, |_, _: &Report, _: &dyn Cohort| Verdict::pause("always")))
            .observer(watcher)
            .start()
            .unwrap();
        gate.wait_for(1);
        let trial = watch.running(0);
        wait(handle.stop_trial(trial)).unwrap();
        gate.open();
        let results = end(handle).unwrap();
        let trial = &results.trials()[0];
        assert_eq!((trial.status, trial.ending), (Status::Terminated, Some(Ending::Client)), "{at_end:?}");
        assert_eq!((trial.checkpoints.len(), trial.last.as_ref().unwrap().iteration()), (1, 1), "{at_end:?}");
    }
}

/// One that is paused by the scheduler has its reason in its record.
#[test]
fn why_a_trial_is_paused_is_known() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let judge = |_, report: &Report, _: &dyn Cohort| {
        if report.iteration() == 1 { Verdict::pause("below the others") } else { Verdict::CONTINUE }
    };
    let experiment = Script::new()
        .saves()
        .experiment("why-paused")
        .points(numbered(1))
        .scheduler(SpyScheduler::judging(&diary, judge))
        .stop(stop::iterations(2))
        .observer(watcher);
    results(experiment);
    let paused = watch.until(|kind| matches!(kind, EventKind::Paused { .. }));
    let EventKind::Paused { reason, .. } = paused else { unreachable!() };
    assert_eq!(reason.as_deref(), Some("below the others"));
}

#[test]
fn trials_are_added_while_it_runs() {
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("add").points(numbered(1)).stop(stop::iterations(1)).start().unwrap();
    gate.wait_for(1);
    let added = wait(handle.add(Config::new().with("n", 77))).unwrap();
    assert_eq!(added.number(), 1);
    gate.open();
    let results = end(handle).unwrap();
    let added = results.trial(added).unwrap();
    assert_eq!((added.status, added.config.number("n")), (Status::Terminated, Some(77.0)));
}

/// Those with a higher priority are launched first, whatever their number.
#[test]
fn priorities_change_the_order() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .experiment("prioritise")
        .points(numbered(5))
        .concurrency(1)
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    watch.line("4 added");
    let all = ids(&handle);
    wait(handle.order(ClientOrder::Prioritise(all[3], 5))).unwrap();
    wait(handle.order(ClientOrder::Prioritise(all[1], -5))).unwrap();
    assert_eq!(waiting(&handle, all[1]), Waiting::ForTurn);
    gate.open();
    end(handle).unwrap();
    watch.finish();
    let launched: Vec<u32> = watch.launches().into_iter().map(|(trial, _)| trial).collect();
    assert_eq!(launched, [0, 3, 2, 4, 1]);
}

#[test]
fn concurrency_changes_while_it_runs() {
    let gate = Gate::new();
    let handle = Script::gated(&gate)
        .experiment("concurrency")
        .workers(4)
        .points(numbered(8))
        .concurrency(1)
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(1);
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 0));
    wait(handle.order(ClientOrder::Concurrency(NonZeroU32::new(3)))).unwrap();
    gate.wait_for(3);
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (3, 0));
    wait(handle.order(ClientOrder::Concurrency(None))).unwrap();
    gate.wait_for(4);
    gate.open();
    assert_eq!(end(handle).unwrap().count(Status::Terminated), 8);
}

/// Orders that make no sense are refused, and nothing changes.
#[test]
fn refusals_say_why() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            if mock.n() == 1 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("refusals")
        .points(numbered(3))
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    watch.line("0 ended TERMINATED StopRule");
    watch.running(1);
    let [ended, running, pending] = ids(&handle)[..] else { panic!("three trials") };
    let unknown = TrialId::new(ended.run(), 99);
    let words = |order| wait(handle.order(order)).expect_err("a refusal").to_string();
    let over = |action: &str| format!("trial {ended} is TERMINATED: it can't {action}");
    assert_eq!(words(ClientOrder::Stop(ended)), over("be stopped"));
    assert_eq!(words(ClientOrder::Pause(ended)), over("be paused"));
    assert_eq!(words(ClientOrder::Save(ended)), over("be saved"));
    assert_eq!(words(ClientOrder::Prioritise(ended, 1)), over("be given a priority"));
    let running_words = format!("trial {running} is RUNNING: it can't be resumed: it isn't paused");
    assert_eq!(words(ClientOrder::Resume(running)), running_words);
    let pending_words = format!("trial {pending} is PENDING: it can't be saved: it has no worker");
    assert_eq!(words(ClientOrder::Save(pending)), pending_words);
    for order in [ClientOrder::Stop, ClientOrder::Pause, ClientOrder::Resume, ClientOrder::Save] {
        assert_eq!(words(order(unknown)), format!("there is no trial {unknown} in this run"));
        let stranger = common::trial(0);
        assert_eq!(words(order(stranger)), format!("there is no trial {stranger} in this run"));
    }
    assert!(wait(handle.trial(unknown)).unwrap().is_none());
    gate.open();
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated; 3]);
}

/// A trial that backs off, and one whose worker is being set up, say so.
#[test]
fn waiting_for_the_next_attempt_and_for_a_worker() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let long = Duration::from_secs(1_000);
    let backoff = Backoff { first: long, factor: 1.0, longest: long };
    let handle = Script::new()
        .setup(move |mock| {
            if mock.n() == 0 {
                return Err(TrialError::new("no luck"));
            }
            inside.pass();
            Ok(())
        })
        .experiment("backing-off")
        .points(numbered(2))
        .retry(RetryPolicy::new(Budget::Limited(1)).backoff_all(backoff))
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    let failed = watch.until(|kind| matches!(kind, EventKind::Failed { .. }));
    let EventKind::Failed { retry_at: Some(until), trial, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(waiting(&handle, trial), Waiting::BackingOff { until });
    watch.line("1 launched a1");
    gate.wait_for(1);
    let second = ids(&handle)[1];
    assert_eq!(waiting(&handle, second), Waiting::ForWorker);
    gate.open();
    watch.line("1 ended TERMINATED StopRule");
    // The client need not wait for it.
    wait(handle.stop_trial(trial)).unwrap();
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated; 2]);
}
