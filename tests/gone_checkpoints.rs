//! Case X-21: a checkpoint that is gone from the disk isn't tried twice. The newest that is there is taken, and it is said.

mod common;

use std::path::{Path, PathBuf};

use common::live::results;
use tempfile::TempDir;
use tryout::extend::{
    Cohort, Directive, ExperimentEvent, Observer, ObserverError, Report, Scheduler, TrialId, Verdict,
};
use tryout::prelude::*;

/// Counts to 8. In its first attempt it takes the checkpoints away that it is told, after its sixth step, and fails.
struct Count {
    at: u64,
    began_at: u64,
    breaks: Option<Break>,
}

#[derive(Clone)]
struct Break {
    trial: PathBuf,
    gone: Vec<u64>,
}

impl Break {
    fn of(config: &Config, trial: &TrialInfo) -> Option<Self> {
        let run = config.value("run").and_then(|run| run.as_str()).unwrap_or_default();
        let gone = config.value("gone").and_then(|gone| serde_json::from_value(gone.clone()).ok()).unwrap_or_default();
        (trial.attempt == 1).then(|| Self { trial: Path::new(run).join(trial.id.to_string()), gone })
    }

    fn now(&self) -> TrialError {
        remove(&self.trial, &self.gone);
        TrialError::new("on purpose")
    }
}

fn remove(trial: &Path, gone: &[u64]) {
    for index in gone {
        std::fs::remove_dir_all(trial.join(format!("checkpoint_{index:06}"))).unwrap();
    }
}

impl Count {
    fn begin(config: &Config, trial: &TrialInfo) -> Self {
        Self { at: 0, began_at: 0, breaks: Break::of(config, trial) }
    }

    fn go_on(&mut self) -> Result<Step, TrialError> {
        if let Some(breaks) = self.breaks.as_ref().filter(|_| self.at == 6) {
            return Err(breaks.now());
        }
        self.at += 1;
        let metrics = [("at", self.at as f64), ("began_at", self.began_at as f64)];
        Ok(if self.at == 8 { Step::done(metrics) } else { Step::next(metrics) })
    }
}

impl Trainable for Count {
    type Config = Config;

    fn setup(config: Config, trial: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self::begin(&config, trial))
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.go_on()
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.at)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        self.began_at = self.at;
        Ok(())
    }
}

impl AsyncTrainable for Count {
    type Config = Config;

    async fn setup(config: Config, trial: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self::begin(&config, trial))
    }

    async fn step(&mut self) -> Result<Step, TrialError> {
        self.go_on()
    }

    async fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.at)?)
    }

    async fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        self.began_at = self.at;
        Ok(())
    }
}

/// The same as a function that reports.
fn body(config: Config, session: &mut Session) -> Result<(), TrialError> {
    let mut count = Count::begin(&config, session.info());
    if let Some(from) = session.checkpoint()? {
        Trainable::restore(&mut count, &mut { from })?;
    }
    loop {
        count.go_on()?;
        let metrics = [("at", count.at as f64), ("began_at", count.began_at as f64)];
        session.report_with(metrics, |to| Trainable::save(&mut count, to))?;
        if count.at == 8 {
            return Ok(());
        }
    }
}

/// The worker's end of a process; not a test of its own.
#[test]
#[ignore = "run by another, in a process of its own"]
#[cfg(all(feature = "process", target_os = "linux"))]
fn worker() {
    if tryout::worker::is_worker() {
        let _ = tryout::worker::serve::<Count>();
    }
}

#[cfg(all(feature = "process", target_os = "linux"))]
fn in_a_process() -> Experiment {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "worker", "--ignored", "--nocapture", "--test-threads=1"];
    Experiment::new("process", process(this).args(arguments).named("count"))
}

/// Passes warnings on.
struct Warnings(std::sync::mpsc::Sender<String>);

impl Observer for Warnings {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if let EventKind::Warning { message } = &event.kind {
            self.0.send(message.clone())?;
        }
        Ok(())
    }
}

fn indices(trial: &TrialRecord) -> Vec<u32> {
    trial.checkpoints.iter().map(|checkpoint| checkpoint.id.index).collect()
}

/// The trial, where its second attempt began, and the warnings.
fn run(name: &str, experiment: Experiment, gone: &[u64]) -> (TrialRecord, f64, Vec<String>) {
    let dir = TempDir::new().unwrap();
    let (sender, warnings) = std::sync::mpsc::channel();
    let config = Config::new().with("run", dir.path().join(name).to_str().unwrap()).with("gone", gone);
    let experiment = experiment.points([config]).checkpoint_every(1).max_failures(1).workers(1).dir(dir.path());
    let results = results(experiment.observer(Warnings(sender)));
    let trial = results.trials()[0].clone();
    assert_eq!((trial.status, trial.failures.len()), (Status::Terminated, 1), "{:?}", trial.failures);
    assert_eq!(trial.reported, 8);
    let began_at = trial.last.as_ref().and_then(|last| last.number("began_at")).unwrap();
    (trial, began_at, warnings.try_iter().collect())
}

fn forms() -> Vec<(&'static str, Experiment)> {
    vec![
        ("stepwise", Experiment::new("stepwise", stepwise::<Count>())),
        ("async", Experiment::new("async", async_stepwise::<Count>())),
        ("function", Experiment::new("function", function("count", body))),
        #[cfg(all(feature = "process", target_os = "linux"))]
        ("process", in_a_process()),
    ]
}

