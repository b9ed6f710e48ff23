//! How domains are written: in the form that the journal has, and in the short one of files.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::domain::{Domain, Grid};
use super::range::{FloatRange, IntRange, Normal, Scale};

/// The words under which a domain stands, besides `map`, `list` and `constant`.
const WORDS: [&str; 8] = ["uniform", "log_uniform", "normal", "int", "log_int", "float", "choice", "grid"];

const EXPECTED: &str = "expected one of `uniform`, `log_uniform`, `normal`, `int`, `log_int`, `choice`, `grid`, as in \
     {\"uniform\": [0, 1]}, a value, or further names";

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Whether a map says a domain, and isn't a map of further names.
pub(crate) fn is_domain(map: &Map<String, Value>) -> bool {
    let word = |name: &&String| WORDS.contains(&name.as_str()) || matches!(name.as_str(), "map" | "list" | "constant");
    let rest = |name: &&String| name.as_str() == "quantum";
    map.keys().filter(word).count() == 1 && map.keys().filter(|name| !word(name)).all(|name| rest(&name))
}

fn read(value: Value) -> Result<Domain, String> {
    let mut map = match value {
        Value::Object(map) if is_domain(&map) => map,
        Value::Object(map) => return typed(Value::Object(map)).map(Domain::Map),
        Value::Array(items) => return typed(Value::Array(items)).map(Domain::List),
        plain => return Ok(Domain::Constant(plain)),
    };
    let quantum = map.remove("quantum");
    let (word, value) = map.into_iter().next().ok_or(EXPECTED)?;
    let domain = named(&word, value).map_err(|why| format!("`{word}`: {why}"))?;
    match (domain, quantum) {
        (domain, None) => Ok(domain),
        (Domain::Float(range), Some(step)) => Ok(Domain::Float(FloatRange { quantum: Some(typed(step)?), ..range })),
        (Domain::Normal(normal), Some(step)) => Ok(Domain::Normal(Normal { quantum: Some(typed(step)?), ..normal })),
        (Domain::Int(range), Some(step)) => Ok(Domain::Int(IntRange { quantum: Some(typed(step)?), ..range })),
        (_, Some(_)) => Err(format!("`{word}` has no quantum: only numbers do")),
    }
}

fn named(word: &str, value: Value) -> Result<Domain, String> {
    Ok(match word {
        "constant" => Domain::Constant(value),
        "map" => Domain::Map(typed(value)?),
        "list" => Domain::List(typed(value)?),
        "uniform" | "log_uniform" => Domain::Float(floats(word, value)?),
        "float" => Domain::Float(typed(value)?),
        "normal" => Domain::Normal(typed(value).map_err(|why| format!("{why}; expected [mean, deviation]"))?),
        "int" | "log_int" => Domain::Int(ints(word, value)?),
        "choice" => Domain::Choice(typed::<Vec<Domain>>(value)?.into()),
        "grid" => Domain::Grid(Grid::from(typed::<Vec<Domain>>(value)?)),
        _ => return Err(EXPECTED.to_owned()),
    })
}

fn floats(word: &str, value: Value) -> Result<FloatRange, String> {
    let (low, high) = pair(value, "the smallest and the largest value, as in [0.1, 1.0]")?;
    Ok(FloatRange { low, high, scale: scale(word), quantum: None })
}

fn ints(word: &str, value: Value) -> Result<IntRange, String> {
    if value.is_object() {
        return typed(value);
    }
    let (low, end) = pair(value, "the smallest value and the first that is too large, as in [1, 10] for 1 to 9")?;
    Ok(IntRange { low, end, scale: scale(word), quantum: None })
}

fn scale(word: &str) -> Scale {
    if word.starts_with("log_") { Scale::Log } else { Scale::Linear }
}

