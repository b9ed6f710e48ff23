//! The states of parts: what a searcher, scheduler or stop rule gives to be kept, and takes up in a later session.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::TrialId;
use super::place;

/// The whole state of a part as JSON. A part that keeps nothing says so with `null`.
pub type PartState = Value;

/// A state that a part can't take up.
#[derive(thiserror::Error)]
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
    #[error("the state of {part} can't be taken up: {}", place::wrong(at, source))]
    Form {
        /// Whose state it is.
        part: &'static str,
        /// Where in the state; `.` for the whole.
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

crate::logic::failure::debug_as_chain!(StateError);

/// What says whose state it is.
const PART: &str = "part";
/// The settings under which alone it means anything.
const SETTINGS: &str = "settings";
/// The state of the part inside.
const INNER: &str = "inner";

/// `state`, which must serialise as a map, marked as that of `part`. None if it doesn't serialise.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tryout::state::{pack, unpack};
///
/// #[derive(Serialize, Deserialize)]
/// struct Seen {
///     reports: u64,
/// }
///
/// let state = pack("Counter", &Seen { reports: 7 });
/// let seen: Seen = unpack("Counter", state.unwrap_or_default())?;
/// assert_eq!(seen.reports, 7);
/// # Ok::<(), tryout::state::StateError>(())
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
    match take(&mut state, PART) {
        Value::String(found) if found == part => {}
        found => {
            return Err(StateError::OtherPart { part, found: owner(if found.is_null() { &state } else { &found }) });
        }
    }
    place::read(&state).map_err(|(at, source)| StateError::Form { part, at, source })
}

