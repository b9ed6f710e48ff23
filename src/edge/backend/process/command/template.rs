//! Texts with places for a trial's values.

use std::ffi::OsStr;
use std::path::Path;

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

/// A place that can't be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// There is no value for it.
    #[error("there is no value for `{{{place}}}`: there are {there}")]
    Missing {
        /// The place.
        place: String,
        /// What there is.
        there: String,
    },
    /// Its value would be obeyed as a part of a program, instead of being read by it.
    #[error(
        "the value {value:?} of `{{{place}}}` can't stand in the text of a program: only letters, digits and any of `_.+-/:,@%` \
         are safe there; give it as an argument of its own or in the environment, and let the program read it there"
    )]
    Code {
        /// The place.
        place: String,
        /// Its value.
        value: String,
    },
    /// Its value would end the line that it stands on.
    #[error("the value {value:?} of `{{{place}}}` can't stand in a line of a file: it has control characters")]
    Line {
        /// The place.
        place: String,
        /// Its value.
        value: String,
    },
}

/// What a text is, and so what values may do in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// An argument or a variable: it is handed over whole, and nobody reads it for anything else.
    Whole,
    /// A program's own text.
    Code,
    /// JSON, YAML or TOML: texts stand in double quotes.
    Quoted,
    /// Lines of text.
    Lines,
}

/// Programs that run the text of one of their arguments, by the beginnings of their names, and the letter of that option.
const RUN_TEXT: [(&str, &str); 16] = [
    ("sh", "c"),
    ("bash", "c"),
    ("dash", "c"),
    ("ash", "c"),
    ("zsh", "c"),
    ("ksh", "c"),
    ("mksh", "c"),
    ("csh", "c"),
    ("tcsh", "c"),
    ("fish", "c"),
    ("python", "c"),
    ("perl", "eE"),
    ("ruby", "e"),
    ("node", "ep"),
    ("php", "r"),
    ("Rscript", "e"),
];

impl Reads {
    /// What becomes of an argument, by those before it, the program first.
    pub(super) fn argument(before: &[&str]) -> Self {
        let code = (0..before.len()).any(|at| {
            let letters = before.get(at).and_then(|word| letters_of(word));
            letters.is_some_and(|letters| is_text(letters, before.get(at + 1..).unwrap_or_default()))
        });
        if code { Reads::Code } else { Reads::Whole }
    }

    /// What a file is, by its name.
    pub(super) fn file(name: &Path) -> Self {
        match name.extension().and_then(OsStr::to_str).unwrap_or_default() {
            "json" | "jsonl" | "yaml" | "yml" | "toml" => Reads::Quoted,
            "sh" | "bash" | "zsh" | "fish" | "py" | "pl" | "rb" | "js" | "lua" | "r" | "R" | "jl" | "m" => Reads::Code,
            _ => Reads::Lines,
        }
    }

    fn put(self, place: &str, value: &str, text: &mut String) -> Result<(), PlaceError> {
        let (named, said) = (|| place.to_owned(), || value.to_owned());
        match self {
            Reads::Code if !value.chars().all(|c| c.is_alphanumeric() || "_.+-/:,@%".contains(c)) => {
                return Err(PlaceError::Code { place: named(), value: said() });
            }
            Reads::Lines if value.contains(char::is_control) => {
                return Err(PlaceError::Line { place: named(), value: said() });
            }
            Reads::Quoted => {
                let quoted = serde_json::Value::from(value).to_string();
                text.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
            }
            Reads::Whole | Reads::Code | Reads::Lines => text.push_str(value),
        }
        Ok(())
    }
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

