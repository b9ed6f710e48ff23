//! Things in a run's directory that aren't what their names say: links, pipes, directories.
#![cfg(unix)]

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tryout::prelude::*;

struct Count(u64);

impl Trainable for Count {
    type Config = Config;

    fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self(0))
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.0 += 1;
        Ok(Step::next([("score", self.0 as f64)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.0)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.0 = from.json("at.json")?;
        Ok(())
    }
}

fn experiment(dir: &Path) -> Experiment {
    Experiment::new("odd", stepwise::<Count>())
        .points([Config::new()])
        .checkpoint_every(1)
        .stop(stop::iterations(3))
        .workers(1)
        .dir(dir)
}

/// A run that has ended, and its directory.
fn ended() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    experiment(dir.path()).run().unwrap();
    let run = dir.path().join("odd");
    (dir, run)
}

fn resumed(run: &Path) -> Result<Results, Box<dyn Error>> {
    Ok(Experiment::resume(run, stepwise::<Count>())?.stop(stop::iterations(3)).run()?)
}

/// An error with all its reasons.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(": {error}");
        source = error.source();
    }
    words
}

fn precious(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("precious.txt");
    fs::write(&path, "a thesis").unwrap();
    path
}

fn pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn the_segment(run: &Path) -> PathBuf {
    let files = fs::read_dir(run.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("journal-")).collect();
    segments.sort();
    segments.pop().unwrap()
}

#[test]
fn a_lock_that_is_a_link_is_refused_and_what_it_points_to_stays() {
    let (dir, run) = ended();
    let precious = precious(&dir);
    let lock = run.join("experiment.lock");
    fs::remove_file(&lock).unwrap();
    symlink(&precious, &lock).unwrap();
    let error = resumed(&run).unwrap_err();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "a thesis");
    let words = words(&*error);
    assert!(words.contains("experiment.lock`") && words.contains("symbolic link"), "{words}");
}

#[test]
fn a_pipe_in_a_segment_s_place_is_refused_at_once() {
    let (_dir, run) = ended();
    let segment = the_segment(&run);
    fs::remove_file(&segment).unwrap();
    pipe(&segment);
    let error = resumed(&run).unwrap_err();
    let words = words(&*error);
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(words.contains(name) && words.contains("pipe"), "{words}");
    assert!(Experiment::open(&run).is_err());
}

#[test]
fn a_pipe_in_the_lock_s_place_is_refused_at_once() {
    let (_dir, run) = ended();
    fs::remove_file(run.join("experiment.lock")).unwrap();
    pipe(&run.join("experiment.lock"));
    let words = words(&*resumed(&run).unwrap_err());
    assert!(words.contains("experiment.lock`") && words.contains("pipe"), "{words}");
}

#[test]
fn directories_and_files_with_names_of_leftovers_hold_nothing_up() {
    let (_dir, run) = ended();
    fs::create_dir_all(run.join("journal/snapshot-000000000009.jsonl.tmp/inside")).unwrap();
    let trial = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().ends_with("_00000"));
    fs::write(trial.unwrap().join(".checkpoint_000001.tmp-9"), "half of one").unwrap();
    let results = resumed(&run).map_err(|error| words(&*error)).unwrap();
    assert_eq!(results.trials()[0].reported, 3);
    assert!(run.join("journal/snapshot-000000000009.jsonl.tmp/inside").exists(), "it isn't ours");
}
