//! Workers that join over the port: what they do, what becomes of them when connections break, and who is refused.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use tryout::prelude::*;
use tryout::remote::{Agent, AgentEnd, AgentError, RemoteSettings, Welcome};

mod checkpoints;
mod connections;

/// Counts up to what its configuration says.
struct Counter {
    until: u64,
    at: u64,
}

impl Trainable for Counter {
    type Config = Config;

    fn setup(config: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { until: config.get::<u64>("until")?, at: 0 })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.at += 1;
        let metrics = [("at", self.at as f64)];
        Ok(if self.at >= self.until { Step::done(metrics) } else { Step::next(metrics) })
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.at)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        Ok(())
    }
}

fn settings() -> RemoteSettings {
    let mut settings = RemoteSettings::default();
    settings.bind = ([127, 0, 0, 1], 0).into();
    settings
}

fn counters(dir: &Path) -> Experiment {
    Experiment::new("far", stepwise::<Counter>())
        .space(Space::new().with("until", int(3, 10)))
        .samples(8)
        .seed(1)
        .objective(Objective::max("at"))
        .dir(dir)
        .joinable(settings())
}

/// An agent on a thread.
fn agent(join: &Path) -> JoinHandle<Result<AgentEnd, AgentError>> {
    let agent = Agent::new(join).connect_for(Duration::from_secs(30));
    std::thread::spawn(move || agent.run(|_: &Welcome| Ok(Box::new(stepwise::<Counter>()) as _)))
}

fn finished(results: &Results) {
    for trial in results.trials() {
        assert_eq!(trial.status, Status::Terminated, "{trial:?}");
        let until = trial.config.get::<u64>("until").unwrap();
        assert_eq!(
            (trial.reported, trial.last.as_ref().and_then(|last| last.number("at"))),
            (until, Some(until as f64))
        );
    }
}

#[test]
fn trials_run_on_workers_that_join() {
    let dir = tempfile::TempDir::new().unwrap();
    let run = counters(dir.path()).start().unwrap();
    let join = dir.path().join("far/join.json");
    let agents = [agent(&join), agent(&join)];
    let results = run.wait_blocking().unwrap();
    assert_eq!(results.trials().len(), 8);
    finished(&results);
    for agent in agents {
        assert_eq!(agent.join().unwrap().unwrap(), AgentEnd::Unneeded);
    }
    assert!(!join.exists());
}

#[test]
fn a_wrong_token_a_wrong_certificate_and_another_version_are_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    let run = counters(dir.path()).start().unwrap();
    let join = dir.path().join("far/join.json");
    let text = std::fs::read_to_string(&join).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let (mut file, path) = (file.clone(), dir.path().join(format!("{key}.json")));
        file[key] = value;
        std::fs::write(&path, file.to_string()).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let agent = Agent::new(path).connect_for(Duration::ZERO);
        agent.run(|_: &Welcome| Ok(Box::new(stepwise::<Counter>()) as _)).unwrap_err().to_string()
    };
    let token = with("token", "0".repeat(64).into());
    assert!(token.contains("the token of the join file is wrong"), "{token}");
    let fingerprint = with("fingerprint", "0".repeat(64).into());
    assert!(fingerprint.contains("the certificate isn't the one that the join file names"), "{fingerprint}");
    let protocol = with("protocol", 7.into());
    assert!(protocol.contains("is of protocol 7, this is 1"), "{protocol}");
    let worker = agent(&join);
    finished(&run.wait_blocking().unwrap());
    worker.join().unwrap().unwrap();
}

#[test]
fn a_second_engine_on_one_join_file_is_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut own = settings();
    own.join_file = Some(dir.path().join("join.json"));
    let run = counters(&dir.path().join("one")).joinable(own.clone()).start().unwrap();
    let second = counters(&dir.path().join("two")).joinable(own).start().map(|_| ()).unwrap_err().to_string();
    assert!(second.contains("another engine has the join file"), "{second}");
    let worker = agent(&dir.path().join("join.json"));
    finished(&run.wait_blocking().unwrap());
    worker.join().unwrap().unwrap();
}
