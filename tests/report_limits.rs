//! What a report may hold: below the limits its cost is linear, above them it is its trial's error.

mod common;

use std::time::{Duration, Instant};

use common::live::{numbered, results};
use tryout::prelude::*;

/// The words with which the first of two trials fails; the other, which reports as it should, doesn't notice.
fn failure(experiment: Experiment) -> (String, u64) {
    let results = results(experiment.points(numbered(2)).workers(1));
    assert_eq!(results.trials()[1].status, Status::Terminated);
    let trial = &results.trials()[0];
    let failure = trial.error().expect("it reports too much");
    assert_eq!(failure.fault.kind, FailureKind::UserError);
    (failure.fault.message.clone(), trial.reported)
}

/// The first trial makes reports of its own, one after the other.
fn reporting(report: impl Fn(u64) -> Metrics + Send + Sync + 'static) -> Experiment {
    let body = move |config: Config, session: &mut Session| {
        if config.number("n") == Some(0.0) {
            (0..200).try_for_each(|iteration| session.report(report(iteration)))?;
        }
        Ok(session.report([("loss", 1.0)])?)
    };
    Experiment::new("reporting", function("reporting", body))
}

fn names(count: u64) -> Metrics {
    (0..count).map(|name| (format!("metric_{name}"), 0.5)).collect()
}

#[test]
fn a_report_with_too_many_names_is_its_trial_s_error() {
    let (words, reported) = failure(reporting(|iteration| names(if iteration < 3 { 4_096 } else { 50_000 })));
    let expected = "the report of iteration 4 has 50000 names, but `report_limits.names` allows 4096 in a report";
    assert_eq!((&*words, reported), (expected, 3));
}

#[test]
fn a_trial_with_new_names_in_every_report_comes_to_an_end() {
    let limits = ReportLimits { names_of_trial: 100, ..ReportLimits::default() };
    let new = |iteration| Metrics::new().with(format!("at_{iteration}"), 1.0).with("loss", 1.0).with("note", "same");
    let (words, reported) = failure(reporting(new).report_limits(limits));
    let expected = "with the report of iteration 100, the trial has reported numbers of 101 names, but \
                    `report_limits.names_of_trial` allows 100";
    assert_eq!((&*words, reported), (expected, 99));
}

#[test]
fn a_report_with_too_many_bytes_is_its_trial_s_error() {
    let long = |iteration| Metrics::new().with("text", "x".repeat(if iteration == 0 { 1 << 19 } else { 1 << 21 }));
    let (words, reported) = failure(reporting(long));
    let expected = "the names and texts of the report of iteration 2 have 2097156 bytes, but `report_limits.bytes` \
                    allows 1048576";
    assert_eq!((&*words, reported), (expected, 1));
}

/// What is quadratic takes minutes for so many.
#[test]
fn the_cost_of_many_names_is_linear() {
    let begun = Instant::now();
    let mut metrics = names(200_000);
    metrics.insert("metric_7", 7.0);
    let text = serde_json::to_string(&metrics).unwrap();
    let again: Metrics = serde_json::from_str(&text).unwrap();
    assert_eq!((again.len(), again.number("metric_7")), (200_000, Some(7.0)));
    let nested = Metrics::new().nest("all", again);
    let flat = Metrics::from_serialize(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap();
    assert_eq!((nested.len(), flat.len()), (200_000, 200_000));
    let mut stats = tryout::logic::metrics::TrialStats::default();
    stats.add(&metrics);
    // In another order.
    stats.add(&metrics.iter().rev_names());
    assert_eq!(stats.get("metric_199999").map(|stats| stats.count), Some(2));
    (0..50_000).for_each(|at| stats.add(&Metrics::new().with(format!("new_{at}"), 1.0)));
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

trait Reversed {
    fn rev_names(self) -> Metrics;
}

impl<'a, I: Iterator<Item = (&'a std::borrow::Cow<'static, str>, &'a Value)>> Reversed for I {
    fn rev_names(self) -> Metrics {
        let mut all: Vec<_> = self.map(|(name, value)| (name.clone(), value.clone())).collect();
        all.reverse();
        all.into_iter().collect()
    }
}

/// In a process as well, and nobody waits for it.
#[test]
#[cfg(all(feature = "process", target_os = "linux"))]
fn a_program_with_too_many_names_fails() {
    let script = r#"[ {n} = 0 ] && count=50000 || count=2
        printf '{{"loss": 1'; i=0; while [ $i -lt $count ]; do printf ', "m%d": 1' $i; i=$((i+1)); done; echo '}}'"#;
    let (words, _) = failure(Experiment::new("program", command("sh").args(["-c", script])));
    assert!(words.contains("has 50001 names, but `report_limits.names` allows 4096"), "{words}");
}
