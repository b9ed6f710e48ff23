//! The command line: whether its places fit the values, and how a shell would want it.

use tryout::backend::CommandBackend;
use tryout::prelude::*;

use super::param::Param;

/// Each place has a value, and each value a place.
pub(crate) fn check(command: &CommandBackend, params: &[Param]) -> Result<(), String> {
    let filled = |value: &str, with: Option<&str>| {
        let value_of = |name: &str| if with == Some(name) { value } else { "" };
        let config = params.iter().fold(Config::new(), |config, param| config.with(&param.name, value_of(&param.name)));
        command.line(&config).map_err(|error| format!("{error}; say what it may be with `--param NAME=VALUES`"))
    };
    let without = filled("", None)?;
    for Param { name, .. } in params {
        if filled("something", Some(name))? == without {
            return Err(format!(
                "`--param {name}=..` has no place in the command: write `{{{name}}}` where it belongs"
            ));
        }
    }
    Ok(())
}

/// The command with a trial's values, to be pasted into a shell.
pub(crate) fn shown(command: &CommandBackend, config: &Config) -> Result<String, Box<dyn std::error::Error>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    let words = command.line(config)?.into_iter().map(|word| {
        let word = word.to_string_lossy().into_owned();
        let as_it_is = !word.is_empty() && word.chars().all(plain);
        if as_it_is { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    Ok(words.collect::<Vec<_>>().join(" "))
}
