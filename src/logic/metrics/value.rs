//! Metric values and the flat, ordered list of them that a report carries.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A metric's name. A literal costs nothing; levels of nesting are joined with `/`.
pub type Name = Cow<'static, str>;

/// One metric value. Non-finite floats are legal; in JSON they are the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A floating-point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// A truth value; it is not a number to statistics and stop rules.
    Bool(bool),
    /// A text.
    Text(Box<str>),
}

impl Value {
    /// The value as a number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            Value::Int(value) => Some(*value as f64),
            Value::Bool(_) | Value::Text(_) => None,
        }
    }
}

macro_rules! value_from {
    ($($variant:ident: $($type:ty),+;)+) => {
        $($(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$variant(value.into())
            }
        })+)+
    };
}
value_from! {
    Float: f64, f32;
    Int: i64, i32, u32, i16, u16, i8, u8;
    Bool: bool;
    Text: String, &str;
}

/// Counts beyond `i64::MAX` become floats.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Value::Float(value as f64), Value::Int)
    }
}

/// Counts beyond `i64::MAX` become floats.
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Value::from(value as u64)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Float(value) => match f.precision() {
                Some(precision) => write!(f, "{value:.precision$}"),
                None => write!(f, "{value}"),
            },
            Value::Int(value) => write!(f, "{value}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Float(value) if value.is_nan() => serializer.serialize_str("NaN"),
            Value::Float(value) if value.is_infinite() => {
                serializer.serialize_str(if *value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Text(value) => serializer.serialize_str(value),
        }
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a truth value or a text")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(match value {
            "NaN" => Value::Float(f64::NAN),
            "Infinity" => Value::Float(f64::INFINITY),
            "-Infinity" => Value::Float(f64::NEG_INFINITY),
            text => Value::Text(text.into()),
        })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Float(f64::NAN))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

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
}

/// A structure that can't be a report's metrics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// It isn't a structure or map at the top.
    #[error("metrics must be a structure or a map of named values, found {found}")]
    NotAMap {
        /// What stood there instead.
        found: &'static str,
    },
    /// It doesn't serialise.
    #[error("the metrics don't serialise")]
    Serialize(#[from] serde_json::Error),
}

impl Metrics {
    /// No metrics.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Sets `name` to `value`, in its old place if it was there.
    pub fn insert(&mut self, name: impl Into<Name>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.entries.push((name, value)),
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
        self.entries.iter().find(|(known, _)| known == name).map(|(_, value)| value)
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
        let mut metrics = Metrics { entries: Vec::with_capacity(LEN) };
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
