//! The lines of Optuna's journal: one JSON object each, numbered by what it does.
//!
//! Source: `JournalOperation` and `JournalStorageReplayResult` of Optuna 5.0.0 (`optuna/storages/journal/_storage.py`), which
//! is the form since Optuna 3.1. Whatever isn't finite is a bare token, as Python writes and reads it.

use super::super::date::iso;
use super::super::row::{write_json, write_json_float, write_plain};
use super::domain::{Distribution, Domains};
use super::trial::{Stand, TrialEntry};
use crate::logic::metrics::{Mode, Objective};

const CREATE_STUDY: i64 = 0;
const SET_STUDY_ATTRIBUTE: i64 = 2;
const CREATE_TRIAL: i64 = 4;

/// An object under construction.
struct Object<'a>(&'a mut Vec<u8>);

impl<'a> Object<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self(out)
    }

    fn operation(out: &'a mut Vec<u8>, code: i64, worker: &str) -> Self {
        let mut line = Self::begin(out);
        write_plain(&code, line.key("op_code"));
        write_plain(worker, line.key("worker_id"));
        line
    }

    /// Writes a key; its value is to follow.
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        write_plain(name, self.0);
        self.0.push(b':');
        self.0
    }

    fn end(self) {
        self.0.push(b'}');
    }
}

/// Creates the study.
pub(super) fn write_study(worker: &str, name: &str, objective: Option<&Objective>, out: &mut Vec<u8>) {
    let direction = match objective.map(|objective| objective.mode) {
        None => 0,
        Some(Mode::Min) => 1,
        Some(Mode::Max) => 2,
    };
    let mut line = Object::operation(out, CREATE_STUDY, worker);
    write_plain(name, line.key("study_name"));
    write_plain(&[direction], line.key("directions"));
    line.end();
    out.push(b'\n');
}

/// Sets an attribute of the study.
pub(super) fn write_study_attribute(worker: &str, name: &str, value: &str, out: &mut Vec<u8>) {
    let mut line = Object::operation(out, SET_STUDY_ATTRIBUTE, worker);
    write_plain(&0, line.key("study_id"));
    let mut attribute = Object::begin(line.key("user_attr"));
    write_plain(value, attribute.key(name));
    attribute.end();
    line.end();
    out.push(b'\n');
}

/// Creates a trial with all that is known of it.
pub(super) fn write_trial(worker: &str, entry: &TrialEntry, domains: &Domains, out: &mut Vec<u8>) {
    let mut line = Object::operation(out, CREATE_TRIAL, worker);
    write_plain(&0, line.key("study_id"));
    write_plain(&(entry.stand as i64), line.key("state"));
    match &entry.value {
        Some(value) => write_json(value.into(), line.key("value")),
        None => write_plain(&(), line.key("value")),
    }
    write_plain(&(), line.key("values"));
    let finished = matches!(entry.stand, Stand::Complete | Stand::Pruned | Stand::Fail);
    let start = entry.start.or(entry.complete.filter(|_| finished));
    write_plain(&start.map(iso), line.key("datetime_start"));
    if let Some(complete) = entry.complete.filter(|_| finished) {
        write_plain(&iso(complete), line.key("datetime_complete"));
    }
    write_params(entry, domains, &mut line);
    let mut steps = Object::begin(line.key("intermediate_values"));
    for (step, value) in &entry.steps {
        write_json(value.into(), steps.key(&step.to_string()));
    }
    steps.end();
    Object::begin(line.key("system_attrs")).end();
    line.end();
    out.push(b'\n');
}

fn write_params(entry: &TrialEntry, domains: &Domains, line: &mut Object<'_>) {
    let known = |name: &str| !matches!(domains.of(name), Distribution::None);
    let (params, others): (Vec<_>, Vec<_>) = entry.params.iter().partition(|(name, _)| known(name));
    let bare = |name: &'_ str| name.strip_prefix("config/").unwrap_or(name).to_owned();
    let mut distributions = Object::begin(line.key("distributions"));
    for (name, _) in &params {
        let mut text = Vec::new();
        write_distribution(&domains.of(name), &mut text);
        // A text that holds JSON.
        write_plain(&String::from_utf8_lossy(&text), distributions.key(&bare(name)));
    }
    distributions.end();
    let mut values = Object::begin(line.key("params"));
    for (name, value) in &params {
        let out = values.key(&bare(name));
        match domains.of(name) {
            Distribution::Choice(choices) => {
                let place = choices.iter().position(|choice| choice == value).unwrap_or_default();
                write_plain(&(place as i64), out);
            }
            _ => write_json(value.into(), out),
        }
    }
    values.end();
    let mut attributes = Object::begin(line.key("user_attrs"));
    write_plain(&entry.trial, attributes.key("trial_id"));
    let own = entry.attributes.iter().filter(|(name, _)| name != "trial_id");
    for (name, value) in others.into_iter().chain(own) {
        write_json(value.into(), attributes.key(name));
    }
    attributes.end();
}

fn write_distribution(distribution: &Distribution<'_>, out: &mut Vec<u8>) {
    let mut whole = Object::begin(out);
    let name = match distribution {
        Distribution::Int(..) => "IntDistribution",
        Distribution::Float(..) => "FloatDistribution",
        Distribution::Choice(_) | Distribution::None => "CategoricalDistribution",
    };
    write_plain(name, whole.key("name"));
    let mut attributes = Object::begin(whole.key("attributes"));
    match distribution {
        Distribution::Int(low, high) => {
            write_plain(low, attributes.key("low"));
            write_plain(high, attributes.key("high"));
            write_plain(&false, attributes.key("log"));
            write_plain(&1, attributes.key("step"));
        }
        Distribution::Float(low, high) => {
            write_json_float(*low, attributes.key("low"));
            write_json_float(*high, attributes.key("high"));
            write_plain(&false, attributes.key("log"));
            write_plain(&(), attributes.key("step"));
        }
        Distribution::Choice(choices) => write_plain(choices, attributes.key("choices")),
        Distribution::None => {}
    }
    attributes.end();
    whole.end();
}
