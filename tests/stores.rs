//! Stores and exports through the whole engine: all or nothing, readable afterwards (the K cases about files).

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use common::live::{Gate, Script, Watch, below, end, numbered, results, statuses, wait};
use tryout::edge::store::{DirStore, MemoryStore};
use tryout::extend::{
    CheckpointId, Cohort, Directive, Draft, RunId, Scheduler, Store, StoreError, Stored, Swept, Verdict,
};
use tryout::prelude::*;
use tryout::testing::conformance;

#[test]
fn both_stores_keep_all_or_nothing() {
    let memory = MemoryStore::new();
    conformance::store(&memory);
    assert!(memory.is_empty());
    let root = tempfile::tempdir().unwrap();
    conformance::store(&DirStore::create(root.path().join("new")).unwrap());
    conformance::store(&DirStore::create(root.path().join("grouped")).unwrap().in_groups());
    let left: Vec<PathBuf> =
        below(root.path()).into_iter().filter(|path| path.to_string_lossy().contains("checkpoint")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// A save that fails half-way leaves no checkpoint and no files.
#[test]
fn a_failed_save_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Script::new()
        .saves()
        .on_save(|_| Err(TrialError::new("disk full")))
        .experiment("half-way")
        .points(numbered(1))
        .checkpoint_every(1)
        .stop(stop::iterations(2))
        .dir(root.path());
    let results = results(experiment);
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.failures[0].fault.kind), (Status::Error, FailureKind::SaveFailed));
    assert_eq!(trial.failures[0].fault.message, "disk full");
    let files: Vec<PathBuf> =
        below(results.dir().unwrap()).into_iter().filter(|path| path.to_string_lossy().contains("check")).collect();
    assert_eq!(files, Vec::<PathBuf>::new());
}

/// The whole way through a directory: written, named in the results, readable afterwards.
#[test]
fn checkpoints_in_a_directory_can_be_read_after_the_run() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Script::new()
        .saves()
        .experiment("in-a-dir")
        .points(numbered(2))
        .checkpoint_every(2)
        .stop(stop::iterations(3))
        .dir(root.path());
    let results = results(experiment);
    let store = DirStore::create(results.dir().unwrap()).unwrap();
    for trial in results.trials() {
        let checkpoint = &trial.checkpoints[0];
        let stored = store.open(checkpoint.id).unwrap();
        assert_eq!(stored.read("count.json").unwrap(), b"2");
        assert_eq!(checkpoint.bytes, 1);
    }
}

#[test]
fn case_k_25_exports() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Script::new()
        .export(|mock, directory| Ok(std::fs::write(directory.join("model"), mock.count.to_string())?))
        .experiment("k-25")
        .points(numbered(2))
        .export(Export::AtEnd)
        .stop(stop::iterations(3))
        .dir(root.path());
    let results = results(experiment);
    for trial in results.trials() {
        let path = results.dir().unwrap().join(trial.id.to_string()).join("export/model/model");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "3");
    }
}

/// An export that fails ends the trial in error, and everybody hears of one end (DECISIONS 5); with a retry left, the
/// stop stands all the same.
#[test]
fn case_k_26_a_failed_export() {
    for (name, most, status) in [("k-26-none", 0, Status::Error), ("k-26-two", 2, Status::Terminated)] {
        let (watcher, mut watch) = Watch::new();
        let experiment = Script::new()
            .export(|_, _| Err(TrialError::new("no such format")))
            .experiment(name)
            .points(numbered(1))
            .export(Export::AtEnd)
            .max_failures(most)
            .stop(stop::iterations(1))
            .observer(watcher);
        let results = results(experiment);
        watch.finish();
        let trial = &results.trials()[0];
        assert_eq!((trial.status, trial.failures.len()), (status, 1), "{name}");
        assert_eq!(trial.failures[0].fault.kind, FailureKind::ExportFailed);
        let ends = watch.about(0).iter().filter(|line| line.starts_with("ended")).count();
        assert_eq!(ends, 1, "{name}: {:?}", watch.about(0));
    }
}