/// An entry of a map; null if there is none.
fn take(state: &mut PartState, key: &str) -> Value {
    state.as_object_mut().and_then(|map| map.remove(key)).unwrap_or_default()
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

/// How a part writes and reads its state: under its name, with the settings without which the state means nothing.
#[derive(Clone, Debug)]
pub(crate) struct StateForm {
    part: &'static str,
    settings: Vec<(&'static str, String)>,
}

impl StateForm {
    /// That of `part`, whatever its settings.
    pub(crate) fn new(part: &'static str) -> Self {
        Self { part, settings: Vec::new() }
    }

    /// The state means nothing if this setting is another one than when it was saved.
    pub(crate) fn under(mut self, setting: &'static str, value: impl ToString) -> Self {
        self.settings.push((setting, value.to_string()));
        self
    }

    /// A state, which must serialise as a map. None if it doesn't.
    pub(crate) fn pack(&self, state: &impl Serialize) -> Option<PartState> {
        let mut packed = pack(self.part, state)?;
        if !self.settings.is_empty() {
            let settings: BTreeMap<&str, &str> = self.settings.iter().map(|(name, value)| (*name, &**value)).collect();
            packed.as_object_mut()?.insert(SETTINGS.to_owned(), serde_json::to_value(settings).ok()?);
        }
        Some(packed)
    }

    /// What [`pack`](StateForm::pack) was given.
    ///
    /// # Errors
    /// If it is the state of another part, was saved under other settings, or can't be read.
    pub(crate) fn unpack<T: DeserializeOwned>(&self, mut state: PartState) -> Result<T, StateError> {
        let part = self.part;
        let stored = take(&mut state, SETTINGS);
        for (setting, given) in self.settings.iter().filter(|_| state.get(PART).is_some_and(|found| found == part)) {
            let stored = stored.get(setting).and_then(Value::as_str).unwrap_or("not known");
            if stored != given {
                return Err(self.other_setting(setting, stored, given));
            }
        }
        unpack(part, state)
    }

    /// The state of a part that stands around another, with that of the other.
    pub(crate) fn pack_around(&self, state: &impl Serialize, inner: PartState) -> Option<PartState> {
        let mut packed = self.pack(state)?;
        packed.as_object_mut()?.insert(INNER.to_owned(), inner);
        Some(packed)
    }

    /// What [`pack_around`](StateForm::pack_around) was given.
    ///
    /// # Errors
    /// As with [`unpack`](StateForm::unpack).
    pub(crate) fn unpack_around<T: DeserializeOwned>(
        &self,
        mut state: PartState,
    ) -> Result<(T, PartState), StateError> {
        let inner = take(&mut state, INNER);
        Ok((self.unpack(state)?, inner))
    }

    /// That a setting, without which the state means nothing, is another one than when it was saved.
    pub(crate) fn other_setting(
        &self,
        setting: &'static str,
        stored: impl ToString,
        given: impl ToString,
    ) -> StateError {
        StateError::Setting { part: self.part, setting, stored: stored.to_string(), given: given.to_string() }
    }

    /// A value of a state that can't be.
    pub(crate) fn wrong(&self, at: &'static str, found: impl ToString, expected: impl ToString) -> StateError {
        StateError::Value { part: self.part, at, found: found.to_string(), expected: expected.to_string() }
    }
}

/// A number as a state holds it: to the last bit, and NaN and the infinities too, which are texts in JSON.
///
/// ```
/// use tryout::state::Float;
///
/// let text = serde_json::to_string(&[Float(0.1), Float(f64::NEG_INFINITY)])?;
/// assert_eq!(text, r#"[0.1,"-Infinity"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Float(pub f64);

impl Serialize for Float {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::metrics::Value::Float(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = super::metrics::Value::deserialize(deserializer)?;
        let refused =
            || serde::de::Error::custom(format_args!("found `{value}`, expected a number, NaN, Infinity or -Infinity"));
        value.as_f64().map(Float).ok_or_else(refused)
    }
}

/// Numbers, alone or within something, which a state holds in the form of [`Float`]: see [`float`].
pub trait Floats: Sized {
    /// The same with a [`Float`] in the place of each number. A map is a list of its entries.
    type Form: Serialize + DeserializeOwned;

    /// To be written.
    fn form(&self) -> Self::Form;

    /// As it was read.
    fn of_form(form: Self::Form) -> Self;
}

impl Floats for f64 {
    type Form = Float;

    fn form(&self) -> Float {
        Float(*self)
    }

    fn of_form(form: Float) -> Self {
        form.0
    }
}

/// Not a number, but beside one.
impl Floats for TrialId {
    type Form = Self;

    fn form(&self) -> Self {
        *self
    }

    fn of_form(form: Self) -> Self {
        form
    }
}

impl<T: Floats> Floats for Option<T> {
    type Form = Option<T::Form>;

    fn form(&self) -> Self::Form {
        self.as_ref().map(T::form)
    }

    fn of_form(form: Self::Form) -> Self {
        form.map(T::of_form)
    }
}

impl<A: Floats, B: Floats> Floats for (A, B) {
    type Form = (A::Form, B::Form);

    fn form(&self) -> Self::Form {
        (self.0.form(), self.1.form())
    }

    fn of_form((a, b): Self::Form) -> Self {
        (A::of_form(a), B::of_form(b))
    }
}

macro_rules! lists_of_floats {
    ($($list:ident),+) => {
        $(impl<T: Floats> Floats for $list<T> {
            type Form = Vec<T::Form>;

            fn form(&self) -> Self::Form {
                self.iter().map(T::form).collect()
            }

            fn of_form(form: Self::Form) -> Self {
                form.into_iter().map(T::of_form).collect()
            }
        })+
    };
}
lists_of_floats!(Vec, VecDeque);

macro_rules! maps_of_floats {
    ($($map:ident),+) => {
        $(impl<K: Copy + Ord + Hash + Serialize + DeserializeOwned, T: Floats> Floats for $map<K, T> {
            type Form = Vec<(K, T::Form)>;

            fn form(&self) -> Self::Form {
                let mut entries: Self::Form = self.iter().map(|(key, value)| (*key, value.form())).collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                entries
            }

            fn of_form(form: Self::Form) -> Self {
                form.into_iter().map(|(key, value)| (key, T::of_form(value))).collect()
            }
        })+
    };
}
maps_of_floats!(BTreeMap, HashMap);

/// For `#[serde(with = "tryout::state::float")]`: numbers in the form of [`Float`], alone, or within options, pairs,
/// lists and maps.
pub mod float {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Floats;

    /// Writes them.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<T: Floats, S: Serializer>(numbers: &T, serializer: S) -> Result<S::Ok, S::Error> {
        numbers.form().serialize(serializer)
    }

    /// Reads them.
    ///
    /// # Errors
    /// If one of them isn't a number.
    pub fn deserialize<'de, T: Floats, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::Form::deserialize(deserializer).map(T::of_form)
    }
}
