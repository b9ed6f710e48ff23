//! Trials as columns, and curves of many trials.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::state::State;
use super::views::{Columns, Curve, Curves};
use super::words;
use crate::logic::engine::TrialRecord;
use crate::logic::metrics::{self, Report, Scope};

/// So many of the best, and of the newest, are shown when not all can be.
const FIRST: usize = 2_000;

/// So many points a curve has at most.
pub(super) const POINTS: usize = 200;

/// Which trials are shown when not all can be: the best, the newest, and others evenly spread; and the same in words.
fn choose(state: &State, most: usize) -> (Vec<u32>, String) {
    let of = state.ledger().len();
    let all = || 0..u32::try_from(of).unwrap_or(u32::MAX);
    if of <= most {
        return (all().collect(), "all".to_owned());
    }
    let first = FIRST.min(most / 3);
    let mut taken = vec![false; of];
    let mut take = |number: u32| match taken.get_mut(number as usize) {
        Some(taken) => !std::mem::replace(taken, true),
        None => false,
    };
    let best = state.rows.ranked().take(first).filter(|number| take(*number)).count();
    let newest = all().rev().filter(|number| take(*number)).take(first).count();
    let left: Vec<u32> = all().filter(|number| taken.get(*number as usize) == Some(&false)).collect();
    let others = most.saturating_sub(best + newest).min(left.len());
    for index in 0..others {
        if let Some(taken) = left.get(index * left.len() / others).and_then(|number| taken.get_mut(*number as usize)) {
            *taken = true;
        }
    }
    let chosen = all().filter(|number| taken.get(*number as usize) == Some(&true)).collect();
    let words = words::thousands;
    (chosen, format!("the best {}, the newest {} and {} of the others", words(best), words(newest), words(others)))
}

/// All trials, or a choice of them.
pub(super) fn trials(state: &State, most: usize) -> Columns {
    let (numbers, chosen) = choose(state, most);
    columns(state, numbers.into_iter(), chosen)
}

/// These trials.
pub(super) fn columns(state: &State, numbers: impl Iterator<Item = u32>, chosen: String) -> Columns {
    let mut columns = Columns { position: state.position, of: state.ledger().len(), chosen, ..Columns::default() };
    let mut builder = Builder::default();
    for number in numbers {
        if let Some(record) = state.ledger().get(state.trial_id(number)) {
            row(state, record, &mut columns, &mut builder);
        }
    }
    columns.shown = columns.number.len();
    if columns.name.iter().all(Option::is_none) {
        columns.name = Vec::new();
    }
    columns.words = builder.words;
    columns.parameters = builder.parameters.finish(columns.shown);
    columns.metrics = builder.metrics.finish(columns.shown);
    columns
}

/// What is gathered besides the columns that every run has.
#[derive(Default)]
struct Builder {
    words: Vec<String>,
    places: HashMap<String, u32>,
    parameters: Named,
    metrics: Named,
}

fn row(state: &State, record: &TrialRecord, columns: &mut Columns, builder: &mut Builder) {
    let (number, place) = (record.id.number(), columns.number.len());
    let seconds = |moment: crate::logic::time::Moment| moment.since_start().as_secs_f64();
    columns.number.push(number);
    columns.name.push(record.name.clone());
    columns.status.push(record.status as u8);
    columns.iteration.push(record.last.as_ref().map_or(0, |last| last.iteration()));
    columns.value.push(state.rows.value_of(number));
    let best = state.objective().and_then(|objective| {
        record.stats.value(&objective.metric, Scope::All, objective.mode, record.last.as_deref())
    });
    columns.best_value.push(best.filter(|value| value.is_finite()));
    columns.started.push(record.started.map(seconds));
    columns.ended.push(record.ended.map(seconds));
    columns.attempts.push(record.attempts);
    columns.failures.push(record.failures.len());
    columns.priority.push(state.ledger().plan(record.id).map_or(0, |plan| plan.priority));
    let why = words::why(record, state.ledger(), state.timeline.has_worker(number));
    columns.why.push(why.map(|words| builder.word(words)));
    let parameters = &mut builder.parameters;
    leaves(record.config.as_map(), &mut String::new(), &mut |path, value| parameters.put(place, path, value.clone()));
    for (name, value) in record.last.iter().flat_map(|last| last.metrics.iter()) {
        builder.metrics.put(place, name, json(value));
    }
}

impl Builder {
    fn word(&mut self, words: String) -> u32 {
        if let Some(place) = self.places.get(&words) {
            return *place;
        }
        let place = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.push(words.clone());
        self.places.insert(words, place);
        place
    }
}

/// Columns by names that aren't known before; what isn't there is null.
#[derive(Default)]
struct Named {
    places: HashMap<String, usize>,
    columns: Vec<Vec<Value>>,
    /// The column after the one that was filled last: most rows have the same names in the same order.
    likely: usize,
    names: Vec<String>,
}

