//! Whether a value is what a JSON Schema says: as much of JSON Schema as our own schemas use.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that only tell people something.
const WORDS: [&str; 9] =
    ["$schema", "$defs", "title", "description", "default", "format", "pattern", "examples", "deprecated"];

/// Whether it has that form. What the schema doesn't name mustn't be there, unless the schema says that there may be more.
pub(crate) fn check(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    matches(value, schema, root)?;
    let mut named = BTreeSet::new();
    let open = names(schema, root, &mut named);
    let unnamed = value.as_object().and_then(|object| object.keys().find(|key| !named.contains(key.as_str())));
    match unnamed.filter(|_| !open && !named.is_empty()) {
        Some(key) => Err(format!("`{key}` isn't in the schema")),
        None => Ok(()),
    }
}

/// The names of all properties that some part of the schema knows, and whether there may be others.
fn names<'s>(schema: &'s Value, root: &'s Value, named: &mut BTreeSet<&'s str>) -> bool {
    let Some(schema) = schema.as_object() else { return true };
    let more = schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
    named.extend(
        schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str),
    );
    let inner = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
    let open: Vec<bool> = inner.chain(target(schema, root)).map(|inner| names(inner, root, named)).collect();
    more || open.contains(&true)
}

fn target<'s>(schema: &Map<String, Value>, root: &'s Value) -> Option<&'s Value> {
    let path = schema.get("$ref")?.as_str()?.strip_prefix('#').expect("it refers to itself");
    Some(root.pointer(path).expect("it leads somewhere"))
}

fn matches(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else {
        return if schema == &Value::Bool(false) { Err(format!("{value} mustn't be there")) } else { Ok(()) };
    };
    target(schema, root).map_or(Ok(()), |target| matches(value, target, root))?;
    for (keyword, said) in schema {
        let parts = || said.as_array().expect("a list of schemas").iter();
        let fits = || parts().filter(|part| matches(value, part, root).is_ok()).count();
        let holds = match keyword.as_str() {
            "type" => match said {
                Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind)),
                kind => is(value, kind),
            },
            "enum" => said.as_array().is_some_and(|values| values.contains(value)),
            "const" => said == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= said.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= said.as_u64().unwrap()),
            "required" => {
                let there = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                !value.is_object() || said.as_array().unwrap().iter().all(there)
            }
            "anyOf" => fits() > 0,
            "oneOf" => fits() == 1,
            "allOf" => fits() == parts().count(),
            "properties" | "additionalProperties" | "items" | "uniqueItems" | "$ref" => true,
            word if WORDS.contains(&word) => true,
            other => panic!("`{other}` is not understood here"),
        };
        if !holds {
            return Err(format!("{value}: `{keyword}` is {said}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        schema.get("items").map_or(Ok(()), |items| check(item, items, root))?;
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let known = schema.get("properties").and_then(|known| known.get(name)).or(schema.get("additionalProperties"));
        known.map_or(Ok(()), |known| check(inner, known, root)).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "integer" => value.as_i64().is_some() || value.as_u64().is_some(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    }
}
