//! Resources through the whole engine: how many run at once, GPU indices, what can never run (the R cases).

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use common::live::{Gate, Script, Watch, end, numbered, pool_until, results, run, statuses, wait};
use tryout::extend::EventKind;
use tryout::logic::engine::Waiting;
use tryout::logic::event::RunFailure;
use tryout::prelude::*;

fn machine(cpu: f64, gpu: f64, a: f64) -> Resources {
    [("cpu", cpu), ("gpu", gpu), ("a", a)]
        .into_iter()
        .fold(Resources::new(), |all, (name, value)| all.with(name, value))
}

/// The cluster of the cases: 4 cpu, 2 gpu, 2 of "a".
fn c4() -> Resources {
    machine(4.0, 2.0, 2.0)
}

fn needs(cpu: f64, gpu: f64, a: f64) -> ResourceRequest {
    ResourceRequest::single(machine(cpu, gpu, a)).unwrap()
}

/// So many of eight trials are at work at once, and the others wait.
fn at_once(name: &str, request: ResourceRequest, expected: usize) {
    let gate = Gate::new();
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment(name)
        .resources(c4())
        .per_trial(request)
        .points(numbered(8))
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(expected as u32);
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (expected, 8 - expected));
    gate.open();
    end(handle).unwrap();
}

#[test]
fn case_r_01_as_many_as_fit_run_at_once() {
    at_once("r-01-cpu", needs(1.0, 0.0, 0.0), 4);
    at_once("r-01-two", needs(2.0, 0.0, 0.0), 2);
    at_once("r-01-gpu", needs(1.0, 1.0, 0.0), 2);
    at_once("r-01-a", needs(1.0, 0.0, 2.0), 1);
    at_once("r-01-half", needs(0.5, 0.0, 0.0), 8);
    at_once("r-01-share", needs(1.0, 0.5, 0.0), 4);
}

/// Two trials with a gpu each fit side by side.
#[test]
fn case_r_04_two_with_a_gpu_each() {
    let experiment = Script::new()
        .experiment("r-04")
        .resources(c4())
        .per_trial(needs(1.0, 1.0, 0.0))
        .points(numbered(2))
        .stop(stop::iterations(1));
    assert_eq!(results(experiment).count(Status::Terminated), 2);
}

/// 2 cpu for trials of 1, 1, 2 and 1: all come to run, whoever overtakes whom.
#[test]
fn case_r_08_nobody_blocks_anybody_for_ever() {
    let gate = Gate::new();
    let inside = gate.clone();
    let sizes = [1, 1, 2, 1].map(|cpu| Config::new().with("cpu", cpu));
    let handle = Script::new()
        .step(move |mock| {
            if mock.n() == 1 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("r-08")
        .workers(2)
        .points(sizes)
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(1);
    gate.open();
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated; 4]);
}

/// With and without reuse: never more is held than there is, and all of it is free when the trials have ended.
#[test]
fn case_r_09_what_is_held_fits_and_is_given_back() {
    for reuse in [Reuse::No, Reuse::Yes] {
        let name = format!("r-09-{reuse:?}");
        let (last, (watcher, mut watch)) = (Gate::new(), Watch::new());
        let inside = last.clone();
        let handle = Script::new()
            .step(move |mock| {
                if mock.n() == 9 {
                    inside.pass();
                }
                Ok(mock.score())
            })
            .experiment(&name)
            .resources(machine(8.0, 0.0, 4.0))
            .reuse(reuse)
            .per_trial(needs(4.0, 0.0, 2.0))
            .points(numbered(10))
            .stop(stop::iterations(1))
            .observer(watcher)
            .start()
            .unwrap();
        last.wait_for(1);
        let mut ended = 0;
        watch.until(|kind| {
            ended += u32::from(matches!(kind, EventKind::Ended { .. }));
            ended == 9
        });
        let status = pool_until(&handle, |counts| (counts.leased, counts.waiting, counts.stopping) == (1, 0, 0));
        assert_eq!(status.free.to_string(), "a 2, cpu 4", "{reuse:?}");
        last.open();
        assert_eq!(end(handle).unwrap().count(Status::Terminated), 10);
    }
}

/// Infeasible requests are refused before anything runs, naming what was asked and the most there is (DECISIONS 19).
#[test]
fn case_r_11_what_no_trial_could_ever_have_is_refused_and_named() {
    let experiment =
        Script::new().experiment("r-11").resources(c4()).per_trial(needs(5.0, 3.0, 0.0)).points(numbered(1));
    let error = experiment.start().expect_err("it can never run");
    let expected = "no trial could ever run: asked for cpu 5, gpu 3, but there is only a 2, cpu 4, gpu 2";
    assert_eq!(error.to_string(), expected);
}

/// One configuration of many asks for too much: the run can't go on, and says which trial and why.
#[test]
fn case_r_11_a_single_trial_that_can_never_run_ends_the_run() {
    let points = [1, 9].map(|cpu| Config::new().with("cpu", cpu));
    let experiment = Script::new().experiment("r-11-one").workers(2).points(points).stop(stop::iterations(1));
    let error = run(experiment).expect_err("the second can never run");
    let RunError::Failed { failure, results } = &error else { panic!("{error}") };
    assert!(matches!(failure, RunFailure::Infeasible { .. }), "{failure:?}");
    assert!(error.to_string().ends_with("can never run: asked for cpu 9, but there is only cpu 2"), "{error}");
    assert_eq!(results.count(Status::Running) + results.count(Status::Pending), 0);
}

