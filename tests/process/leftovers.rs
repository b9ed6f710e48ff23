//! Nothing is left: no process, whatever it did.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tryout::edge::backend::ProcessBackend;
use tryout::extend::{ExperimentEvent, Observer, ObserverError};
use tryout::prelude::*;

use crate::program::{acts, one, rust, shell};

const MARK: &str = "TRYOUT_TEST_MARK";

/// Processes that have a mark in their environment, which their children inherit.
pub(crate) struct Marked(String);

impl Marked {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn mark(&self, backend: ProcessBackend) -> ProcessBackend {
        backend.env(MARK, self.0.as_str())
    }

    pub(crate) fn alive(&self) -> Vec<OsString> {
        let mark = format!("{MARK}={}", self.0).into_bytes();
        let processes = std::fs::read_dir("/proc").expect("processes").flatten();
        let marked = processes.filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark)
        });
        marked.map(|process| process.file_name()).collect()
    }

    /// What was killed by the kernel's own clock needs a moment to disappear, and nobody tells when it has.
    fn are_gone(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.alive().is_empty() && Instant::now() < until {
            std::thread::yield_now();
        }
        self.alive().is_empty()
    }

    pub(crate) fn assert_gone(&self) {
        assert!(self.are_gone(), "they are still there: {:?}", self.alive());
    }
}

#[test]
fn children_of_a_worker_go_with_it() {
    for text in [
        "sleep 1000 & ready; result done; read -r stop",
        "sleep 1000 & ready; exit 3",
        "sleep 1000 & ready; kill -KILL $$",
    ] {
        let marked = Marked::new();
        let _ = one(marked.mark(shell(text)), Config::new());
        marked.assert_gone();
    }
}

#[test]
fn a_run_that_ends_leaves_nobody() {
    let marked = Marked::new();
    let results = Experiment::new("walk", marked.mark(rust()))
        .points(["", "exit", "abort", "panic", "error", ""].map(acts))
        .workers(3)
        .run()
        .expect("a run");
    assert_eq!(results.trials().len(), 6);
    marked.assert_gone();
}

#[test]
fn workers_that_were_started_ahead_serve_and_go() {
    let marked = Marked::new();
    let results = Experiment::new("walk", marked.mark(rust().prestart(2)))
        .points(["", "exit", "", "abort", ""].map(acts))
        .workers(2)
        .reuse(Reuse::No)
        .run()
        .expect("a run");
    let ended = |status| results.trials().iter().filter(|trial| trial.status == status).count();
    assert_eq!((ended(Status::Terminated), ended(Status::Error)), (3, 2));
    assert_eq!(marked.alive(), Vec::<OsString>::new(), "those that nobody wanted have been waited for");
}

/// Says when a trial has reported.
struct Reports(Sender<()>);

impl Observer for Reports {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if let EventKind::Reported { .. } = event.kind {
            self.0.send(())?;
        }
        Ok(())
    }
}

/// An engine whose trials hang, until it is killed.
#[test]
#[ignore = "run by another, in a process of its own"]
fn engine() {
    let Ok(mark) = std::env::var("TRYOUT_TEST_ENGINE") else { return };
    let (reports, reported) = channel();
    let two = |experiment: Experiment| {
        let batching = Batching::Fixed { reports: std::num::NonZeroU32::MIN, time: None };
        let experiment = experiment.points([acts("hang"), acts("hang")]).batching(batching).workers(2);
        experiment.observer(Reports(reports.clone())).start().expect("a run")
    };
    let children = "sh -c 'sleep 1000 & sleep 1000' & trap '' TERM HUP";
    let hanging = format!(r#"{children}; echo "{{{{\"loss\": 1}}}}"; while :; do sleep 1000; done"#);
    let commands = command("sh").args(["-c", &hanging]).env(MARK, mark.as_str());
    let deaf = shell(&format!("{children}; ready; result; while :; do sleep 1000; done"));
    let _runs = [
        two(Experiment::new("commands", commands)),
        two(Experiment::new("rust", rust().env(MARK, mark.as_str()))),
        two(Experiment::new("deaf", deaf.env(MARK, mark.as_str()))),
    ];
    // Two trials report twice before they hang, four once.
    (0..8).for_each(|_| reported.recv().expect("a report"));
    println!("all hang");
    loop {
        std::thread::park();
    }
}

#[test]
fn no_worker_survives_the_engine() {
    let (marked, temporary) = (Marked::new(), tempfile::tempdir().expect("a directory"));
    let mut engine = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "leftovers::engine", "--ignored", "--nocapture", "--test-threads=1"])
        .env("TRYOUT_TEST_ENGINE", &marked.0)
        // Where it makes its own.
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("an engine");
    let mut said = std::io::BufReader::new(engine.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("all hang") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).expect("words"), 0, "the engine has ended");
    }
    assert!(marked.alive().len() >= 10, "{:?}", marked.alive());
    engine.kill().expect("it can be killed");
    engine.wait().expect("it is reaped");
    marked.assert_gone();
    await_guard(&temporary);
}

/// The guard is the last that clears what an engine has left, and its temporary directory is the last that it clears.
fn await_guard(temporary: &tempfile::TempDir) {
    let left = || temporary.path().read_dir().expect("a directory").count();
    let until = Instant::now() + Duration::from_secs(20);
    while left() > 0 {
        assert!(Instant::now() < until, "temporary directories are left");
        std::thread::yield_now();
    }
}

/// An engine that one of its commands kills: the one with the number that is said, and first of all.
#[test]
#[ignore = "run by another, in a process of its own"]
fn short_lived_engine() {
    let Ok(mark) = std::env::var("TRYOUT_TEST_ENGINE") else { return };
    let number = std::env::var("TRYOUT_TEST_NUMBER").expect("a number");
    let script = format!(
        r#"sh -c 'sleep 1000 & sleep 1000' & [ {{@number}} != {number} ] || kill -KILL $PPID; echo "{{{{\"loss\": 1}}}}""#
    );
    let commands = command("sh").args(["-c", &script]).env(MARK, mark.as_str());
    let _ = Experiment::new("short", commands).points(vec![Config::new(); 40]).workers(8).run();
    panic!("it should have been killed");
}

#[test]
fn children_of_commands_that_have_just_begun_go_with_the_engine() {
    let temporary = tempfile::tempdir().expect("a directory");
    let survived: Vec<_> = (0..40)
        .filter(|number| {
            let marked = Marked::new();
            let ended = Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "leftovers::short_lived_engine", "--ignored", "--nocapture", "--test-threads=1"])
                .env("TRYOUT_TEST_ENGINE", &marked.0)
                .env("TRYOUT_TEST_NUMBER", number.to_string())
                .env("TMPDIR", temporary.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("an engine");
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
            await_guard(&temporary);
            !marked.are_gone()
        })
        .collect();
    assert_eq!(survived, Vec::<u32>::new(), "runs whose commands' children are still there");
}
