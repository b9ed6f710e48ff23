//! What stands in the files.

use std::sync::Arc;

use serde_json::json;
use tempfile::tempdir;
use tryout::edge::files::Files;
use tryout::extend::*;
use tryout::logic::event::Exploit;

use super::script::*;

fn nasty() -> Config {
    let long = "k".repeat(300);
    Config::from_json(json!({
        "lr": 1e-5, "on": true, "none": null, "layers": [64, [1, "x"]], "net": {"hidden, \"deep\"": 32}, "../up": "a/b",
        "text": "a,b\n\"c\"\r", "empty": "", "ünï": "日本", long: "v".repeat(1000),
    }))
    .expect("a map")
}

#[test]
fn a_trial_s_directory_is_its_id_whatever_its_configuration() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::all(), dir.path());
    [started(), added(7, &nasty()), reported(7, 1, Metrics::from([("loss", 1.0)])), finished()].iter().for_each(
        |event| {
            observers.tell(event);
        },
    );
    let mut names: Vec<String> = std::fs::read_dir(dir.path())
        .expect("it is there")
        .map(|entry| entry.expect("it can be listed").file_name().into_string().expect("plain"))
        .collect();
    names.sort();
    names.retain(|name| name != "results.parquet");
    assert_eq!(names, ["3fa01_00007", "optuna.log", "results.csv"]);
    let config: serde_json::Value =
        serde_json::from_str(&read(dir.path().join("3fa01_00007/params.json"))).expect("JSON");
    assert_eq!(config, serde_json::to_value(nasty()).expect("JSON"));
}

#[test]
fn lines_hold_the_reference_s_keys() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().results(), dir.path());
    let metrics = Metrics::new().with("loss", f64::NAN).with("up", f64::INFINITY).with("down", f64::NEG_INFINITY);
    let metrics = metrics.with("note", "a \"quoted\"\n\"training_iteration\":99").with("ok", true).with("n", 3);
    observers.tell(&added(0, &Config::new().with("lr", 0.5).with("training_iteration", 77)));
    observers.tell(&reported(0, 4, metrics));
    observers.tell(&finished());
    let line = read(dir.path().join("3fa01_00000/result.json"));
    let expected = concat!(
        r#"{"loss":NaN,"up":Infinity,"down":-Infinity,"note":"a \"quoted\"\n\"training_iteration\":99","ok":true,"n":3,"#,
        r#""timestamp":1700000004.0,"date":"2023-11-14_22-13-24","done":false,"training_iteration":4,"#,
        r#""trial_id":"3fa01_00000","time_this_iter_s":0.5,"time_total_s":2.0,"pid":"#,
    );
    assert!(line.starts_with(expected), "{line}");
    assert!(line.ends_with("\"config\":{\"lr\":0.5,\"training_iteration\":77}}\n"), "{line}");
}

#[test]
fn a_metric_of_an_automatic_name_takes_its_place_but_the_iteration_and_the_trial_stay_ours() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().results().progress(), dir.path());
    observers.tell(&added(0, &Config::new().with("lr", 0.5)));
    let metrics = Metrics::new().with("training_iteration", 50).with("trial_id", "me").with("pid", 1).with("config", 2);
    observers.tell(&reported(0, 1, metrics.with("config/lr", 3)));
    observers.tell(&finished());
    let line: serde_json::Value =
        serde_json::from_str(&read(dir.path().join("3fa01_00000/result.json"))).expect("each key once");
    assert_eq!((&line["training_iteration"], &line["trial_id"]), (&json!(1), &json!("3fa01_00000")));
    assert_eq!((&line["pid"], &line["config"]), (&json!(1), &json!(2)));
    let rows = table(&read(dir.path().join("3fa01_00000/progress.csv")));
    assert_eq!((column(&rows, "pid"), column(&rows, "config/lr")), (vec!["1".to_owned()], vec!["3".to_owned()]));
    let mut names = rows[0].clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), rows[0].len(), "each column once");
}

