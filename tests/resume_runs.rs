//! Cases B6 and B8 of CASES.md with real runs: what a resumed one does, with real actors and real files.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use tempfile::TempDir;
use tryout::logic::event::Outcome;
use tryout::prelude::*;

/// Reports its iteration, and fails at a step as long as a file is there.
struct Count {
    at: u64,
    config: Settings,
}

#[derive(serde::Deserialize)]
struct Settings {
    marker: Option<std::path::PathBuf>,
    fails_at: Option<u64>,
}

impl Trainable for Count {
    type Config = Settings;

    fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { at: 0, config })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.at += 1;
        let marked = self.config.marker.as_ref().is_some_and(|marker| marker.exists());
        if marked && self.config.fails_at == Some(self.at) {
            return Err(TrialError::new("told to fail"));
        }
        Ok(Step::next([("score", self.at as f64)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.at)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        Ok(())
    }
}

fn marked(dir: &Path, fails_at: u64) -> Config {
    let marker = dir.join("marker");
    std::fs::write(&marker, "").unwrap();
    Config::new().with("marker", marker.to_str().unwrap()).with("fails_at", fails_at)
}

fn count(dir: &Path) -> Experiment {
    let experiment = Experiment::new("count", stepwise::<Count>()).seed(0).workers(1).batching(Batching::Single);
    experiment.stop(stop::iterations(5)).dir(dir)
}

fn again(dir: &Path) -> Experiment {
    Experiment::resume(dir.join("count"), stepwise::<Count>()).unwrap()
}

fn reported(results: &Results) -> Vec<u64> {
    results.trials().iter().map(|trial| trial.reported).collect()
}

/// what failed is tried afresh, as new trials.
#[test]
fn x_18_failed_trials_are_restarted() {
    let dir = TempDir::new().unwrap();
    let points = [marked(dir.path(), 2), Config::new()];
    let results = count(dir.path()).points(points).run().unwrap();
    assert_eq!((reported(&results), results.count(Status::Error)), (vec![1, 5], 1));
    std::fs::remove_file(dir.path().join("marker")).unwrap();
    let results = again(dir.path()).on_resume(Resume::new().errored(OnResume::Restart)).run().unwrap();
    assert_eq!((reported(&results), results.count(Status::Error)), (vec![1, 5, 5], 0));
    assert_eq!(results.trials()[2].attempts, 1);
}

/// indices of checkpoints go on after a failure and a resume, and the oldest goes.
#[test]
fn x_22_checkpoints_go_on_where_they_were() {
    let dir = TempDir::new().unwrap();
    let first = count(dir.path()).points([marked(dir.path(), 3)]).checkpoint_every(1).retention(Retention::last(4));
    let results = first.run().unwrap();
    assert_eq!((reported(&results), results.trials()[0].checkpoints.len()), (vec![2], 2));
    std::fs::remove_file(dir.path().join("marker")).unwrap();
    let results = again(dir.path()).on_resume(Resume::new().errored(OnResume::Resume)).run().unwrap();
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.reported), (Status::Terminated, 5));
    for (index, kept) in (1..).zip(&trial.checkpoints) {
        assert_eq!((kept.id.index, kept.report.iteration()), (index, u64::from(index) + 1));
        let content: u64 = results.open_checkpoint(kept.id).unwrap().json("at.json").unwrap();
        assert_eq!(content, u64::from(index) + 1);
    }
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("count").join(trial.id.to_string()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["checkpoint_000001", "checkpoint_000002", "checkpoint_000003", "checkpoint_000004"]);
}

