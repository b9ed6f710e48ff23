//! The space of a file: names and what each may be, a dot in a name for a further level.

use serde_json::{Map, Value};

use super::Wrong;
use crate::logic::space::{Domain, Space, is_domain};

/// The space at `place` as the settings hold it.
pub(super) fn read(value: Value, place: &str) -> Result<Value, Wrong> {
    let Value::Object(names) = value else {
        return Err(Wrong::new(place, format!("found {value}, expected names with what each may be")));
    };
    let space: Space = serde_json::from_value(Value::Object(level(names, place)?))
        .map_err(|error| Wrong::new(place, error.to_string()))?;
    space.check().map_err(|error| {
        let why = error.to_string();
        // It begins with the path of the value that is wrong.
        let path = why.strip_prefix('`').and_then(|rest| rest.split_once('`')).map(|(path, _)| path.replace('/', "."));
        Wrong::new(path.map_or_else(|| place.to_owned(), |path| format!("{place}.{path}")), why.clone())
    })?;
    serde_json::to_value(&space).map_err(|error| Wrong::new(place, error.to_string()))
}

/// One level of it, each value checked by itself so that its place can be said.
fn level(names: Map<String, Value>, place: &str) -> Result<Map<String, Value>, Wrong> {
    let mut found = Map::new();
    for (name, value) in names {
        let place = format!("{place}.{name}");
        let value = match value {
            Value::Object(map) if !is_domain(&map) => Value::Object(level(map, &place)?),
            value => {
                let read: Result<Domain, _> = serde_json::from_value(value.clone());
                read.map_err(|error| Wrong::new(place.as_str(), error.to_string()))?;
                value
            }
        };
        put(&mut found, &name, value, &place)?;
    }
    Ok(found)
}

fn put(found: &mut Map<String, Value>, name: &str, value: Value, place: &str) -> Result<(), Wrong> {
    let twice = || Wrong::new(place, "this name is given twice, with dots and as a table");
    match name.split_once('.') {
        Some((first, rest)) => {
            let inner = found.entry(first).or_insert_with(|| Value::Object(Map::new()));
            let inner = inner.as_object_mut().filter(|map| !is_domain(map)).ok_or_else(twice)?;
            put(inner, rest, value, place)
        }
        None => match (found.get_mut(name), value) {
            (None, value) => {
                found.insert(name.to_owned(), value);
                Ok(())
            }
            (Some(Value::Object(there)), Value::Object(more)) if !is_domain(there) && !is_domain(&more) => {
                more.into_iter().try_for_each(|(name, value)| put(there, &name, value, place))
            }
            (Some(_), _) => Err(twice()),
        },
    }
}
