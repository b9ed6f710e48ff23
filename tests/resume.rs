//! Going on with a run from its directory: cases of CASES.md B8, and what the front door promises.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tryout::logic::event::Outcome;
use tryout::logic::ids::RunId;
use tryout::prelude::*;

/// Counts up to 5 and fails at 3, as long as it is told to.
struct Count {
    at: u64,
    fails: bool,
}

#[derive(serde::Deserialize)]
struct Settings {
    /// It fails as long as this file is there.
    marker: Option<std::path::PathBuf>,
}

impl Trainable for Count {
    type Config = Settings;

    fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { at: 0, fails: config.marker.is_some_and(|marker| marker.exists()) })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.at += 1;
        if self.fails && self.at == 3 {
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

fn points(count: u64) -> Vec<Config> {
    (1..=count).map(|trial| Config::new().with("trial", trial)).collect()
}

fn experiment(dir: &Path) -> Experiment {
    Experiment::new("count", stepwise::<Count>())
        .seed(0)
        .points(points(4))
        .objective(Objective::max("score"))
        .checkpoint_every(1)
        .retention(Retention::last(2))
        .stop(stop::iterations(5))
        .workers(2)
        .dir(dir)
}

fn again(dir: &Path) -> Experiment {
    Experiment::resume(dir.join("count"), stepwise::<Count>()).unwrap().stop(stop::iterations(5))
}

fn iterations(results: &Results) -> Vec<u64> {
    results.trials().iter().map(|trial| trial.reported).collect()
}

/// four finished trials are still four, and the best is unchanged.
#[test]
fn x_16_a_finished_run_resumed_is_what_it_was() {
    let dir = TempDir::new().unwrap();
    let was = experiment(dir.path()).run().unwrap();
    let is = again(dir.path()).run().unwrap();
    assert_eq!(is.outcome(), &Outcome::Completed);
    assert_eq!(iterations(&is), [5, 5, 5, 5]);
    for (was, is) in was.trials().iter().zip(is.trials()) {
        assert_eq!((was.id, &was.config, &was.last, &was.stats), (is.id, &is.config, &is.last, &is.stats));
        assert_eq!((&was.history, &was.checkpoints, was.ended), (&is.history, &is.checkpoints, is.ended));
    }
    assert_eq!(was.best().unwrap().id, is.best().unwrap().id);
    let opened = Experiment::open(dir.path().join("count")).unwrap();
    assert_eq!((opened.outcome(), iterations(&opened)), (&Outcome::Completed, vec![5, 5, 5, 5]));
    assert_eq!(opened.objective(), was.objective());
}

/// what failed stays so, until somebody says otherwise.
#[test]
fn x_10_failed_trials_are_tried_again_on_request_only() {
    let dir = TempDir::new().unwrap();
    let marker = dir.path().join("marker");
    std::fs::write(&marker, "").unwrap();
    let mut fails = points(4);
    fails[1] = fails[1].clone().with("marker", marker.to_str().unwrap());
    let stepwise = stepwise::<Count>();
    let first = Experiment::new("count", stepwise).points(fails).checkpoint_every(1).stop(stop::iterations(5));
    let results = first.dir(dir.path()).run().unwrap();
    assert_eq!((results.count(Status::Error), iterations(&results)), (1, vec![5, 2, 5, 5]));
    std::fs::remove_file(marker).unwrap();
    let results = again(dir.path()).run().unwrap();
    assert_eq!(results.count(Status::Error), 1);
    let results = again(dir.path()).on_resume(Resume::new().errored(OnResume::Resume)).run().unwrap();
    assert_eq!((results.count(Status::Terminated), iterations(&results)), (4, vec![5, 5, 5, 5]));
    let retried = &results.trials()[1];
    assert_eq!((retried.attempts, retried.failures.len(), retried.last.as_ref().unwrap().iteration()), (2, 1, 5));
}

/// More iterations for what was finished, from its last checkpoint; and it can be done again.
#[test]
fn finished_trials_are_extended() {
    let dir = TempDir::new().unwrap();
    experiment(dir.path()).run().unwrap();
    for most in [8, 9] {
        let results = again(dir.path()).extend(stop::iterations(most)).run().unwrap();
        assert_eq!(iterations(&results), [most; 4]);
        assert_eq!(results.totals().reports, 4 * most, "no iteration was done twice");
        assert_eq!(results.totals().repeats, 0);
    }
}

#[test]
fn more_samples_are_taken_of_the_same_space() {
    let dir = TempDir::new().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let run = |samples: u64, existing| {
        let seen = seen.clone();
        let work = function("work", move |config: Config, trial| {
            seen.lock().unwrap().push(config.number("x").unwrap().to_bits());
            trial.report([("y", config.number("x").unwrap_or(0.0))])?;
            Ok(())
        });
        let space = Space::new().with("x", uniform(0.0, 1.0));
        let experiment = Experiment::new("samples", work).seed(0).space(space).samples(samples).dir(dir.path());
        experiment.existing(existing).run()
    };
    run(3, Existing::Refuse).unwrap();
    assert!(matches!(run(3, Existing::Refuse), Err(RunError::Settings(SettingsError::Duplicate { .. }))));
    let results = run(5, Existing::Resume).unwrap();
    assert_eq!(results.trials().len(), 5);
    let mut all = seen.lock().unwrap().clone();
    assert_eq!(all.len(), 5, "nobody ran twice");
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5);
}

