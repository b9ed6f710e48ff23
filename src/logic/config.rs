//! A trial's configuration: a JSON map, handed to the trainable as its own type.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::metrics::Metrics;
use super::objects::ObjectName;
use super::place;

/// One point of the search space, with all values concrete.
///
/// ```
/// use tryout::prelude::*;
///
/// let config = Config::from_json(serde_json::json!({"lr": 0.1, "net": {"hidden": 32}}))?;
/// let hidden: u32 = config.get("net/hidden")?;
/// assert_eq!((hidden, config.get::<f64>("lr")?), (32, 0.1));
/// assert!(config.get::<u32>("lr").is_err());
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Config(Map<String, Value>);

/// A configuration that isn't what the trainable expects.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that has to be there isn't.
    #[error("the configuration has no `{key}`: {}", there(known))]
    Missing {
        /// The path of the key, as in `net/hidden`.
        key: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A value has the wrong type or is out of range.
    #[error("{}: found {found}, but {problem}", named(key))]
    Key {
        /// The path of the key, as in `net/hidden`; empty for the whole.
        key: String,
        /// The value that stood there.
        found: String,
        /// What was expected, in serde's words.
        problem: String,
    },
    /// A configuration must be a map.
    #[error("a configuration must be a map of names to values, found {found}")]
    NotAMap {
        /// What kind of value stood there instead.
        found: &'static str,
    },
    /// Maps and lists within each other, deeper than a journal or a worker could read them.
    #[error("configuration key `{key}`: lists and maps are nested more than {most} levels deep; use fewer levels")]
    Deep {
        /// The key at the top under which they are.
        key: String,
        /// How many levels there may be, the configuration itself included.
        most: usize,
    },
}

crate::logic::failure::debug_as_chain!(ConfigError);

/// Whether lists and maps lie within each other on more than `most` levels. It looks no deeper than that.
pub(crate) fn is_deeper(value: &Value, most: usize) -> bool {
    match value {
        Value::Array(items) => most == 0 || items.iter().any(|item| is_deeper(item, most - 1)),
        Value::Object(map) => most == 0 || map.values().any(|item| is_deeper(item, most - 1)),
        _ => false,
    }
}

impl Config {
    /// So many levels of lists and maps a configuration may have, itself included. Who reads JSON gives up at 128, and a
    /// configuration is a part of other things where it is written.
    pub const MOST_LEVELS: usize = 64;

    /// Whether it can be written and read everywhere.
    ///
    /// # Errors
    /// If it is nested on more than [`MOST_LEVELS`](Self::MOST_LEVELS).
    pub fn check_levels(&self) -> Result<(), ConfigError> {
        match self.0.iter().find(|(_, value)| is_deeper(value, Self::MOST_LEVELS - 1)) {
            Some((key, _)) => Err(ConfigError::Deep { key: key.clone(), most: Self::MOST_LEVELS }),
            None => Ok(()),
        }
    }

    /// An empty configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// The configuration in a JSON map.
    ///
    /// # Errors
    /// If `value` isn't a map.
    pub fn from_json(value: Value) -> Result<Self, ConfigError> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => Err(ConfigError::NotAMap { found: super::metrics::json_kind(&other) }),
        }
    }

    /// The same configuration with `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// The value at `path`, levels joined with `/`; list elements go by their index. It is read as any type that serde can read;
    /// one that may be missing as an `Option`.
    ///
    /// # Errors
    /// If there is none, or it is of another type: the error names the path and what is there.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConfigError> {
        let Some(value) = self.value(path) else {
            // It may be missing.
            return serde_json::from_value(Value::Null).map_err(|_| self.missing(path.to_owned()));
        };
        place::read(value).map_err(|(within, problem)| {
            let key = if within == "." { path.to_owned() } else { format!("{path}/{}", slashed(&within)) };
            self.wrong(key, &problem.to_string())
        })
    }

    /// The value at `path` as JSON, levels joined with `/`; list elements go by their index.
    pub fn value(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('/');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| match value {
            Value::Object(map) => map.get(part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The number at `path`.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.value(path).and_then(Value::as_f64)
    }

    /// The placeholder at `path`: see [`object`](super::objects::object).
    pub fn object(&self, path: &str) -> Option<ObjectName> {
        self.value(path).and_then(|value| serde_json::from_value(value.clone()).ok())
    }

    /// The configuration as a JSON map.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The configuration as a JSON map, to change.
    pub fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// All leaves, paths joined with `/`, sorted by path.
    pub fn flattened(&self) -> Metrics {
        Metrics::from_serialize(&self.0).unwrap_or_default()
    }

    /// The configuration as the trainable's own type.
    ///
    /// # Errors
    /// If it doesn't fit; the error names the key, what was found there and what was expected.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let value = Value::Object(self.0.clone());
        place::read(&value).map_err(|(key, problem)| {
            let key = if key == "." { String::new() } else { slashed(&key) };
            self.wrong(key, &problem.to_string())
        })
    }

    /// What is wrong at `path`, in serde's words; an empty one is the whole.
    fn wrong(&self, path: String, problem: &str) -> ConfigError {
        let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        if let Some(field) = missing {
            return self.missing(if path.is_empty() { field.to_owned() } else { format!("{path}/{field}") });
        }
        let found = if path.is_empty() { Some(self.to_string()) } else { self.value(&path).map(Value::to_string) };
        ConfigError::Key {
            key: path,
            found: found.unwrap_or_else(|| "nothing".to_owned()),
            problem: problem.to_owned(),
        }
    }

    fn missing(&self, key: String) -> ConfigError {
        let known = self.flattened().iter().map(|(name, _)| format!("`{name}`")).collect();
        ConfigError::Missing { key, known }
    }
}

/// A place as [`place::read`] says it (`net.layers[0]`), as a path.
fn slashed(place: &str) -> String {
    place.replace(['.', '['], "/").replace(']', "").trim_start_matches('/').to_owned()
}

/// Which key, in words.
fn named(key: &str) -> String {
    if key.is_empty() { "the configuration".to_owned() } else { format!("configuration key `{key}`") }
}

/// What there is, in words.
fn there(known: &[String]) -> String {
    const MOST: usize = 20;
    let shown = known.get(..known.len().min(MOST)).unwrap_or_default().join(", ");
    match known.len() {
        0 => "it is empty".to_owned(),
        all if all > MOST => format!("it has {shown} and {} more", all - MOST),
        _ => format!("it has {shown}"),
    }
}

/// The JSON text.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}
