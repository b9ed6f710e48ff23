//! Real runs, resumed and extended, and their files.

use std::path::Path;

use tempfile::tempdir;
use tryout::prelude::*;

use super::script::{column, read, table};

/// Counts.
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

fn check(run: &Path, results: &Results, iterations: u64) {
    let expected: Vec<String> = (1..=iterations).map(|iteration| iteration.to_string()).collect();
    for trial in results.trials() {
        let directory = run.join(trial.id.to_string());
        let lines = read(directory.join("result.json"));
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
        let found: Vec<String> = lines.iter().map(|line| line["training_iteration"].to_string()).collect();
        assert_eq!(found, expected);
        assert_eq!(lines[0]["config"], serde_json::to_value(&*trial.config).expect("JSON"));
        let progress = table(&read(directory.join("progress.csv")));
        assert_eq!(column(&progress, "training_iteration"), expected);
        assert_eq!(
            column(&progress, "config/n"),
            vec![trial.config.value("n").expect("it has one").to_string(); expected.len()]
        );
    }
    let all = table(&read(run.join("results.csv")));
    let mut rows: Vec<_> = column(&all, "trial_id").into_iter().zip(column(&all, "training_iteration")).collect();
    assert_eq!(rows.len() as u64, iterations * 4);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len() as u64, iterations * 4, "no row twice");
    assert!(column(&all, "config/n").iter().all(|cell| !cell.is_empty()), "the configuration is known");
    let journal = read(run.join("optuna.log"));
    let trials: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|line: &serde_json::Value| line["op_code"] == 4)
        .collect();
    assert_eq!(trials.len(), 4);
    for trial in trials {
        assert_eq!((&trial["state"], &trial["value"]), (&1.into(), &(iterations as f64).into()));
        assert_eq!(trial["intermediate_values"].as_object().map(|steps| steps.len() as u64), Some(iterations));
    }
}

#[test]
fn a_run_that_is_extended_continues_its_files() {
    let dir = tempdir().expect("a directory");
    let run = dir.path().join("count");
    let results = Experiment::new("count", stepwise::<Count>())
        .points((1..=4).map(|n| Config::new().with("n", n)))
        .objective(Objective::max("score"))
        .checkpoint_every(1)
        .stop(stop::iterations(5))
        .workers(2)
        .dir(dir.path())
        .files(Files::all())
        .run()
        .expect("it runs");
    check(&run, &results, 5);
    for most in [8, 9] {
        let again = Experiment::resume(&run, stepwise::<Count>()).expect("it is there");
        let results = again.stop(stop::iterations(5)).extend(stop::iterations(most)).files(Files::all()).run();
        check(&run, &results.expect("it runs"), most);
    }
    // What was deleted, and what was never written, is made good where the journal has it all.
    std::fs::remove_file(run.join("results.csv")).expect("it is there");
    let again = Experiment::resume(&run, stepwise::<Count>()).expect("it is there");
    let results = again.stop(stop::iterations(5)).files(Files::all()).run();
    check(&run, &results.expect("it runs"), 9);
}

#[test]
fn files_that_a_later_session_asks_for_hold_the_earlier_ones_too() {
    let dir = tempdir().expect("a directory");
    let run = dir.path().join("count");
    Experiment::new("count", stepwise::<Count>())
        .points((1..=4).map(|n| Config::new().with("n", n)))
        .objective(Objective::max("score"))
        .checkpoint_every(1)
        .stop(stop::iterations(5))
        .dir(dir.path())
        .run()
        .expect("it runs");
    let again = Experiment::resume(&run, stepwise::<Count>()).expect("it is there");
    let results = again.stop(stop::iterations(5)).extend(stop::iterations(7)).files(Files::all()).run();
    check(&run, &results.expect("it runs"), 7);
}
