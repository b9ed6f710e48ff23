//! Text from somewhere else within a line of ours: it can't end the line, and a terminal doesn't obey it.

use std::fmt::{self, Display, Write};

/// Shows something on one line: what ends lines, moves a cursor or turns the direction of writing is escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Whether a character does anything else than to be seen.
pub(crate) fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_obeyed) {
            let (seen, obeyed) = rest.split_at(at);
            self.0.write_str(seen)?;
            let mut chars = obeyed.chars();
            chars.next().map_or(Ok(()), |c| write!(self.0, "{}", c.escape_default()))?;
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_line() {
        let text = "a\r\nb\tc\u{1b}[2J \u{9b}K \u{2028}d\u{202e}e ü";
        assert_eq!(OneLine(text).to_string(), "a\\r\\nb\\tc\\u{1b}[2J \\u{9b}K \\u{2028}d\\u{202e}e ü");
    }
}
