//! The short names of trials: what was decided for each, in a text that can be a directory's name.

use serde_json::{Map, Value};

use super::Space;
use super::domain::Domain;
use super::function::join;
use crate::logic::config::Config;

impl Space {
    /// The values of `config` that this space left open: everything but constants, sorted by path, maps taken apart.
    pub fn evaluated(&self, config: &Config) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        self.evaluate(config.as_map(), "", &mut found);
        found
    }

    fn evaluate(&self, map: &Map<String, Value>, path: &str, found: &mut Vec<(String, Value)>) {
        for (name, domain) in self.iter() {
            if let Some(value) = map.get(name) {
                domain.evaluate(value, join(path, &name), found);
            }
        }
    }
}

impl Domain {
    fn evaluate(&self, value: &Value, path: String, found: &mut Vec<(String, Value)>) {
        match (self, value) {
            (Domain::Constant(_), _) => {}
            (Domain::Map(space), Value::Object(map)) => space.evaluate(map, &path, found),
            (Domain::List(items), Value::Array(values)) => {
                for (index, (item, value)) in items.iter().zip(values).enumerate() {
                    item.evaluate(value, join(&path, &index), found);
                }
            }
            _ => take_apart(value, path, found),
        }
    }
}

/// All values of a configuration, sorted by path, maps taken apart: for the tag of a trial that comes from no space.
pub fn leaves(config: &Config) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in config.as_map() {
        take_apart(value, name.clone(), &mut found);
    }
    found
}

fn take_apart(value: &Value, path: String, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| take_apart(value, join(&path, name), found)),
        value => found.push((path, value.clone())),
    }
}

/// The tag of trial `number`: the number, then the last level of each path with its value. Floats have four decimals;
/// truth values and null are written as in the reference; in all others, what isn't a letter, digit, `_` or `-` becomes
/// `_`.
///
/// ```
/// use tryout::space::tag;
///
/// assert_eq!(tag(0, &[]), "0");
/// assert_eq!(tag(3, &[("net/lr".to_owned(), 0.12345.into()), ("opt".to_owned(), "a/b".into())]), "3_lr=0.1235,opt=a_b");
/// ```
pub fn tag(number: u32, evaluated: &[(String, Value)]) -> String {
    let values: Vec<String> = evaluated
        .iter()
        .map(|(path, value)| {
            let name = path.rsplit('/').next().unwrap_or(path);
            format!("{}={}", plain(name), shown(value))
        })
        .collect();
    if values.is_empty() { number.to_string() } else { format!("{number}_{}", values.join(",")) }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

fn plain(text: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    text.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect()
}