/// a run that ended by `fail_fast` goes on if the new session doesn't want that.
#[test]
fn x_29_fail_fast_of_an_earlier_session_stops_nobody() {
    let dir = TempDir::new().unwrap();
    let points = [marked(dir.path(), 2), Config::new()];
    let results = count(dir.path()).points(points).fail_fast(FailFast::Stop).run().unwrap();
    assert!(matches!(results.outcome(), Outcome::Stopped(_)), "{:?}", results.outcome());
    std::fs::remove_file(dir.path().join("marker")).unwrap();
    let how = Resume::new().errored(OnResume::Resume).finished(OnResume::Resume);
    let results = again(dir.path()).fail_fast(FailFast::No).on_resume(how).run().unwrap();
    assert_eq!((results.outcome(), reported(&results)), (&Outcome::Completed, vec![5, 5]));
}

/// a value that a function made is still there.
#[test]
fn x_13_a_function_s_value_stays_in_the_configuration() {
    let dir = TempDir::new().unwrap();
    let space = Space::new()
        .with("x", uniform(0.0, 1.0))
        .with("twice", depends(|config| config.number("x").unwrap_or(0.0) * 2.0));
    let was = count(dir.path()).space(space).samples(2).run().unwrap();
    // The space is code, so it is asked for; another one will do, because nothing more is drawn.
    let other = Space::new().with("x", uniform(0.0, 1.0));
    let is = again(dir.path()).space(other).with_changed_space().samples(2).run().unwrap();
    for (was, is) in was.trials().iter().zip(is.trials()) {
        assert_eq!(was.config, is.config);
        assert_eq!(is.config.number("twice"), is.config.number("x").map(|x| x * 2.0));
    }
}

/// sessions don't pile files up.
#[test]
fn x_08_a_session_adds_no_files() {
    let dir = TempDir::new().unwrap();
    count(dir.path()).points([Config::new()]).snapshot_after(1).run().unwrap();
    for most in 6..12 {
        again(dir.path()).extend(stop::iterations(most)).snapshot_after(1).run().unwrap();
        let files = std::fs::read_dir(dir.path().join("count").join("journal")).unwrap().count();
        assert!(files <= 3, "{files} files after {most} iterations");
    }
}

/// a configuration names objects, and sees those that this session supplies: as a plain value, through a grid, and
/// through a value that depends on another.
#[test]
fn x_12_objects_are_supplied_again() {
    let dir = TempDir::new().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let work = || {
        let seen = seen.clone();
        function("work", move |config: Config, trial| {
            for key in ["plain", "grid", "depends"] {
                let name = config.object(key).ok_or_else(|| TrialError::new("no object"))?;
                seen.lock().unwrap().push(*trial.info().object::<i32>(&name)?);
            }
            trial.report([("y", 1.0)])?;
            Ok(())
        })
    };
    let space = || {
        let space = Space::new().with("plain", choice([object("a")])).with("grid", grid([object("a"), object("b")]));
        space.with("depends", depends(|config| config.get("grid").unwrap_or_default()))
    };
    let first = Experiment::new("objects", work()).space(space()).workers(1).dir(dir.path());
    first.object("a", 1).object("b", 2).run().unwrap();
    assert_eq!(*seen.lock().unwrap(), [1, 1, 1, 1, 2, 2]);
    seen.lock().unwrap().clear();
    let run = dir.path().join("objects");
    let resume =
        || Experiment::resume(&run, work()).unwrap().space(space()).on_resume(Resume::new().finished(OnResume::Resume));
    let results = resume().object("a", 10).object("b", 20).run().unwrap();
    assert_eq!(results.totals().failures, 0);
    let mut new = seen.lock().unwrap().clone();
    new.sort_unstable();
    assert_eq!(new, [10, 10, 10, 10, 20, 20]);
    let message = resume().object("a", 10).run().unwrap_err().to_string();
    assert!(message.contains("no object `b`") && message.contains("supplied were a"), "{message}");
}

