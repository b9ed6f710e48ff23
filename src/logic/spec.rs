//! The settings of parts as data, so that a run can be resumed without the code that set it up.

use std::borrow::Cow;
use std::error::Error;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::place;

/// What a part is and how it is set; nothing of what it has been told.
///
/// In JSON `{"kind": "Asha", "settings": {"max_t": 100}}`, or in short `{"asha": {"max_t": 100}}`, or `"asha"` alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct PartSpec {
    /// The name of its kind, as in `Asha` or `at_least`; that of a type may also be written as in `median_stopping`.
    pub kind: Cow<'static, str>,
    /// Its settings, in the form that its kind has.
    pub settings: Value,
}

impl<'de> Deserialize<'de> for PartSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = || D::Error::custom("expected one part by its name, as in {\"asha\": {\"max_t\": 100}}");
        let mut map = match Value::deserialize(deserializer)? {
            Value::String(kind) => return Ok(Self { kind: kind.into(), settings: Value::Null }),
            Value::Object(map) => map,
            _ => return Err(expected()),
        };
        let (kind, settings) = match map.remove("kind") {
            Some(Value::String(kind)) => (kind, map.remove("settings").unwrap_or_default()),
            Some(_) => return Err(expected()),
            None if map.len() == 1 => map.into_iter().next().ok_or_else(expected)?,
            None => return Err(expected()),
        };
        Ok(Self { kind: kind.into(), settings })
    }
}

/// The name of a type as it is written in files: `MedianStopping` is `median_stopping`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A specification from which no part can be built.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No kind of part has that name.
    #[error("there is no {what} called `{kind}`; there are {}", known.join(", "))]
    Unknown {
        /// What was wanted, as in `scheduler`.
        what: &'static str,
        /// The name.
        kind: String,
        /// All names there are.
        known: Vec<&'static str>,
    },
    /// Its settings can't be read.
    #[error("the settings of `{kind}` can't be read: {}", place::wrong(at, source))]
    Settings {
        /// Of which kind.
        kind: String,
        /// Where in the settings; `.` for the whole.
        at: String,
        /// What was found there and what was expected.
        source: serde_json::Error,
    },
    /// Its settings can be read, but aren't ones that can work.
    #[error("`{kind}` can't be set like this: {source}")]
    Refused {
        /// Of which kind.
        kind: String,
        /// Which setting, and what would be right.
        source: Box<dyn Error + Send + Sync>,
    },
}

crate::logic::failure::debug_as_chain!(SpecError);

impl PartSpec {
    /// A part of this kind; none if its settings can't be data.
    pub fn new(kind: impl Into<Cow<'static, str>>, settings: &impl Serialize) -> Option<Self> {
        let settings = serde_json::to_value(settings).ok()?;
        Some(Self { kind: kind.into(), settings })
    }

    /// The setting of this name, its own or that of a part inside of it.
    pub(crate) fn find(&self, name: &str) -> Option<&Value> {
        let mut settings = &self.settings;
        loop {
            if let Some(found) = settings.get(name) {
                return Some(found);
            }
            settings = settings.get("inner")?.get("settings")?;
        }
    }

    /// The settings as their own type; none are those that have a default.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SpecError> {
        let refused = |(at, source)| SpecError::Settings { kind: self.kind.to_string(), at, source };
        let none = Value::Object(serde_json::Map::new());
        place::read(if self.settings.is_null() { &none } else { &self.settings }).map_err(refused)
    }

    /// That its settings aren't ones that can work.
    pub(super) fn refuse(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> SpecError {
        SpecError::Refused { kind: self.kind.to_string(), source: source.into() }
    }
}

/// One kind of part: its name, how it is made from its settings, and what settings it has.
pub(crate) struct Kind<P: ?Sized + 'static> {
    pub(crate) name: &'static str,
    pub(super) make: fn(&PartSpec) -> Result<Box<P>, SpecError>,
    #[cfg(feature = "cli")]
    pub(crate) schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

/// A line of a registry: `kind("Asha", read::<Asha> => Asha)`, the last being the type of its settings.
macro_rules! kind {
    ($name:literal, $make:expr => $settings:ty) => {
        crate::logic::spec::Kind {
            name: $name,
            make: $make,
            #[cfg(feature = "cli")]
            schema: |generator| generator.subschema_for::<$settings>(),
        }
    };
}
pub(super) use kind;

