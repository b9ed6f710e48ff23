//! Reads a log from its beginning, and tells a torn tail from damage in the middle.
//!
//! A line that was being written when the machine died is torn: it, and what follows it, was never acknowledged, so it is
//! dropped. A bad line before which a later line knows that it was durable is damage, and that is an error.

use std::io::BufRead;
use std::path::PathBuf;

use super::error::LogError;
use super::files::Files;
use super::line::{self, FORMAT, Flaw, Line, Meta};
use super::parts::{self, Kind, Part};

/// No line about the log itself is longer than this.
const LONGEST_META: usize = 128;

/// What to do about damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Damage {
    /// It is an error.
    #[default]
    Refuse,
    /// Use what precedes it; everything behind it is given up.
    UseWhatPrecedes,
}

/// What was dropped behind the last good line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong with the first line that was dropped.
    pub flaw: Flaw,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` ends with a torn line at byte {}: {}; it is dropped",
            self.path.display(),
            self.offset,
            self.flaw
        )
    }
}

/// Where a log ends, and so where a writer goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of the next line.
    pub next: u64,
    /// The end of the last segment; none if a new one must be begun.
    pub(super) segment: Option<End>,
    /// Files that hold nothing that is still needed.
    pub(super) stale: Vec<String>,
    /// The bytes of the snapshot, and of all segments.
    pub(super) bytes: (u64, u64),
}

/// Where a segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) name: String,
    /// The length of what is good in it, and of what is known to be durable of that.
    pub(super) good: u64,
    pub(super) durable: u64,
}

impl Default for Position {
    /// The beginning of a new log.
    fn default() -> Self {
        Self { next: 1, segment: None, stale: Vec::new(), bytes: (0, 0) }
    }
}

/// Reads a log, line by line, in constant memory. Another process may write it at the same time.
pub struct LogReader {
    dir: PathBuf,
    damage: Damage,
    parts: std::vec::IntoIter<Part>,
    part: Option<Part>,
    offset: u64,
    /// How much of the file is known to be durable.
    durable: u64,
    /// The number of the next line of the journal; within a snapshot, that of its next line.
    next: u64,
    in_snapshot: Option<u64>,
    snapshot: Option<(PathBuf, u64)>,
    torn: Option<Torn>,
    /// Where to stop: the number of the first line that isn't asked for.
    until: u64,
    buffer: Vec<u8>,
    position: Position,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("dir", &self.dir).field("next", &self.next).finish_non_exhaustive()
    }
}

impl LogReader {
    /// Opens the log in a directory.
    ///
    /// # Errors
    /// If there is none, or a file can't be opened.
    pub fn open(files: &dyn Files, damage: Damage) -> Result<Self, LogError> {
        let (parts, stale) = parts::open(files)?;
        if parts.is_empty() {
            return Err(LogError::Missing { path: files.path().to_owned() });
        }
        let position = Position { stale, ..Position::default() };
        Ok(Self {
            dir: files.path().to_owned(),
            damage,
            parts: parts.into_iter(),
            part: None,
            offset: 0,
            durable: 0,
            next: 1,
            in_snapshot: None,
            snapshot: None,
            torn: None,
            until: u64::MAX,
            buffer: Vec::new(),
            position,
        })
    }

    /// The text of the next line; none at the end.
    ///
    /// # Errors
    /// If the log is damaged, or can't be read.
    pub fn next_line(&mut self) -> Result<Option<&str>, LogError> {
        let text = loop {
            if self.torn.is_some() || self.is_over() || (self.part.is_none() && !self.open_part()?) {
                return Ok(None);
            }
            let length = self.fill()?;
            if length == 0 {
                self.close_part()?;
                continue;
            }
            let flaw = match line::parse(&self.buffer) {
                Ok(Line { seq: 0, text }) => {
                    let meta = Meta::parse(text);
                    self.meta(meta)?
                }
                // The first line of a file says which file it is.
                Ok(_) if self.offset == 0 || self.is_ended() => Some(Flaw::Form),
                Ok(Line { seq, text }) if seq == self.next => {
                    self.next += 1;
                    self.offset += length as u64;
                    break text.len();
                }
                Ok(Line { seq, .. }) => Some(Flaw::Number(seq)),
                Err(flaw) => Some(flaw),
            };
            match flaw {
                Some(flaw) => self.bad(flaw)?,
                None => self.offset += length as u64,
            }
        };
        // It stands before a bracket and the line's end.
        let end = self.buffer.len().saturating_sub(2);
        let text = self.buffer.get(end - text..end).unwrap_or_default();
        Ok(Some(std::str::from_utf8(text).unwrap_or_default()))
    }

    /// Whether nothing more can come in this file.
    fn is_ended(&self) -> bool {
        self.reads_snapshot() && self.in_snapshot.is_none()
    }

    fn reads_snapshot(&self) -> bool {
        matches!(self.part, Some(Part { kind: Kind::Snapshot { .. }, .. }))
    }

    /// The same up to a line, exclusively: what was there when that was the next.
    #[must_use]
    pub fn until(mut self, line: u64) -> Self {
        self.until = line;
        self
    }

    /// The next line that wasn't read of those that it goes up to.
    pub(super) fn missing(&self) -> Option<u64> {
        (!self.is_over()).then_some(self.next)
    }

    fn is_over(&self) -> bool {
        self.in_snapshot.is_none() && self.next >= self.until
    }

    /// Whether the line that was read last stands in a snapshot.
    pub fn in_snapshot(&self) -> bool {
        self.in_snapshot.is_some()
    }

    /// What was dropped at the end.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Where the log ends. Of use when everything has been read.
    pub fn position(mut self) -> Position {
        self.position.next = self.next;
        self.position
    }

    fn path(&self) -> PathBuf {
        self.part.as_ref().map_or_else(|| self.dir.clone(), |part| self.dir.join(&part.name))
    }

    fn fill(&mut self) -> Result<usize, LogError> {
        self.buffer.clear();
        let Some(part) = &mut self.part else { return Ok(0) };
        let read = part.source.read_until(b'\n', &mut self.buffer);
        read.map_err(|error| LogError::io("read", self.dir.join(&part.name))(error))
    }

    fn open_part(&mut self) -> Result<bool, LogError> {
        let Some(part) = self.parts.next() else { return Ok(false) };
        (self.offset, self.durable) = (0, 0);
        match part.kind {
            Kind::Snapshot { through } => {
                self.in_snapshot = Some(through);
                self.next = 1;
            }
            Kind::Segment { first } if first != self.next => return self.gap(part.name, first),
            Kind::Segment { .. } => {}
        }
        self.part = Some(part);
        Ok(true)
    }

    /// A segment that doesn't go on where the one before it ended.
    fn gap(&mut self, name: String, first: u64) -> Result<bool, LogError> {
        let (path, flaw) = (self.dir.join(&name), Flaw::Number(first));
        if self.damage == Damage::Refuse {
            return Err(match first.checked_sub(1) {
                Some(to) if to >= self.next => LogError::Gap { path: self.dir.clone(), from: self.next, to },
                _ => LogError::Damaged { path, offset: 0, seq: self.next, flaw, snapshot: self.snapshot.clone() },
            });
        }
        self.position.stale.push(name);
        self.position.stale.extend(self.parts.by_ref().map(|part| part.name));
        self.torn = Some(Torn { path, offset: 0, flaw });
        Ok(false)
    }

    /// The end of a file.
    fn close_part(&mut self) -> Result<(), LogError> {
        if self.in_snapshot.is_some() {
            // A snapshot gets its name when it is complete: without its last line it is damaged.
            return self.bad(Flaw::Cut);
        }
        let Some(part) = self.part.take() else { return Ok(()) };
        match part.kind {
            Kind::Segment { .. } => {
                self.position.segment = Some(End { name: part.name, good: self.offset, durable: self.durable });
                self.position.bytes.1 += self.offset;
            }
            Kind::Snapshot { .. } => self.position.bytes.0 = self.offset,
        }
        Ok(())
    }

    /// A line about the log itself. Answers what is wrong with it.
    fn meta(&mut self, meta: Option<Meta>) -> Result<Option<Flaw>, LogError> {
        let kind = self.part.as_ref().map(|part| part.kind);
        let head = match meta {
            Some(Meta::Segment { format, first }) => Some((format, Kind::Segment { first })),
            Some(Meta::Snapshot { format, through }) => Some((format, Kind::Snapshot { through })),
            _ => None,
        };
        match (head, meta, self.in_snapshot) {
            (Some((format, _)), ..) if format > FORMAT => {
                Err(LogError::Format { path: self.path(), found: format, known: FORMAT })
            }
            (head, ..) if (self.offset == 0) != head.is_some() || self.is_ended() => Ok(Some(Flaw::Form)),
            (Some((_, head)), ..) => Ok((Some(head) != kind).then_some(Flaw::Form)),
            (_, Some(Meta::End { lines }), Some(through)) if lines == self.next - 1 => {
                self.snapshot = Some((self.path(), through));
                self.in_snapshot = None;
                self.next = through + 1;
                Ok(None)
            }
            (_, Some(Meta::End { .. }), _) => Ok(Some(Flaw::Form)),
            (_, Some(Meta::Synced(through)), _) if through == self.next - 1 => {
                self.durable = self.offset;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A bad line. Nothing is left to read then.
    fn bad(&mut self, flaw: Flaw) -> Result<(), LogError> {
        let (path, offset) = (self.path(), self.offset);
        if self.reads_snapshot() {
            return Err(LogError::Snapshot { path, offset, line: self.next, flaw });
        }
        let durable = self.durable_later()?;
        if durable && self.damage == Damage::Refuse {
            return Err(LogError::Damaged { path, offset, seq: self.next, flaw, snapshot: self.snapshot.clone() });
        }
        if let Some(part) = self.part.take() {
            self.position.bytes.1 += offset;
            self.position.segment = Some(End { name: part.name, good: offset, durable: self.durable });
        }
        self.torn = Some(Torn { path, offset, flaw });
        Ok(())
    }

    /// Whether a later line knows that the next one was durable.
    fn durable_later(&mut self) -> Result<bool, LogError> {
        let mut rest: Vec<Part> = self.parts.by_ref().collect();
        let names: Vec<String> = rest.iter().map(|part| part.name.clone()).collect();
        self.position.stale.extend(names);
        // What was damaged may be the end of a line: then the next one is part of the bad one.
        let begin = self.buffer.len().saturating_sub(LONGEST_META);
        if (begin.max(1)..self.buffer.len())
            .filter_map(|place| self.buffer.get(place..))
            .any(|line| knows_durable(line, self.next))
        {
            return Ok(true);
        }
        let mut line = Vec::new();
        for part in self.part.as_mut().into_iter().chain(rest.iter_mut()) {
            loop {
                line.clear();
                let read = part.source.read_until(b'\n', &mut line);
                if read.map_err(LogError::io("read", self.dir.join(&part.name)))? == 0 {
                    break;
                }
                if knows_durable(&line, self.next) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Whether a line is one of those that know that line `seq` was durable.
fn knows_durable(line: &[u8], seq: u64) -> bool {
    match line::parse(line).ok().filter(|line| line.seq == 0).and_then(|line| Meta::parse(line.text)) {
        Some(Meta::Synced(through)) => through >= seq,
        Some(Meta::Segment { first, .. }) => first > seq,
        _ => false,
    }
}
