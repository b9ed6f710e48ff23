//! The flat, ordered list of named values that a report carries.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::places::Places;
use super::value::Value;

/// A metric's name. A literal costs nothing; levels of nesting are joined with `/`.
pub type Name = Cow<'static, str>;

/// Named values in the order in which they were given; a name stands once.
///
/// ```
/// use tryout::prelude::*;
///
/// let flat = Metrics::from([("loss", 0.25), ("accuracy", 0.9)]);
/// assert_eq!(flat.number("loss"), Some(0.25));
///
/// let nested = Metrics::new().with("epoch", 3).nest("test", flat);
/// assert_eq!(nested.number("test/accuracy"), Some(0.9));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    entries: Vec<(Name, Value)>,
    places: Places,
}

/// A structure that can't be a report's metrics.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// It isn't a structure or map at the top.
    #[error("metrics must be a structure or a map of named values, found {found}")]
    NotAMap {
        /// What stood there instead.
        found: &'static str,
    },
    /// It doesn't serialise.
    #[error("the metrics don't serialise: {0}")]
    Serialize(#[from] serde_json::Error),
}

crate::logic::failure::debug_as_chain!(MetricsError);

impl Metrics {
    /// No metrics.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), places: Places::NONE }
    }

    /// Sets `name` to `value`, in its old place if it was there.
    pub fn insert(&mut self, name: impl Into<Name>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        self.places.prepare(&self.entries);
        let place = self.places.find(&self.entries, &name);
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some((_, old)) => *old = value,
            None => self.places.push(&mut self.entries, name, value),
        }
    }

    /// The same metrics and one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
        self.insert(name, value);
        self
    }

    /// The same metrics and all of `inner` under `name/`.
    #[must_use]
    pub fn nest(mut self, name: &str, inner: Metrics) -> Self {
        for (key, value) in inner.entries {
            self.insert(format!("{name}/{key}"), value);
        }
        self
    }

    /// The metrics in any serialisable structure, nesting flattened with `/`. Non-finite floats become NaN on this way
    /// (JSON has no others); use [`Metrics::with`] where infinity matters.
    ///
    /// # Errors
    /// If `structure` isn't a structure or map, or doesn't serialise.
    pub fn from_serialize(structure: &impl Serialize) -> Result<Self, MetricsError> {
        let json = serde_json::to_value(structure)?;
        let found = json_kind(&json);
        let serde_json::Value::Object(map) = json else {
            return Err(MetricsError::NotAMap { found });
        };
        let mut metrics = Metrics::new();
        for (key, value) in map {
            metrics.flatten(key, value);
        }
        Ok(metrics)
    }

    fn flatten(&mut self, name: String, value: serde_json::Value) {
        match value {
            serde_json::Value::Null => self.insert(name, f64::NAN),
            serde_json::Value::Bool(value) => self.insert(name, value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(value) => self.insert(name, value),
                None => self.insert(name, number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(value) => self.insert(name, value),
            serde_json::Value::Array(values) => {
                for (index, value) in values.into_iter().enumerate() {
                    self.flatten(format!("{name}/{index}"), value);
                }
            }
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    self.flatten(format!("{name}/{key}"), value);
                }
            }
        }
    }

    /// The value under the flattened `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let place = self.places.find(&self.entries, name)?;
        self.entries.get(place).map(|(_, value)| value)
    }

    /// The number under the flattened `name`.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    /// All entries, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &Value)> {
        self.entries.iter().map(|(name, value)| (name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// What kind of JSON a value is, for messages.
pub(crate) fn json_kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a truth value",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "a map",
    }
}

impl<N: Into<Name>, V: Into<Value>, const LEN: usize> From<[(N, V); LEN]> for Metrics {
    fn from(entries: [(N, V); LEN]) -> Self {
        let mut metrics = Metrics { entries: Vec::with_capacity(LEN), places: Places::NONE };
        for (name, value) in entries {
            metrics.insert(name, value);
        }
        metrics
    }
}

impl<N: Into<Name>, V: Into<Value>> FromIterator<(N, V)> for Metrics {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut metrics = Metrics::new();
        for (name, value) in entries {
            metrics.insert(name, value);
        }
        metrics
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Metrics {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metrics".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<std::collections::BTreeMap<String, Value>>()
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (name, value) in &self.entries {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct MetricsVisitor;

impl<'de> Visitor<'de> for MetricsVisitor {
    type Value = Metrics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of metric names to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
        let mut metrics = Metrics::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            metrics.insert(name, value);
        }
        Ok(metrics)
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetricsVisitor)
    }
}
