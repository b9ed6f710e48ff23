//! A writer of a log on a bad disk, and what has to hold of what is read from it.

use std::sync::{Arc, Mutex, MutexGuard};

use tryout::edge::log::{Compact, Core, Damage, Files, LogError, LogReader, Position, take_snapshot};

use super::disk::{Death, Disk, Spell};

/// What a writer does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Puts so many lines behind the others.
    Push(u8),
    Write,
    Sync,
    /// Begins a new segment.
    Rotate,
    /// Puts a snapshot in the place of the closed ones; one of the next acts comes after each line that it reads.
    Compact,
    /// Somebody else reads the log.
    Look,
}

/// From the opening of a log to a death, or to its end in good order.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) acts: Vec<Act>,
    pub(super) spells: Vec<Spell>,
    pub(super) dies_after: Option<u64>,
    pub(super) death: Death,
    pub(super) seed: u64,
}

/// The writer, and what it knows of its lines.
struct Writer {
    core: Core,
    life: u64,
    pushed: Vec<u64>,
    /// So many of them.
    written: usize,
    durable: usize,
    closed: Option<u64>,
}

/// The text of a line. Lines have different lengths, and each life its own.
fn text(number: u64, life: u64) -> String {
    format!("{{\"n\":{number},\"life\":{life},\"pad\":\"{}\"}}", "x".repeat((number * 7 % 61) as usize))
}

/// What a read log says.
struct Found {
    /// For each line, the life that it was written in.
    lines: Vec<u64>,
    torn: bool,
    position: Position,
}

/// Reads a log, in which all lines have to stand in order.
fn read(files: &dyn Files) -> Result<Found, LogError> {
    let mut reader = match LogReader::open(files, Damage::Refuse) {
        Err(LogError::Missing { .. }) => {
            return Ok(Found { lines: Vec::new(), torn: false, position: Position::default() });
        }
        opened => opened?,
    };
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line()? {
        take(line, &mut lines);
    }
    Ok(Found { lines, torn: reader.torn().is_some(), position: reader.position() })
}

/// A line of a segment, or of a snapshot, which says the lives of several.
fn take(line: &str, lines: &mut Vec<u64>) {
    let value: serde_json::Value = serde_json::from_str(line).expect("what was written was JSON");
    if let Some(lives) = value.get("lives").and_then(|lives| lives.as_array()) {
        assert_eq!(value["from"].as_u64(), Some(lines.len() as u64), "{line}");
        lines.extend(lives.iter().map(|life| life.as_u64().expect("a number")));
    } else {
        let life = value["life"].as_u64().expect("a number");
        assert_eq!(line, text(lines.len() as u64, life));
        lines.push(life);
    }
}

impl Writer {
    fn push(&mut self, lines: u8) {
        for _ in 0..lines {
            self.core.push(text(self.pushed.len() as u64, self.life).as_bytes());
            self.pushed.push(self.life);
        }
    }

    fn write(&mut self) -> bool {
        let done = self.core.write().is_ok();
        if done {
            self.written = self.pushed.len();
        }
        done
    }

    fn sync(&mut self) -> bool {
        let done = self.core.sync().is_ok();
        // After a failure everything that wasn't durable is written again.
        if done {
            self.durable = self.written
        } else {
            self.written = self.durable
        }
        done
    }

    fn rotate(&mut self) {
        match self.core.rotate() {
            Ok(None) => {}
            Ok(Some(through)) => {
                let all = self.pushed.len();
                assert_eq!(through, all as u64);
                (self.written, self.durable, self.closed) = (all, all, Some(through));
            }
            Err(_) => self.written = self.durable,
        }
    }
}

fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().expect("nothing panicked")
}

/// Does one act. `rest` are those after it, the next one last, of which a compaction takes some.
fn act(disk: &Disk, writer: &Arc<Mutex<Writer>>, act: Act, rest: &mut Vec<Act>) {
    match act {
        Act::Push(lines) => lock(writer).push(lines),
        Act::Write => drop(lock(writer).write()),
        Act::Sync => {
            let mut writer = lock(writer);
            let _ = writer.write() && writer.sync();
        }
        Act::Rotate => lock(writer).rotate(),
        Act::Compact => {
            let Some(through) = lock(writer).closed.take() else { return };
            let meanwhile = std::mem::take(rest);
            let left = Arc::new(Mutex::new(meanwhile));
            let files: Arc<dyn Files> = Arc::new(disk.clone());
            let taken = take_snapshot(&files, through, compact(disk.clone(), writer.clone(), left.clone()));
            if taken.is_err() && lock(writer).closed.is_none() {
                // The next one takes the place of these files too.
                lock(writer).closed = Some(through);
            }
            *rest = std::mem::take(&mut *left.lock().expect("nothing panicked"));
        }
        Act::Look => look(disk, &lock(writer)),
    }
}

