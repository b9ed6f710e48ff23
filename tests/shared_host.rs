//! Two processes of one user on one host: what one has the other doesn't get, and what a killed one had is free at once.
#![cfg(all(feature = "process", target_os = "linux"))]

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tryout::logic::pool::WaitsFor;
use tryout::prelude::*;

#[path = "common/live/mod.rs"]
mod live;

use live::{Gate, end, ids, pool_until, wait};

/// Says in which directory, and as which part, this program was started again by a test.
const PART: &str = "TRYOUT_TEST_SHARED_HOST";

fn gpu_each() -> ResourceRequest {
    ResourceRequest::single(Resources::new().with("gpu", 1.0)).unwrap()
}

fn experiment(name: &str, trials: u32, gate: &Gate) -> Experiment {
    let gate = gate.clone();
    let trainable = function(name, move |_: Config, trial| {
        gate.pass();
        trial.report([("loss", 0.0)])?;
        Ok(())
    });
    let points = (0..trials).map(|n| Config::new().with("n", n));
    Experiment::new(name, trainable).points(points).per_trial(gpu_each()).seed(1).shared_host()
}

/// Another process, which holds both GPUs until it is told to go on.
struct Other {
    process: Child,
    stdin: ChildStdin,
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--nocapture"])
            .env(PART, "holds")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("it holds them")), "the other process holds nothing");
        Self { process, stdin, _stdout: lines }
    }
}

/// No test of its own: see [`Other`].
#[test]
fn the_other_process() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let gate = Gate::new();
    let run = experiment("other", 2, &gate).start().unwrap();
    gate.wait_for(2);
    println!("it holds them");
    std::io::stdout().flush().unwrap();
    // Until the test ends or kills it.
    let _ = std::io::stdin().read_line(&mut String::new());
    gate.open();
    end(run).unwrap();
}

/// Runs this very program again, with two GPUs that nobody else on this machine speaks of.
fn with_two_gpus(test: &str) -> bool {
    if std::env::var_os("CUDA_VISIBLE_DEVICES")
        .is_some_and(|list| list.to_string_lossy().starts_with("GPU-tryout-test"))
    {
        return true;
    }
    let gpus = format!("GPU-tryout-test-{0}-0,GPU-tryout-test-{0}-1", std::process::id());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("CUDA_VISIBLE_DEVICES", gpus)
        .env_remove("HIP_VISIBLE_DEVICES")
        .env_remove("ROCR_VISIBLE_DEVICES")
        .status()
        .unwrap();
    assert!(status.success());
    false
}

#[test]
fn what_ends_or_is_killed_gives_back() {
    if !with_two_gpus("what_ends_or_is_killed_gives_back") {
        return;
    }
    let mut other = Other::start();
    let gate = Gate::new();
    let run = experiment("waits", 4, &gate).start().unwrap();
    pool_until(&run.control(), |counts| counts.waiting == 4);
    let trial = ids(&run.control())[0];
    let why = wait(run.control().pool(Some(trial))).unwrap().why.expect("it waits");
    assert_eq!(why.waits_for, WaitsFor::OtherRuns);
    other.process.kill().unwrap();
    // The system says that it has died: nobody asks again and again.
    gate.wait_for(2);
    other.process.wait().unwrap();
    gate.open();
    assert_eq!(end(run).unwrap().count(Status::Terminated), 4);
    // Only because nothing is held here any more does another one come so far.
    let mut other = Other::start();
    drop(other.stdin);
    assert!(other.process.wait().unwrap().success());
}

/// A run that may use the second GPU alone doesn't take the first, and doesn't wait for it.
#[test]
fn a_gpu_that_is_not_the_first_is_taken() {
    if !with_two_gpus("a_gpu_that_is_not_the_first_is_taken") {
        return;
    }
    let gate = Gate::new();
    gate.open();
    let run = experiment("second", 1, &gate).resources(Resources::cpus(1).with_gpus([1])).start().unwrap();
    assert_eq!(end(run).unwrap().trials()[0].status, Status::Terminated);
}
