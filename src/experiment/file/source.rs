//! The text of an experiment file: TOML or JSON, read into one tree, and where in the text each of its values stands.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::error::FileError;

/// A text with its name.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    text: String,
    json: bool,
}

impl Source {
    /// JSON if the name ends in `.json`, else TOML.
    pub(super) fn new(path: &Path, text: String) -> Self {
        let json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        Self { name: path.display().to_string(), text, json }
    }

    pub(super) fn tree(&self) -> Result<Map<String, Value>, FileError> {
        if self.json {
            return serde_json::from_str(&self.text).map_err(|error| {
                let words = error.to_string();
                let at = format!(" at line {} column {}", error.line(), error.column());
                let why = words.strip_suffix(&at).unwrap_or(&words).to_owned();
                FileError { file: self.name.clone(), at: Some((error.line(), error.column().max(1))), why }
            });
        }
        let table: toml::Table = toml::from_str(&self.text).map_err(|error| FileError {
            file: self.name.clone(),
            at: error.span().map(|span| self.line_column(span.start)),
            why: error.message().trim().to_owned(),
        })?;
        Ok(table.into_iter().map(|(key, value)| (key, json(value))).collect())
    }

    /// That what stands at `place`, as in `search.tpe.startup` or `stop[0]`, is wrong.
    pub(super) fn wrong(&self, place: &str, why: impl Into<String>) -> FileError {
        let at = self.offset(place).map(|offset| self.line_column(offset));
        FileError { file: self.name.clone(), at, why: why.into() }
    }

    /// Line and column, from 1, the column in characters.
    fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// Where a place begins; that of what it is in, if it isn't in the text.
    fn offset(&self, place: &str) -> Option<usize> {
        if self.json {
            return json_offset(&self.text, &self.text, place).or(Some(0));
        }
        let document = DeTable::parse(&self.text).ok()?;
        Some(toml_offset(document.get_ref(), place).unwrap_or(0))
    }
}

/// What follows `key` in a place, if the place goes through it.
fn rest<'p>(place: &'p str, key: &str) -> Option<&'p str> {
    let after = place.strip_prefix(key)?;
    match after.strip_prefix('.') {
        Some(rest) => Some(rest),
        None => (after.is_empty() || after.starts_with('[')).then_some(after),
    }
}

/// The index at which a place goes on in a list, and what follows.
fn index(place: &str) -> Option<(usize, &str)> {
    let (index, after) = place.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, after.strip_prefix('.').unwrap_or(after)))
}

fn toml_offset(table: &DeTable<'_>, place: &str) -> Option<usize> {
    table.iter().find_map(|(key, value)| {
        let rest = rest(place, key.get_ref())?;
        let deeper = if rest.is_empty() { None } else { toml_within(value.get_ref(), rest) };
        Some(deeper.unwrap_or(key.span().start))
    })
}

fn toml_within(value: &DeValue<'_>, place: &str) -> Option<usize> {
    match value {
        DeValue::Table(table) => toml_offset(table, place),
        DeValue::Array(items) => {
            let (index, rest) = index(place)?;
            let item = items.get(index)?;
            let deeper = if rest.is_empty() { None } else { toml_within(item.get_ref(), rest) };
            Some(deeper.unwrap_or(item.span().start))
        }
        _ => None,
    }
}

fn json_offset(whole: &str, text: &str, place: &str) -> Option<usize> {
    let begin = |raw: &RawValue| (raw.get().as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
    let within = |raw: &RawValue, rest: &str| {
        let deeper = if rest.is_empty() { None } else { json_offset(whole, raw.get(), rest) };
        deeper.or_else(|| begin(raw))
    };
    if let Ok(map) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        return map.iter().find_map(|(key, raw)| within(raw, rest(place, key)?));
    }
    let items = serde_json::from_str::<Vec<&RawValue>>(text).ok()?;
    let (index, rest) = index(place)?;
    within(items.get(index)?, rest)
}

/// The same value as JSON. Numbers that JSON doesn't know, and times of day, are texts.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) if number.is_nan() => "NaN".into(),
        toml::Value::Float(number) if number.is_infinite() => {
            (if number > 0.0 { "Infinity" } else { "-Infinity" }).into()
        }
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect()),
    }
}

/// A value as `--set` has it: TOML, and what isn't TOML is a text.
pub(super) fn value_of(text: &str) -> Value {
    let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value")).map_or(text.into(), json)
}
