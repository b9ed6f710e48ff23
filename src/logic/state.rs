//! The states of parts: what a searcher, scheduler or stop rule gives to be kept, and takes up in a later session.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{RunId, TrialId};

/// The whole state of a part as JSON. A part that keeps nothing says so with `null`.
pub type PartState = Value;

/// A state that a part can't take up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The part takes up no states.
    #[error("{part} takes up no saved state")]
    Unsupported {
        /// Its name.
        part: String,
    },
    /// It is the state of another part.
    #[error("the state of {part} can't be taken up: this is that of {found}")]
    OtherPart {
        /// Whose state is wanted.
        part: &'static str,
        /// Whose it is.
        found: String,
    },
    /// It hasn't the form in which the part saves itself.
    #[error("the state of {part} can't be taken up: `{at}` isn't what it saves")]
    Form {
        /// Whose state it is.
        part: &'static str,
        /// Where in the state.
        at: String,
        /// What was found there and what was expected.
        source: serde_json::Error,
    },
    /// It has the right form, but what it says can't be.
    #[error("the state of {part} can't be taken up: `{at}` is {found}, but must be {expected}")]
    Value {
        /// Whose state it is.
        part: &'static str,
        /// Where in the state.
        at: &'static str,
        /// What was found there.
        found: String,
        /// What can be there.
        expected: String,
    },
    /// It was saved under another setting, without which it means nothing.
    #[error(
        "the state of {part} can't be taken up: `{setting}` was {stored} when it was saved and is {given} now; with \
         {stored} it could go on"
    )]
    Setting {
        /// Whose state it is.
        part: &'static str,
        /// Which setting.
        setting: &'static str,
        /// What it was.
        stored: String,
        /// What it is.
        given: String,
    },
}

/// What says whose state it is.
const PART: &str = "part";

/// `state`, which must serialise as a map, marked as that of `part`. None if it doesn't serialise.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tryout::logic::state::{pack, unpack};
///
/// #[derive(Serialize, Deserialize)]
/// struct Seen {
///     reports: u64,
/// }
///
/// let state = pack("Counter", &Seen { reports: 7 });
/// let seen: Seen = unpack("Counter", state.unwrap_or_default())?;
/// assert_eq!(seen.reports, 7);
/// # Ok::<(), tryout::logic::state::StateError>(())
/// ```
pub fn pack(part: &str, state: &impl Serialize) -> Option<PartState> {
    let Ok(Value::Object(mut map)) = serde_json::to_value(state) else { return None };
    map.insert(PART.to_owned(), part.into());
    Some(Value::Object(map))
}

/// What [`pack`] was given.
///
/// # Errors
/// If it is the state of another part, or can't be read.
pub fn unpack<T: DeserializeOwned>(part: &'static str, mut state: PartState) -> Result<T, StateError> {
    let found = state.as_object_mut().and_then(|map| map.remove(PART));
    match found {
        Some(Value::String(found)) if found == part => {}
        found => return Err(StateError::OtherPart { part, found: owner(found.as_ref().unwrap_or(&state)) }),
    }
    serde_path_to_error::deserialize(state).map_err(|error| {
        let at = error.path().to_string();
        StateError::Form { part, at, source: error.into_inner() }
    })
}

/// Takes up the state of a part that keeps nothing.
///
/// # Errors
/// If it is the state of one that does.
pub fn nothing(part: &'static str, state: &PartState) -> Result<(), StateError> {
    if state.is_null() {
        Ok(())
    } else {
        Err(StateError::OtherPart { part, found: owner(state.get(PART).unwrap_or(state)) })
    }
}

fn owner(found: &Value) -> String {
    match found {
        Value::String(name) => name.clone(),
        Value::Null => "a part that keeps nothing".to_owned(),
        _ => "a part without a name".to_owned(),
    }
}

/// Whether a setting without which a state means nothing is what it was.
///
/// # Errors
/// If it isn't.
pub(crate) fn same<T: PartialEq + ToString>(
    part: &'static str,
    setting: &'static str,
    stored: &T,
    given: &T,
) -> Result<(), StateError> {
    if stored == given {
        return Ok(());
    }
    Err(StateError::Setting { part, setting, stored: stored.to_string(), given: given.to_string() })
}

/// The run to which all of `trials` belong, so that a state can name them by their numbers. None if they belong to
/// several.
pub fn common_run(trials: impl IntoIterator<Item = TrialId>) -> Option<RunId> {
    let mut runs = trials.into_iter().map(TrialId::run);
    let first = runs.next().unwrap_or_default();
    runs.all(|run| run == first).then_some(first)
}

/// A number as a state holds it: to the last bit, and NaN and the infinities too, which are texts in JSON.
///
/// ```
/// use tryout::logic::state::Float;
///
/// let text = serde_json::to_string(&[Float(0.1), Float(f64::NEG_INFINITY)])?;
/// assert_eq!(text, r#"[0.1,"-Infinity"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Float(#[serde(with = "float")] pub f64);

/// For `#[serde(with = "tryout::logic::state::float")]`: an `f64` in the form of [`Float`].
pub mod float {
    use serde::de::{Deserializer, Error};
    use serde::{Deserialize, Serialize, Serializer};

    use crate::logic::metrics::Value;

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Value::Float(*number).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it isn't a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let refused =
            || D::Error::custom(format_args!("found `{value}`, expected a number, NaN, Infinity or -Infinity"));
        value.as_f64().ok_or_else(refused)
    }
}
