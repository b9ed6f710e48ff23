//! The life of a worker process is that of a thread's.

use tryout::prelude::*;

use crate::program::{Walk, acts, one, rust};

fn outcome(results: &Results) -> Vec<(Status, Option<f64>, Option<f64>, u64)> {
    let last = |trial: &TrialRecord, name| trial.last.as_ref().and_then(|last| last.number(name));
    let one = |trial: &TrialRecord| (trial.status, last(trial, "count"), last(trial, "seed"), trial.reported);
    results.trials().iter().map(one).collect()
}

#[test]
fn one_line_moves_a_trainable_into_a_process() {
    let run = |experiment: Experiment| {
        let space = Space::new().with("steps", grid([3, 5, 8, 2])).with("act", "");
        outcome(&experiment.space(space).workers(2).seed(4).run().expect("a run"))
    };
    let threads = run(Experiment::new("walk", stepwise::<Walk>()).seed(0));
    let processes = run(Experiment::new("walk", rust()).seed(0));
    assert_eq!(processes, threads);
    assert_eq!(processes.iter().map(|trial| trial.3).collect::<Vec<_>>(), [3, 5, 8, 2]);
}

#[test]
fn a_worker_goes_on_from_trial_to_trial() {
    let resets = |reuse| {
        let experiment =
            Experiment::new("walk", rust()).seed(0).space(Space::new().with("steps", 2)).samples(4).workers(1);
        let results = experiment.reuse(reuse).run().expect("a run");
        let resets = |trial: &TrialRecord| trial.last.as_ref().and_then(|last| last.number("resets"));
        results.trials().iter().map(resets).collect::<Vec<_>>()
    };
    assert_eq!(resets(Reuse::Yes), [Some(0.0), Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(resets(Reuse::No), [Some(0.0); 4]);
}

#[test]
fn case_c_29_a_worker_that_cannot_be_reset_is_replaced() {
    let configs = [acts(""), acts("refuse reset"), acts("")];
    let results = Experiment::new("walk", rust()).seed(0).points(configs).workers(1).run().expect("a run");
    let resets = |trial: &TrialRecord| trial.last.as_ref().and_then(|last| last.number("resets"));
    assert!(results.trials().iter().all(|trial| trial.status == Status::Terminated && trial.failures.is_empty()));
    assert_eq!(results.trials().iter().map(resets).collect::<Vec<_>>(), [Some(0.0), Some(0.0), Some(1.0)]);
}

#[test]
fn a_worker_that_falls_between_two_trials_is_nobodys_failure() {
    let results =
        Experiment::new("walk", rust()).seed(0).points([acts(""), acts("die in reset"), acts("")]).workers(1).run();
    for trial in results.expect("a run").trials() {
        assert_eq!((trial.status, trial.failures.len()), (Status::Terminated, 0), "{}", trial.config);
    }
}

#[test]
fn checkpoints_are_written_loaded_and_exported() {
    let dir = tempfile::tempdir().expect("a directory");
    let results = Experiment::new("walk", rust())
        .seed(0)
        .points([acts("exit").with("steps", 6)])
        .dir(dir.path())
        .workers(1)
        .checkpoint_every(2)
        .at_end(AtEnd::Checkpoint)
        .export(Export::AtEnd)
        .max_failures(1)
        .run()
        .expect("a run");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.attempts, trial.reported), (Status::Terminated, 2, 6));
    let iterations: Vec<u64> = trial.checkpoints.iter().map(|checkpoint| checkpoint.report.iteration()).collect();
    assert_eq!(iterations, [2, 4, 6]);
    let product = dir.path().join("walk").join(trial.id.to_string()).join("export/model/product");
    assert_eq!(std::fs::read_to_string(product).expect("a product"), "6");
}

#[test]
fn a_run_in_memory_leaves_no_directory() {
    let results = Experiment::new("walk", rust())
        .seed(0)
        .points([acts(""), acts("")])
        .workers(1)
        .checkpoint_every(1)
        .run()
        .expect("a run");
    assert!(results.trials().iter().all(|trial| trial.checkpoints.len() == 4), "none at the end");
}

#[test]
fn case_k_03_a_trial_pauses_and_goes_on_from_its_checkpoint() {
    futures::executor::block_on(pauses_and_goes_on());
}

async fn pauses_and_goes_on() {
    let run = Experiment::new("walk", rust())
        .seed(0)
        .points([acts("").with("steps", 2_000_000)])
        .workers(1)
        .batching(Batching::Fixed { reports: std::num::NonZeroU32::MIN, time: None })
        .stop(stop::iterations(400))
        .start()
        .expect("a run");
    let control = run.control();
    let mut events = control.events(1 << 14);
    let trial = loop {
        let event = futures::StreamExt::next(&mut events).await.expect("an event");
        if let Seen::Event(event) = event
            && let EventKind::Reported { report } = &event.kind
            && report.iteration() >= 3
        {
            break report.trial;
        }
    };
    control.pause(trial).await.expect("it can be paused");
    let at = loop {
        let event = futures::StreamExt::next(&mut events).await.expect("an event");
        if let Seen::Event(event) = event
            && let EventKind::Status { to: Status::Paused, .. } = event.kind
        {
            break control.trial(trial).await.expect("it is there").expect("it is known").record.reported;
        }
    };
    control.resume(trial).await.expect("it can be resumed");
    let results = run.wait().await.expect("an end");
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.reported), (Status::Terminated, 400));
    let since = trial.last.as_ref().map(|last| last.counters.iterations_since_restore);
    assert_eq!(since, Some(400 - at), "it went on where it was");
}

#[test]
fn what_a_lease_holds_is_said_to_the_libraries() {
    let script =
        r#"echo "{{\"threads\": $OMP_NUM_THREADS, \"gpu\": $CUDA_VISIBLE_DEVICES, \"rocm\": $HIP_VISIBLE_DEVICES}}""#;
    let resources = Resources::cpus(4).with("gpu", 2.0);
    let each = ResourceRequest::single(Resources::cpus(2).with("gpu", 1.0)).expect("a request");
    let results = Experiment::new(
        "lease",
        command("sh").args(["-c", script]).without_env("OMP_NUM_THREADS").env("OMP_NUM_THREADS", "3"),
    )
    .points([Config::new(), Config::new()])
    .resources(resources.clone())
    .per_trial(each.clone())
    .run()
    .expect("a run");
    let number = |trial: &TrialRecord, name| trial.last.as_ref().and_then(|last| last.number(name));
    assert!(
        results.trials().iter().all(|trial| number(trial, "threads") == Some(3.0)),
        "what is said by hand goes first"
    );
    let results = Experiment::new("lease", command("sh").args(["-c", script]))
        .points([Config::new(), Config::new()])
        .resources(resources)
        .per_trial(each)
        .reuse(Reuse::No)
        .run()
        .expect("a run");
    for trial in results.trials() {
        let gpu = number(trial, "gpu").expect("a gpu");
        assert!(
            (0.0..=1.0).contains(&gpu) && number(trial, "rocm") == Some(gpu) && number(trial, "threads") == Some(2.0)
        );
    }
}

#[test]
fn a_trial_that_is_done_at_once_has_its_own_place() {
    let (trial, dir) = one(rust(), acts("").with("steps", 1));
    let home = dir.path().join("one").join(trial.id.to_string());
    let said = std::fs::read_to_string(home.join("stdout.txt")).expect("it printed");
    let work = home.join("work").canonicalize().expect("it worked somewhere");
    assert!(said.contains(&format!("{} begins in {}", trial.id, work.display())), "{said}");
}
