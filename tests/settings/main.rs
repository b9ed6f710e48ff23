//! Settings are one struct: every field can be set, is stored, and is there again after a resume; what can't be data is asked
//! for by name; what differs is said.

mod edits;
mod format1;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};
use tempfile::TempDir;
use tryout::edge::journal::Past;
use tryout::edge::log::Damage;
use tryout::extend::*;
use tryout::logic::settings::{OrCode, Settings};
use tryout::prelude::*;

/// Reports twice.
pub(crate) struct Work(f64);

impl Trainable for Work {
    type Config = Config;
    const EXPORTS: &'static [&'static str] = &["model"];

    fn setup(config: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self(config.number("x").unwrap_or(0.0)))
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.0 += 1.0;
        Ok(Step::next([("loss", self.0)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("x.json", &self.0)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.0 = from.json("x.json")?;
        Ok(())
    }

    fn export(&mut self, _: &str, to: &Path) -> Result<(), TrialError> {
        Ok(std::fs::write(to.join("x"), self.0.to_string())?)
    }
}

/// The settings of each session of a run, as its journal has them.
pub(crate) fn stored(run: &Path) -> Vec<std::sync::Arc<Settings>> {
    let mut past = Past::open(run, Damage::Refuse).unwrap();
    std::iter::from_fn(|| past.next_opened().unwrap()).map(|opened| opened.settings).collect()
}

pub(crate) fn space() -> Space {
    Space::new().with("x", uniform(0.0, 1.0)).with("kind", grid(["a", "b"]))
}

/// Every method of the builder that sets a value, with a value that isn't the default.
fn unusual(experiment: Experiment) -> Experiment {
    let backoff = Backoff { first: Duration::from_millis(250), factor: 2.0, longest: Duration::from_secs(60) };
    let retry = RetryPolicy::new(Budget::Limited(3))
        .free(FailureKind::Timeout, Budget::Unlimited)
        .backoff(FailureKind::Timeout, backoff);
    experiment
        .space(space())
        .samples(5)
        .passes(2)
        .points([Config::new().with("x", 0.5).with("kind", "a")])
        .scheduler(Asha::new().max_t(9))
        .stop(stop::iterations(2))
        .objective(Objective::min("loss"))
        .seed(7)
        .require_metrics(false)
        .resources(Resources::new().with("cpu", 3.5).with("gpu", 2.0))
        .per_trial(ResourceRequest::bundles(vec![Resources::cpus(1), Resources::new().with("gpu", 0.5)]).unwrap())
        .concurrency(2)
        .staged(5)
        .overtaking(3)
        .idle_ttl(Duration::from_secs(9))
        .reuse(Reuse::No)
        .grace(Duration::from_millis(1_500), AbandonPolicy::Hold)
        .retry(retry)
        .fail_fast(FailFast::Stop)
        .same_error(4, OnSameError::End)
        .time_limit(Duration::from_secs(3_600), OnLimit::SaveThenStop)
        .withdraw_gpus_after(3)
        .checkpoint_every(2)
        .at_end(AtEnd::Checkpoint)
        .retention(Retention::best(3, Objective::min("loss")))
        .checkpoint_budget(1_000_000)
        .export(Export::AtEnd)
        .batching(Batching::Fixed { reports: NonZeroU32::new(8).unwrap(), time: Some(Duration::from_millis(20)) })
        .history(History::Last(7))
        .report_limits(ReportLimits { names: 99, ..ReportLimits::default() })
        .patience(Duration::from_millis(7_250))
        .slow_after(Duration::from_millis(750))
        .trial_names(TrialNames::Tag)
        .files(Files::none().results().optuna())
        .durability(Durability::Group(Duration::from_millis(3)))
        .snapshot_after(1 << 16)
}

/// The fields that differ from the default.
fn set(settings: &Settings) -> BTreeSet<String> {
    let default = Settings::default().to_map();
    settings.to_map().into_iter().filter(|(name, value)| default[name] != *value).map(|(name, _)| name).collect()
}

/// Each field, but for what is code, survives a resume with nothing but the directory and the trainable.
#[test]
fn every_setting_survives_a_resume() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("all");
    let first = unusual(Experiment::new("all", stepwise::<Work>()));
    let results = first.dir(dir.path()).run().unwrap();
    assert_eq!(results.count(Status::Terminated), results.trials().len());
    Experiment::resume(&run, stepwise::<Work>()).unwrap().run().unwrap();
    let sessions = stored(&run);
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0], sessions[1]);

    let other = TempDir::new().unwrap();
    let searcher = tryout::logic::search::Variants::new(space(), 3).unwrap().passes(2);
    let second = Experiment::new("searcher", stepwise::<Work>()).searcher(searcher).stop(stop::iterations(1));
    second.dir(other.path()).run().unwrap();
    Experiment::resume(other.path().join("searcher"), stepwise::<Work>()).unwrap().run().unwrap();
    let with_searcher = stored(&other.path().join("searcher"));
    assert_eq!(with_searcher[0], with_searcher[1]);

    let code = ["store", "observers", "objects"].map(str::to_owned);
    let covered: BTreeSet<String> = set(&sessions[0]).into_iter().chain(set(&with_searcher[0])).chain(code).collect();
    let all: BTreeSet<String> = Settings::default().to_map().into_iter().map(|(name, _)| name).collect();
    assert_eq!(covered, all, "a setting that this test doesn't set: give it an unusual value above");
}