/// Five lines become one. After each, the writer goes on.
fn compact(disk: Disk, writer: Arc<Mutex<Writer>>, left: Arc<Mutex<Vec<Act>>>) -> Compact {
    Box::new(move |input, out| {
        let mut lines = Vec::new();
        while let Some(line) = input.next_line().map_err(|error| error.to_string())? {
            take(line, &mut lines);
            let next = left.lock().expect("nothing panicked").pop();
            match next {
                // One compaction at a time.
                Some(Act::Compact) | None => {}
                Some(next) => act(&disk, &writer, next, &mut Vec::new()),
            }
        }
        for (index, lives) in lines.chunks(5).enumerate() {
            out(format!("{{\"from\":{},\"lives\":{lives:?}}}", index * 5).as_bytes());
        }
        Ok(())
    })
}

fn look(disk: &Disk, writer: &Writer) {
    match read(disk) {
        Ok(found) => check(&found, &writer.pushed, writer.written),
        Err(LogError::Io { .. }) => {}
        Err(error) => panic!("a reader beside the writer: {error}"),
    }
}

/// What was found begins what was pushed, with at least so many lines.
fn check(found: &Found, pushed: &[u64], least: usize) {
    let lines = &found.lines;
    assert!(lines.len() >= least, "{} lines of at least {least}", lines.len());
    assert!(pushed.starts_with(lines), "{lines:?} doesn't begin {pushed:?}");
}

/// Opens the log, however often it takes. None if the disk died.
fn open(disk: &Disk, position: Position, lines: &[u64]) -> Option<Core> {
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    let mut position = Some(position);
    for _ in 0..1_000 {
        if let Some(position) = position.take()
            && let Ok(core) = Core::open(files.clone(), Some(position))
        {
            return Some(core);
        }
        if disk.is_dead() {
            return None;
        }
        position = match read(disk) {
            Ok(found) => {
                assert_eq!(found.lines, lines, "opening it changes nothing");
                Some(found.position)
            }
            Err(LogError::Io { .. }) => None,
            Err(error) => panic!("between two openings: {error}"),
        };
    }
    panic!("the disk works sooner or later");
}

/// Lives through all of it. What was durable is there after each death, nothing is doubled, nothing comes back.
pub(super) fn live(lives: &[Life]) {
    let mut disk = Disk::default();
    let mut left = Left::default();
    for (number, life) in lives.iter().enumerate() {
        let found = read(&disk).unwrap_or_else(|error| panic!("before life {number}: {error}"));
        check(&found, &left.pushed, left.least);
        disk.plan(life.spells.clone(), life.dies_after);
        left = one_life(&disk, life, number as u64, found, left.durable);
        disk = disk.after(life.death, life.seed);
    }
    let found = read(&disk).unwrap_or_else(|error| panic!("after the last death: {error}"));
    check(&found, &left.pushed, left.least);
}

/// What a life leaves.
#[derive(Default)]
struct Left {
    pushed: Vec<u64>,
    /// So much of it has to be there.
    least: usize,
    /// So much of it has to be there whatever happens next.
    durable: usize,
}

fn one_life(disk: &Disk, life: &Life, number: u64, found: Found, durable: usize) -> Left {
    let (all, lines) = (found.lines.len(), found.lines);
    let Some(core) = open(disk, found.position, &lines) else {
        let least = if life.death == Death::Process { all } else { durable };
        return Left { pushed: lines, least, durable };
    };
    let writer = Writer { core, life: number, pushed: lines, written: all, durable: all, closed: None };
    assert_eq!(writer.core.next(), all as u64 + 1);
    let writer = Arc::new(Mutex::new(writer));
    let mut rest: Vec<Act> = life.acts.iter().rev().copied().collect();
    while let Some(next) = rest.pop() {
        act(disk, &writer, next, &mut rest);
        if disk.is_dead() {
            break;
        }
    }
    let mut writer = lock(&writer);
    if life.dies_after.is_none() {
        let sealed = (0..1_000).any(|_| writer.core.seal().is_ok());
        assert!(sealed, "the disk works sooner or later");
        disk.plan(Vec::new(), None);
        let found = read(disk).unwrap_or_else(|error| panic!("after its end: {error}"));
        assert_eq!((&found.lines, found.torn), (&writer.pushed, false));
        writer.written = writer.pushed.len();
        writer.durable = writer.written;
    }
    let least = if life.death == Death::Process { writer.written } else { writer.durable };
    Left { pushed: writer.pushed.clone(), least, durable: writer.durable }
}
