//! The JSON Schema of experiment files, made of the same types that read them.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::places::{self, MOVED};
use super::program::Program;
use crate::logic::settings::Settings;

/// The JSON Schema (2020-12) of experiment files, for editors and other programs.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    for_definitions(&mut generator)
}

fn for_definitions(generator: &mut schemars::SchemaGenerator) -> Value {
    let settings = properties(generator.root_schema_for::<Settings>().to_value());
    let program = properties(generator.root_schema_for::<Program>().to_value());
    let retention = properties(generator.root_schema_for::<crate::store::Retention>().to_value());
    let mut top: Map<String, Value> = program;
    for name in places::own_names() {
        if let Some(schema) = settings.get(&name) {
            top.insert(name, schema.clone());
        }
    }
    let mut checkpoints = Map::new();
    for (place, setting) in MOVED {
        let schema = match setting.split_once('.') {
            Some((_, inner)) => retention.get(inner),
            None => settings.get(setting),
        };
        let schema = schema.cloned().unwrap_or_else(|| json!({}));
        match place.split_once('.') {
            Some((_, name)) => _ = checkpoints.insert(name.to_owned(), schema),
            None => _ = top.insert(place.to_owned(), schema),
        }
    }
    top.insert(
        "checkpoints".to_owned(),
        json!({
            "description": "When checkpoints are written, and which are kept.",
            "type": "object", "properties": checkpoints, "additionalProperties": false
        }),
    );
    // A table of rules by their names is as good as a list of them.
    if let Some(rules) = top.get("stop").cloned() {
        let rule = rules.get("items").cloned().unwrap_or_else(|| json!({}));
        let table = json!({ "type": "object" });
        top.insert("stop".to_owned(), json!({ "anyOf": [{ "type": "array", "items": rule }, table] }));
    }
    let mut definitions: Map<String, Value> = generator.take_definitions(true);
    definitions.values_mut().for_each(relax);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An experiment of tryout",
        "type": "object",
        "properties": top,
        "additionalProperties": false,
        "$defs": definitions
    })
}

fn properties(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(mut map) => match map.remove("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

/// What a part takes over from the whole file needn't be said again.
fn relax(definition: &mut Value) {
    if let Some(required) = definition.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "space" && name != "objective");
    }
}
