//! What is wrong with an experiment file: where, why, and what was perhaps meant.

use std::fmt;

/// Something in an experiment file that can't work, with its place: `digits.toml:3:1: there is no ..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file's name.
    pub file: String,
    /// The line and the column, from 1; none if it is the file as a whole.
    pub at: Option<(usize, usize)>,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl std::error::Error for FileError {}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// That `name` isn't among `known`, in words, with the one that was perhaps meant.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let meant = known.iter().map(|known| (distance(name, known), known)).min();
    let near = |distance: usize| distance <= 1 + name.chars().count() / 4;
    let hint = match meant {
        Some((distance, known)) if near(distance) => format!("; did you mean `{known}`?"),
        _ if known.is_empty() => "; there are none".to_owned(),
        _ => format!("; there are {}", known.join(", ")),
    };
    format!("there is no {what} `{name}`{hint}")
}

/// What serde says, with a suggestion if it doesn't know a name.
pub(super) fn in_words(serde: &str) -> String {
    for (begin, what) in [("unknown field `", "setting"), ("unknown variant `", "choice")] {
        let Some((name, rest)) = serde.strip_prefix(begin).and_then(|rest| rest.split_once('`')) else { continue };
        // What is known stands in backticks, every second part.
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return unknown(what, name, &known);
    }
    serde.to_owned()
}

/// How many letters have to be changed, added, taken out or exchanged with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let exchanged = i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let least = (at(&row, j) + usize::from(a != b)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            next.push(if exchanged { least.min(at(&before, j - 1) + 1) } else { least });
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_perhaps_meant_is_said() {
        assert_eq!(distance("smaples", "samples"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(
            unknown("setting", "smaples", &["name", "samples"]),
            "there is no setting `smaples`; did you mean `samples`?"
        );
        assert_eq!(
            unknown("setting", "colour", &["name", "seed"]),
            "there is no setting `colour`; there are name, seed"
        );
        let serde = "unknown field `max_tt`, expected one of `max_t`, `seed`";
        assert_eq!(in_words(serde), "there is no setting `max_tt`; did you mean `max_t`?");
        assert_eq!(
            in_words("unknown variant `x`, expected `yes` or `no`"),
            "there is no choice `x`; there are yes, no"
        );
    }
}