/// A client adds one that can never run: the order is refused, and the run goes on.
#[test]
fn case_r_11_an_added_trial_that_can_never_run_is_refused() {
    let gate = Gate::new();
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("r-11-add")
        .workers(2)
        .points(numbered(1))
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(1);
    let error = wait(handle.add(Config::new().with("cpu", 9))).expect_err("it can never run");
    let expected = "a trial with this configuration can never run: asked for cpu 9, but there is only cpu 2";
    assert_eq!(error.to_string(), expected);
    gate.open();
    assert_eq!(end(handle).unwrap().trials().len(), 1, "nothing was added");
}

/// A request that fits the machine and waits has a reason, and no warning.
#[test]
fn case_r_12_a_trial_that_waits_says_for_what() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = gate.clone();
    let sizes = [1, 4].map(|cpu| Config::new().with("cpu", cpu));
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("r-12")
        .workers(4)
        .points(sizes)
        .stop(stop::iterations(1))
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(1);
    watch.line("1 added");
    let second = wait(handle.trials(1, 1)).unwrap().remove(0);
    let Waiting::ForResources { needs } = &second.waiting else { panic!("{:?}", second.waiting) };
    assert_eq!(needs.to_string(), "cpu 4");
    pool_until(&handle, |counts| counts.waiting == 1);
    let why = wait(handle.pool(Some(second.record.id))).unwrap().why.expect("a reason");
    assert_eq!((why.needs.to_string(), why.has.to_string()), ("cpu 4".to_owned(), "cpu 3".to_owned()));
    gate.open();
    end(handle).unwrap();
    watch.finish();
    assert!(watch.warnings().is_empty());
}

/// A head without cpu, and a helper with the gpu.
#[test]
fn case_r_14_a_head_bundle_of_nothing() {
    let slots = Arc::new(Mutex::new(Vec::new()));
    let seen = slots.clone();
    let request = ResourceRequest::bundles(vec![Resources::new(), machine(0.0, 1.0, 0.0)]).unwrap();
    let experiment = Script::new()
        .step(move |mock| {
            seen.lock().unwrap().push(mock.info.slot.clone());
            Ok(mock.score())
        })
        .experiment("r-14")
        .resources(c4())
        .per_trial(request)
        .points(numbered(3))
        .stop(stop::iterations(1));
    assert_eq!(results(experiment).count(Status::Terminated), 3);
    for slot in slots.lock().unwrap().iter() {
        assert!(slot.bundles[0].is_empty() && slot.gpus[0].is_empty());
        assert_eq!((slot.bundles[1].get("gpu").as_f64(), slot.gpus[1].len()), (1.0, 1));
    }
}

/// Trials at work at once never share a whole gpu; shares of one are told which it is.
#[test]
fn every_trial_knows_its_gpus() {
    let indices = |name: &str, gpu: f64, together: u32| {
        let gate = Gate::new();
        let inside = gate.clone();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let seen = taken.clone();
        let handle = Script::new()
            .step(move |mock| {
                seen.lock().unwrap().extend(mock.info.slot.gpus[0].clone());
                inside.pass();
                Ok(mock.score())
            })
            .experiment(name)
            .resources(machine(8.0, 2.0, 0.0))
            .per_trial(needs(1.0, gpu, 0.0))
            .points(numbered(together))
            .stop(stop::iterations(1))
            .start()
            .unwrap();
        gate.wait_for(together);
        gate.open();
        end(handle).unwrap();
        let mut taken = taken.lock().unwrap().clone();
        taken.sort_unstable();
        taken
    };
    assert_eq!(indices("gpu-one", 1.0, 2), [0, 1]);
    assert_eq!(indices("gpu-two", 2.0, 1), [0, 1]);
    let shares: BTreeSet<u32> = indices("gpu-half", 0.5, 4).into_iter().collect();
    assert_eq!(shares, BTreeSet::from([0, 1]), "four halves on both");
}

/// What the experiment says of a trial's needs goes before what the trainable says.
#[test]
fn the_experiments_word_on_resources_goes_first() {
    let wish = Config::new().with("cpu", 3);
    let held = |name: &str, said: Option<ResourceRequest>| {
        let gate = Gate::new();
        let inside = gate.clone();
        let experiment = Script::new()
            .step(move |mock| {
                inside.pass();
                Ok(mock.score())
            })
            .experiment(name)
            .workers(4)
            .points([wish.clone()])
            .stop(stop::iterations(1));
        let experiment = match said {
            Some(request) => experiment.per_trial(request),
            None => experiment,
        };
        let handle = experiment.start().unwrap();
        gate.wait_for(1);
        let free = wait(handle.pool(None)).unwrap().free;
        gate.open();
        end(handle).unwrap();
        free.to_string()
    };
    assert_eq!(held("says-trainable", None), "cpu 1");
    assert_eq!(held("says-experiment", Some(needs(2.0, 0.0, 0.0))), "cpu 2");
}