#[test]
fn x_21_the_newest_checkpoint_that_is_there_is_taken() {
    for (name, form) in forms() {
        let (trial, began_at, warnings) = run(name, form, &[4, 5]);
        assert_eq!(began_at, 4.0, "{name}: checkpoint 3 was written at iteration 4");
        let gone = |index, next| {
            let (id, from) = (trial.id, format!("checkpoint_{next:06}"));
            format!("trial {id} goes on from {from}: checkpoint_{index:06} of trial {id} is gone from the store")
        };
        assert_eq!(warnings, [gone(5, 4), gone(4, 3)], "{name}");
        assert!(!indices(&trial).contains(&4) && !indices(&trial).contains(&5), "{name}: {:?}", indices(&trial));
        // Names of checkpoints are spent when they are given.
        assert!(indices(&trial).contains(&6), "{name}: {:?}", indices(&trial));
    }
}

#[test]
fn x_21_a_trial_whose_checkpoints_are_all_gone_begins_again() {
    for (name, form) in forms() {
        let (trial, began_at, warnings) = run(name, form, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(began_at, 0.0, "{name}");
        assert_eq!(warnings.len(), 6, "{name}: {warnings:?}");
        assert!(warnings[5].starts_with(&format!("trial {} goes on from the beginning: ", trial.id)), "{warnings:?}");
    }
}

/// Also in a later session, and then it isn't tried again in the next.
#[test]
fn x_21_a_checkpoint_that_is_gone_between_sessions_isn_t_tried_twice() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("sessions");
    let first = Experiment::new("sessions", stepwise::<Count>())
        .points([Config::new()])
        .checkpoint_every(1)
        .workers(1)
        .dir(dir.path());
    // It fails at its sixth step for good.
    let first = results(first);
    assert_eq!(first.trials()[0].status, Status::Error);
    remove(&run.join(first.trials()[0].id.to_string()), &[5]);
    let again = || Experiment::resume(&run, stepwise::<Count>()).unwrap();
    let (sender, warnings) = std::sync::mpsc::channel();
    let resumed = again().on_resume(Resume::new().errored(OnResume::Resume)).observer(Warnings(sender));
    let resumed = results(resumed);
    let trial = &resumed.trials()[0];
    assert_eq!((trial.status, trial.reported), (Status::Terminated, 8), "{:?}", trial.failures);
    assert_eq!(trial.last.as_ref().and_then(|last| last.number("began_at")), Some(5.0));
    let said: Vec<_> = warnings.try_iter().filter(|words| words.contains("checkpoint_000005 of")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    let opened = Experiment::open(&run).unwrap();
    assert!(!indices(&opened.trials()[0]).contains(&5), "the journal knows that it is gone");
}

/// Makes trial 1 a copy of trial 0 at its second report, just when the checkpoints of that are lost.
struct Copier {
    run: PathBuf,
    done: bool,
}

impl Scheduler for Copier {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        if trial.number() != 1 || report.iteration() != 2 || std::mem::replace(&mut self.done, true) {
            return Verdict::CONTINUE;
        }
        let donor = TrialId::new(trial.run(), 0);
        for entry in std::fs::read_dir(self.run.join(donor.to_string())).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("checkpoint_") {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let config = cohort.config(trial).cloned().unwrap_or_default().with("copied", true);
        Verdict::CONTINUE.with(Directive::Exploit { trial, donor, config, reason: None })
    }
}

/// A copy whose donor's checkpoint is gone isn't bound to that any more: it isn't tried again, and what the copy reports from
/// where it really goes on are results. It fails once on its way.
#[test]
fn x_21_a_copy_whose_donors_checkpoint_is_gone_goes_on_by_itself() {
    for own in [true, false] {
        let dir = TempDir::new().unwrap();
        let name = if own { "own" } else { "beginning" };
        let run = dir.path().join(name);
        let (sender, warnings) = std::sync::mpsc::channel();
        let config = || Config::new().with("run", run.to_str().unwrap()).with("gone", Vec::<u64>::new());
        let experiment = Experiment::new(name, stepwise::<Count>()).points([config(), config()]).max_failures(1);
        let experiment = if own { experiment.checkpoint_every(1) } else { experiment.at_end(AtEnd::Checkpoint) };
        let experiment = experiment.scheduler(Copier { run: run.clone(), done: false }).concurrency(1).dir(dir.path());
        let live = results(experiment.observer(Warnings(sender)));
        let trial = &live.trials()[1];
        assert_eq!((trial.status, trial.failures.len(), trial.reported), (Status::Terminated, 1, 8), "{name}");
        let reported: Vec<u64> = trial.history.iter().map(|report| report.iteration()).collect();
        let expected: Vec<u64> = if own { (1..3).chain(2..9).collect() } else { (1..3).chain(1..9).collect() };
        assert_eq!((reported, trial.inherited.clone()), (expected, None), "{name}");
        let start = format!("trial {} goes on from ", trial.id);
        let said: Vec<String> = warnings.try_iter().filter(|words| words.starts_with(&start)).collect();
        assert_eq!(said.len(), 1, "{name}: {said:?}");
        let opened = Experiment::open(&run).unwrap();
        let read = &opened.trials()[1];
        assert_eq!((read.reported, &read.inherited, &read.history), (8, &None, &trial.history), "{name}");
    }
}
