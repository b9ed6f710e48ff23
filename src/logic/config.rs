//! A trial's configuration: a JSON map, handed to the trainable as its own type.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::metrics::Metrics;
use super::objects::ObjectName;

/// One point of the search space, with all values concrete.
///
/// ```
/// use tryout::prelude::*;
///
/// let config = Config::from_json(serde_json::json!({"lr": 0.1, "net": {"hidden": 32}}))?;
/// assert_eq!(config.number("net/hidden"), Some(32.0));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(Map<String, Value>);

/// A configuration that isn't what the trainable expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value has the wrong type, is missing or is out of range.
    #[error("configuration key `{key}`: found {found}, but {problem}")]
    Key {
        /// The path of the key, as in `net.hidden`; `.` for the whole.
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
}

impl Config {
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

    /// The value at `path`, levels joined with `/`; list elements go by their index.
    pub fn get(&self, path: &str) -> Option<&Value> {
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
        self.get(path).and_then(Value::as_f64)
    }

    /// The placeholder at `path`: see [`object`](super::objects::object).
    pub fn object(&self, path: &str) -> Option<ObjectName> {
        self.get(path).and_then(|value| serde_json::from_value(value.clone()).ok())
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
        serde_path_to_error::deserialize(&value).map_err(|error| {
            let key = error.path().to_string();
            let pointer: String =
                if key == "." { String::new() } else { key.replace(['.', '['], "/").replace(']', "") };
            let found = if pointer.is_empty() { Some(&value) } else { self.get(&pointer) };
            ConfigError::Key {
                key,
                found: found.map_or_else(|| "nothing".to_owned(), |found| found.to_string()),
                problem: error.into_inner().to_string(),
            }
        })
    }
}

/// The JSON text.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}
