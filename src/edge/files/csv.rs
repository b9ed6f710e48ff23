//! Comma-separated values (RFC 4180): named columns, one row under construction, and reading what was written.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::ops::Range;

use super::row::{Cell, write_plain};

/// The columns of a file.
#[derive(Debug, Default)]
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// These and, behind them, `more`.
    pub(super) fn with(&self, more: Vec<String>) -> Self {
        let mut columns = Self { names: self.names.clone(), places: self.places.clone() };
        for name in more {
            if !columns.places.contains_key(&name) {
                columns.push(&name);
            }
        }
        columns
    }

    /// Puts a new name behind the others, and answers its place.
    pub(super) fn push(&mut self, name: &str) -> usize {
        let place = self.names.len();
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Where `name` stands; it is looked for at `near` first.
    pub(super) fn place(&self, name: &str, near: usize) -> Option<usize> {
        match self.names.get(near) {
            Some(known) if known == name => Some(near),
            _ => self.places.get(name).copied(),
        }
    }

    /// The first line.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for name in &self.names {
            write_text(name, &mut line);
            line.push(b',');
        }
        line.pop();
        line.push(b'\n');
        line
    }

    /// The columns of a first line; none if it isn't one of ours.
    pub(super) fn of_header(record: &[u8]) -> Option<Self> {
        let names: Vec<String> = cells(record).map(|cell| unquoted(&record[cell])).collect::<Option<_>>()?;
        let count = names.len();
        Some(Self::default().with(names)).filter(|columns| columns.len() == count)
    }
}

/// One row under construction, to be used again and again.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: Vec<u8>,
    cells: Vec<Range<usize>>,
    near: usize,
    unknown: Vec<String>,
}

impl Line {
    /// Begins a row of these columns.
    pub(super) fn begin(&mut self, columns: &Columns) {
        self.text.clear();
        self.unknown.clear();
        self.cells.clear();
        self.cells.resize(columns.len(), 0..0);
        self.near = 0;
    }

    /// Sets a cell. What has no column is only noted.
    pub(super) fn set(&mut self, columns: &Columns, name: &str, cell: Cell<'_>) {
        let Some(place) = columns.place(name, self.near) else { return self.unknown.push(name.to_owned()) };
        let from = self.text.len();
        write_cell(cell, &mut self.text);
        if let Some(range) = self.cells.get_mut(place) {
            *range = from..self.text.len();
        }
        self.near = place + 1;
    }

    /// The names that had no column, since the row was begun.
    pub(super) fn take_unknown(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unknown)
    }

    pub(super) fn is_full(&self) -> Fullness {
        let full = self.unknown.is_empty() && self.cells.iter().all(|cell| !cell.is_empty());
        if full { Fullness::Exact } else { Fullness::Other }
    }

    /// Writes the row.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for cell in &self.cells {
            out.extend_from_slice(self.text.get(cell.clone()).unwrap_or_default());
            out.push(b',');
        }
        if !self.cells.is_empty() {
            out.pop();
        }
        out.push(b'\n');
    }
}

/// How a row fits its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fullness {
    /// Each column has a cell, and each cell a column.
    Exact,
    /// Something is missing.
    Other,
}

/// As Python writes them, so that pandas finds the same types: `True`, `False`, `nan`, `inf`, `-inf`.
fn write_cell(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Float(value) if value.is_nan() => out.extend_from_slice(b"nan"),
        Cell::Float(f64::INFINITY) => out.extend_from_slice(b"inf"),
        Cell::Float(f64::NEG_INFINITY) => out.extend_from_slice(b"-inf"),
        Cell::Float(value) => write_plain(&value, out),
        Cell::Int(value) => write_plain(&value, out),
        Cell::Bool(true) => out.extend_from_slice(b"True"),
        Cell::Bool(false) => out.extend_from_slice(b"False"),
        Cell::Text(text) => write_text(text, out),
    }
}

/// Whether a spreadsheet would take a text for a formula, now or without the apostrophes before it. One that is a number isn't any.
fn is_formula(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    bare.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && text.parse::<f64>().is_err()
}

/// Quoted only where that is needed: an empty text is, so that it differs from no text. What a spreadsheet would take for a
/// formula has an apostrophe before it, which says that it is text.
fn write_text(text: &str, out: &mut Vec<u8>) {
    if is_formula(text) {
        return write_quoted(&format!("'{text}"), out);
    }
    write_quoted(text, out);
}

/// A text as a cell of such a file.
pub fn text_cell(text: &str) -> String {
    let mut out = Vec::new();
    write_text(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn write_quoted(text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() && !text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Reads the next whole record, its line's end included; nothing is left in `record` if there is none, or only a torn one.
pub(super) fn read_record(file: &mut impl BufRead, record: &mut Vec<u8>) -> io::Result<()> {
    record.clear();
    // A quotation mark within a cell is doubled, so it leaves the count even.
    let (mut quotes, mut seen) = (0_usize, 0);
    while file.read_until(b'\n', record)? > 0 {
        let new = record.get(seen..).unwrap_or_default();
        quotes += new.iter().filter(|byte| **byte == b'"').count();
        seen = record.len();
        if quotes.is_multiple_of(2) && record.ends_with(b"\n") {
            return Ok(());
        }
    }
    record.clear();
    Ok(())
}

/// Where the cells of a whole record are.
pub(super) fn cells(record: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let end = record.len() - usize::from(record.ends_with(b"\n"));
    let (mut from, mut over) = (0, false);
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let mut quoted = false;
        let comma = (from..end).find(|at| {
            let byte = record.get(*at).copied();
            quoted ^= byte == Some(b'"');
            byte == Some(b',') && !quoted
        });
        let cell = from..comma.unwrap_or(end);
        from = cell.end + 1;
        over = comma.is_none();
        Some(cell)
    })
}

/// The text of a cell.
fn unquoted(cell: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(cell).ok()?;
    let text = match text.strip_prefix('"') {
        None => text.to_owned(),
        Some(rest) => rest.strip_suffix('"')?.replace("\"\"", "\""),
    };
    Some(match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest.to_owned(),
        _ => text,
    })
}
