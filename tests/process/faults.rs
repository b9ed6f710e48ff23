//! Workers that do what they mustn't: each is its trial's failure, of its own kind, with words that say what happened.

use std::time::Duration;

use tryout::prelude::*;

use crate::program::{acts, one, rust, shell};

#[track_caller]
fn fails(trial: &TrialRecord, kind: FailureKind, words: &str) {
    let failure = trial.error().unwrap_or_else(|| panic!("it didn't fail: {:?}", trial.status));
    assert_eq!(failure.fault.kind, kind, "{failure}");
    assert!(failure.fault.message.contains(words), "{failure}");
}

#[test]
fn what_the_trainable_does_wrong() {
    let (trial, _dir) = one(rust(), acts("error"));
    fails(&trial, FailureKind::UserError, "a bad step");
    assert_eq!(trial.reported, 2, "what was reported before counts");
    let (trial, _dir) = one(rust(), acts("panic"));
    fails(&trial, FailureKind::Panic, "the step panics");
    let place = trial.error().and_then(|failure| failure.fault.place.clone()).unwrap_or_default();
    assert!(place.contains("program.rs"), "{place}");
    let (trial, _dir) = one(rust(), acts("fail setup"));
    fails(&trial, FailureKind::SetupFailed, "no set-up today");
    let (trial, _dir) = one(rust(), acts("panic setup"));
    fails(&trial, FailureKind::Panic, "set-up panics");
}

#[test]
fn ends_that_nobody_asked_for() {
    let (trial, _dir) = one(rust(), acts("exit"));
    fails(&trial, FailureKind::Exited, "exit code 7");
    let output = &trial.error().expect("a failure").fault.output;
    assert_eq!(output.last().map(String::as_str), Some("step 3"), "{output:?}");
    let (trial, _dir) = one(rust(), acts("abort"));
    fails(&trial, FailureKind::Signalled, "SIGABRT");
    for (signal, name) in [("SEGV", "SIGSEGV"), ("KILL", "SIGKILL"), ("TERM", "SIGTERM")] {
        let (trial, _dir) = one(shell(&format!("ready; kill -{signal} $$; read -r never")), Config::new());
        fails(&trial, FailureKind::Signalled, name);
    }
    let (trial, _dir) = one(shell("ready; exit 0"), Config::new());
    fails(&trial, FailureKind::Exited, "exit code 0");
}

#[test]
fn programs_that_are_no_workers() {
    let (trial, _dir) = one(process("sh").args(["-c", "echo I am no worker"]), Config::new());
    fails(&trial, FailureKind::Exited, "before it spoke to the engine: a worker calls `serve`");
    assert_eq!(trial.error().expect("a failure").fault.output, ["I am no worker"]);
    let import = "echo Traceback >&2; echo 'ModuleNotFoundError: No module named torch' >&2; exit 1";
    let (trial, _dir) = one(process("sh").args(["-c", import]), Config::new());
    fails(&trial, FailureKind::Exited, "exit code 1 before it spoke to the engine");
    let words = trial.error().expect("a failure").to_string();
    assert!(words.ends_with("]\n| Traceback\n| ModuleNotFoundError: No module named torch"), "{words}");
    assert!(!words.contains("serve"), "{words}");
    let silent = process("sleep").arg("1000").start_up(Duration::from_millis(100)).after_term(Duration::ZERO);
    let (trial, _dir) = one(silent, Config::new());
    fails(&trial, FailureKind::SetupFailed, "the program said nothing in 0.1 s");
}

/// The words with which an experiment is refused before anything runs.
fn refused(experiment: Experiment) -> String {
    match experiment.run() {
        Err(RunError::Settings(error)) => error.to_string(),
        other => panic!("it isn't refused: {other:?}"),
    }
}

#[test]
fn what_no_trial_could_do_is_refused_before_the_run() {
    let one = |backend| Experiment::new("refused", backend).points([Config::new().with("lr", 0.1)]);
    for missing in ["no-such-program-anywhere", "./no/such/program", "./Cargo.toml"] {
        let words = refused(one(process(missing)));
        assert!(
            words.contains(missing.trim_start_matches('.')) && words.contains("isn't there, or may not be run"),
            "{words}"
        );
        let words = refused(Experiment::new("refused", command(missing)).points([Config::new()]));
        assert!(words.contains("isn't there, or may not be run"), "{words}");
    }
    let words = refused(one(process("sh").args(["-c", "exit 0"])).object("data", vec![1, 2]));
    assert!(words.contains("the object `data` lives in this process"), "{words}");

    let train = || command("sh").args(["-c", "exit 0", "--rate={rate}"]);
    let with = |backend| Experiment::new("refused", backend);
    let space = || Space::new().with("lr", uniform(0.0, 1.0)).with("net", choice([Space::new().with("depth", 3)]));
    let expected = "sh: there is no value for `{rate}`: a configuration has lr, net";
    assert_eq!(refused(with(train()).space(space())), expected);
    assert_eq!(refused(with(train()).points([Config::new().with("lr", 1)])), expected.trim_end_matches(", net"));
    let words = refused(with(command("sh").args(["-c", "exit 0", "{@sed}"])).space(space()));
    assert!(words.starts_with("sh: nothing is called `{@sed}`: there are `{@trial}`, "), "{words}");
    // What can be there is not refused: by a point, in a part of the space, or filled in by the scheduler.
    let fine = |experiment: Experiment| assert!(experiment.run().is_ok());
    let quiet = |backend: tryout::backend::CommandBackend| with(backend.metrics(MetricsFrom::Nowhere));
    fine(quiet(train()).space(Space::new().with("rate", 1)));
    fine(quiet(command("sh").args(["-c", "exit 0", "{net/depth}"])).space(space()));
    let pbt = Pbt::new().mutations(Space::new().with("rate", uniform(0.0, 1.0))).objective(Objective::min("loss"));
    fine(quiet(train()).space(space()).scheduler(pbt));
}