/// The kinds of one sort of part by their names, and how one is made from its settings.
pub(crate) struct Kinds<P: ?Sized + 'static> {
    /// As in `scheduler`.
    pub(crate) sort: &'static str,
    pub(crate) all: &'static [Kind<P>],
}

#[cfg(feature = "cli")]
impl<P: ?Sized> Kinds<P> {
    /// One of them: its name, or its name with its settings.
    pub(super) fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<String> = self.all.iter().map(|kind| snake_case(kind.name)).collect();
        let kinds = self.all.iter().map(|kind| (snake_case(kind.name), (kind.schema)(generator).to_value()));
        let kinds: serde_json::Map<String, Value> = kinds.collect();
        let with_settings = serde_json::json!({
            "type": "object", "properties": kinds, "additionalProperties": false, "minProperties": 1, "maxProperties": 1
        });
        schemars::json_schema!({ "anyOf": [{ "enum": names }, with_settings] })
    }
}

impl<P: ?Sized> Kinds<P> {
    /// The kind of this name; that of a type may be written as it is, or as in `median_stopping`.
    pub(crate) fn find(&self, name: &str) -> Option<&Kind<P>> {
        self.all.iter().find(|kind| kind.name == name || snake_case(kind.name) == name)
    }

    /// # Errors
    /// If there is no such kind, or its settings can't be read or can't work.
    pub(super) fn make(&self, spec: &PartSpec) -> Result<Box<P>, SpecError> {
        let known = || self.all.iter().map(|kind| kind.name).collect();
        match self.find(&spec.kind) {
            Some(kind) => (kind.make)(spec),
            None => Err(SpecError::Unknown { what: self.sort, kind: spec.kind.to_string(), known: known() }),
        }
    }
}

/// A part within another is its specification in the settings of that.
macro_rules! part_in_settings {
    ($part:ident) => {
        impl serde::Serialize for dyn $part {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let unknown = || serde::ser::Error::custom("a part can't be said in data");
                self.spec().ok_or_else(unknown)?.serialize(serializer)
            }
        }

        #[cfg(feature = "cli")]
        impl schemars::JsonSchema for dyn $part {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($part).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                KINDS.schema(generator)
            }
        }

        impl<'de> serde::Deserialize<'de> for Box<dyn $part> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let made = from_spec(&crate::logic::spec::PartSpec::deserialize(deserializer)?);
                made.map_err(|error| serde::de::Error::custom(crate::logic::failure::error_chain(&error)))
            }
        }
    };
}
pub(super) use part_in_settings;

/// A setting of a part that can't work.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{part}: `{setting}` is {value}, but must be {expected}")]
pub(super) struct Refused {
    pub(super) part: &'static str,
    pub(super) setting: &'static str,
    pub(super) value: String,
    pub(super) expected: &'static str,
}

/// Holds the settings of a part, which it names, against what can work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check(pub(super) &'static str);

impl Check {
    /// # Errors
    /// If it doesn't hold.
    pub(super) fn require(
        self,
        holds: bool,
        setting: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<(), Refused> {
        let refused = || Refused { part: self.0, setting, value: value.to_string(), expected };
        if holds { Ok(()) } else { Err(refused()) }
    }

    /// # Errors
    /// If `name` is no name of a metric.
    pub(super) fn name(self, setting: &'static str, name: &str, expected: &'static str) -> Result<(), Refused> {
        self.require(!name.is_empty(), setting, "empty", expected)
    }

    /// # Errors
    /// If `name` can't be that of a trial's time.
    pub(super) fn time_attr(self, name: &str) -> Result<(), Refused> {
        self.name("time_attr", name, "the name of a metric, as in `training_iteration`")
    }

    /// # Errors
    /// If `number` isn't from 0 on.
    pub(super) fn not_negative(self, setting: &'static str, number: f64) -> Result<(), Refused> {
        self.require(number.is_finite() && number >= 0.0, setting, number, "a finite number from 0 on")
    }

    /// # Errors
    /// If trials can't be halved up to `max_t`.
    pub(super) fn halving(self, max_t: u64, reduction_factor: f64) -> Result<(), Refused> {
        self.require(max_t > 0, "max_t", max_t, "at least 1")?;
        let holds = reduction_factor.is_finite() && reduction_factor > 1.0;
        self.require(holds, "reduction_factor", reduction_factor, "a finite number above 1")
    }
}
