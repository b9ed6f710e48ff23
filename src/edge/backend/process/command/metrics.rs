//! How a program that knows nothing of tryout reports: lines of its standard output, or a file that it writes.

use std::path::{Path, PathBuf};

use regex_lite::Regex;

use crate::edge::plain_file;
use crate::logic::metrics::{Metrics, Value};

/// Where a program's metrics are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricsFrom {
    /// Every line of its standard output that is a JSON object with at least one number is a report; levels of nesting are
    /// joined with `/`. `NaN` and `Infinity`, as Python writes them, are understood.
    #[default]
    JsonLines,
    /// Every line of its standard output that matches this regular expression is a report of its named groups:
    /// `epoch (?P<epoch>\d+): loss (?P<loss>\S+)`.
    Pattern(String),
    /// This file in its working directory, read when it has ended: one JSON object, or one a line. Such a trial can't be
    /// stopped early for what it reports.
    File(PathBuf),
    /// Nowhere: it only has an exit code.
    Nowhere,
}

/// The same, ready to be used.
#[derive(Clone, Debug)]
pub(super) enum Reader {
    JsonLines,
    Pattern(Regex),
    File(PathBuf),
    Nowhere,
}

impl MetricsFrom {
    pub(super) fn reader(&self) -> Result<Reader, String> {
        Ok(match self {
            MetricsFrom::JsonLines => Reader::JsonLines,
            MetricsFrom::File(path) => Reader::File(path.clone()),
            MetricsFrom::Nowhere => Reader::Nowhere,
            MetricsFrom::Pattern(pattern) => {
                let regex = Regex::new(pattern).map_err(|error| format!("`{pattern}` isn't a pattern: {error}"))?;
                if regex.capture_names().flatten().next().is_none() {
                    return Err(format!(
                        "the pattern `{pattern}` names no metric: write `(?P<loss>\\S+)` where one stands"
                    ));
                }
                Reader::Pattern(regex)
            }
        })
    }
}

impl Reader {
    /// Where metrics are looked for, in words.
    pub(super) fn words(&self) -> String {
        match self {
            Reader::JsonLines => "JSON objects, a line each, in its standard output".to_owned(),
            Reader::Pattern(pattern) => format!("lines of its standard output that match `{pattern}`"),
            Reader::File(path) => format!("the file `{}` in its working directory", path.display()),
            Reader::Nowhere => "nowhere".to_owned(),
        }
    }

    /// The report that a line is, if it is one.
    pub(super) fn line(&self, line: &[u8]) -> Option<Metrics> {
        let text = std::str::from_utf8(line).ok()?;
        match self {
            Reader::JsonLines => object(text),
            Reader::Pattern(pattern) => {
                let found = pattern.captures(text)?;
                let named = pattern.capture_names().flatten();
                Some(named.filter_map(|name| Some((name.to_owned(), value(found.name(name)?.as_str())))).collect())
            }
            Reader::File(_) | Reader::Nowhere => None,
        }
    }

    /// The reports in the file, if there is one.
    pub(super) fn file(&self, work: &Path) -> Result<Vec<Metrics>, String> {
        let Reader::File(name) = self else { return Ok(Vec::new()) };
        let path = work.join(name);
        // A program may point to its newest file; a pipe would be waited for.
        let bytes = path.canonicalize().and_then(|path| plain_file::read_all(&path));
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
        let text = text.map_err(|error| format!("can't read `{}`: {error}", path.display()))?;
        if let Some(one) = object(&text) {
            return Ok(vec![one]);
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                object(line).ok_or_else(|| format!("`{}` has a line that is no report: `{line}`", path.display()))
            })
            .collect()
    }
}

/// A JSON object with a number in it.
fn object(text: &str) -> Option<Metrics> {
    let text = text.trim();
    if !text.starts_with('{') {
        return None;
    }
    let json: serde_json::Value = serde_json::from_str(text).or_else(|_| serde_json::from_str(&quoted(text))).ok()?;
    let flat = Metrics::from_serialize(&json).ok()?;
    let metrics: Metrics = flat.iter().map(|(name, value)| (name.clone(), finite_or_not(value))).collect();
    let has_number = metrics.iter().any(|(_, value)| value.as_f64().is_some());
    has_number.then_some(metrics)
}

fn finite_or_not(value: &Value) -> Value {
    match value {
        Value::Text(text) => match &**text {
            "NaN" => Value::Float(f64::NAN),
            "Infinity" => Value::Float(f64::INFINITY),
            "-Infinity" => Value::Float(f64::NEG_INFINITY),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// JSON as Python writes it: the numbers that JSON doesn't have, as texts.
fn quoted(text: &str) -> String {
    let (mut out, mut rest, mut inside) = (String::with_capacity(text.len() + 8), text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| !inside && rest.starts_with(word));
        if let Some(word) = word {
            out.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        let mut length = c.len_utf8();
        match c {
            '"' => inside = !inside,
            '\\' if inside => length += rest[length..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// What a group of a pattern says: a number if it can be one.
fn value(text: &str) -> Value {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == ',');
    if let Ok(integer) = text.parse::<i64>() {
        return Value::Int(integer);
    }
    match (text.parse::<f64>(), text) {
        (Ok(float), _) => Value::Float(float),
        (_, "true" | "True") => Value::Bool(true),
        (_, "false" | "False") => Value::Bool(false),
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reader: &Reader, line: &str) -> Option<String> {
        Some(serde_json::to_string(&reader.line(line.as_bytes())?).expect("metrics are JSON"))
    }

    #[test]
    fn lines_of_json_are_reports_if_they_have_a_number() {
        let read = |line| read(&Reader::JsonLines, line);
        assert_eq!(read(r#"  {"loss": 0.5, "test": {"acc": 1}} "#).as_deref(), Some(r#"{"loss":0.5,"test/acc":1}"#));
        let strange = r#"{"loss": NaN, "a": -Infinity, "b": [Infinity, "NaN\" Infinity"]}"#;
        let found = r#"{"a":"-Infinity","b/0":"Infinity","b/1":"NaN\" Infinity","loss":"NaN"}"#;
        assert_eq!(read(strange).as_deref(), Some(found));
        for other in ["loss 0.5", r#"{"message": "hello"}"#, "{", "[1]", "", "{\"a\": 1} trailing"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn lines_that_match_a_pattern_are_reports() {
        let reader = MetricsFrom::Pattern(r"epoch (?P<epoch>\d+).*loss[=:] ?(?P<loss>\S+)".to_owned())
            .reader()
            .expect("a pattern");
        assert_eq!(read(&reader, "epoch 3, loss=1e-3, fine").as_deref(), Some(r#"{"epoch":3,"loss":0.001}"#));
        assert_eq!(read(&reader, "epoch 4 loss: nan").as_deref(), Some(r#"{"epoch":4,"loss":"NaN"}"#));
        assert_eq!(read(&reader, "epoch four"), None);
        assert!(MetricsFrom::Pattern("(".to_owned()).reader().is_err());
        let error = MetricsFrom::Pattern(r"loss (\S+)".to_owned()).reader().expect_err("no names");
        assert!(error.contains("names no metric"), "{error}");
    }
}