    /// What stands between its braces.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Whether it is the same for every trial.
    pub(super) fn is_plain(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text for a trial. `about` says what places with `@` stand for.
    pub(super) fn fill(&self, config: &Config, about: &[(&str, String)], reads: Reads) -> Result<String, PlaceError> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Place(place) => match (place.strip_prefix('@'), config.value(place)) {
                    (Some(name), _) => {
                        let known = about.iter().find(|(known, _)| *known == name);
                        text.push_str(&known.ok_or_else(|| missing(place, config, about))?.1);
                    }
                    (None, Some(Value::String(value))) => reads.put(place, value, &mut text)?,
                    // JSON stands in JSON as it is.
                    (None, Some(value)) if reads == Reads::Quoted => text.push_str(&value.to_string()),
                    (None, Some(value)) => reads.put(place, &value.to_string(), &mut text)?,
                    (None, None) => return Err(missing(place, config, about)),
                },
            }
        }
        Ok(text)
    }
}

/// The letters of the options behind which a program takes its text, if it is one that does.
fn letters_of(program: &str) -> Option<&'static str> {
    let file = program.rsplit('/').next().unwrap_or(program);
    // `python3.11` is a `python`.
    let name = file.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    RUN_TEXT.iter().find(|(known, _)| *known == name).map(|(_, letters)| *letters)
}

/// Whether what follows these words is a program's text: the last is the option, and before it are none but options and what
/// belongs to them. What follows the name of a script is the script's own.
fn is_text(letters: &str, words: &[&str]) -> bool {
    let is_option = |word: &str| word.len() > 1 && word.starts_with(['-', '+']);
    let has_value = |word: &str| is_option(word) && word.ends_with(['o', 'O', 'W', 'X', 'I', 'r']);
    let Some((last, rest)) = words.split_last() else { return false };
    let all = rest.iter().enumerate().all(|(at, word)| {
        let before = at.checked_sub(1).and_then(|before| rest.get(before));
        is_option(word) || before.is_some_and(|before| has_value(before))
    });
    all && is_option(last) && !last.starts_with("--") && last.contains(|c| letters.contains(c))
}

fn missing(place: &str, config: &Config, about: &[(&str, String)]) -> PlaceError {
    let mut there: Vec<String> = config.flattened().iter().map(|(name, _)| format!("`{{{name}}}`")).collect();
    there.extend(about.iter().map(|(name, _)| format!("`{{@{name}}}`")));
    PlaceError::Missing { place: place.to_owned(), there: there.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let config =
            Config::from_json(serde_json::json!({"lr": 0.5, "net": {"kind": "wide"}, "on": true, "list": [1, 2]}));
        let about = [("seed", "7".to_owned())];
        Template::new(text).fill(&config.expect("a map"), &about, Reads::Whole).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_filled_and_other_braces_left_alone() {
        assert_eq!(filled("--lr={lr} {net/kind}.{on}"), Ok("--lr=0.5 wide.true".into()));
        assert_eq!(filled("{@seed}{list}"), Ok("7[1,2]".into()));
        assert_eq!(filled("{print $1} {} {\"a\": 1} {{lr}} }{ ä{"), Ok("{print $1} {} {\"a\": 1} {lr} }{ ä{".into()));
        assert!(Template::new("awk {print $1}").is_plain() && !Template::new("{lr}").is_plain());
    }

    #[test]
    fn the_text_of_a_program_is_known() {
        let reads = |words: &[&str]| Reads::argument(words);
        for code in [
            &["sh", "-c"][..],
            &["/bin/bash", "-euo", "pipefail", "-c"],
            &["timeout", "10", "sh", "-ec"],
            &["python3.11", "-u", "-c"],
            &["perl", "-ne"],
        ] {
            assert_eq!(reads(code), Reads::Code, "{code:?}");
        }
        for whole in [&["sh", "-c", "echo $0"][..], &["python3", "train.py", "-c"], &["python3", "-m", "x", "--config"]]
        {
            assert_eq!(reads(whole), Reads::Whole, "{whole:?}");
        }
    }

    #[test]
    fn a_place_without_a_value_says_what_there_is() {
        let error =
            "there is no value for `{rate}`: there are `{list/0}`, `{list/1}`, `{lr}`, `{net/kind}`, `{on}`, `{@seed}`";
        assert_eq!(filled("{rate}"), Err(error.into()));
        assert!(filled("{@home}").is_err());
    }
}
