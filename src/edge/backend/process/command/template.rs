//! Texts with places for a trial's values.

use std::fmt::Write;

use serde_json::Value;

use crate::logic::config::Config;

/// A text in which `{name}` stands for a value of the configuration, levels joined with `/`, and `{@name}` for something
/// about the trial. `{{` and `}}` are braces. Braces around anything that can't be a name are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// A place for which there is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no value for `{{{place}}}`: there are {there}")]
pub struct NoSuchValue {
    place: String,
    there: String,
}

fn is_name(text: &str) -> bool {
    let bare = text.strip_prefix('@').unwrap_or(text);
    let first = bare.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    first && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            let doubled = from.starts_with("{{") || from.starts_with("}}");
            let name = from.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(name, _)| name);
            rest = match name.filter(|name| !doubled && is_name(name)) {
                Some(name) => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Place(name.to_owned()));
                    &from[name.len() + 2..]
                }
                None => {
                    plain.push_str(&from[..1]);
                    &from[1 + usize::from(doubled)..]
                }
            };
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Self(parts)
    }

    /// Whether it is the same for every trial.
    pub(super) fn is_plain(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text for a trial. `about` says what places with `@` stand for.
    pub(super) fn fill(&self, config: &Config, about: &[(&str, String)]) -> Result<String, NoSuchValue> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Place(place) => match (place.strip_prefix('@'), config.get(place)) {
                    (Some(name), _) => {
                        let known = about.iter().find(|(known, _)| *known == name);
                        text.push_str(&known.ok_or_else(|| missing(place, config, about))?.1);
                    }
                    (None, Some(Value::String(value))) => text.push_str(value),
                    // Writing into a text can't fail.
                    (None, Some(value)) => drop(write!(text, "{value}")),
                    (None, None) => return Err(missing(place, config, about)),
                },
            }
        }
        Ok(text)
    }
}

fn missing(place: &str, config: &Config, about: &[(&str, String)]) -> NoSuchValue {
    let mut there: Vec<String> = config.flattened().iter().map(|(name, _)| format!("`{{{name}}}`")).collect();
    there.extend(about.iter().map(|(name, _)| format!("`{{@{name}}}`")));
    NoSuchValue { place: place.to_owned(), there: there.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let config =
            Config::from_json(serde_json::json!({"lr": 0.5, "net": {"kind": "wide"}, "on": true, "list": [1, 2]}));
        let about = [("seed", "7".to_owned())];
        Template::new(text).fill(&config.expect("a map"), &about).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_filled_and_other_braces_left_alone() {
        assert_eq!(filled("--lr={lr} {net/kind}.{on}"), Ok("--lr=0.5 wide.true".into()));
        assert_eq!(filled("{@seed}{list}"), Ok("7[1,2]".into()));
        assert_eq!(filled("{print $1} {} {\"a\": 1} {{lr}} }{ ä{"), Ok("{print $1} {} {\"a\": 1} {lr} }{ ä{".into()));
        assert!(Template::new("awk {print $1}").is_plain() && !Template::new("{lr}").is_plain());
    }

    #[test]
    fn a_place_without_a_value_says_what_there_is() {
        let error =
            "there is no value for `{rate}`: there are `{list/0}`, `{list/1}`, `{lr}`, `{net/kind}`, `{on}`, `{@seed}`";
        assert_eq!(filled("{rate}"), Err(error.into()));
        assert!(filled("{@home}").is_err());
    }
}
