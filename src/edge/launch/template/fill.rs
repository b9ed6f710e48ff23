//! Names in braces, and the values that take their places.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::edge::launch::shell;
use crate::logic::launch::Allocation;
use crate::ports::launcher::LaunchJob;

const MIB: u64 = 1 << 20;

/// The names that a command may have.
const IN_SUBMIT: [&str; 15] = [
    "command", "script", "name", "job", "n", "cpus", "gpus", "memory", "bytes", "time", "minutes", "seconds", "join",
    "output", "prefix",
];

/// A value: one word, or several.
#[derive(Clone, Debug)]
enum Value {
    /// It goes into a script in quotes, if it needs them.
    Word(OsString),
    /// It goes into a script as it is.
    Lines(String),
    Words(Vec<OsString>),
}

/// What there is to fill in.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    pub(super) fn of(job: &LaunchJob, seconds: Option<u64>, join: Option<&Path>) -> Self {
        let mut all = Self::default();
        let Allocation { cpus, gpus, memory, .. } = Allocation::new(&job.shape, job.workers);
        all.word("name", &job.name);
        let numbers = [("job", job.number), ("n", u64::from(job.workers)), ("cpus", cpus)];
        let optional = [("gpus", gpus), ("memory", memory.div_ceil(MIB)), ("bytes", memory)];
        for (name, number) in numbers.into_iter().chain(optional.into_iter().filter(|(_, number)| *number > 0)) {
            all.word(name, number.to_string());
        }
        if let Some(seconds) = seconds {
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            all.word("time", format!("{hours:02}:{minutes:02}:{:02}", seconds % 60));
            all.word("minutes", seconds.div_ceil(60).to_string());
            all.word("seconds", seconds.to_string());
        }
        if let Some(join) = join {
            all.word("join", join);
        }
        if let Some(directory) = &job.directory {
            all.word("output", directory.join(format!("{}.out", job.name)));
        }
        all.0.insert("command", Value::Words(job.command.clone()));
        all.0.insert("script", Value::Lines(shell::workers(job)));
        all
    }

    pub(super) fn prefix(prefix: &str) -> Self {
        let mut all = Self::default();
        all.word("prefix", prefix);
        all
    }

    pub(super) fn ids(ids: &[String]) -> Self {
        let mut all = Self::default();
        if let [id] = ids {
            all.word("id", id);
        }
        all.0.insert("ids", Value::Words(ids.iter().map(Into::into).collect()));
        all
    }

    fn word(&mut self, name: &'static str, value: impl AsRef<OsStr>) {
        self.0.insert(name, Value::Word(value.as_ref().to_owned()));
    }
}

/// A piece of a template.
enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Text and names in their order. Braces around anything but a name are text: `${HOME}`, `{"json": 1}`.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut all, mut rest) = (Vec::new(), text);
    let mut from = 0;
    while let Some(open) = rest.get(from..).and_then(|tail| tail.find('{')).map(|at| at + from) {
        let inside = &rest[open + 1..];
        let name = inside.split('}').next().unwrap_or(inside);
        let is_name =
            !name.is_empty() && name.len() < inside.len() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_name || rest[..open].ends_with('$') {
            from = open + 1;
            continue;
        }
        all.extend([Piece::Text(&rest[..open]), Piece::Name(name)]);
        (rest, from) = (&inside[name.len() + 1..], 0);
    }
    all.push(Piece::Text(rest));
    all
}

/// A name that isn't known in this command.
pub(super) fn wrong_name<'a>(command: &str, text: &'a str) -> Option<&'a str> {
    let known: &[&str] = match command {
        "list" => &["prefix"],
        "cancel" => &["id", "ids"],
        _ => &IN_SUBMIT,
    };
    pieces(text).into_iter().find_map(|piece| match piece {
        Piece::Name(name) if !known.contains(&name) => Some(name),
        Piece::Name(_) | Piece::Text(_) => None,
    })
}

/// The words of a command. A word without its value is left out.
pub(super) fn fill_words(words: &[String], values: &Values) -> Vec<OsString> {
    let mut all = Vec::new();
    for word in words {
        let whole = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')).and_then(|name| values.0.get(name));
        match whole {
            Some(Value::Words(words)) => all.extend(words.iter().cloned()),
            Some(Value::Word(word)) => all.push(word.clone()),
            Some(Value::Lines(lines)) => all.push(lines.into()),
            None => all.extend(fill(word, values, OsStr::to_owned)),
        }
    }
    all
}

/// The lines of a script, with every value in quotes. A line without its value is left out.
pub(super) fn fill_script(script: &str, values: &Values) -> String {
    let lines = script.lines().filter_map(|line| fill(line, values, |value| shell::quoted(value).into()));
    lines.map(|line| format!("{}\n", line.to_string_lossy().trim_end_matches('\n'))).collect()
}

fn fill(text: &str, values: &Values, write: impl Fn(&OsStr) -> OsString) -> Option<OsString> {
    let mut all = OsString::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => all.push(text),
            Piece::Name(name) => match values.0.get(name)? {
                Value::Word(value) => all.push(write(value)),
                Value::Lines(lines) => all.push(lines),
                Value::Words(words) => all.push(shell::command_line(words)),
            },
        }
    }
    Some(all)
}
