//! One line: `["<crc32>",<number>,<text>]`. The checksum is over the bytes between the first comma and the last bracket.
//!
//! Lines about the log itself have the number 0: the first of a file, the marks of what is durable, the end of a snapshot.

use std::fmt;
use std::io::Write;

use serde::{Deserialize, Serialize};

/// The format of the files that this version writes.
pub(super) const FORMAT: u32 = 1;

/// A good line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1 without gaps; 0 for lines about the log itself.
    pub seq: u64,
    /// Its text: JSON.
    pub text: &'a str,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It has no end.
    Cut,
    /// It isn't of a line's form.
    Form,
    /// Its checksum isn't that of its bytes.
    Checksum,
    /// Its number isn't the next one; this is what it is.
    Number(u64),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Cut => f.write_str("it is cut off"),
            Flaw::Form => f.write_str("it isn't of the form [\"checksum\",number,text]"),
            Flaw::Checksum => f.write_str("its checksum is wrong"),
            Flaw::Number(found) => write!(f, "it has the number {found}"),
        }
    }
}

/// What a line about the log itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Meta {
    /// The first line of a file of lines from this number on; all lines before that are durable.
    Segment { format: u32, first: u64 },
    /// The first line of a snapshot of all lines through this one.
    Snapshot { format: u32, through: u64 },
    /// The last line of a snapshot with so many lines.
    End { lines: u64 },
    /// All lines through this one are durable.
    Synced(u64),
}

impl Meta {
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        // Our own values always serialise.
        let text = serde_json::to_vec(&self).unwrap_or_default();
        write(0, &text, out);
    }
}

/// Appends a line with this text to `out`.
pub(super) fn write(seq: u64, text: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    // Writing into memory doesn't fail.
    let _ = write!(out, "[\"00000000\",{seq},");
    out.extend_from_slice(text);
    let checksum = crc32fast::hash(out.get(begin + 12..).unwrap_or_default());
    if let Some(place) = out.get_mut(begin + 2..begin + 10) {
        let _ = write!(&mut *place, "{checksum:08x}");
    }
    out.extend_from_slice(b"]\n");
}

/// Takes a line apart, its end of line included.
///
/// # Errors
/// If it isn't what was once written.
pub fn parse(bytes: &[u8]) -> Result<Line<'_>, Flaw> {
    let bytes = bytes.strip_suffix(b"\n").ok_or(Flaw::Cut)?;
    let rest = bytes.strip_prefix(b"[\"").ok_or(Flaw::Form)?;
    let (checksum, rest) = rest.split_at_checked(8).ok_or(Flaw::Form)?;
    let body = rest.strip_prefix(b"\",").and_then(|body| body.strip_suffix(b"]")).ok_or(Flaw::Form)?;
    let lower = checksum.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let checksum = std::str::from_utf8(checksum).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
    if !lower || checksum != Some(crc32fast::hash(body)) {
        return Err(Flaw::Checksum);
    }
    let body = std::str::from_utf8(body).map_err(|_| Flaw::Form)?;
    let (seq, text) = body.split_once(',').ok_or(Flaw::Form)?;
    // One number is written in one way only.
    if seq.starts_with('+') || (seq.starts_with('0') && seq.len() > 1) {
        return Err(Flaw::Form);
    }
    Ok(Line { seq: seq.parse().map_err(|_| Flaw::Form)?, text })
}