/// a directory that was moved and renamed is as good.
#[test]
fn x_23_a_moved_run_goes_on_where_it_is_now() {
    let dir = TempDir::new().unwrap();
    experiment(dir.path()).run().unwrap();
    let moved = dir.path().join("elsewhere");
    std::fs::rename(dir.path().join("count"), &moved).unwrap();
    let experiment = Experiment::resume(&moved, stepwise::<Count>()).unwrap();
    let results = experiment.extend(stop::iterations(6)).run().unwrap();
    assert_eq!(
        (iterations(&results), results.totals().repeats),
        (vec![6; 4], 0),
        "from the checkpoints that moved along"
    );
    assert!(!dir.path().join("count").exists());
    assert_eq!(results.dir(), Some(moved.as_path()));
}

/// another trainable's run is refused by name.
#[test]
fn x_26_another_trainable_is_refused() {
    let dir = TempDir::new().unwrap();
    experiment(dir.path()).run().unwrap();
    let other = function("other", |_: Config, _| Ok(()));
    let other = Experiment::resume(dir.path().join("count"), other).unwrap();
    let message = other.start().err().unwrap().to_string();
    assert!(message.contains("`Count`") && message.contains("`other`"), "{message}");
}

/// what the new session says wins, and is told.
#[test]
fn x_30_new_settings_win_and_differences_are_told() {
    let dir = TempDir::new().unwrap();
    experiment(dir.path()).run().unwrap();
    let sink = Arc::new(Mutex::new(Vec::new()));
    struct Warnings(Arc<Mutex<Vec<String>>>);
    impl tryout::extend::Observer for Warnings {
        fn on_event(&mut self, event: &tryout::extend::ExperimentEvent) -> Result<(), tryout::extend::ObserverError> {
            if let EventKind::Warning { message } = &event.kind {
                self.0.lock().unwrap().push(message.clone());
            }
            Ok(())
        }
    }
    let results = again(dir.path())
        .objective(Objective::min("score"))
        .with_changed_objective()
        .observer(Warnings(sink.clone()))
        .run()
        .unwrap();
    assert_eq!(results.objective(), Some(&Objective::min("score")));
    let warnings = sink.lock().unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("`objective` was")), "{warnings:?}");
}

