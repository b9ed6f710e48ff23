//! The reports of a batch as they travel to another machine: the first one whole, of the others what doesn't follow from it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::logic::metrics::Report;
use crate::logic::wire::Row;

#[derive(Serialize)]
struct Written<'a> {
    first: Option<&'a Report>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rest: Vec<WrittenRow<'a>>,
    done: bool,
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    metrics: &'a crate::logic::metrics::Metrics,
    seconds: f64,
    at: f64,
}

#[derive(Deserialize)]
struct Read {
    first: Option<Report>,
    #[serde(default)]
    rest: Vec<Row>,
    #[serde(default)]
    done: bool,
}

pub(super) fn serialize<S: Serializer>(reports: &[Report], serializer: S) -> Result<S::Ok, S::Error> {
    let (first, rest) = reports.split_first().unzip();
    let row = |report: &'_ Report| (report.time_this_iter_s, report.timestamp);
    let rest = rest.unwrap_or_default().iter().map(|report| {
        let (seconds, at) = row(report);
        WrittenRow { metrics: &report.metrics, seconds, at }
    });
    let done = reports.last().is_some_and(|report| report.done);
    Written { first, rest: rest.collect(), done }.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Report>, D::Error> {
    let Read { first, rest, done } = Read::deserialize(deserializer)?;
    let Some(first) = first else { return Ok(Vec::new()) };
    let (trial, mut counters) = (first.trial, first.counters);
    let mut reports = Vec::with_capacity(rest.len() + 1);
    reports.push(first);
    for Row { metrics, seconds, at } in rest {
        let took = Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)?;
        reports.push(counters.stamp(trial, metrics, took, at));
    }
    if let Some(last) = reports.last_mut() {
        last.done = done;
    }
    Ok(reports)
}
