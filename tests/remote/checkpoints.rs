//! Checkpoints of trials elsewhere: in the run's directory if it is seen there, else over the connection.

use std::path::Path;
use std::time::Duration;

use tryout::prelude::*;
use tryout::remote::{Agent, Welcome};
use tryout::store::MemoryStore;

use super::settings;

/// What it keeps is large, and lies in several files and directories.
const LARGE: usize = 3 << 20;

/// Fails in the middle of its first attempt, and goes on from what it has kept.
struct Unlucky {
    attempt: u32,
    at: u64,
    ballast: Vec<u8>,
}

impl Trainable for Unlucky {
    type Config = Config;

    fn setup(_: Config, info: &TrialInfo) -> Result<Self, TrialError> {
        let ballast = (0..LARGE).map(|index| (index * 7 % 251) as u8).collect();
        Ok(Self { attempt: info.attempt, at: 0, ballast })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        if self.at == 3 && self.attempt == 1 {
            return Err(TrialError::new("bad luck"));
        }
        self.at += 1;
        let metrics = [("at", self.at as f64)];
        Ok(if self.at == 5 { Step::done(metrics) } else { Step::next(metrics) })
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        to.json("at.json", &self.at)?;
        let below = to.directory()?.join("deep/er");
        std::fs::create_dir_all(&below)?;
        std::fs::write(below.join("ballast"), &self.ballast)?;
        std::fs::write(below.join("none"), [])?;
        Ok(())
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        let below = from.directory()?.join("deep/er");
        if std::fs::read(below.join("ballast"))? != self.ballast || !std::fs::read(below.join("none"))?.is_empty() {
            return Err(TrialError::new("what was kept isn't what was written"));
        }
        Ok(())
    }
}

fn unlucky(dir: &Path) -> Experiment {
    Experiment::new("unlucky", stepwise::<Unlucky>())
        .points([Config::new(), Config::new()])
        .seed(1)
        .checkpoint_every(1)
        .retry(RetryPolicy::new(Budget::Limited(1)))
        .dir(dir)
        .joinable(settings())
}

fn run(experiment: Experiment, dir: &Path) -> Results {
    let run = experiment.start().unwrap();
    let agent = Agent::new(dir.join("unlucky/join.json")).connect_for(Duration::from_secs(30));
    let agent = std::thread::spawn(move || agent.run(|_: &Welcome| Ok(Box::new(stepwise::<Unlucky>()) as _)));
    let results = run.wait_blocking().unwrap();
    agent.join().unwrap().unwrap();
    for trial in results.trials() {
        assert_eq!((trial.status, trial.attempts, trial.reported), (Status::Terminated, 2, 5), "{trial:?}");
        assert!(trial.checkpoints.iter().all(|checkpoint| checkpoint.bytes > LARGE as u64), "{trial:?}");
    }
    results
}

#[test]
fn those_that_see_the_runs_directory_keep_them_there() {
    let dir = tempfile::TempDir::new().unwrap();
    let results = run(unlucky(dir.path()), dir.path());
    for trial in results.trials() {
        for checkpoint in &trial.checkpoints {
            assert!(dir.path().join("unlucky").join(checkpoint.id.path()).is_dir(), "{checkpoint:?}");
        }
    }
}

#[test]
fn others_send_and_get_them_over_the_connection() {
    let dir = tempfile::TempDir::new().unwrap();
    let results = run(unlucky(dir.path()).store(MemoryStore::new()), dir.path());
    for trial in results.trials() {
        assert!(!trial.checkpoints.is_empty());
        for checkpoint in &trial.checkpoints {
            assert!(results.open_checkpoint(checkpoint.id).is_ok(), "{checkpoint:?}");
        }
    }
}
