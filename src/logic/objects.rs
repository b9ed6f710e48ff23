//! Objects that aren't data: a configuration names them, and each session supplies them.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The key of a placeholder in a configuration.
const KEY: &str = "$object";

/// Stands for an object in a configuration, which is data and is stored: a data set, a connection, a function. In JSON it
/// is `{"$object": "name"}`.
///
/// ```
/// use tryout::prelude::*;
///
/// let space = Space::new().with("data", choice([object("small"), object("large")]));
/// let lengths = function("lengths", |config: Config, trial| {
///     let name = config.object("data").ok_or_else(|| TrialError::new("no data"))?;
///     let data = trial.info().object::<Vec<f64>>(&name)?;
///     trial.report([("length", data.len() as u64)])?;
///     Ok(())
/// });
/// let results = Experiment::new("lengths", lengths)
///     .space(space)
///     .object("small", vec![1.0])
///     .object("large", vec![1.0, 2.0, 3.0])
///     .run()?;
/// assert_eq!(results.totals().failures, 0);
/// # Ok::<(), RunError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    #[serde(rename = "$object")]
    name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The placeholder for the object of this name.
pub fn object(name: impl Into<String>) -> Value {
    serde_json::json!({ KEY: name.into() })
}

/// An object that a trial can't have.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Nobody supplied it.
    #[error("there is no object `{name}`; {}: supply it with `.object(\"{name}\", ..)`", known(supplied))]
    Missing {
        /// Its name.
        name: String,
        /// The names of those that were supplied.
        supplied: Vec<String>,
    },
    /// It is something else.
    #[error("the object `{name}` isn't a `{wanted}`")]
    Type {
        /// Its name.
        name: String,
        /// The type that was asked for.
        wanted: &'static str,
    },
}

crate::logic::failure::debug_as_chain!(ObjectError);

fn known(supplied: &[String]) -> String {
    if supplied.is_empty() { "none was supplied".to_owned() } else { format!("supplied were {}", supplied.join(", ")) }
}

/// The objects of a session, by name.
#[derive(Clone, Default)]
pub struct Objects(Arc<BTreeMap<String, Arc<dyn Any + Send + Sync>>>);

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Only the very same are equal: nobody can look inside.
impl PartialEq for Objects {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Objects {
    /// One more, in the place of one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, object: impl Any + Send + Sync) {
        Arc::make_mut(&mut self.0).insert(name.into(), Arc::new(object));
    }

    /// Their names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Asks for the one of this name.
    ///
    /// # Errors
    /// If it isn't there.
    pub fn require(&self, name: &str) -> Result<(), ObjectError> {
        if self.0.contains_key(name) { Ok(()) } else { Err(self.missing(name)) }
    }

    /// The object of this name.
    ///
    /// # Errors
    /// If there is none, or it is of another type.
    pub fn get<T: Any + Send + Sync>(&self, name: &ObjectName) -> Result<Arc<T>, ObjectError> {
        let object = self.0.get(&name.name).cloned().ok_or_else(|| self.missing(&name.name))?;
        object.downcast().map_err(|_| ObjectError::Type { name: name.name.clone(), wanted: type_name::<T>() })
    }

    /// Whether everything that a configuration names is there.
    ///
    /// # Errors
    /// If something isn't: the first of it.
    pub fn check(&self, config: &Map<String, Value>) -> Result<(), ObjectError> {
        config.values().try_for_each(|value| self.check_value(value))
    }

    fn check_value(&self, value: &Value) -> Result<(), ObjectError> {
        match value {
            Value::Array(values) => values.iter().try_for_each(|value| self.check_value(value)),
            Value::Object(map) => match map.get(KEY).and_then(Value::as_str) {
                Some(name) if !self.0.contains_key(name) => Err(self.missing(name)),
                _ => map.values().try_for_each(|value| self.check_value(value)),
            },
            _ => Ok(()),
        }
    }

    fn missing(&self, name: &str) -> ObjectError {
        ObjectError::Missing { name: name.to_owned(), supplied: self.0.keys().cloned().collect() }
    }
}
