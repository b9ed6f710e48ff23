//! A run that an earlier version recorded, with journal format 1: its settings are read under their old names and forms.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tryout::prelude::*;

use super::{map, stored};

fn recorded() -> TempDir {
    let dir = TempDir::new().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/settings/format1/old/journal");
    std::fs::create_dir_all(dir.path().join("old/journal")).unwrap();
    let name = "journal-000000000001.jsonl";
    std::fs::copy(from.join(name), dir.path().join("old/journal").join(name)).unwrap();
    dir
}

#[test]
fn settings_of_format_1_are_read() {
    let dir = recorded();
    let settings = stored(&dir.path().join("old")).remove(0);
    let map = map(&settings);
    let expected = json!({
        "abandoned": "hold",
        "at_end": "checkpoint",
        "batching": {"fixed": {"reports": 8, "time": 0.02}},
        "checkpoint_budget": 1_000_000,
        "checkpoint_every": 2,
        "concurrency": 2,
        "fail_fast": "stop",
        "grace": 1.5,
        "history": {"last": 7},
        "objective": {"metric": "loss", "mode": "min"},
        "per_trial": [{"cpu": 1.0}, {"gpu": 0.5}],
        "points": [{"x": 0.5}],
        "resources": {"cpu": 3.5, "gpu": 2.0},
        "reuse": "no",
        "same_error": {"workers": 4, "then": "end"},
        "samples": 2,
        "seed": 7,
        "staged": 5,
        "time_limit": {"after": 3600, "then": "save_then_stop"},
        "withdraw_gpus_after": 3,
        "durability": {"group": 0.05},
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&map[name], value, "{name}");
    }
    let backoff = Backoff { first: Duration::from_millis(250), factor: 2.0, longest: Duration::from_secs(60) };
    let retry = RetryPolicy::new(Budget::Limited(3))
        .free(FailureKind::Timeout, Budget::Unlimited)
        .free(FailureKind::Exited, Budget::Limited(2))
        .backoff(FailureKind::Timeout, backoff);
    assert_eq!(settings.retry, retry);
}

/// Its run goes on, and from then on its settings have the new form.
#[test]
fn a_run_of_format_1_goes_on() {
    let dir = recorded();
    let run = dir.path().join("old");
    let work = || {
        function("work", |config: Config, trial| {
            let x = config.number("x").unwrap_or(0.0);
            (3..=4).try_for_each(|step| trial.report([("loss", x / f64::from(step))]))?;
            Ok(())
        })
    };
    assert_eq!(Experiment::open(&run).unwrap().objective(), Some(&Objective::min("loss")));
    let results = Experiment::resume(&run, work()).unwrap().samples(3).run().unwrap();
    assert_eq!((results.trials().len(), results.count(Status::Terminated)), (3, 3));
    let sessions = stored(&run);
    let changes = sessions[1].changes(&sessions[0]);
    assert!(matches!(&changes[..], [change] if change.setting == "samples" && change.now == 3), "{changes:?}");
}
