//! Trials that begin from a checkpoint which they are given: of the same run, or of another one.

mod common;

use std::path::Path;

use common::live::{Gate, Script, Watch, end, numbered, wait};
use tempfile::TempDir;
use tryout::GivenCheckpoint;
use tryout::logic::checkpoint::CheckpointId;
use tryout::logic::engine::OrderError;
use tryout::prelude::*;

/// Reports its count, and fails at one as long as a file is there.
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
        if self.config.fails_at == Some(self.at) && self.config.marker.as_ref().is_some_and(|marker| marker.exists()) {
            return Err(TrialError::new("told to fail"));
        }
        Ok(Step::next([("at", self.at)]))
    }

    /// In a directory of its own, so that more than files has to be copied.
    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        let directory = to.directory()?.join("deep");
        std::fs::create_dir(&directory)?;
        Ok(std::fs::write(directory.join("at"), self.at.to_string())?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = std::fs::read_to_string(from.directory()?.join("deep/at"))?.parse()?;
        Ok(())
    }
}

fn count(name: &str, dir: &Path, iterations: u64) -> Experiment {
    let experiment = Experiment::new(name, stepwise::<Count>()).seed(0).workers(1).batching(Batching::Single);
    experiment.stop(stop::iterations(iterations)).at_end(AtEnd::Checkpoint).dir(dir)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The donor is deleted, the process ends, the trial fails: it still begins where the donor was. Its own checkpoint replaces it.
#[test]
fn a_checkpoint_of_another_run_is_its_own_run_s_from_then_on() {
    for snapshot_after in [u64::MAX, 1] {
        let dir = TempDir::new().unwrap();
        let coarse = count("coarse", dir.path(), 3).points([Config::new()]).run().unwrap();
        let last = coarse.trials()[0].checkpoints.last().unwrap().id;
        let marker = dir.path().join("marker");
        std::fs::write(&marker, "").unwrap();
        let config = Config::new().with("marker", marker.to_str().unwrap()).with("fails_at", 5);
        let from = GivenCheckpoint::of_run(coarse.dir().unwrap(), last);
        let fine = count("fine", dir.path(), 6).snapshot_after(snapshot_after).points_from([(config, from)]);
        let fine = fine.points([Config::new()]).run().unwrap();
        let (first, second) = (&fine.trials()[0], &fine.trials()[1]);
        let began = first.history.front().map(|report| (report.iteration(), report.number("at")));
        assert_eq!((first.status, first.reported, began), (Status::Error, 4, Some((4, Some(4.0)))));
        assert_eq!((second.status, second.reported), (Status::Terminated, 6), "the points come as well");

        std::fs::remove_dir_all(coarse.dir().unwrap()).unwrap();
        std::fs::remove_file(&marker).unwrap();
        let run = dir.path().join("fine");
        let imported = run.join(format!("{}_imported", fine.run()));
        assert_eq!(names(&imported), ["checkpoint_000000"]);
        let again = Experiment::resume(&run, stepwise::<Count>()).unwrap();
        let again = again.on_resume(Resume::new().errored(OnResume::Resume)).run().unwrap();
        let first = &again.trials()[0];
        assert_eq!((first.status, first.reported, again.totals().repeats), (Status::Terminated, 6, 1));
        assert_eq!((first.last.as_ref().unwrap().number("at"), first.checkpoints.len()), (Some(6.0), 1));
        assert_eq!(again.trials().len(), 2, "a resumed run has the trial already");
        assert_eq!(names(&imported), Vec::<String>::new(), "nobody needs it any more");
        assert_eq!(Experiment::open(&run).unwrap().trials()[0].reported, 6);
    }
}

#[test]
fn a_checkpoint_that_is_not_there_is_refused_before_the_run() {
    let dir = TempDir::new().unwrap();
    let coarse = count("coarse", dir.path(), 1).points([Config::new()]).run().unwrap();
    let trial = coarse.trials()[0].id;
    let missing = CheckpointId { trial, index: 7 };
    let refused = |from: GivenCheckpoint| {
        let fine = count("fine", dir.path(), 2).points_from([(Config::new(), from)]);
        fine.run().unwrap_err().to_string()
    };
    let message = refused(GivenCheckpoint::of_run(coarse.dir().unwrap(), missing));
    assert!(message.contains(&missing.path()) && message.contains("coarse"), "{message}");
    let message = refused(GivenCheckpoint::of_run(dir.path().join("nowhere"), missing));
    assert!(message.contains("nowhere"), "{message}");
    let message = refused(missing.into());
    assert!(message.contains("GivenCheckpoint::of_run(dir, id)"), "{message}");
    assert!(!dir.path().join("fine").exists(), "nothing was written");
}

/// One of the same run stays as long as it is needed, whatever its trial lets go.
#[test]
fn a_checkpoint_of_the_same_run_is_pinned() {
    let (gate, (watcher, mut watch), dir) = (Gate::new(), Watch::new(), TempDir::new().unwrap());
    let inside = gate.clone();
    let script = Script::new().saves().step(move |mock| {
        inside.pass();
        Ok(Step::next([("count", mock.count as f64)]))
    });
    let experiment = script.experiment("add-from").points(numbered(1)).workers(1).batching(Batching::Single);
    let experiment = experiment.checkpoint_every(1).retention(Retention::last(1)).stop(stop::iterations(3));
    let handle = experiment.observer(watcher).dir(dir.path()).start().unwrap();
    let first = watch.running(0);
    gate.let_pass(1);
    watch.line("0 saved c0 i1");
    let from = CheckpointId { trial: first, index: 0 };
    let second = wait(handle.add_from(Config::new().with("n", 1), from)).unwrap();
    let kept = vec![from];
    let missing = CheckpointId { trial: first, index: 9 };
    let refused = wait(handle.add_from(Config::new(), missing)).unwrap_err();
    assert_eq!(refused, ControlError::Refused(OrderError::NoSuchCheckpoint { checkpoint: missing, kept }));
    assert!(refused.to_string().ends_with("isn't there: it has checkpoint_000000"), "{refused}");
    gate.open();
    let results = end(handle).unwrap();
    let record = results.trial(second).unwrap();
    assert_eq!((record.reported, record.history.len()), (3, 2), "it began at 1");
    watch.finish();
    let lines = watch.lines();
    let place =
        |wanted: &str| lines.iter().position(|line| line == wanted).unwrap_or_else(|| panic!("{wanted}: {lines:#?}"));
    assert!(place("0 deleted c0") > place("1 saved c0 i2"), "{lines:#?}");
    assert!(place("0 deleted c1") < place("1 saved c0 i2"), "what isn't needed goes as ever: {lines:#?}");
}