/// They are read as they are written, and a file says no more than what isn't the default.
#[test]
fn settings_have_a_form_that_people_can_write() {
    let text = r#"{
        "name": "digits",
        "space": {"lr": {"float": {"low": 1e-5, "high": 0.1, "scale": "log"}}},
        "samples": "infinite",
        "scheduler": {"kind": "Asha", "settings": {"max_t": 81}},
        "resources": {"cpu": 4, "gpu": 0.5},
        "per_trial": [{"cpu": 1}, {"gpu": 0.5}],
        "grace": 2.5,
        "time_limit": {"after": 28800, "then": "save_then_stop"},
        "retry": {"max_failures": 3, "kinds": {"timeout": {"free": "unlimited"}}},
        "batching": {"fixed": {"reports": 10, "time": 0.05}},
        "durability": {"group": 0.01},
        "checkpoint_budget": 1000000,
        "files": ["results", "csv"],
        "store": "S3Store"
    }"#;
    let settings: Settings = serde_json::from_str(text).unwrap();
    assert_eq!(settings.samples, Some(Samples::Infinite));
    assert_eq!(settings.grace, Duration::from_millis(2_500));
    assert_eq!(settings.files, Files::none().results().csv());
    assert_eq!(settings.durability, Durability::Group(Duration::from_millis(10)));
    assert_eq!(settings.resources, Some(Resources::cpus(4).with("gpu", 0.5)));
    let retry = RetryPolicy::new(Budget::Limited(3)).free(FailureKind::Timeout, Budget::Unlimited);
    assert_eq!(settings.retry, retry, "what isn't said of a kind stays as it is");
    let again: Settings = serde_json::from_value(Value::Object(settings.to_map())).unwrap();
    assert_eq!(again, settings);
    let named: Vec<(&str, &str)> = vec![
        (r#"{"samles": 3}"#, "unknown field `samles`"),
        (r#"{"grace": -1}"#, "-1 isn't a time: expected seconds, 0 or more"),
        (r#"{"grace": "soon"}"#, "\"soon\" isn't a time: expected seconds, or as in \"90s\""),
        (r#"{"grace": []}"#, "expected a time: a number of seconds, 0 or more, or a text as in \"10m\""),
        (r#"{"samples": "many"}"#, "expected a number of samples, or \"infinite\""),
        (r#"{"resources": {"cpu": -2}}"#, "-2 is not an amount of `cpu`"),
        (r#"{"time_limit": {"after": 3, "than": "kill"}}"#, "unknown field `than`"),
    ];
    for (text, expected) in named {
        let error = serde_json::from_str::<Settings>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// A store of one's own, kept in memory here.
#[derive(Debug)]
struct MyStore(tryout::edge::store::MemoryStore);

impl Store for MyStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        self.0.begin(id)
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        self.0.open(id)
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        self.0.delete(id)
    }

    fn export_directory(&self, trial: TrialId, format: &str) -> Result<std::path::PathBuf, StoreError> {
        self.0.export_directory(trial, format)
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        self.0.sweep(run, keep)
    }
}

/// Watches, and keeps nothing.
struct Watcher;

impl Observer for Watcher {
    fn on_event(&mut self, _: &ExperimentEvent) -> Result<(), ObserverError> {
        Ok(())
    }
}

/// What isn't data is stored by its name, and asked for by it.
#[test]
fn what_is_code_is_asked_for_by_name() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("code");
    let store = || MyStore(tryout::edge::store::MemoryStore::new());
    let rule = || stop::when(|_, report: &Report| report.iteration() >= 1);
    let space = || Space::new().with("x", depends(|_| 1.0)).with("y", object("data"));
    let first = Experiment::new("code", stepwise::<Work>())
        .space(space())
        .stop(rule())
        .object("data", 5)
        .store(store())
        .observer(Watcher);
    first.dir(dir.path()).run().unwrap();
    let settings = stored(&run).remove(0);
    assert_eq!(settings.store.as_deref(), Some("MyStore"));
    assert_eq!((&settings.observers[..], settings.objects.len()), (&["Watcher".to_owned()][..], 1));
    assert!(matches!(&settings.space, Some(OrCode::Code(name)) if name == "a space with functions"));

    let opened = Experiment::open(&run).unwrap();
    let id = CheckpointId { trial: opened.trial_id(0), index: 0 };
    let message = opened.open_checkpoint(id).err().unwrap().to_string();
    assert!(message.starts_with("this run keeps its checkpoints in `MyStore`"), "{message}");

    let again = || Experiment::resume(&run, stepwise::<Work>()).unwrap();
    let refused = |experiment: Experiment| experiment.start().err().unwrap().to_string();
    let asks = |message: String, what: &str, name: &str| {
        let expected = format!("the `{what}` of the earlier session was {name}, which is code: supply it again");
        assert!(message.contains(&expected), "{message}");
    };
    asks(refused(again()), "store", "MyStore");
    let message = refused(again().store(store()));
    assert_eq!(message, "there is no object `data`; none was supplied: supply it with `.object(\"data\", ..)`");
    asks(refused(again().store(store()).object("data", 5)), "space", "a space with functions");
    asks(refused(again().store(store()).object("data", 5).space(space())), "stop", "a stop rule");
    let complete = again().store(store()).object("data", 5).space(space()).stop(rule());
    let (warnings, sink) = Warnings::new();
    complete.observer(warnings).run().unwrap();
    let said = sink.lock().unwrap().join("\n");
    assert!(said.contains("the observer Watcher of the earlier session is missing: supply it again"), "{said}");
}

/// Keeps the warnings of a run.
pub(crate) struct Warnings(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Warnings {
    pub(crate) fn new() -> (Self, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
        let sink = std::sync::Arc::default();
        (Self(std::sync::Arc::clone(&sink)), sink)
    }
}

impl Observer for Warnings {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if let EventKind::Warning { message } = &event.kind {
            self.0.lock().unwrap().push(message.clone());
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "warnings"
    }
}

/// One function checks them all: the setting, its value, and what would be right.
#[test]
fn wrong_settings_are_named() {
    let base = || Settings::new("checked");
    let wrong = |settings: Settings| settings.check().unwrap_err().to_string();
    base().check().unwrap();
    let refused: Vec<(Settings, &str)> = vec![
        (Settings::new(" "), "`name` is empty, but must be a name"),
        (Settings { samples: Some(Samples::Finite(0)), ..base() }, "`samples` is 0, but must be at least 1"),
        (Settings { concurrency: Some(0), ..base() }, "`concurrency` is 0, but must be at least 1"),
        (Settings { checkpoint_budget: Some(0), ..base() }, "`checkpoint_budget` is 0, but must be at least 1 byte"),
        (
            Settings { withdraw_gpus_after: Some(1), ..base() },
            "`withdraw_gpus_after` is 1, but must be at least 2 trials",
        ),
        (
            Settings { report_limits: ReportLimits { names: 0, ..ReportLimits::default() }, ..base() },
            "`report_limits.names` is 0, but must be at least 1",
        ),
        (
            Settings { objective: Some(Objective::min("")), ..base() },
            "`objective` is a metric without a name, but must be the name of a metric",
        ),
    ];
    for (settings, expected) in refused {
        assert_eq!(wrong(settings), expected);
    }
    let backoff = Backoff { first: Duration::ZERO, factor: 0.5, longest: Duration::ZERO };
    let retry = RetryPolicy::default().backoff(FailureKind::Panic, backoff);
    let expected =
        "`retry` is with a backoff factor of 0.5 after `panic`, but must be with finite factors of at least 1";
    assert_eq!(wrong(Settings { retry, ..base() }), expected);
}

/// The map of a session, for a look at single fields.
pub(crate) fn map(settings: &Settings) -> Map<String, Value> {
    settings.to_map()
}

/// The checkpoints of a run with a store of its own can be read from its directory, with that store.
#[test]
fn a_run_is_opened_with_its_own_store() {
    let (dir, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = || tryout::edge::store::DirStore::create(kept.path()).unwrap();
    let experiment = Experiment::new("stored", stepwise::<Work>()).points([Config::new().with("x", 1.0)]).seed(1);
    experiment.store(store()).at_end(AtEnd::Checkpoint).stop(stop::iterations(2)).dir(dir.path()).run().unwrap();
    let run = dir.path().join("stored");
    let last = |results: &Results| results.trials()[0].checkpoints.last().unwrap().id;
    let without = Experiment::open(&run).unwrap();
    let message = without.open_checkpoint(last(&without)).err().unwrap().to_string();
    assert!(message.contains("in `DirStore`, a store of its own: open it with `Experiment::open_with("), "{message}");
    let with = Experiment::open_with(&run, store()).unwrap();
    assert_eq!(with.open_checkpoint(last(&with)).unwrap().json::<f64>("x.json").unwrap(), 3.0);
}
