//! A setting that may be code, of which only a name can be stored.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::logic::place;
use crate::logic::spec::PartSpec;

/// Data, or the name of what is code. In JSON, code is `{"code": "its name"}`.
#[derive(Clone, Debug, PartialEq)]
pub enum OrCode<T> {
    /// Data, from which it can be made again.
    Data(T),
    /// The name of what a program has to supply.
    Code(String),
}

/// The key under which the name of code stands.
const CODE: &str = "code";

impl OrCode<PartSpec> {
    /// A part: data if it has a specification.
    pub fn part(spec: Option<PartSpec>, name: &str) -> Self {
        spec.map_or_else(|| OrCode::Code(short_name(name).to_owned()), OrCode::Data)
    }
}

impl<T> OrCode<T> {
    /// The data, if it is.
    pub fn data(&self) -> Option<&T> {
        match self {
            OrCode::Data(data) => Some(data),
            OrCode::Code(_) => None,
        }
    }
}

impl<T: Serialize> Serialize for OrCode<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            OrCode::Data(data) => data.serialize(serializer),
            OrCode::Code(name) => json!({ CODE: name }).serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OrCode<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.get(CODE).and_then(Value::as_str) {
            Some(name) => Ok(OrCode::Code(name.to_owned())),
            None => place::read(&value).map(OrCode::Data).map_err(|(at, why)| D::Error::custom(format!("{at}: {why}"))),
        }
    }
}

/// The name of a type without its module: one that moved to another module is the same.
pub fn short_name(name: &str) -> &str {
    let end = name.find('<').unwrap_or(name.len());
    let begin = name.get(..end).and_then(|path| path.rfind("::")).map_or(0, |place| place + 2);
    name.get(begin..).unwrap_or(name)
}