/// X-31, and the words for what is missing.
#[test]
fn x_31_nothing_to_resume_is_an_error() {
    let dir = TempDir::new().unwrap();
    assert!(!Experiment::can_resume(dir.path()));
    let message = Experiment::resume(dir.path(), stepwise::<Count>()).unwrap_err().to_string();
    assert!(message.contains("there is no journal"), "{message}");
    assert!(Experiment::open(dir.path()).is_err());
    experiment(dir.path()).run().unwrap();
    assert!(Experiment::can_resume(dir.path().join("count")));
}

/// the reference's words.
#[test]
fn x_32_the_words_for_resuming() {
    let only = Resume::new().unfinished(OnResume::Skip);
    let known = [
        ("AUTO", Resume::new()),
        ("AUTO+ERRORED", Resume::new().errored(OnResume::Resume)),
        ("AUTO+RESTART_ERRORED", Resume::new().errored(OnResume::Restart)),
        ("AUTO+ERRORED_ONLY", only.clone().errored(OnResume::Resume)),
        ("AUTO+RESTART_ERRORED_ONLY", only.errored(OnResume::Restart)),
    ];
    for (text, resume) in known {
        assert_eq!(text.parse(), Ok(resume), "{text}");
    }
    for text in ["LOCAL", "REMOTE", "PROMPT", "ERRORED_ONLY", "AUTO+", "AUTO+LATER", ""] {
        let error = text.parse::<Resume>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{text}`")) && error.contains("RESTART_ERRORED"), "{error}");
    }
}

/// Two runs can't share a directory at the same time, and the message says who has it.
#[test]
fn a_directory_in_use_is_refused() {
    let dir = TempDir::new().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let work = function("work", move |_: Config, trial| {
        trial.report([("y", 1.0)])?;
        let _ = wait.lock().unwrap().recv();
        Ok(())
    });
    let handle = Experiment::new("busy", work).points(points(1)).dir(dir.path()).start().unwrap();
    let idle = function("work", |_: Config, _| Ok(()));
    let second = Experiment::new("busy", idle).points(points(1)).dir(dir.path()).existing(Existing::Resume);
    let message = second.start().err().unwrap().to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    // But it can be looked at.
    futures::executor::block_on(handle.sync()).unwrap();
    let results = Experiment::open(dir.path().join("busy")).unwrap();
    assert_eq!((results.outcome(), results.trials().len()), (&Outcome::Unfinished, 1));
    go.send(()).unwrap();
    handle.wait_blocking().unwrap();
}

/// The same run id, so that trials keep their names, and numbers go on.
#[test]
fn ids_are_never_used_twice() {
    let dir = TempDir::new().unwrap();
    let was = experiment(dir.path()).run().unwrap();
    let is = again(dir.path()).on_resume(Resume::new().finished(OnResume::Restart)).run().unwrap();
    assert_eq!(is.trials().len(), 8);
    let run: RunId = was.trials()[0].id.run();
    for (number, trial) in (0..).zip(is.trials()) {
        assert_eq!(trial.id, TrialId::new(run, number));
    }
    let restarted: Vec<_> = is.trials().iter().map(|trial| trial.ending == Some(Ending::Restarted)).collect();
    assert_eq!(restarted, [true, true, true, true, false, false, false, false]);
    assert_eq!(iterations(&is), [5; 8]);
}

/// What is data comes back from the file: a run goes on with nothing but its directory and its trainable.
#[test]
fn parts_that_are_data_are_built_again() {
    let space = || Space::new().with("x", uniform(0.0, 1.0)).with("kind", grid(["a", "b"]));
    let work = || {
        function("work", |config: Config, trial| {
            let x = config.number("x").unwrap_or(0.0);
            for step in 1..=9 {
                trial.report([("loss", x / f64::from(step))])?;
            }
            Ok(())
        })
    };
    let first = |dir: &Path| {
        Experiment::new("parts", work())
            .space(space())
            .passes(6)
            .seed(3)
            .objective(Objective::min("loss"))
            .scheduler(Asha::new().max_t(9).reduction_factor(3.0))
            .stop(stop::iterations(8).or(stop::at_most("loss", 0.001)))
            .workers(1)
            .batching(Batching::Single)
            .dir(dir)
    };
    let dirs = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let whole = first(dirs.0.path()).run().unwrap();
    let handle = first(dirs.1.path()).start().unwrap();
    futures::executor::block_on(handle.drain(std::time::Duration::from_secs(20))).unwrap();
    let drained = handle.wait_blocking().unwrap();
    assert_eq!(drained.outcome(), &Outcome::Drained);
    let unfinished = drained.trials().iter().any(|trial| !trial.status.is_terminal());
    assert!(unfinished || drained.trials().len() < whole.trials().len(), "it was drained in time");
    let resumed = Experiment::resume(dirs.1.path().join("parts"), work()).unwrap().run().unwrap();
    assert_eq!(resumed.outcome(), &Outcome::Completed);
    let outcome = |results: &Results| -> Vec<_> {
        results.trials().iter().map(|trial| (trial.config.to_string(), trial.reported, trial.ending)).collect()
    };
    assert_eq!(outcome(&resumed), outcome(&whole));
}

#[test]
fn parts_that_are_code_are_asked_for() {
    let dir = TempDir::new().unwrap();
    let rule = || stop::when(|_, report: &Report| report.iteration() >= 2);
    experiment(dir.path()).stop(rule()).run().unwrap();
    let again = Experiment::resume(dir.path().join("count"), stepwise::<Count>()).unwrap();
    let message = again.start().err().unwrap().to_string();
    assert!(message.contains("`stop`") && message.contains("supply it again"), "{message}");
    let again = Experiment::resume(dir.path().join("count"), stepwise::<Count>()).unwrap();
    assert_eq!(again.stop(rule()).run().unwrap().outcome(), &Outcome::Completed);
}

/// Without a seed two runs differ in what they draw and in their ids; a resumed one keeps its own.
#[test]
fn a_seed_is_drawn_and_kept() {
    let draws = |seed: Option<u64>, dir: &Path| {
        let work = function("draws", |config: Config, trial| Ok(trial.report([("y", config.get::<f64>("x")?)])?));
        let experiment =
            Experiment::new("draws", work).space(Space::new().with("x", uniform(0.0, 1.0))).samples(2).dir(dir);
        seed.into_iter().fold(experiment, Experiment::seed)
    };
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap()];
    let runs: Vec<Results> = dirs[..2].iter().map(|dir| draws(None, dir.path()).run().unwrap()).collect();
    assert_ne!(runs[0].seed(), runs[1].seed());
    assert_ne!(runs[0].trials()[0].id.run(), runs[1].trials()[0].id.run());
    assert_ne!(runs[0].trials()[0].config, runs[1].trials()[0].config);
    let again = draws(Some(runs[0].seed()), dirs[2].path()).run().unwrap();
    for (first, second) in runs[0].trials().iter().zip(again.trials()) {
        assert_eq!((first.id, &first.config), (second.id, &second.config), "the seed says it all");
    }
    assert_eq!(Experiment::open(dirs[0].path().join("draws")).unwrap().seed(), runs[0].seed());
    // The same program, which gives none.
    let more = draws(None, dirs[0].path()).samples(4).existing(Existing::Resume).run().unwrap();
    assert_eq!((more.seed(), more.trials().len()), (runs[0].seed(), 4));
    let work = function("draws", |config: Config, trial| Ok(trial.report([("y", config.get::<f64>("x")?)])?));
    let last = Experiment::resume(dirs[0].path().join("draws"), work).unwrap().samples(5).run().unwrap();
    assert_eq!((last.seed(), last.trials().len()), (runs[0].seed(), 5));
    let whole = draws(Some(runs[0].seed()), dirs[2].path()).samples(5).existing(Existing::Resume).run().unwrap();
    let configs = |results: &Results| results.trials().iter().map(|trial| trial.config.clone()).collect::<Vec<_>>();
    assert_eq!(configs(&last), configs(&whole));
}
