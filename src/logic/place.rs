//! Reads values out of trees of JSON; an error comes with its place in the tree.
//!
//! A tree is read as a text. If that fails, the place is found with the same reader: of a text with one member a line, the shortest
//! beginning that fails for another reason than its end. A deserialiser that follows its own path would be compiled once more for
//! each type that is read.

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Error, Value};

/// A step from a value to what is in it.
enum Step {
    Key(String),
    Index(usize),
}

/// Reads a value out of `tree`. An error says where, as in `rungs[0].score` and `.` for the whole, and what was wrong there.
pub(crate) fn read<T: DeserializeOwned>(tree: &Value) -> Result<T, (String, Error)> {
    serde_json::from_str(&tree.to_string()).map_err(|error| {
        placed(tree, &error, &|text| serde_json::from_str::<T>(text).is_err_and(|error| error.is_eof()))
    })
}

/// What is wrong at a place: what is wrong with the whole says itself what it is about, as in ``missing field `max_t` ``.
pub(crate) fn wrong(at: &str, problem: &dyn std::fmt::Display) -> String {
    if at == "." { problem.to_string() } else { format!("`{at}` is wrong: {problem}") }
}

fn placed(tree: &Value, error: &Error, cut_short: &dyn Fn(&str) -> bool) -> (String, Error) {
    let text = format!("{tree:#}");
    let ends: Vec<usize> = text.match_indices('\n').map(|(end, _)| end).collect();
    let line = ends.partition_point(|end| text.get(..*end).is_some_and(cut_short)) + 1;
    let words = error.to_string();
    let at = format!(" at line {} column {}", error.line(), error.column());
    (place(&text, line), Error::custom(words.strip_suffix(&at).unwrap_or(&words)))
}

/// What lies on a line of a text with one member a line and two spaces a level.
fn place(text: &str, line: usize) -> String {
    let mut path: Vec<Step> = Vec::new();
    for line in text.lines().take(line) {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        // The end of what began at this depth, or of the whole.
        if depth == 0 || content.starts_with(['}', ']']) {
            path.truncate(depth);
            continue;
        }
        let before = path.drain(depth - 1..).next();
        path.push(match (key(content), before) {
            (Some(key), _) => Step::Key(key),
            (None, Some(Step::Index(index))) => Step::Index(index + 1),
            (None, _) => Step::Index(0),
        });
    }
    let mut place = String::new();
    for step in path {
        match step {
            Step::Index(index) => place.push_str(&format!("[{index}]")),
            Step::Key(key) if place.is_empty() => place = key,
            Step::Key(key) => place.push_str(&format!(".{key}")),
        }
    }
    if place.is_empty() { ".".to_owned() } else { place }
}

/// The key before the first colon that is in no text.
fn key(line: &str) -> Option<String> {
    let mut texts = serde_json::Deserializer::from_str(line).into_iter::<String>();
    let key = texts.next()?.ok()?;
    line.get(texts.byte_offset()..)?.starts_with(':').then_some(key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::logic::state::Float;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "what is read is never looked at")]
    struct Net {
        layers: Vec<Layer>,
        deep: Float,
        names: (String, Option<u8>),
        rates: BTreeMap<u8, f64>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "what is read is never looked at")]
    enum Layer {
        Flat,
        Dense { units: u32, seeds: [[u8; 2]; 2] },
    }

    #[test]
    fn an_error_says_where_it_is() {
        let net = || {
            let dense = |units: u32| json!({"Dense": {"units": units, "seeds": [[1, 2], [3, 4]]}});
            let layers = json!(["Flat", dense(1), {"Dense": {"seeds": [[1, 2], [3, 4]], "units": 5}}]);
            json!({"deep": 0.5, "layers": layers, "names": ["a\": {[", null], "rates": {"1": 0.1, "20": -5}})
        };
        assert!(read::<Net>(&net()).is_ok());
        for (pointer, wrong, expected, words) in [
            ("", json!([]), ".", "invalid length 0, expected struct Net with 4 elements"),
            ("", json!("x"), ".", "invalid type: string \"x\", expected struct Net"),
            ("/extra", json!(1), "extra", "unknown field `extra`, expected one of `layers`, `deep`, `names`, `rates`"),
            ("/layers", json!({}), "layers", "invalid type: map, expected a sequence"),
            ("/layers/0", json!("Round"), "layers[0]", "unknown variant `Round`, expected `Flat` or `Dense`"),
            ("/layers/1/Dense/units", json!(null), "layers[1].Dense.units", "invalid type: null, expected u32"),
            ("/layers/1/Dense", json!({"seeds": [[1, 2], [3, 4]]}), "layers[1].Dense", "missing field `units`"),
            (
                "/layers/2/Dense/seeds/1/0",
                json!(300),
                "layers[2].Dense.seeds[1][0]",
                "invalid value: integer `300`, expected u8",
            ),
            (
                "/layers/2/Dense/seeds/1",
                json!([3]),
                "layers[2].Dense.seeds[1]",
                "invalid length 1, expected an array of length 2",
            ),
            ("/names/0", json!([]), "names[0]", "invalid type: sequence, expected a string"),
            ("/names/1", json!(0.5), "names[1]", "invalid type: floating point `0.5`, expected u8"),
            ("/deep", json!("x"), "deep", "found `x`, expected a number, NaN, Infinity or -Infinity"),
            ("/rates/20", json!("x"), "rates.20", "invalid type: string \"x\", expected f64"),
        ] {
            let mut tree = net();
            match tree.pointer_mut(pointer) {
                Some(place) => *place = wrong,
                None => tree[&pointer[1..]] = wrong,
            }
            let (place, problem) = read::<Net>(&tree).expect_err("it is wrong");
            assert_eq!((place.as_str(), problem.to_string().as_str()), (expected, words), "{tree}");
        }
    }
}
