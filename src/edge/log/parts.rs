//! The files that a log is made of: which hold it, and which nothing any more.

use std::io::{self, BufReader, ErrorKind, Read};

use super::error::LogError;
use super::files::Files;

/// So often, a log that is changed while it is opened is opened again.
const TRIES: u32 = 100;

/// No log has so many lines: a name with a greater number isn't ours.
const MOST: u64 = 1 << 60;

/// A file of a log.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) source: BufReader<Box<dyn Read + Send>>,
}

impl Part {
    fn open(files: &dyn Files, name: &str, kind: Kind) -> io::Result<Self> {
        let source = BufReader::with_capacity(1 << 16, files.read(name)?);
        Ok(Self { name: name.to_owned(), kind, source })
    }
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
        let kind = snapshot.or_else(|| number("journal-").map(|first| Kind::Segment { first }));
        kind.filter(|kind| kind.name() == name && kind.number() < MOST)
    }

    fn number(self) -> u64 {
        match self {
            Kind::Snapshot { through: number } | Kind::Segment { first: number } => number,
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Kind::Snapshot { through } => format!("snapshot-{through:012}.jsonl"),
            Kind::Segment { first } => format!("journal-{first:012}.jsonl"),
        }
    }
}

/// Which files hold the log, and which nothing any more.
pub(super) fn choose(names: Vec<String>) -> (Vec<(String, Kind)>, Vec<String>) {
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

fn list(files: &dyn Files) -> Result<Vec<String>, LogError> {
    match files.list() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(LogError::io("list", files.path())),
    }
}

/// Opens the files that hold a log. Answers them, and the names of those that hold nothing any more.
pub(super) fn open(files: &dyn Files) -> Result<(Vec<Part>, Vec<String>), LogError> {
    // Who writes it may put a snapshot in the place of files while they are listed and opened.
    let mut tries = 0;
    loop {
        let (wanted, stale) = choose(list(files)?);
        let open = |(name, kind): &(String, Kind)| {
            Part::open(files, name, *kind).map_err(|error| (files.path().join(name), error))
        };
        let opened: Result<Vec<Part>, _> = wanted.iter().map(open).collect();
        tries += 1;
        match opened {
            Ok(_) if tries < TRIES && choose(list(files)?).0 != wanted => {}
            Ok(parts) => return Ok((parts, stale)),
            Err((_, error)) if error.kind() == ErrorKind::NotFound && tries < TRIES => {}
            Err((path, error)) => return Err(LogError::io("read", path)(error)),
        }
    }
}