#[test]
fn columns_that_come_late_have_their_place_in_all_rows() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().progress().csv(), dir.path());
    observers.tell(&added(0, &nasty()));
    observers.tell(&added(1, &Config::new().with("other", 1)));
    for iteration in 1..=5 {
        let mut metrics = Metrics::from([("loss", 0.25 * iteration as f64)]);
        if iteration >= 3 {
            metrics = metrics.with(format!("late, {iteration}"), "x\n,\"y\"").with("gap", f64::NAN);
        }
        observers.tell(&reported(0, iteration, metrics));
        // A file that is looked at is whole at any time.
        observers.save();
        assert_eq!(table(&read(dir.path().join("3fa01_00000/progress.csv"))).len() as u64, iteration + 1);
    }
    observers.tell(&reported(1, 1, Metrics::from([("loss", 9.0)])));
    observers.tell(&finished());
    for (name, more) in [("3fa01_00000/progress.csv", None), ("results.csv", Some("9.0"))] {
        let rows = table(&read(dir.path().join(name)));
        let expected = |cells: [&str; 5], last: &str| -> Vec<String> {
            cells.into_iter().chain(more.map(|_| last)).map(str::to_owned).collect()
        };
        assert_eq!(column(&rows, "loss"), expected(["0.25", "0.5", "0.75", "1.0", "1.25"], "9.0"));
        assert_eq!(column(&rows, "late, 4"), expected(["", "", "", "x\n,\"y\"", ""], ""));
        assert_eq!(column(&rows, "gap"), expected(["", "", "nan", "nan", "nan"], ""));
        assert_eq!(column(&rows, "config/text"), expected(["a,b\n\"c\"\r"; 5], ""));
        assert_eq!(column(&rows, "config/layers"), expected(["[64,[1,\"x\"]]"; 5], ""));
        assert_eq!(column(&rows, "config/net/hidden, \"deep\""), expected(["32"; 5], ""));
        assert_eq!(column(&rows, "config/on"), expected(["True"; 5], ""));
        assert_eq!(column(&rows, "config/ünï"), expected(["日本"; 5], ""));
        assert!(!rows[0].contains(&"config/none".to_owned()));
    }
}

#[test]
fn a_table_with_a_new_column_in_every_row_stays_right_and_quick() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().csv(), dir.path());
    for number in 0..1_000 {
        observers.tell(&added(number, &Config::new().with(format!("p{number}"), number)));
        observers.tell(&reported(number, 1, Metrics::from([("loss", f64::from(number))])));
    }
    observers.tell(&finished());
    let rows = table(&read(dir.path().join("results.csv")));
    assert_eq!(rows.len(), 1_001);
    for number in [0, 500, 999] {
        let cells = column(&rows, &format!("config/p{number}"));
        assert_eq!(cells[number], number.to_string());
        assert_eq!(cells.iter().filter(|cell| !cell.is_empty()).count(), 1);
    }
}

#[test]
fn failures_stand_in_their_order_with_all_that_is_known() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().errors(), dir.path());
    observers.tell(&added(0, &Config::new()));
    observers.tell(&failed(0, 1, "index out of bounds\n\nand more"));
    observers.tell(&failed(0, 2, "again"));
    let expected = "attempt 1, after iteration 7, 12.345 s into the run: panic\n    at src/model.rs:31:9\n    index out of \
                    bounds\n    \n    and more\n\nattempt 2, after iteration 7, 12.345 s into the run: panic\n    at \
                    src/model.rs:31:9\n    again\n\n";
    assert_eq!(read(dir.path().join("3fa01_00000/error.txt")), expected);
}

/// The lines of Optuna's journal that create trials.
fn optuna_trials(text: &str) -> Vec<serde_json::Value> {
    // Python reads a bare NaN, serde doesn't.
    let text = text.replace(":NaN", ":null");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines.filter(|line| line["op_code"] == 4).collect()
}