impl Named {
    fn put(&mut self, row: usize, name: &str, value: Value) {
        let place = match self.names.get(self.likely) {
            Some(known) if known == name => self.likely,
            _ => self.places.get(name).copied().unwrap_or_else(|| {
                self.places.insert(name.to_owned(), self.columns.len());
                self.names.push(name.to_owned());
                self.columns.push(Vec::new());
                self.columns.len() - 1
            }),
        };
        self.likely = if place + 1 < self.columns.len() { place + 1 } else { 0 };
        if let Some(column) = self.columns.get_mut(place) {
            column.resize(row, Value::Null);
            column.push(value);
        }
    }

    fn finish(self, rows: usize) -> BTreeMap<String, Vec<Value>> {
        let named = self.names.into_iter().zip(self.columns);
        named
            .map(|(name, mut column)| {
                column.resize(rows, Value::Null);
                (name, column)
            })
            .collect()
    }
}

/// All values of a configuration by path, maps taken apart: the paths are those of
/// [`space::leaves`](crate::logic::space::leaves), made without a text for each.
pub(super) fn leaves(map: &Map<String, Value>, path: &mut String, take: &mut impl FnMut(&str, &Value)) {
    for (name, value) in map {
        let length = path.len();
        if length > 0 {
            path.push('/');
        }
        path.push_str(name);
        match value {
            Value::Object(map) => leaves(map, path, take),
            value => take(path, value),
        }
        path.truncate(length);
    }
}

/// A metric's value; a number that isn't finite is null.
pub(super) fn json(value: &metrics::Value) -> Value {
    match value {
        metrics::Value::Float(value) => Value::from(*value),
        metrics::Value::Int(value) => Value::from(*value),
        metrics::Value::Bool(value) => Value::Bool(*value),
        metrics::Value::Text(text) => Value::from(&**text),
    }
}

/// Curves of a metric: of the best trials and of others.
pub(super) fn curves(state: &State, metric: &str, most: usize) -> Curves {
    let (numbers, chosen) = choose(state, most);
    let curve = |number: u32| {
        let record = state.ledger().get(state.trial_id(number))?;
        let reports = record.reports().filter_map(|report| Some((report, report.number(metric)?)));
        let (x, y): (Vec<u64>, Vec<Option<f64>>) = thinned(reports.collect(), POINTS)
            .map(|(report, value)| (Report::iteration(report), Some(value).filter(|value| value.is_finite())))
            .unzip();
        (!x.is_empty()).then_some(Curve { number, x, y })
    };
    let curves = numbers.into_iter().filter_map(curve).collect();
    Curves { position: state.position, metric: metric.to_owned(), chosen, curves }
}

/// At most so many of them, evenly spread, the first and the last among them.
pub(super) fn thinned<T: Copy>(all: Vec<T>, most: usize) -> impl Iterator<Item = T> {
    let (length, last) = (all.len(), all.len().saturating_sub(1));
    let count = length.min(most);
    (0..count).filter_map(move |index| {
        let place = if length <= most { index } else { index * last / (count - 1).max(1) };
        all.get(place).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_list_keeps_its_ends() {
        assert_eq!(thinned((0..5).collect::<Vec<i32>>(), 10).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let thin: Vec<i32> = thinned((0..1000).collect(), 200).collect();
        assert_eq!((thin.len(), thin[0], thin[199]), (200, 0, 999));
        assert!(thin.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(thinned(Vec::<i32>::new(), 3).count(), 0);
    }

    #[test]
    fn columns_are_of_equal_length_whatever_comes_in_which_order() {
        let mut named = Named::default();
        named.put(0, "a", 1.into());
        named.put(1, "b", 2.into());
        named.put(2, "a", 3.into());
        named.put(2, "<b>", "</script>".into());
        let columns = named.finish(4);
        assert_eq!(columns["a"], [1.into(), Value::Null, 3.into(), Value::Null]);
        assert_eq!(columns["b"], [Value::Null, 2.into(), Value::Null, Value::Null]);
        assert_eq!(columns["<b>"], [Value::Null, Value::Null, "</script>".into(), Value::Null]);
    }

    #[test]
    fn paths_are_those_of_the_space() {
        let config = crate::logic::config::Config::from_json(
            serde_json::json!({"a": 1, "net": {"lr": 0.1, "deep": {"x": [1, 2]}}, "z": null}),
        )
        .unwrap();
        let mut found = Vec::new();
        leaves(config.as_map(), &mut String::new(), &mut |path, value| found.push((path.to_owned(), value.clone())));
        assert_eq!(found, crate::logic::space::leaves(&config));
    }
}