/// K-03: a client's pause outlives its session; the trial has its checkpoint, and goes on from it when a client says so.
#[test]
fn k_03_a_trial_that_a_client_paused_stays_paused_until_a_client_resumes_it() {
    let dir = TempDir::new().unwrap();
    let experiment = Experiment::new("count", stepwise::<Count>()).seed(0).workers(1).batching(Batching::Single);
    let handle = experiment.points([Config::new()]).dir(dir.path()).start().unwrap();
    let mut events = handle.events(10_000_000);
    let mut until = |wanted: &dyn Fn(&EventKind) -> bool| {
        use futures::StreamExt;
        block_on(async {
            while let Some(seen) = events.next().await {
                if let Seen::Event(event) = seen
                    && wanted(&event.kind)
                {
                    break;
                }
            }
        });
    };
    until(&|kind| matches!(kind, EventKind::Reported { .. }));
    let trial = block_on(handle.trials(0, 1)).unwrap().first().map(|first| first.record.id);
    let trial = trial.expect("there is one");
    block_on(handle.pause(trial)).unwrap();
    until(&|kind| matches!(kind, EventKind::Status { to: Status::Paused, .. }));
    block_on(handle.drain(Duration::from_secs(20))).unwrap();
    let was = handle.wait_blocking().unwrap();
    assert_eq!((was.trials()[0].status, was.trials()[0].checkpoints.len()), (Status::Paused, 1));
    let at = was.trials()[0].reported;
    let handle = again(dir.path()).stop(stop::iterations(at + 3)).start().unwrap();
    let status = block_on(handle.trial(trial)).unwrap().expect("it is back");
    assert_eq!((status.record.status, status.waiting), (Status::Paused, Waiting::ForClient));
    block_on(handle.resume(trial)).unwrap();
    let is = handle.wait_blocking().unwrap();
    assert_eq!((is.trials()[0].status, is.trials()[0].reported, is.totals().repeats), (Status::Terminated, at + 3, 0));
}

/// A finished and a failed trial of a run that is still open go on at a client's word.
#[test]
fn a_trial_that_has_ended_is_revived_live() {
    let dir = TempDir::new().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (watched, is_watched) = std::sync::mpsc::channel::<()>();
    let is_watched = Mutex::new(is_watched);
    let work = function("work", move |config: Config, trial| {
        if config.number("n") == Some(1.0) {
            let _ = wait.lock().unwrap().recv();
        }
        if trial.info().attempt == 1 && config.number("n") == Some(0.0) {
            // Nothing happens before somebody watches.
            let _ = is_watched.lock().unwrap().recv();
            return Err(TrialError::new("once"));
        }
        trial.report([("y", 1.0)])?;
        Ok(())
    });
    let points = [0, 1].map(|n| Config::new().with("n", n));
    let handle = Experiment::new("revive", work).points(points).workers(2).dir(dir.path()).start().unwrap();
    let mut events = handle.events(1_000);
    watched.send(()).unwrap();
    let failed = block_on(async {
        use futures::StreamExt;
        loop {
            if let Some(Seen::Event(event)) = events.next().await
                && let EventKind::Ended { trial, status: Status::Error, .. } = event.kind
            {
                break trial;
            }
        }
    });
    block_on(handle.order(tryout::logic::engine::ClientOrder::Revive(failed))).unwrap();
    go.send(()).unwrap();
    let results = handle.wait_blocking().unwrap();
    assert_eq!(results.count(Status::Terminated), 2);
    assert_eq!((results.trials()[0].attempts, results.trials()[0].failures.len()), (2, 1));
    let opened = Experiment::open(dir.path().join("revive")).unwrap();
    assert_eq!((opened.count(Status::Terminated), opened.trials()[0].attempts), (2, 2));
}