fn pair<T: DeserializeOwned>(value: Value, expected: &str) -> Result<(T, T), String> {
    let found = value.to_string();
    serde_json::from_value(value).map_err(|_| format!("found {found}, expected {expected}"))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(feature = "cli")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::super::{Domain, Space};

    impl JsonSchema for Space {
        fn schema_name() -> Cow<'static, str> {
            "Space".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let domain = generator.subschema_for::<Domain>();
            json_schema!({
                "description": "Names, and what each may be. A dot in a name begins a further level.",
                "type": "object", "additionalProperties": domain
            })
        }
    }

    impl JsonSchema for Domain {
        fn schema_name() -> Cow<'static, str> {
            "Domain".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let domain = generator.subschema_for::<Domain>();
            let pair = |what: &str, kind: &str| {
                json_schema!({
                    "description": what, "type": "array", "items": { "type": kind }, "minItems": 2, "maxItems": 2
                })
            };
            let options = |what: &str| json_schema!({ "description": what, "type": "array", "items": domain.clone() });
            json_schema!({
                "description": "What a value may be: a domain by its word, further names with their domains, or a constant.",
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "uniform": pair("From the first to the second, all equally likely.", "number"),
                            "log_uniform": pair("From the first to the second, all orders of magnitude equally likely.", "number"),
                            "normal": pair("The mean and the standard deviation.", "number"),
                            "int": pair("From the first up to, but without, the second.", "integer"),
                            "log_int": pair("The same, all orders of magnitude equally likely.", "integer"),
                            "choice": options("One of these."),
                            "grid": options("Each of these in turn, combined with those of every other grid."),
                            "list": options("A list, each element with its own domain."),
                            "quantum": { "description": "Only multiples of it occur.", "type": "number" },
                            "constant": {}
                        },
                        "additionalProperties": domain
                    },
                    { "type": "array", "items": domain },
                    { "type": ["string", "number", "boolean", "null"] }
                ]
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Domain, Space, choice, grid, int, list, log_int, log_uniform, normal, uniform};

    #[test]
    fn short_forms_are_what_the_functions_make() -> Result<(), serde_json::Error> {
        let space: Space = serde_json::from_value(json!({
            "lr": {"log_uniform": [1e-5, 0.1]}, "p": {"uniform": [0, 1], "quantum": 0.1}, "n": {"normal": [0, 2]},
            "depth": {"int": [2, 8]}, "width": {"log_int": [2, 512]}, "act": {"choice": ["relu", {"name": "gelu", "a": {"uniform": [0, 1]}}]},
            "batch": {"grid": [32, 64]}, "net": {"bias": true, "drop": {"uniform": [0, 1]}}, "layers": [16, {"grid": [1, 2]}], "epochs": 3,
        }))?;
        let gelu = Space::new().with("name", "gelu").with("a", uniform(0.0, 1.0));
        let expected = Space::new()
            .with("lr", log_uniform(1e-5, 0.1))
            .with("p", uniform(0.0, 1.0).quantized(0.1))
            .with("n", normal(0.0, 2.0))
            .with("depth", int(2, 8))
            .with("width", log_int(2, 512))
            .with("act", choice([Domain::from("relu"), gelu.into()]))
            .with("batch", grid([32, 64]))
            .with("net", Space::new().with("bias", true).with("drop", uniform(0.0, 1.0)))
            .with("layers", list([16.into(), grid([1, 2])]))
            .with("epochs", 3);
        assert_eq!(space, expected);
        let again: Space = serde_json::from_value(serde_json::to_value(&space)?)?;
        assert_eq!(again, expected);
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |value| serde_json::from_value::<Domain>(value).map_err(|error| error.to_string());
        for (wrong, words) in [
            (json!({"uniform": [0]}), "`uniform`: found [0], expected the smallest and the largest value"),
            (json!({"int": [1, 2.5]}), "`int`: found [1,2.5], expected the smallest value and the first"),
            (json!({"choice": 3}), "`choice`: invalid type: integer `3`, expected a sequence"),
            (json!({"choice": [1], "quantum": 2}), "`choice` has no quantum"),
        ] {
            let error = refused(wrong.clone()).expect_err("it is wrong");
            assert!(error.starts_with(words), "{wrong}: {error}");
        }
    }
}
