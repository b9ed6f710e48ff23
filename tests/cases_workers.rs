//! Workers through the whole engine: staged, handed on, reset, replaced, stopped (the C and M cases).

mod common;

use common::live::{
    Diary, Gate, Mock, Script, Spied, SpyScheduler, SpySearcher, Watch, end, iterations, last, numbered, pool_until,
    results, statuses, wait,
};
use tryout::extend::{Cohort, Suggestion, Verdict};
use tryout::prelude::*;

fn resettable() -> Script {
    Script::new().saves().reset(|_| Ok(()))
}

#[test]
fn case_c_01_one_trial_has_one_worker() {
    Script::new().install("c-01");
    let (backend, spy) = Spied::new(stepwise::<Mock>());
    results(Experiment::new("c-01", backend).workers(8).points(numbered(1)).stop(stop::iterations(1)));
    assert_eq!(spy.spawned(), 1);
}

/// The second trial waits for resources when the first stops: it gets its worker, reset, and nothing else is started.
#[test]
fn case_c_15_and_c_16_a_worker_is_handed_on_to_whoever_waits() {
    let script = resettable();
    let diary = script.diary.clone();
    script
        .reset({
            let diary = diary.clone();
            move |mock| {
                diary.note(format!("reset {}", mock.n()));
                Ok(())
            }
        })
        .install("c-15");
    let (backend, spy) = Spied::new(stepwise::<Mock>());
    let (watcher, mut watch) = Watch::new();
    let experiment =
        Experiment::new("c-15", backend).workers(1).points(numbered(2)).stop(stop::iterations(2)).observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!((spy.spawned(), watch.workers()), (1, vec![0, 0]));
    assert_eq!(diary.lines(), ["reset 1"]);
    assert_eq!((last(&results, "resets"), iterations(&results)), (vec![0.0, 1.0], vec![2, 2]));
    let about = watch.about(1);
    assert_eq!(about[..4], ["added", "launched a1", "PENDING>RUNNING", "reported i1"], "no failure in between");
}

/// Closures that return at once, each needing the whole machine: one worker for all, and none left at the end.
#[test]
fn case_c_17_functions_that_return_at_once() {
    let (backend, spy) = Spied::new(function("c-17", |_: Config, _| Ok(())));
    let experiment = Experiment::new("c-17", backend)
        .workers(4)
        .per_trial(ResourceRequest::single(Resources::cpus(4)).unwrap())
        .points(numbered(4));
    assert_eq!(results(experiment).count(Status::Terminated), 4);
    assert_eq!(spy.spawned(), 1);
}

