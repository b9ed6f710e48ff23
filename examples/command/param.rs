//! Values to look for, as a command line says them.

use std::str::FromStr;
use std::time::Duration;

use tryout::prelude::*;

/// A name, and what may stand for it.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) values: Domain,
}

const FORMS: &str = "`NAME=LOW..HIGH`, `NAME=LOW..HIGH:log`, or `NAME=ONE,OTHER`";

impl FromStr for Param {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, values) = text.split_once('=').ok_or(format!("there is no `=` in it: write {FORMS}"))?;
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !is_name {
            return Err(format!(
                "`{name}` is no name: it begins with a letter, and goes on with letters, digits, `_-.`"
            ));
        }
        let values = match values.split_once("..") {
            Some((low, rest)) => range(low, rest)?,
            None if values.is_empty() => return Err(format!("there are no values for `{name}`: write {FORMS}")),
            None => choice(values.split(',').map(value)),
        };
        Space::new().with(name, values.clone()).check().map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), values })
    }
}

fn range(low: &str, rest: &str) -> Result<Domain, String> {
    let (high, log) = match rest.split_once(':') {
        None => (rest, false),
        Some((high, "log")) => (high, true),
        Some((_, scale)) => return Err(format!("`{scale}` is no scale: there is `log`, or nothing")),
    };
    let whole = |text: &str| text.parse::<i64>().ok();
    if let (Some(low), Some(end)) = (whole(low), whole(high).and_then(|high| high.checked_add(1))) {
        return Ok(if log { log_int(low, end) } else { int(low, end) }.into());
    }
    let number = |text: &str| {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or(format!("`{text}` is no number: write {FORMS}"))
    };
    let (low, high) = (number(low)?, number(high)?);
    Ok(if log { log_uniform(low, high) } else { uniform(low, high) }.into())
}

/// A number stays as it was written when it goes into a command: it is a text there.
fn value(text: &str) -> Domain {
    text.into()
}

/// A span of time in seconds, for clap.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| !seconds.is_zero()).ok_or(format!("`{text}` isn't a number of seconds above 0"))
}
