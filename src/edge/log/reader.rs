//! Reads a log from its beginning, and tells a torn tail from damage in the middle.
//!
//! A line that was being written when the machine died is torn: it, and what follows it, was never acknowledged, so it is
//! dropped. A bad line before which a later line knows that it was durable is damage, and that is an error.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::PathBuf;

use super::error::LogError;
use super::files::Files;
use super::line::{self, FORMAT, Flaw, Line, Meta};

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
    /// The last segment and the length of what is good in it; none if a new one must be begun.
    pub(super) segment: Option<(String, u64)>,
    /// Files that hold nothing that is still needed.
    pub(super) stale: Vec<String>,
    /// Files that are still needed, apart from the last segment: what the next snapshot takes the place of.
    pub(super) closed: Vec<String>,
    /// The bytes of the snapshot, and of all segments.
    pub(super) bytes: (u64, u64),
}

/// A file of a log.
struct Part {
    name: String,
    kind: Kind,
    source: BufReader<Box<dyn Read + Send>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Snapshot { through: u64 },
    Segment { first: u64 },
}

impl Kind {
    pub(super) fn of(name: &str) -> Option<Self> {
        let number = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix(".jsonl")?.parse().ok();
        let snapshot = number("snapshot-").map(|through| Kind::Snapshot { through });
        snapshot.or_else(|| number("journal-").map(|first| Kind::Segment { first }))
    }

    pub(super) fn name(self) -> String {
        match self {
            Kind::Snapshot { through } => format!("snapshot-{through:012}.jsonl"),
            Kind::Segment { first } => format!("journal-{first:012}.jsonl"),
        }
    }
}

/// Reads a log, line by line, in constant memory. Another process may write it at the same time.
pub struct LogReader {
    dir: PathBuf,
    damage: Damage,
    parts: std::vec::IntoIter<Part>,
    part: Option<Part>,
    offset: u64,
    /// The number of the next line of the journal; within a snapshot, that of its next line.
    next: u64,
    in_snapshot: Option<u64>,
    snapshot: Option<(PathBuf, u64)>,
    torn: Option<Torn>,
    buffer: Vec<u8>,
    position: Position,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("dir", &self.dir).field("next", &self.next).finish_non_exhaustive()
    }
}

/// Which files hold the log, and which nothing any more.
fn choose(names: Vec<String>) -> (Vec<(String, Kind)>, Vec<String>) {
    let mut known: Vec<(String, Kind)> = Vec::new();
    let mut stale = Vec::new();
    for name in names {
        match Kind::of(&name) {
            Some(kind) => known.push((name, kind)),
            None if name.ends_with(".tmp") => stale.push(name),
            None => {}
        }
    }
    let through = known.iter().filter_map(|(_, kind)| match kind {
        Kind::Snapshot { through } => Some(*through),
        Kind::Segment { .. } => None,
    });
    let through = through.max();
    let (mut wanted, covered): (Vec<_>, Vec<_>) = known.into_iter().partition(|(_, kind)| match (kind, through) {
        (Kind::Snapshot { through }, newest) => newest == Some(*through),
        (Kind::Segment { first }, Some(through)) => *first > through,
        (Kind::Segment { .. }, None) => true,
    });
    stale.extend(covered.into_iter().map(|(name, _)| name));
    wanted.sort_by_key(|(_, kind)| *kind);
    (wanted, stale)
}

impl LogReader {
    /// Opens the log in a directory.
    ///
    /// # Errors
    /// If there is none, or a file can't be opened.
    pub fn open(files: &dyn Files, damage: Damage) -> Result<Self, LogError> {
        // Who writes it may put a snapshot in the place of files between the listing and the opening.
        let mut tries = 0;
        let (parts, stale) = loop {
            let names = match files.list() {
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                listed => listed.map_err(LogError::io("list", files.path()))?,
            };
            let (wanted, stale) = choose(names);
            let opened: io::Result<Vec<Part>> = wanted
                .into_iter()
                .map(|(name, kind)| {
                    Ok(Part { source: BufReader::with_capacity(1 << 16, files.read(&name)?), name, kind })
                })
                .collect();
            match opened {
                Ok(parts) => break (parts, stale),
                Err(error) if error.kind() == ErrorKind::NotFound && tries < 100 => tries += 1,
                Err(error) => return Err(LogError::io("read", files.path())(error)),
            }
        };
        if parts.is_empty() {
            return Err(LogError::Missing { path: files.path().to_owned() });
        }
        let position = Position { next: 1, segment: None, stale, closed: Vec::new(), bytes: (0, 0) };
        Ok(Self {
            dir: files.path().to_owned(),
            damage,
            parts: parts.into_iter(),
            part: None,
            offset: 0,
            next: 1,
            in_snapshot: None,
            snapshot: None,
            torn: None,
            buffer: Vec::new(),
            position,
        })
    }

