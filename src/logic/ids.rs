//! The names of things: small, copyable, never mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A run of an experiment: 20 bits, printed as five hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct RunId(u32);

impl RunId {
    /// The run named by the low 20 bits of `bits`.
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0xf_ffff)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05x}", self.0)
    }
}

/// One trial of a run, printed as the run's five hex digits and the trial's number: `3fa01_00007`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId {
    run: RunId,
    number: u32,
}

impl TrialId {
    /// The trial `number` (from 0, in the order of their creation) of `run`.
    pub const fn new(run: RunId, number: u32) -> Self {
        Self { run, number }
    }

    /// No trial of `run`: what was brought from other runs stands under this name, `3fa01_imported`.
    pub const fn imported(run: RunId) -> Self {
        Self::new(run, u32::MAX)
    }

    /// Whether it is that name.
    pub const fn is_imported(self) -> bool {
        self.number == u32::MAX
    }

    /// The run it belongs to.
    pub const fn run(self) -> RunId {
        self.run
    }

    /// Its number, from 0, in the order of creation.
    pub const fn number(self) -> u32 {
        self.number
    }

    pub(crate) const fn index(self) -> usize {
        self.number as usize
    }
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_imported() {
            return write!(f, "{}_imported", self.run);
        }
        write!(f, "{}_{:05}", self.run, self.number)
    }
}

/// A text that isn't a trial's id.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a trial id: expected five hex digits, `_` and a number, as in `3fa01_00007`")]
pub struct ParseTrialIdError(String);

crate::logic::failure::debug_as_chain!(ParseTrialIdError);

impl FromStr for TrialId {
    type Err = ParseTrialIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (run, number) = text.split_once('_')?;
            if run.len() != 5 {
                return None;
            }
            let run = RunId::new(u32::from_str_radix(run, 16).ok()?);
            Some(if number == "imported" { Self::imported(run) } else { Self::new(run, number.parse().ok()?) })
        };
        parse().ok_or_else(|| ParseTrialIdError(text.to_owned()))
    }
}

impl Serialize for TrialId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrialId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for TrialId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TrialId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A trial: five hex digits of its run, and its number.",
            "type": "string", "pattern": "^[0-9a-f]{5}_([0-9]{5,}|imported)$"
        })
    }
}

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
        pub struct $name(u64);

        impl $name {
            /// The one with this number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Its number, from 0, in the order of creation.
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

counted_id!(
    /// A worker: the vehicle that runs a trial for a while and may be reused for another.
    WorkerId,
    "w"
);
counted_id!(
    /// A worker from elsewhere that would like to join.
    JoinId,
    "j"
);
counted_id!(
    /// One trial's hold on one worker. Every fact carries its lease; one whose lease is over moves nothing.
    LeaseId,
    "l"
);