/// A kept worker goes to a trial that was never staged; its later end disturbs nobody.
#[test]
fn case_c_18_a_kept_worker_serves_a_trial_that_comes_late() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let config = |n: u32, cpu: u32| Config::new().with("n", n).with("cpu", cpu);
    let handle = resettable()
        .step(move |mock| {
            if mock.number("cpu") < 5.0 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("c-18")
        .workers(5)
        .staged(1)
        .concurrency(2)
        .points([config(0, 1), config(1, 1), config(2, 5)])
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(2);
    let late = wait(handle.add(config(3, 1))).unwrap();
    let second = wait(handle.trials(1, 1)).unwrap()[0].record.id;
    wait(handle.stop_trial(second)).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    watch.finish();
    assert_eq!(statuses(&results), [Status::Terminated; 4]);
    assert_eq!(results.trial(late).unwrap().last.as_ref().unwrap().iteration(), 1);
    assert!(results.trials().iter().all(|trial| trial.failures.is_empty()));
}

/// Nobody will want the worker: it is cleaned up while the other trial is still at work.
#[test]
fn case_c_19_a_worker_that_nobody_will_want_is_stopped() {
    let (gate, script) = (Gate::new(), resettable());
    let (diary, inside) = (script.diary.clone(), gate.clone());
    let notes = diary.clone();
    let handle = script
        .step(move |mock| {
            if mock.n() == 1 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .stop(move |mock| {
            notes.note(format!("stop {}", mock.n()));
            Ok(())
        })
        .experiment("c-19")
        .workers(2)
        .points(numbered(2))
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(1);
    diary.wait_for("stop 0", 1);
    gate.open();
    end(handle).unwrap();
}

/// The searcher has more to come: one idle worker is kept for it, until something else needs its resources.
#[test]
fn case_c_20_to_c_22_an_idle_worker_is_kept_and_evicted_when_it_is_in_the_way() {
    let (gate, script, (watcher, mut watch)) = (Gate::new(), resettable(), Watch::new());
    let (diary, inside) = (script.diary.clone(), gate.clone());
    let notes = diary.clone();
    let searcher = SpySearcher::asking(&diary, |trial| {
        Ok(match trial.number() {
            0 | 1 => Suggestion::Next(Config::new().with("cpu", 1)),
            2 => Suggestion::Wait,
            _ => Suggestion::Exhausted,
        })
    });
    let handle = script
        .step(move |mock| {
            if mock.n() == 1 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .stop(move |mock| {
            notes.note(format!("stop {}", mock.n()));
            Ok(())
        })
        .experiment("c-20")
        .resources(Resources::cpus(2).with("a", 1.0))
        .searcher(searcher)
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    watch.line("0 ended TERMINATED StopRule");
    pool_until(&handle, |counts| (counts.idle, counts.leased) == (1, 1));
    assert!(diary.of("stop").is_empty());

    let other = wait(handle.add(Config::new().with("cpu", 1).with("a", 1))).unwrap();
    diary.wait_for("stop 0", 1);
    watch.line(&format!("{} ended TERMINATED StopRule", other.number()));
    assert_eq!(watch.launches().last().unwrap().1.number(), 2, "on a worker of its own");
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!(last(&results, "resets"), [0.0; 3]);
}

#[test]
fn case_c_23_a_worker_that_failed_is_not_handed_on() {
    let (watcher, mut watch) = Watch::new();
    let experiment = resettable()
        .step(|mock| if mock.n() == 0 { Err(TrialError::new("broken")) } else { Ok(mock.score()) })
        .experiment("c-23")
        .points(numbered(3))
        .stop(stop::iterations(1))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!(watch.workers(), [0, 1, 1]);
    assert_eq!(last(&results, "resets")[1..], [0.0, 1.0]);
}

/// Four trials of two iterations on one worker, each paused after each report.
fn always_paused(name: &str, reuse: Reuse) -> (Results, Diary) {
    let diary = Diary::new();
    let always = |_, _: &Report, _: &dyn Cohort| Verdict::pause("always");
    let experiment = resettable()
        .experiment(name)
        .reuse(reuse)
        .points(numbered(4))
        .scheduler(SpyScheduler::judging(&diary, always))
        .stop(stop::iterations(2));
    (results(experiment), diary)
}

#[test]
fn case_c_24_without_reuse_nothing_is_reset() {
    let (results, diary) = always_paused("c-24", Reuse::No);
    assert_eq!(last(&results, "resets"), [0.0; 4]);
    assert_eq!(iterations(&results), [2; 4]);
    assert_eq!(diary.of("S.end"), [0, 1, 2, 3].map(|n| format!("S.end {n} StopRule i2")));
}

#[test]
fn case_c_25_with_reuse_one_worker_is_reset_for_each_trial() {
    let (results, _) = always_paused("c-25", Reuse::Yes);
    assert_eq!(last(&results, "resets"), [4.0, 5.0, 6.0, 7.0]);
    assert_eq!(last(&results, "score"), [2.0; 4], "each went on from its checkpoint");
}

/// Reset is optional: without it a new trainable is set up on the same worker (DECISIONS 6).
#[test]
fn case_c_27_a_trainable_that_cannot_be_reset_is_set_up_anew() {
    let script = Script::new();
    let diary = script.diary.clone();
    let (setups, stops) = (diary.clone(), diary.clone());
    let (watcher, mut watch) = Watch::new();
    let experiment = script
        .setup(move |mock| {
            setups.note(format!("setup {}", mock.n()));
            Ok(())
        })
        .stop(move |mock| {
            stops.note(format!("stop {}", mock.n()));
            Ok(())
        })
        .experiment("c-27")
        .points(numbered(2))
        .stop(stop::iterations(1))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!(diary.lines(), ["setup 0", "stop 0", "setup 1", "stop 1"]);
    assert_eq!(watch.workers(), [0, 0]);
    assert!(results.trials().iter().all(|trial| trial.failures.is_empty()));
}

/// A reset that fails, or panics, costs the worker and not the trial (DECISIONS 6).
#[test]
fn case_c_28_and_c_29_a_failed_reset_costs_only_the_worker() {
    let refuse: fn(&mut Mock) -> Result<(), TrialError> = |_| Err(TrialError::new("won't"));
    let panic: fn(&mut Mock) -> Result<(), TrialError> = |_| panic!("can't");
    for (name, reset) in [("c-28", refuse), ("c-29", panic)] {
        let (watcher, mut watch) = Watch::new();
        let experiment =
            Script::new().reset(reset).experiment(name).points(numbered(3)).stop(stop::iterations(2)).observer(watcher);
        let results = results(experiment);
        let outcome = watch.finish();
        assert_eq!((outcome, statuses(&results)), (Outcome::Completed, vec![Status::Terminated; 3]), "{name}");
        assert!(results.trials().iter().all(|trial| trial.failures.is_empty() && trial.attempts == 1), "{name}");
        let mut on = watch.workers();
        on.dedup();
        assert_eq!(on, [0, 1, 2], "{name}: {:?}", watch.lines());
        assert_eq!(last(&results, "resets"), [0.0; 3], "{name}");
    }
}

/// The worker of a trial that failed isn't reused, so the next begins afresh.
#[test]
fn case_c_31_resets_around_a_failure() {
    let experiment = resettable()
        .step(|mock| if mock.n() == 1 { Err(TrialError::new("broken")) } else { Ok(mock.score()) })
        .experiment("c-31")
        .points(numbered(4))
        .stop(stop::iterations(1));
    let results = results(experiment);
    let resets = last(&results, "resets");
    assert_eq!((resets[0], resets[2], resets[3]), (0.0, 0.0, 1.0));
    assert_eq!(results.trials()[1].status, Status::Error);
}

#[test]
fn case_c_32_one_at_a_time_on_one_worker() {
    let experiment =
        resettable().experiment("c-32").workers(4).concurrency(1).points(numbered(6)).stop(stop::iterations(1));
    assert_eq!(last(&results(experiment), "resets"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

/// Workers are handed on only between equal requests.
#[test]
fn case_c_33_workers_of_three_sizes() {
    let sizes = [4, 2, 1, 2, 1, 4].map(|cpu| Config::new().with("cpu", cpu));
    let experiment = resettable().experiment("c-33").workers(7).concurrency(1).points(sizes).stop(stop::iterations(1));
    assert_eq!(last(&results(experiment), "resets"), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
}

/// What a trial reported is its own, whoever had the worker before.
#[test]
fn case_c_34_a_reused_worker_keeps_nothing_of_the_trial_before() {
    let experiment = resettable()
        .step(|mock| Ok(Step::next([("own", mock.number("n")), ("count", mock.count as f64)])))
        .experiment("c-34")
        .points(numbered(2))
        .stop(stop::iterations(3));
    for (n, trial) in results(experiment).trials().iter().enumerate() {
        let own: Vec<f64> = trial.history.iter().map(|report| report.number("own").unwrap()).collect();
        assert_eq!(own, [n as f64; 3]);
        let last = trial.last.as_ref().unwrap();
        assert_eq!((last.counters.training_iteration, last.counters.iterations_since_restore), (3, 3));
        assert_eq!(last.number("count"), Some(3.0));
    }
}
