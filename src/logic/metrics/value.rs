//! One metric value.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One metric value. Non-finite floats are legal; in JSON they are the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A floating-point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// A truth value; it is not a number to statistics and stop rules.
    Bool(bool),
    /// A text; none of those three strings.
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
}

/// A text that says in JSON what a float isn't finite by is that float: it would be read as one.
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        match text {
            "NaN" => Value::Float(f64::NAN),
            "Infinity" => Value::Float(f64::INFINITY),
            "-Infinity" => Value::Float(f64::NEG_INFINITY),
            text => Value::Text(text.into()),
        }
    }
}

/// As from `&str`.
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::from(text.as_str())
    }
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

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MetricValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, a truth value or a text; \"NaN\", \"Infinity\" and \"-Infinity\" are numbers.",
            "type": ["number", "boolean", "string"]
        })
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
        Ok(Value::from(value))
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
