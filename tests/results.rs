//! What a run has brought, as tables and by trial; the original error under `FailFast::Raise`.

use std::time::{Duration, SystemTime};

use tryout::prelude::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Three trials that report and save three times: losses fall to `x`, then rise again.
fn valleys(dir: &std::path::Path) -> Experiment {
    let valley = function("valley", |config: Config, trial| {
        let x = config.number("x").unwrap_or(0.0);
        for (step, loss) in [(1, x + 2.0), (2, x), (3, x + 1.0)] {
            trial.report_with(Metrics::new().with("loss", loss).with("note", "a,\"b\""), |to| {
                Ok(to.json("at", &step)?)
            })?;
        }
        Ok(())
    });
    let points = (0..3).map(|x| Config::new().with("x", f64::from(x)).with("net", serde_json::json!({"depth": x})));
    Experiment::new("valleys", valley).points(points).objective(Objective::min("loss")).dir(dir).seed(1)
}

#[test]
fn results_are_tables() -> Outcome {
    let dir = tempfile::tempdir()?;
    let results = valleys(dir.path()).run()?;
    let (last, best) = (results.table(), results.table_by(&Objective::min("loss")));
    assert_eq!((last.len(), last.numbers("loss")), (3, vec![1.0, 2.0, 3.0]));
    assert_eq!((best.numbers("loss"), best.numbers("training_iteration")), (vec![0.0, 1.0, 2.0], vec![2.0; 3]));
    assert_eq!(last.get(1, "config/net/depth"), Some(&Value::Int(1)));
    assert_eq!(last.get(2, "status"), Some(&Value::from("TERMINATED")));
    assert!(last.column("nothing").all(|cell| cell.is_none()) && last.numbers("note").iter().all(|cell| cell.is_nan()));
    let reports = results.reports();
    assert_eq!(reports.numbers("loss"), [2.0, 0.0, 1.0, 3.0, 1.0, 2.0, 4.0, 2.0, 3.0]);
    let csv = last.to_csv();
    let mut lines = csv.lines();
    assert!(lines.next().is_some_and(|header| header.starts_with("loss,note,training_iteration,")), "{csv}");
    assert!(lines.next().is_some_and(|row| row.starts_with("1.0,\"a,\"\"b\"\"\",3,")), "{csv}");
    assert_eq!((lines.count(), csv.lines().map(|line| line.split("\"\"b\"\"").count()).sum::<usize>()), (2, 7));
    Ok(())
}

#[cfg(feature = "parquet")]
#[test]
fn a_table_is_written_as_parquet() -> Outcome {
    let dir = tempfile::tempdir()?;
    let results = valleys(dir.path()).run()?;
    let path = dir.path().join("trials.parquet");
    results.table().write_parquet(&path)?;
    let bytes = std::fs::read(&path)?;
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    assert_eq!(std::fs::read_dir(dir.path())?.count(), 2, "nothing is left beside it");
    Ok(())
}

#[test]
fn one_trial_s_results_are_its_directory_checkpoints_and_time() -> Outcome {
    let (dir, before) = (tempfile::tempdir()?, SystemTime::now());
    let results = valleys(dir.path()).run()?;
    let after = SystemTime::now();
    for results in [&results, &Results::load(dir.path().join("valleys"))?] {
        assert!(results.began() >= before - Duration::from_millis(1) && results.ended() >= results.began());
        assert!(results.ended() <= after);
        let best = results.of(results.best()?.id).ok_or("it is there")?;
        let (own, objective) = (best.dir().ok_or("it has one")?, Objective::min("loss"));
        assert_eq!(own, dir.path().join("valleys").join(best.id.to_string()));
        assert!(own.join("checkpoint_000002").is_dir());
        let checkpoint = best.best_checkpoint(&objective).ok_or("it saved")?;
        assert_eq!((checkpoint.id.index, best.open(checkpoint)?.json::<u32>("at")?), (1, 2));
        assert_eq!(best.last_checkpoint().map(|last| last.id.index), Some(2));
        assert!(best.best_checkpoint(&Objective::max("unknown")).is_none());
        assert_eq!(best.best_report(&objective).map(|report| report.iteration()), Some(2));
        assert_eq!(best.table().numbers("loss"), [2.0, 0.0, 1.0]);
        let seconds: f64 =
            results.trials().iter().filter_map(|trial| results.of(trial.id)).map(|trial| trial.seconds()).sum();
        assert!(seconds > 0.0 && (results.trial_seconds() - seconds).abs() < 1e-9);
        assert!(results.of("fffff_00000".parse()?).is_none());
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("sensor {0} is cold")]
struct Cold(u32);

/// The error that comes back is the one that was returned, as a value; without `Raise` it isn't kept.
#[test]
fn fail_fast_raise_gives_the_original_error() {
    let run = |fail_fast| {
        let cold = function("cold", |_: Config, _| Err(Cold(7).into()));
        Experiment::new("cold", cold).points([Config::new()]).fail_fast(fail_fast).run()
    };
    let error = run(FailFast::Raise).expect_err("it raises");
    let original = error.original().and_then(|error| error.downcast_ref::<Cold>());
    assert!(matches!(original, Some(Cold(7))), "{error}");
    assert!(error.to_string().contains("sensor 7 is cold"), "{error}");
    let stopped = run(FailFast::Stop).expect("it only stops");
    assert!(stopped.errors().all(|trial| trial.error().is_some_and(|error| error.fault.original.get().is_none())));
}

/// Panics when it is dropped, as a user's error may.
#[derive(Debug, thiserror::Error)]
#[error("sticky")]
struct Sticky;

impl Drop for Sticky {
    fn drop(&mut self) {
        panic!("it can't be dropped");
    }
}

#[test]
fn an_error_that_panics_when_it_is_dropped_harms_nobody() {
    for fail_fast in [FailFast::No, FailFast::Stop, FailFast::Raise] {
        let sticky = function("sticky", |_: Config, _| Err(Sticky.into()));
        let ended = Experiment::new("sticky", sticky).points([Config::new()]).fail_fast(fail_fast).run();
        assert_eq!(ended.is_err(), fail_fast == FailFast::Raise);
    }
}
