//! A run that is killed at any point and resumed leaves the files that it would have left without that.

use std::fs::OpenOptions;
use std::path::Path;

use proptest::prelude::*;
use tempfile::tempdir;
use tryout::edge::files::Files;
use tryout::extend::*;

use super::script::*;

const NAMES: [&str; 2] = ["3fa01_00000/result.json", "3fa01_00000/progress.csv"];

fn config() -> Config {
    Config::new().with("lr", 0.5).with("text", "a,\"b\"\n")
}

fn files() -> Files {
    Files::none().results().progress().errors()
}

/// The result of an iteration; every third from `late` on has a column more.
fn row(iteration: u64, late: u64) -> ExperimentEvent {
    let mut metrics = Metrics::new().with("loss", 1.0 / iteration as f64).with("note", "one\n\"two\", three");
    if iteration >= late && iteration.is_multiple_of(3) {
        metrics = metrics.with("late", iteration);
    }
    reported(0, iteration, metrics)
}

fn undisturbed(directory: &Path, rows: u64, late: u64) {
    let mut observers = Observers::new(&files(), directory);
    observers.tell(&added(0, &config()));
    (1..=rows).for_each(|iteration| observers.tell(&row(iteration, late)));
    observers.tell(&finished());
}

fn cut(path: &Path, least: u64, share: f64) {
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return };
    let length = file.metadata().expect("it is there").len();
    let keep = least + ((length - least) as f64 * share) as u64;
    file.set_len(keep).expect("it can be shortened");
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |about| about.len())
}

#[derive(Clone, Debug)]
struct Story {
    /// The results of the whole run, those that the first session made, those that the journal has of these, and those that
    /// came before the observers' state was saved; none if it never was.
    rows: u64,
    made: u64,
    journaled: u64,
    saved: Option<u64>,
    /// From which iteration on there are more columns.
    late: u64,
    /// How much of what was written after the saved state is there, of each file.
    shares: [f64; 2],
}

fn stories() -> impl Strategy<Value = Story> {
    (0..14_u64, any::<[prop::sample::Index; 3]>(), any::<bool>(), 1..14_u64, [0.0..=1.0, 0.0..=1.0]).prop_map(
        |(rows, [made, journaled, saved], is_saved, late, shares)| {
            let of = |index: prop::sample::Index, most: u64| index.index(most as usize + 1) as u64;
            let made = of(made, rows);
            let journaled = of(journaled, made);
            let saved = is_saved.then(|| of(saved, journaled));
            Story { rows, made, journaled, saved, late, shares }
        },
    )
}

fn told(story: &Story, directory: &Path) {
    let Story { rows, made, journaled, saved, late, shares } = *story;
    let mut observers = Observers::new(&files(), directory);
    observers.tell(&added(0, &config()));
    let (mut states, mut safe) = (None, [0; 2]);
    for iteration in 0..=made {
        if iteration > 0 {
            observers.tell(&row(iteration, late));
        }
        if saved == Some(iteration) {
            states = Some(observers.save());
            safe = NAMES.map(|name| length(&directory.join(name)));
        }
    }
    drop(observers);
    for ((name, safe), share) in NAMES.into_iter().zip(safe).zip(shares) {
        // A file that was written anew under a wider header holds all rows that were safe, further behind.
        let rewritten = name.ends_with("csv") && made >= late;
        if !(rewritten && saved.is_some()) {
            cut(&directory.join(name), safe, share);
        }
    }

    let mut observers = Observers::new(&files(), directory);
    match states {
        Some(states) => observers.restore(states),
        None => observers.tell_past(&added(0, &config())),
    }
    (saved.unwrap_or(0) + 1..=journaled).for_each(|iteration| observers.tell_past(&row(iteration, late)));
    observers.tell(&started());
    observers.tell(&returned(0, &config(), journaled));
    (journaled + 1..=rows).for_each(|iteration| observers.tell(&row(iteration, late)));
    observers.tell(&finished());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_there_once(story in stories()) {
        let (one, two) = (tempdir().expect("a directory"), tempdir().expect("a directory"));
        undisturbed(one.path(), story.rows, story.late);
        told(&story, two.path());
        let (line, csv) = (NAMES[0], NAMES[1]);
        let content = |directory: &Path, name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        prop_assert_eq!(content(one.path(), line), content(two.path(), line));
        let (expected, found) = (table(&content(one.path(), csv)), table(&content(two.path(), csv)));
        prop_assert_eq!(expected.len(), found.len());
        // A row that was cut off may have brought its column before: it stays, and where it stands may differ.
        for name in expected.first().into_iter().flatten() {
            prop_assert_eq!(column(&expected, name), column(&found, name), "{}", name);
        }
    }
}