/// A trainable without an export is the user's mistake, and named.
#[test]
fn case_k_25_an_export_that_is_not_there() {
    let experiment =
        Script::new().experiment("k-25-none").points(numbered(1)).export(Export::AtEnd).stop(stop::iterations(1));
    let results = results(experiment);
    let failure = results.trials()[0].error().expect("an error");
    assert_eq!(failure.fault.message, "this trainable doesn't support `export`");
}

/// What nobody can export is refused before anything runs, with what there is.
#[test]
fn case_k_25_a_format_that_is_not_there() {
    let refused = |experiment: Experiment| experiment.run().unwrap_err().to_string();
    let script = Script::new().experiment("k-25-format").points(numbered(1));
    let message = refused(script.export(Export::formats(["text", "onnx"])));
    assert!(message.ends_with("it can't export `onnx`: it exports model, text"), "{message}");
    let script = Script::new().experiment("k-25-format").points(numbered(1));
    let message = refused(script.export(Export::formats(["../up"])));
    assert!(message.contains("the format `../up`"), "{message}");
    let closure = function("closure", |_: Config, trial| Ok(trial.report([("x", 1.0)])?));
    let message = refused(Experiment::new("k-25-closure", closure).points(numbered(1)).export(Export::AtEnd));
    assert!(message.contains("a closure with `.exporting([..])`"), "{message}");
    #[cfg(all(feature = "process", unix))]
    {
        let message =
            refused(Experiment::new("k-25-command", command("true")).points(numbered(1)).export(Export::AtEnd));
        assert!(message.contains("it can't export `model`: it exports nothing"), "{message}");
    }
}

/// Stops a trial at another's first report.
struct StopsTheFirst;

impl Scheduler for StopsTheFirst {
    fn on_report(&mut self, trial: TrialId, _: &Report, cohort: &dyn Cohort) -> Verdict {
        let first = cohort.trials().next().filter(|first| *first != trial);
        Verdict { directives: first.map(Directive::Stop).into_iter().collect(), ..Verdict::CONTINUE }
    }
}

/// A client's stop and a scheduler's let the step that is under way finish: the export is of the report that is the last.
#[test]
fn what_is_stopped_by_others_exports_at_its_next_report() {
    for by in [Ending::Client, Ending::Scheduler] {
        let (gate, (watcher, mut watch), root) = (Gate::new(), Watch::new(), tempfile::tempdir().unwrap());
        let inside = gate.clone();
        let script =
            Script::new().export(|mock, directory| Ok(std::fs::write(directory.join("at"), mock.count.to_string())?));
        let script = script.step(move |mock| {
            if mock.n() == 0 {
                inside.pass();
            }
            Ok(mock.score())
        });
        let name = format!("stopped-by-{by:?}").to_lowercase();
        let experiment = script.experiment(&name).points(numbered(1)).workers(2).batching(Batching::Adaptive);
        let experiment = experiment.export(Export::formats(["text", "model"])).observer(watcher).dir(root.path());
        let experiment = if by == Ending::Scheduler { experiment.scheduler(StopsTheFirst) } else { experiment };
        let handle = experiment.stop(stop::iterations(100)).start().unwrap();
        let first = watch.running(0);
        if by == Ending::Client {
            wait(handle.stop_trial(first)).unwrap();
        } else {
            wait(handle.add(Config::new().with("n", 1))).unwrap();
            watch.line("1 reported i1");
            wait(handle.status()).unwrap();
        }
        gate.let_pass(1);
        watch.line(&format!("0 ended TERMINATED {by:?}"));
        gate.open();
        let results = end(handle).unwrap();
        let trial = &results.trials()[0];
        assert_eq!((trial.ending, trial.reported, trial.failures.len()), (Some(by), 1, 0));
        for opened in [&results, &Results::load(results.dir().unwrap()).unwrap()] {
            for format in ["text", "model"] {
                let at = opened.export(first, format).unwrap().join("at");
                assert_eq!(std::fs::read_to_string(at).unwrap(), "1");
            }
            assert_eq!(opened.export(first, "onnx"), None);
        }
        assert_eq!(watch.warnings(), Vec::<String>::new(), "it isn't said that it can't save: nobody wanted that");
    }
}