#[test]
fn optuna_s_trials_stand_in_their_order_with_what_was_seen() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().optuna(), dir.path());
    observers.tell(&started());
    for (number, size, kind) in [(0, json!(1), json!("a")), (1, json!(2.5), json!(true)), (2, json!(4), json!("a"))] {
        observers.tell(&added(number, &Config::new().with("size", size).with("kind", kind)));
    }
    observers.tell(&reported(1, 1, Metrics::from([("loss", 0.5)])));
    observers.tell(&ended(1, report(1, 1, Metrics::from([("loss", 0.5)]))));
    // A trial that goes on after its end is told of once.
    observers.tell(&at(
        51.0,
        EventKind::Revived { trial: trial(1), why: Revival::Extend, attempt: 2, request: std::sync::Arc::default() },
    ));
    observers.tell(&reported(1, 2, Metrics::from([("loss", 0.25)])));
    observers.tell(&ended(1, report(1, 2, Metrics::from([("loss", 0.25)]))));
    observers.tell(&ended(0, report(0, 1, Metrics::from([("loss", f64::NAN)]))));
    observers.tell(&finished());
    let trials = optuna_trials(&read(dir.path().join("optuna.log")));
    let told = |name: &str| trials.iter().map(|trial| trial[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("state"), [3, 1, 4], "FAIL without a finite value, COMPLETE, WAITING");
    assert_eq!(told("value"), [json!(null), json!(0.25), json!(null)]);
    assert_eq!(trials[1]["intermediate_values"], json!({"1": 0.5, "2": 0.25}));
    let params = [json!({"kind": 1, "size": 1}), json!({"kind": 0, "size": 2.5}), json!({"kind": 1, "size": 4})];
    assert_eq!(told("params"), params);
    let distribution = |name: &str| -> serde_json::Value {
        serde_json::from_str(trials[0]["distributions"][name].as_str().expect("a text")).expect("JSON")
    };
    let attributes = json!({"low": 1.0, "high": 4.0, "log": false, "step": null});
    assert_eq!(distribution("size"), json!({"name": "FloatDistribution", "attributes": attributes}));
    let attributes = json!({"choices": [true, "a"]});
    assert_eq!(distribution("kind"), json!({"name": "CategoricalDistribution", "attributes": attributes}));
    assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 1, "nothing else is left");
}

#[test]
fn optuna_pairs_the_values_of_a_copy_with_its_new_configuration() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().optuna(), dir.path());
    observers.tell(&started());
    observers.tell(&added(0, &Config::new().with("lr", 0.1)));
    for iteration in 1..=4 {
        observers.tell(&reported(0, iteration, Metrics::from([("loss", 0.5)])));
    }
    let id = CheckpointId { trial: trial(7), index: 0 };
    let checkpoint = Checkpoint { id, report: report(7, 2, Metrics::new()), bytes: 0 };
    let exploit = Exploit {
        iteration: 4,
        donor: trial(7),
        checkpoint: Arc::new(checkpoint),
        generation: 0,
        before: Arc::new(Config::new().with("lr", 0.1)),
        config: Arc::new(Config::new().with("lr", 0.9)),
        reason: None,
    };
    observers
        .tell(&at(5.0, EventKind::Exploited { trial: trial(0), exploit: Arc::new(exploit), request: Arc::default() }));
    observers.tell(&reported(0, 3, Metrics::from([("loss", 0.25)])));
    observers.tell(&ended(0, report(0, 3, Metrics::from([("loss", 0.25)]))));
    observers.tell(&finished());
    let trials = optuna_trials(&read(dir.path().join("optuna.log")));
    assert_eq!(trials[0]["params"], json!({"lr": 0.9}));
    assert_eq!(trials[0]["intermediate_values"], json!({"1": 0.5, "2": 0.5, "3": 0.25}));
    assert_eq!(trials[0]["user_attrs"]["copy_of"], json!("3fa01_00007"));
}

/// A spreadsheet takes what begins so for a formula. Numbers stay numbers.
#[test]
fn texts_in_tables_are_no_formulas() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().progress().csv(), dir.path());
    let texts = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "'=1", "-1.5", "plain", "-inf"];
    observers.tell(&added(0, &Config::new().with("=x", "=cmd|' /C calc'!A0")));
    let mut metrics = Metrics::from([("loss", -0.5)]);
    texts.iter().enumerate().for_each(|(at, text)| metrics.insert(format!("-t{at}"), *text));
    (1..=2).for_each(|iteration| observers.tell(&reported(0, iteration, metrics.clone())));
    // A header that is read again has the names that were given.
    let mut observers = Observers::new(&Files::none().progress(), dir.path());
    observers.tell(&returned(0, &Config::new(), 2));
    observers.tell(&reported(0, 3, metrics));
    observers.tell(&finished());
    for name in ["3fa01_00000/progress.csv", "results.csv"] {
        let Ok(text) = std::fs::read_to_string(dir.path().join(name)) else { panic!("{name}") };
        let header = text.lines().next().expect("a header");
        assert!(header.split(',').filter(|name| name.contains("-t")).all(|name| name.starts_with("'-t")), "{header}");
        assert!(text.lines().nth(1).is_some_and(|line| line.contains("-0.5")), "{text}");
        for safe in ["'=1+1", "'+1+1", "'-1+1", "'@SUM(A1)", "'\t=1", "''=1", ",-1.5", ",plain", ",-inf"] {
            assert!(text.contains(safe), "{name} {safe}: {text}");
        }
        assert_eq!(header.matches("-t0").count(), 1, "{header}");
    }
}
