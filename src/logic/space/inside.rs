//! Whether a configuration belongs to a space, and if not, why.

use serde_json::{Map, Number, Value};

use super::Space;
use super::domain::Domain;
use super::error::{Listed, Outside};
use super::function::join;
use crate::logic::config::Config;

impl Space {
    /// Whether `config` could have come from this space. Functions of other values are not computed: any value will do.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let space = Space::new().with("lr", uniform(0.0, 1.0));
    /// let outside = space.contains(&Config::new().with("lr", 2.5)).unwrap_err();
    /// assert_eq!(outside.to_string(), "`lr` is 2.5, but must be a number from 0 to 1");
    /// ```
    ///
    /// # Errors
    /// The first value that is missing, that isn't in its domain, or whose key the space doesn't have.
    pub fn contains(&self, config: &Config) -> Result<(), Outside> {
        self.holds(config.as_map(), "")
    }

    fn holds(&self, map: &Map<String, Value>, path: &str) -> Result<(), Outside> {
        if let Some((key, value)) = map.iter().find(|(key, _)| self.get(key).is_none()) {
            let expected = format!("left out: the names here are {}", Listed(self.keys()));
            return Err(Outside { key: join(path, key), found: value.to_string(), expected });
        }
        self.iter().try_for_each(|(name, domain)| match map.get(name) {
            Some(value) => domain.holds(value, &join(path, &name)),
            None => Err(Outside { key: join(path, &name), found: "missing".to_owned(), expected: domain.to_string() }),
        })
    }
}

impl Domain {
    pub(super) fn holds(&self, value: &Value, path: &str) -> Result<(), Outside> {
        let any = |options: &[Domain]| options.iter().any(|option| option.holds(value, path).is_ok());
        let inside = match (self, value) {
            (Domain::Map(space), Value::Object(map)) => return space.holds(map, path),
            (Domain::List(items), Value::Array(values)) if items.len() == values.len() => {
                let mut both = items.iter().zip(values).enumerate();
                return both.try_for_each(|(index, (item, value))| item.holds(value, &join(path, &index)));
            }
            (Domain::Map(_) | Domain::List(_), _) => false,
            (Domain::Constant(known), value) => same(known, value),
            (Domain::Float(range), Value::Number(number)) => number.as_f64().is_some_and(|value| range.contains(value)),
            (Domain::Normal(normal), Value::Number(number)) => {
                number.as_f64().is_some_and(|value| normal.contains(value))
            }
            (Domain::Int(range), Value::Number(number)) => number.as_i64().is_some_and(|value| range.contains(value)),
            (Domain::Float(_) | Domain::Normal(_) | Domain::Int(_), _) => false,
            (Domain::Choice(options), _) => any(options),
            (Domain::Grid(grid), _) => any(grid.options()),
            (Domain::Depends(_), _) => true,
        };
        if inside {
            return Ok(());
        }
        Err(Outside { key: path.to_owned(), found: value.to_string(), expected: self.to_string() })
    }
}

/// The first option that holds `value`.
pub(super) fn first<'a>(options: &'a [Domain], value: &Value) -> Option<(usize, &'a Domain)> {
    options.iter().enumerate().find(|(_, option)| option.holds(value, "").is_ok())
}

/// Whether two values are equal, 1 and 1.0 counting as such.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    let whole = |number: &Number| number.is_i64() || number.is_u64();
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if whole(a) != whole(b) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