/// A closure exports when it is done, and when it is stopped; one that doesn't fails.
#[test]
fn closures_export() {
    let work = function("work", |config: Config, trial| {
        let steps = config.get::<u32>("steps")?;
        let mut at = 0;
        while at < steps && trial.report([("at", f64::from(at + 1))]).is_ok() {
            at += 1;
        }
        match config.get::<String>("how")?.as_str() {
            "well" => trial.export("text", |directory| Ok(std::fs::write(directory.join("at"), at.to_string())?)),
            "badly" => trial.export("text", |_| Err(TrialError::new("the disk is on fire"))),
            _ => Ok(()),
        }
    });
    let config = |how: &str, steps: u32| Config::new().with("how", how).with("steps", steps);
    let points = [
        config("well", 2),
        config("well", 9),
        config("badly", 9),
        config("badly", 2),
        config("not", 9),
        config("not", 2),
    ];
    let experiment = Experiment::new("closures", work.exporting(["text"])).points(points).workers(2);
    let results = results(experiment.export(Export::formats(["text"])).stop(stop::iterations(3)));
    let text = |trial: &TrialRecord| {
        let at = results.export(trial.id, "text")?.join("at");
        Some(std::fs::read_to_string(at).unwrap())
    };
    let trials = results.trials();
    assert_eq!((text(&trials[0]).as_deref(), text(&trials[1]).as_deref()), (Some("2"), Some("2")));
    let words = |trial: &TrialRecord| {
        let fault = &trial.error().unwrap().fault;
        assert_eq!((fault.kind, text(trial)), (FailureKind::ExportFailed, None));
        fault.message.clone()
    };
    assert!(trials[2..4].iter().map(words).all(|words| words == "the disk is on fire"));
    assert!(trials[4..].iter().map(words).all(|words| words.contains("without exporting `text`")));
}

/// A paused trial that is stopped has no worker to export with: it ends.
#[test]
fn case_k_27_a_paused_trial_that_exports_is_stopped() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate)
        .export(|_, _| Ok(()))
        .experiment("k-27")
        .points(numbered(1))
        .export(Export::AtEnd)
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    wait(handle.pause(trial)).unwrap();
    gate.open();
    watch.line("0 RUNNING>PAUSED");
    wait(handle.stop_trial(trial)).unwrap();
    watch.line("0 ended TERMINATED Client");
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated]);
}

/// A memory store of one's own is looked at from outside.
#[test]
fn a_store_of_ones_own() {
    let store = MemoryStore::new();
    let experiment = Script::new()
        .saves()
        .experiment("own-store")
        .points(numbered(3))
        .checkpoint_every(1)
        .retention(Retention::last(1))
        .stop(stop::iterations(5))
        .store(store.clone());
    let results = results(experiment);
    assert_eq!(store.len(), 3, "one for each trial");
    let last: Arc<_> = results.trials()[2].checkpoints[0].clone();
    assert!(store.open(last.id).is_ok());
}

/// Keeps checkpoints in memory, and can't make the first of them durable at first.
#[derive(Clone, Debug, Default)]
struct Hesitant(MemoryStore, Arc<std::sync::atomic::AtomicU32>);

impl Store for Hesitant {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        self.0.begin(id)
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        self.0.open(id)
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        self.0.delete(id)
    }

    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.0.export_directory(trial, format)
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        if self.0.is_empty() || self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2 {
            return Ok(());
        }
        Err(StoreError::Missing { what: "disk".to_owned() })
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        self.0.sweep(run, keep)
    }
}

/// The journal isn't durable before the checkpoints that it speaks of; it tries again until both are.
#[test]
fn a_journal_is_synced_after_its_checkpoints() {
    let root = tempfile::tempdir().unwrap();
    let store = Hesitant::default();
    let asked = store.1.clone();
    let script = Script::new().saves().experiment("hesitant").points(numbered(2)).checkpoint_every(1);
    let results = results(script.stop(stop::iterations(3)).dir(root.path()).store(store));
    assert_eq!(statuses(&results), [Status::Terminated; 2]);
    assert!(asked.load(std::sync::atomic::Ordering::Relaxed) > 2, "it was asked until it could");
}