#[test]
fn what_is_not_the_protocol() {
    for (text, words) in [
        ("printf 'no frame at all\\n' >&0; sleep 1000", "isn't a frame"),
        ("say $lease '\"fly\":{}'; sleep 1000", "isn't a frame"),
        ("say $lease '\"saved\":{\"kept\":true}'; sleep 1000", "says `saved`, but `ready` is awaited"),
        ("ready; ready; sleep 1000", "says `ready`, but `results` is awaited"),
        ("say 99 '\"ready\":{}'; sleep 1000", "says `ready`"),
        ("say 0 '\"hello\":{\"protocol\":1}'; sleep 1000", "a second time"),
        ("ready; say $lease '\"results\":{\"list\":[]}'; sleep 1000", "hands in no results"),
        ("ready; say $lease '\"results\":{\"list\":[{\"metrics\":{},\"seconds\":-1}]}'; sleep 1000", "took -1 s"),
    ] {
        let (trial, _dir) = one(shell(text), Config::new());
        fails(&trial, FailureKind::Protocol, words);
    }
    let (trial, _dir) = one(
        process("sh")
            .args(["-c", r#"printf '{"lease":0,"fact":{"hello":{"protocol":2}}}\n' >&0; sleep 1000"#])
            .after_term(Duration::ZERO),
        Config::new(),
    );
    fails(&trial, FailureKind::Protocol, "speaks version 2");
}

#[test]
fn words_of_a_failure_are_bounded() {
    let text = r#"ready; say $lease "\"failed\":{\"kind\":\"error\",\"message\":\"$(head -c 500000 /dev/zero | tr '\0' x)\"}"; read -r stop"#;
    let (trial, _dir) = one(shell(text), Config::new());
    fails(&trial, FailureKind::UserError, "xxx...");
    assert!(trial.error().is_some_and(|failure| failure.fault.message.len() < 70_000));
}

#[test]
fn frames_that_have_no_end() {
    let (trial, _dir) = one(shell(r#"head -c 200000 /dev/zero >&0; sleep 1000"#).max_frame(100_000), Config::new());
    fails(&trial, FailureKind::Protocol, "has no end");
    let (trial, _dir) = one(shell(r#"printf '{"lease":1,"fact":' >&0; exit 3"#), Config::new());
    fails(&trial, FailureKind::Exited, "exit code 3");
    let half = shell(r#"printf '{"lease":1,"fact":' >&0; sleep 1000"#)
        .limits(Limits::new().answer(Duration::from_millis(100)));
    let (trial, _dir) = one(half, Config::new());
    fails(&trial, FailureKind::Timeout, "setting up");
}

#[test]
fn a_worker_that_closes_its_pipe() {
    let (trial, _dir) = one(shell("ready; exec 0<&-; sleep 1000"), Config::new());
    fails(&trial, FailureKind::Protocol, "closed its end");
}

#[test]
fn a_worker_that_is_stopped_gives_no_sign_of_life() {
    let text = r#"printf '' ; kill -STOP $$"#;
    let stopped = process("sh").args(["-c", &format!(
        r#"printf '{{"lease":0,"fact":{{"hello":{{"protocol":1,"abilities":["heartbeat"]}}}}}}\n' >&0; read -r welcome; {text}"#
    )]);
    let backend = stopped.heartbeat(Duration::from_millis(20), Duration::from_millis(200)).after_term(Duration::ZERO);
    let (trial, _dir) = one(backend, Config::new());
    fails(&trial, FailureKind::HeartbeatLost, "no sign of life for 0.2 s");
}

#[test]
fn each_kind_has_its_own_retries() {
    let policy = RetryPolicy::default().free(FailureKind::Exited, Budget::Limited(2));
    let run = |act: &str| {
        let experiment = Experiment::new("walk", rust()).points([acts(act)]).workers(1).retry(policy.clone());
        experiment.run().expect("a run").trials()[0].attempts
    };
    assert_eq!((run("exit"), run("abort")), (3, 1));
}

#[test]
fn bad_settings_are_refused_before_anything_runs() {
    let refused = |backend| {
        let error = Experiment::new("walk", backend).points([Config::new()]).run().expect_err("it can't work");
        error.to_string()
    };
    let error = refused(rust().limits(Limits::new().step(Duration::ZERO, OnLimit::Kill)));
    assert_eq!(error, "walk: the limit `step` is 0 s: a trial needs more than that to do anything");
    let error = refused(rust().limits(Limits::new().memory(0)));
    assert_eq!(error, "walk: the limit `memory` is 0 bytes: a process needs more than that to start");
}
