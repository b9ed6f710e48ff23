//! The form of reports: the names of the metrics once, then a row for each report.
//!
//! A row is `[trial, iteration, seconds, timestamp, values.., extra]`. Everything else that a report says follows from
//! the rows before it; where it doesn't, the extra at the end says so.

use std::fmt;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::track::Tracks;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Counters, Metrics, Name, Report, Value};

/// What doesn't follow from the rows before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Extra {
    /// The running totals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counters: Option<Counters>,
    /// The trial's last report.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    done: bool,
}

/// One cell of a row.
enum Cell {
    Value(Value),
    Extra(Extra),
}

/// A row as it is read.
#[derive(Debug)]
pub(super) struct Row {
    trial: u32,
    iteration: u64,
    seconds: f64,
    timestamp: f64,
    values: Vec<Value>,
    extra: Extra,
}

/// Reports as they are read.
#[derive(Debug, Deserialize)]
pub(super) struct Reports {
    keys: Vec<String>,
    rows: Vec<Row>,
}

impl Reports {
    /// The reports, each with what follows from the ones before it.
    pub(super) fn reports(self, run: RunId, tracks: &mut Tracks) -> impl Iterator<Item = Arc<Report>> {
        let Reports { keys, rows } = self;
        rows.into_iter().map(move |row| {
            let report = Arc::new(row.report(run, &keys, tracks));
            tracks.remember(&report);
            report
        })
    }
}

impl Row {
    fn report(self, run: RunId, keys: &[String], tracks: &mut Tracks) -> Report {
        let trial = TrialId::new(run, self.trial);
        let metrics: Metrics = keys.iter().map(|key| Name::from(key.clone())).zip(self.values).collect();
        let counters = self.extra.counters.unwrap_or_else(|| {
            let mut counters = tracks.get(trial).counters;
            counters.count(&metrics, self.seconds);
            Counters { training_iteration: self.iteration, ..counters }
        });
        Report {
            trial,
            counters,
            time_this_iter_s: self.seconds,
            timestamp: self.timestamp,
            done: self.extra.done,
            metrics,
        }
    }
}

/// Whether two reports can stand under the same names.
pub(super) fn same_keys(one: &Report, other: &Report) -> bool {
    one.metrics.len() == other.metrics.len()
        && one.metrics.iter().zip(other.metrics.iter()).all(|((one, _), (other, _))| one == other)
}

/// Writes the beginning of `{"keys":[..],"rows":[`.
pub(super) fn open(report: &Report, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"keys\":[");
    for (position, (name, _)) in report.metrics.iter().enumerate() {
        comma(position > 0, out);
        json(name, out);
    }
    out.extend_from_slice(b"],\"rows\":[");
}

/// Writes one row, without what follows from earlier ones.
pub(super) fn row(report: &Arc<Report>, tracks: &mut Tracks, out: &mut Vec<u8>) {
    out.push(b'[');
    json(&report.trial.number(), out);
    out.push(b',');
    json(&report.iteration(), out);
    out.push(b',');
    json(&report.time_this_iter_s, out);
    out.push(b',');
    json(&report.timestamp, out);
    for (_, value) in report.metrics.iter() {
        out.push(b',');
        json(value, out);
    }
    let mut follows = tracks.get(report.trial).counters;
    follows.count(&report.metrics, report.time_this_iter_s);
    let extra = Extra { counters: (follows != report.counters).then_some(report.counters), done: report.done };
    tracks.remember(report);
    if extra != Extra::default() {
        out.push(b',');
        json(&extra, out);
    }
    out.push(b']');
}

/// Writes the end of what [`open`] began.
pub(super) fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"]}");
}

pub(super) fn comma(wanted: bool, out: &mut Vec<u8>) {
    if wanted {
        out.push(b',');
    }
}

/// Writes any of our own values, all of which serialise.
pub(super) fn json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let begin = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(begin);
        out.extend_from_slice(b"null");
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: trial, iteration, seconds, timestamp, values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
        let short = |length| serde::de::Error::invalid_length(length, &"at least four numbers");
        let trial = seq.next_element()?.ok_or_else(|| short(0))?;
        let iteration = seq.next_element()?.ok_or_else(|| short(1))?;
        let seconds = seq.next_element()?.ok_or_else(|| short(2))?;
        let timestamp = seq.next_element()?.ok_or_else(|| short(3))?;
        let mut row = Row { trial, iteration, seconds, timestamp, values: Vec::new(), extra: Extra::default() };
        while let Some(cell) = seq.next_element()? {
            match cell {
                Cell::Value(value) => row.values.push(value),
                Cell::Extra(extra) => row.extra = extra,
            }
        }
        Ok(row)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metric's value")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Value(Value::Float(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Value(Value::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Value(Value::from(value)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Value(Value::Bool(value)))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Cell, E> {
        Value::deserialize(serde::de::value::StrDeserializer::new(value)).map(Cell::Value)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Cell, A::Error> {
        Extra::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Cell::Extra)
    }
}