    /// The text of the next line; none at the end.
    ///
    /// # Errors
    /// If the log is damaged, or can't be read.
    pub fn next_line(&mut self) -> Result<Option<&str>, LogError> {
        loop {
            if self.torn.is_some() || (self.part.is_none() && !self.open_part()?) {
                return Ok(None);
            }
            let length = self.fill()?;
            if length == 0 {
                self.close_part()?;
                continue;
            }
            let numbered = match line::parse(&self.buffer) {
                Ok(Line { seq: 0, text }) => {
                    let meta = Meta::parse(text);
                    self.meta(meta)?;
                    false
                }
                Ok(Line { seq, .. }) if seq == self.next => {
                    self.next += 1;
                    true
                }
                Ok(Line { seq, .. }) => {
                    self.bad(Flaw::Number(seq))?;
                    continue;
                }
                Err(flaw) => {
                    self.bad(flaw)?;
                    continue;
                }
            };
            self.offset += length as u64;
            if numbered {
                break;
            }
        }
        // Parsed twice for the borrow's sake would be a waste: where the text stands follows from the line's form.
        let text = line::parse(&self.buffer).map(|line| line.text).unwrap_or_default();
        Ok(Some(text))
    }

    /// Whether this is the next line.
    pub fn is_at(&self, line: u64) -> bool {
        self.is_beyond(line.saturating_sub(1))
    }

    /// Whether all lines through this one have been read.
    pub(super) fn is_beyond(&self, through: u64) -> bool {
        self.in_snapshot.is_none() && self.part.is_some() && self.next > through
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
        self.offset = 0;
        match part.kind {
            Kind::Snapshot { through } => {
                self.in_snapshot = Some(through);
                self.next = 1;
            }
            Kind::Segment { first } if first != self.next => {
                return Err(LogError::Gap { path: self.dir.clone(), from: self.next, to: first.saturating_sub(1) });
            }
            Kind::Segment { .. } => {}
        }
        self.part = Some(part);
        Ok(true)
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
                if let Some((name, _)) = self.position.segment.replace((part.name, self.offset)) {
                    self.position.closed.push(name);
                }
                self.position.bytes.1 += self.offset;
            }
            Kind::Snapshot { .. } => {
                self.position.closed.push(part.name);
                self.position.bytes.0 = self.offset;
            }
        }
        Ok(())
    }

    fn meta(&mut self, meta: Option<Meta>) -> Result<(), LogError> {
        match (meta, self.in_snapshot) {
            (Some(Meta::Segment { format, .. } | Meta::Snapshot { format, .. }), _) if format > FORMAT => {
                Err(LogError::Format { path: self.path(), found: format, known: FORMAT })
            }
            (Some(Meta::End { lines }), Some(through)) if lines == self.next - 1 => {
                self.snapshot = Some((self.path(), through));
                self.in_snapshot = None;
                self.next = through + 1;
                Ok(())
            }
            (Some(Meta::End { .. }), _) => self.bad(Flaw::Number(0)),
            _ => Ok(()),
        }
    }

    /// A bad line. Nothing is left to read then.
    fn bad(&mut self, flaw: Flaw) -> Result<(), LogError> {
        let (path, offset) = (self.path(), self.offset);
        let durable = self.in_snapshot.is_some() || self.durable_later()?;
        let segment = self.part.take().filter(|_| self.in_snapshot.is_none()).map(|part| part.name);
        self.position.stale.extend(self.parts.by_ref().map(|part| part.name));
        if durable && self.damage == Damage::Refuse {
            return Err(LogError::Damaged { path, offset, seq: self.next, flaw, snapshot: self.snapshot.clone() });
        }
        if let Some(name) = segment {
            self.position.bytes.1 += offset;
            if let Some((closed, _)) = self.position.segment.replace((name, offset)) {
                self.position.closed.push(closed);
            }
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
        let inside =
            self.buffer.windows(2).enumerate().skip(1).filter(|(_, pair)| pair == b"[\"").map(|(place, _)| place);
        if inside.filter_map(|place| self.buffer.get(place..)).any(|line| knows_durable(line, self.next)) {
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