/// Schedulers that keep much go on as they were: with every snapshot, and with none.
#[test]
fn hyperband_and_median_go_on_after_a_drain() {
    for (name, snapshot) in [("plain", u64::MAX), ("snapshots", 1)] {
        let first = |dir: &Path, hyperband: bool| {
            let experiment = count(dir).space(Space::new().with("x", uniform(0.0, 1.0))).samples(9).seed(1);
            let experiment =
                experiment.objective(Objective::max("score")).snapshot_after(snapshot).stop(stop::iterations(9));
            if hyperband {
                experiment.scheduler(HyperBand::new().max_t(9))
            } else {
                experiment.scheduler(MedianStopping::new().grace_period(2.0))
            }
        };
        for hyperband in [true, false] {
            let (whole, cut) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let expected = first(whole.path(), hyperband).run().unwrap();
            let handle = first(cut.path(), hyperband).start().unwrap();
            block_on(handle.drain(Duration::from_secs(20))).unwrap();
            handle.wait_blocking().unwrap();
            let results = again(cut.path()).snapshot_after(snapshot).run().unwrap();
            assert_eq!(results.outcome(), &Outcome::Completed, "{name} {hyperband}");
            assert_eq!(results.trials().len(), expected.trials().len(), "{name} {hyperband}");
            let sum = |results: &Results| reported(results).iter().sum::<u64>();
            assert_eq!(sum(&results), sum(&expected), "{name} {hyperband}: {:?}", reported(&results));
        }
    }
}

/// Item 29 of the second list: who ran what, on which machine, from which source; a line for each session.
#[test]
fn a_run_says_what_was_run() {
    let dir = tempfile::tempdir().unwrap();
    let first = count(dir.path()).points([Config::new()]).run().unwrap();
    let [one] = first.provenance().unwrap().try_into().unwrap();
    assert_eq!((one.session, one.complete, one.pid), (1, true, std::process::id()));
    assert_eq!((one.tryout.as_str(), one.trainable.as_str()), (env!("CARGO_PKG_VERSION"), "Count"));
    assert_eq!(one.command, std::env::args().collect::<Vec<_>>());
    assert_eq!(one.directory, std::env::current_dir().unwrap().display().to_string());
    assert!(!one.host.is_empty() && one.system.contains(std::env::consts::ARCH));
    let program = std::env::current_exe().unwrap();
    assert_eq!(one.files[0].path, program.display().to_string());
    assert_eq!(one.files[0].bytes, program.metadata().unwrap().len());
    let lock = one.cargo_lock.clone().unwrap();
    assert_eq!(lock.bytes, std::fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap().len());
    assert_eq!(lock.sha256.unwrap().len(), 64);
    let git = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let head = git.ok().filter(|git| git.status.success()).map(|git| String::from_utf8(git.stdout).unwrap());
    assert_eq!(one.git.clone().map(|git| git.commit), head.map(|head| head.trim().to_owned()));
    assert_eq!((one.version.clone(), one.pip_freeze.clone(), one.program.len()), (None, None, 0));

    let second = Experiment::resume(dir.path().join("count"), stepwise::<Count>()).unwrap().run().unwrap();
    let all = second.provenance().unwrap();
    assert_eq!(all.iter().map(|one| one.session).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((all[0].clone(), all[1].git.clone()), (one.clone(), one.git));
    // Whoever looks at the directory later reads the same.
    assert_eq!(Experiment::open(dir.path().join("count")).unwrap().provenance().unwrap(), all);
}

#[test]
fn what_cannot_be_recorded_fails_no_run() {
    let dir = tempfile::tempdir().unwrap();
    count(dir.path()).points([Config::new()]).run().unwrap();
    let folder = dir.path().join("count/provenance");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in its place").unwrap();
    let results = Experiment::resume(dir.path().join("count"), stepwise::<Count>()).unwrap().run().unwrap();
    assert_eq!(results.count(Status::Terminated), 1);
    results.provenance().unwrap_err();
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("0001.json"), "{").unwrap();
    let error = results.provenance().unwrap_err().to_string();
    assert!(error.contains("0001.json") && error.contains("is no provenance of a run"), "{error}");
    // In memory there is none.
    let in_memory = Experiment::new("count", stepwise::<Count>()).points([Config::new()]).stop(stop::iterations(1));
    assert_eq!(in_memory.run().unwrap().provenance().unwrap(), []);
}