#[test]
fn what_was_written_of_a_trial_that_the_journal_never_heard_of_goes() {
    let dir = tempdir().expect("a directory");
    let everything = files().tensorboard();
    let mut observers = Observers::new(&everything, dir.path());
    let states = observers.save();
    observers.tell(&added(0, &config()));
    observers.tell(&row(1, 9));
    observers.tell(&row(2, 9));
    observers.tell(&failed(0, 1, "it is gone"));
    drop(observers);

    let mut observers = Observers::new(&everything, dir.path());
    observers.restore(states);
    observers.tell(&started());
    observers.tell(&added(0, &Config::new().with("lr", 0.25)));
    observers.tell(&row(1, 9));
    observers.tell(&finished());
    let directory = dir.path().join("3fa01_00000");
    assert_eq!(read(directory.join("params.json")), "{\"lr\":0.25}\n");
    assert_eq!(read(directory.join("result.json")).lines().count(), 1);
    assert_eq!(table(&read(directory.join("progress.csv"))).len(), 2);
    assert!(!directory.join("error.txt").exists());
    assert_eq!(std::fs::read_dir(&directory).expect("it is there").count(), 4, "and one file for TensorBoard");
}

#[test]
fn a_failure_that_was_written_isn_t_written_again() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&files(), dir.path());
    observers.tell(&added(0, &config()));
    observers.tell(&failed(0, 1, "first"));
    observers.tell(&failed(0, 2, "second"));
    let path = dir.path().join("3fa01_00000/error.txt");
    let whole = read(&path);
    drop(observers);
    cut(&path, 0, 0.8);

    let mut observers = Observers::new(&files(), dir.path());
    for event in [added(0, &config()), failed(0, 1, "first"), failed(0, 2, "second")] {
        observers.tell_past(&event);
    }
    assert_eq!(read(&path), whole);
}

#[test]
fn the_files_of_the_whole_run_are_written_anew() {
    let dir = tempdir().expect("a directory");
    let whole = Files::none().csv().optuna();
    let mut observers = Observers::new(&whole, dir.path());
    let first = [started(), added(0, &config()), row(1, 9), row(2, 9)];
    first.iter().for_each(|event| observers.tell(event));
    assert!(observers.save().iter().all(Option::is_none), "they want all of the past");
    drop(observers);

    let mut observers = Observers::new(&whole, dir.path());
    first.iter().for_each(|event| observers.tell_past(event));
    observers.tell_past(&at(9.0, EventKind::Finished { outcome: Outcome::Drained }));
    observers.tell(&started());
    observers.tell(&returned(0, &config(), 2));
    observers.tell(&row(3, 9));
    observers.tell(&ended(0, report(0, 3, Metrics::from([("loss", 0.125)]))));
    observers.tell(&finished());
    let rows = table(&read(dir.path().join("results.csv")));
    assert_eq!(column(&rows, "training_iteration"), ["1", "2", "3"]);
    let journal = read(dir.path().join("optuna.log"));
    let trials: Vec<&str> = journal.lines().filter(|line| line.contains("\"op_code\":4,")).collect();
    assert_eq!(trials.len(), 1);
    assert!(
        trials[0].contains("\"intermediate_values\":{\"1\":1.0,\"2\":0.5,\"3\":0.3333333333333333}"),
        "{}",
        trials[0]
    );
}
