//! What Optuna's pruners answered in recorded studies, answered by ours.
//!
//! In each study trials ran one after the other; some went on although they should have stopped. `null` is NaN.

#[path = "../common/mod.rs"]
mod common;

use common::{report, trial};
use serde::Deserialize;
use tryout::logic::decision::Decision;
use tryout::logic::event::Ending;
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::schedule::{Scheduler, from_spec};
use tryout::logic::spec::PartSpec;
use tryout::testing::Nobody;

#[derive(Deserialize)]
struct Recorded {
    recorded_from: String,
    studies: Vec<Study>,
}

#[derive(Deserialize)]
struct Study {
    kind: String,
    params: serde_json::Value,
    mode: Mode,
    trials: Vec<Trial>,
}

#[derive(Deserialize)]
struct Trial {
    values: Vec<Option<f64>>,
    /// The steps, from 1, at which it was to stop.
    stops: Vec<u64>,
    end: Ending,
}

fn scheduler(study: &Study) -> Box<dyn Scheduler> {
    let mut settings = study.params.clone();
    if let Some(inner) = settings.get_mut("inner").filter(|inner| !inner.is_null()) {
        *inner = serde_json::json!({"kind": "Percentile", "settings": inner});
    }
    let made = from_spec(&PartSpec { kind: study.kind.clone().into(), settings });
    let mut scheduler = made.unwrap_or_else(|error| panic!("{error}"));
    let objective = Objective { metric: "value".to_owned(), mode: study.mode };
    scheduler.prepare(Some(&objective)).expect("the settings are fine");
    scheduler
}

/// The steps at which ours would have stopped.
fn replay(scheduler: &mut dyn Scheduler, number: u32, recorded: &Trial) -> Vec<u64> {
    let id = trial(number);
    let values = recorded.values.iter().map(|value| value.unwrap_or(f64::NAN));
    let reports: Vec<_> = (1..).zip(values).map(|(step, value)| report(id, step, "value", value)).collect();
    let stops = |report: &&_| scheduler.on_report(id, report, &Nobody).decision == Decision::Stop;
    let stopped = reports.iter().filter(stops).map(tryout::logic::metrics::Report::iteration).collect();
    scheduler.on_end(id, recorded.end, reports.last(), &Nobody);
    stopped
}

#[test]
fn they_answer_alike() {
    let recorded: Recorded = serde_json::from_str(include_str!("pruners.json")).expect("it is as recorded");
    let (mut answers, mut stops) = (0, 0);
    for (index, study) in recorded.studies.iter().enumerate() {
        let mut scheduler = scheduler(study);
        for (number, trial) in (0..).zip(&study.trials) {
            let found = replay(&mut *scheduler, number, trial);
            assert_eq!(found, trial.stops, "study {index}, {} {}, trial {number}", study.kind, study.params);
            (answers, stops) = (answers + trial.values.len(), stops + found.len());
        }
    }
    println!("{answers} answers of {}, {stops} of them stops", recorded.recorded_from);
    assert!(answers > 3000 && stops > 500);
}
