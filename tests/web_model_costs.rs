//! What the read model of a large run costs: measured with `cargo test --release --features web --test web_model_costs -- --ignored
//! --nocapture`.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tryout::edge::web::model::{Changes, RunModel};
use tryout::prelude::*;

fn took<R>(what: &str, work: impl FnOnce() -> R) -> (R, Duration) {
    let begin = Instant::now();
    let done = work();
    let took = begin.elapsed();
    println!("{what}: {:.2} ms", took.as_secs_f64() * 1e3);
    (done, took)
}

/// A run of so many trials with two reports each of five metrics.
fn run(dir: &Path, trials: u64) {
    let work = |config: Config, trial: &mut Session| {
        let x = config.number("x").unwrap_or(0.0);
        for step in [1.0, 2.0] {
            trial.report([("loss", x * step), ("b", 1.0), ("c", step), ("d", x), ("e", 0.5)])?;
        }
        Ok(())
    };
    let space = Space::new()
        .with("x", uniform(0.0, 1.0))
        .with("y", log_uniform(1e-5, 1.0))
        .with("n", int(1, 100))
        .with("act", choice(["relu", "gelu", "tanh"]));
    let experiment = Experiment::new("large", function("work", work)).seed(1).space(space).samples(trials);
    experiment.objective(Objective::min("loss")).history(History::None).dir(dir).run().unwrap();
}

fn measure(trials: u64) -> [Duration; 4] {
    let dir = TempDir::new().unwrap();
    let ((), _) = took("the run itself", || run(dir.path(), trials));
    let dir = dir.path().join("large");
    let bytes: u64 = dir.join("journal").read_dir().unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!("{trials} trials, a journal of {} MB", bytes >> 20);
    let (model, open) = took("open", || RunModel::open(&dir));
    let (_, _) = took("first header", || model.header("key"));
    let (_, header) = took("header", || model.header("key"));
    let (columns, all) = took("columns, all", || model.trials(usize::MAX));
    let (text, _) = took("columns as JSON", || serde_json::to_string(&columns).unwrap());
    println!("  {} MB", text.len() >> 20);
    let (_, _) = took("columns, 50,000 at most", || model.trials(50_000));
    let (delta, changes) = took("a delta", || model.changes("key", model.position()));
    assert!(matches!(delta, Changes::Delta(_)));
    let (_, _) = took("importance", || model.importance());
    let (_, _) = took("rungs", || model.rungs());
    let (_, _) = took("pareto", || model.pareto());
    let (_, _) = took("workers", || model.workers());
    let (_, _) = took("curves of 500", || model.curves(None, 500).unwrap());
    let (_, _) = took("a trial", || model.trial(7).unwrap());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    [open, header, all, changes]
}

#[test]
#[ignore = "measures; of use in release"]
fn fifty_thousand_trials() {
    let [_, header, all, changes] = measure(50_000);
    assert!(
        header < Duration::from_millis(1) && all < Duration::from_millis(200) && changes < Duration::from_millis(5)
    );
}

#[test]
#[ignore = "measures; of use in release, and takes minutes"]
fn a_million_trials() {
    measure(1_000_000);
}
