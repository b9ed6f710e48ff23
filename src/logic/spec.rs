//! The settings of parts as data, so that a run can be resumed without the code that set it up.

use std::borrow::Cow;
use std::error::Error;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a part is and how it is set; nothing of what it has been told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartSpec {
    /// The name of its kind, as in `Asha` or `at_least`.
    pub kind: Cow<'static, str>,
    /// Its settings, in the form that its kind has.
    #[serde(default)]
    pub settings: Value,
}

/// A specification from which no part can be built.
#[derive(Debug, thiserror::Error)]
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
        known: &'static [&'static str],
    },
    /// Its settings can't be read.
    #[error("the settings of `{kind}` can't be read: `{at}` is wrong")]
    Settings {
        /// Of which kind.
        kind: String,
        /// Where in the settings.
        at: String,
        /// What was found there and what was expected.
        source: serde_json::Error,
    },
    /// Its settings can be read, but aren't ones that can work.
    #[error("`{kind}` can't be set like this")]
    Refused {
        /// Of which kind.
        kind: String,
        /// Which setting, and what would be right.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PartSpec {
    /// A part of this kind; none if its settings can't be data.
    pub fn new(kind: impl Into<Cow<'static, str>>, settings: &impl Serialize) -> Option<Self> {
        let settings = serde_json::to_value(settings).ok()?;
        Some(Self { kind: kind.into(), settings })
    }

    /// The settings as their own type.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SpecError> {
        serde_path_to_error::deserialize(&self.settings).map_err(|error| {
            let at = error.path().to_string();
            SpecError::Settings { kind: self.kind.to_string(), at, source: error.into_inner() }
        })
    }

    /// That its settings aren't ones that can work.
    pub(super) fn refuse(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> SpecError {
        SpecError::Refused { kind: self.kind.to_string(), source: source.into() }
    }

    /// That its kind isn't one of those that are known.
    pub(super) fn unknown(&self, what: &'static str, known: &'static [&'static str]) -> SpecError {
        SpecError::Unknown { what, kind: self.kind.to_string(), known }
    }
}
