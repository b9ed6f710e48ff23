//! The log in trouble: a full disk and its end, closing with and without patience, files that change while they are read.

#[path = "log_bytes/check.rs"]
#[allow(dead_code)]
mod check;

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use check::{Memory, read};
use tryout::edge::log::{
    Append, Core, Damage, Files, Lines, Log, LogEnd, LogError, LogReader, LogSettings, Notice, SnapshotError,
    take_snapshot,
};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A directory that has space or not.
#[derive(Clone, Debug, Default)]
struct Space {
    memory: Memory,
    full: Arc<AtomicBool>,
    /// So often, something couldn't be written.
    refused: Arc<AtomicU64>,
    /// With so many refusals, there is space again.
    until: Arc<AtomicU64>,
}

impl Space {
    fn fill(&self, until: u64) {
        self.refused.store(0, Ordering::SeqCst);
        self.until.store(until, Ordering::SeqCst);
        self.full.store(true, Ordering::SeqCst);
    }
}

impl Files for Space {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.memory.list()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.memory.read(name)
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(SpaceFile { file: self.memory.append(name)?, space: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.memory.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.memory.sync_names()
    }
}

struct SpaceFile {
    file: Box<dyn Append>,
    space: Space,
}

impl Append for SpaceFile {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.space.full.load(Ordering::SeqCst) {
            return self.file.write(bytes);
        }
        // Something is left half-written.
        self.file.write(&bytes[..bytes.len() / 2])?;
        if self.space.refused.fetch_add(1, Ordering::SeqCst) + 1 >= self.space.until.load(Ordering::SeqCst) {
            self.space.full.store(false, Ordering::SeqCst);
        }
        Err(ErrorKind::StorageFull.into())
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.rewrite(at, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}

type Started = (Log<u32>, LogEnd<u32>, mpsc::Receiver<Notice>);

fn start(space: &Space) -> Started {
    let (notices, heard) = mpsc::channel();
    let encode = |entry: &u32, out: &mut Vec<u8>| out.extend_from_slice(entry.to_string().as_bytes());
    let notice = move |notice| drop(notices.send(notice));
    let (log, end) = Log::start(Arc::new(space.clone()), None, LogSettings::default(), encode, notice).unwrap();
    (log, end, heard)
}

fn lines(space: &Space) -> Vec<String> {
    let (lines, _, torn) = read(&space.memory, Damage::Refuse).unwrap();
    assert_eq!(torn, None);
    lines
}

fn numbers(end: u32) -> Vec<String> {
    (0..end).map(|number| number.to_string()).collect()
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost_when_there_is_space_again() {
    let space = Space::default();
    let (log, end, heard) = start(&space);
    log.append(0);
    let (done, wait) = mpsc::channel();
    log.sync(move || done.send(()).unwrap());
    wait.recv_timeout(LONG).unwrap();
    space.fill(3);
    (1..100).for_each(|number| log.append(number));
    let Notice::Stalled(error) = heard.recv_timeout(LONG).unwrap() else { panic!("it can't be written") };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let (done, wait) = mpsc::channel();
    log.sync(move || done.send(()).unwrap());
    assert!(matches!(heard.recv_timeout(LONG).unwrap(), Notice::Recovered));
    wait.recv_timeout(LONG).unwrap();
    assert_eq!((log.backlog().handed, log.backlog().at_risk()), (100, 0));
    assert_eq!(lines(&space), numbers(100));
    end.close(LONG).unwrap();
    assert_eq!(lines(&space), numbers(100));
}

#[test]
fn closing_tries_again_as_long_as_there_is_patience() {
    let space = Space::default();
    let (log, end, _heard) = start(&space);
    space.fill(4);
    (0..10).for_each(|number| log.append(number));
    end.close(LONG).unwrap();
    assert_eq!(space.refused.load(Ordering::SeqCst), 4);
    assert_eq!(lines(&space), numbers(10));
}

#[test]
fn closing_without_patience_says_what_is_lost_and_leaves_nothing_half_written() {
    let space = Space::default();
    let (log, end, _heard) = start(&space);
    space.fill(u64::MAX);
    (0..10).for_each(|number| log.append(number));
    let (done, wait) = mpsc::channel::<()>();
    // The thread's end is seen by the end of what it holds.
    log.when_durable(move || drop(done));
    let unwritten = end.close(Duration::ZERO).unwrap_err();
    assert_eq!(unwritten.entries, 10);
    assert!(unwritten.to_string().starts_with("10 entries couldn't be written to the journal: "), "{unwritten}");
    assert!(matches!(wait.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected)));
    assert_eq!(lines(&space), numbers(0));
}

#[test]
fn a_log_that_nobody_closes_is_written_and_ends_its_thread() {
    let space = Space::default();
    let (log, end, heard) = start(&space);
    log.append(0);
    drop(end);
    // What hears the notices is dropped with the thread.
    assert!(matches!(heard.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected)));
    assert_eq!(lines(&space), numbers(1));
}

#[test]
fn a_task_waits_for_what_was_handed_over_before_it() {
    let space = Space::default();
    let (log, end, heard) = start(&space);
    space.fill(2);
    log.append(0);
    let (seen, order) = (Arc::new(Mutex::new(Vec::new())), space.clone());
    let into = seen.clone();
    log.when_durable(move || into.lock().unwrap().push(lines(&order)));
    assert!(matches!(heard.recv_timeout(LONG).unwrap(), Notice::Stalled(_)));
    end.close(LONG).unwrap();
    assert_eq!(*seen.lock().unwrap(), [numbers(1)]);
}

#[test]
fn appending_never_waits_even_if_nothing_can_be_written() {
    let space = Space::default();
    let (log, end, _heard) = start(&space);
    space.fill(u64::MAX);
    let logs: Vec<_> = (0..4).map(|_| log.clone()).collect();
    let threads: Vec<_> =
        logs.into_iter().map(|log| thread::spawn(move || (0..1_000).for_each(|number| log.append(number)))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(log.backlog().unwritten(), 4_000);
    space.full.store(false, Ordering::SeqCst);
    end.close(LONG).unwrap();
    assert_eq!(lines(&space).len(), 4_000);
}

/// A log of a snapshot, through line 3, and lines 4 to 6, synced.
fn with_snapshot() -> (Memory, Core) {
    let memory = Memory::default();
    let files: Arc<dyn Files> = Arc::new(memory.clone());
    let mut core = Core::open(files.clone(), None).unwrap();
    (0..3).for_each(|number| core.push(number.to_string().as_bytes()));
    let through = core.rotate().unwrap().unwrap();
    take_snapshot(&files, through, Box::new(copy)).unwrap();
    (3..6).for_each(|number| core.push(number.to_string().as_bytes()));
    core.seal().unwrap();
    (memory, core)
}

fn copy(lines: &mut Lines<'_>, out: &mut dyn FnMut(&[u8])) -> Result<(), String> {
    while let Some(line) = lines.next_line().map_err(|error| error.to_string())? {
        out(line.as_bytes());
    }
    Ok(())
}

#[test]
fn a_snapshot_that_left_lines_out_is_none() {
    let (memory, mut core) = with_snapshot();
    let files: Arc<dyn Files> = Arc::new(memory.clone());
    let through = core.rotate().unwrap().unwrap();
    let before = memory.files().clone();
    let none_read = take_snapshot(&files, through, Box::new(|_, _| Ok(())));
    assert!(matches!(none_read, Err(SnapshotError::Unread(_))), "{none_read:?}");
    assert_eq!(*memory.files(), before, "nothing was removed, and nothing is left");
    // The same if they aren't there: their segment was cut off, where the snapshot's writer takes it for a torn tail.
    memory.files().get_mut("journal-000000000004.jsonl").unwrap().truncate(60);
    let not_there = take_snapshot(&files, through, Box::new(copy));
    assert!(matches!(not_there, Err(SnapshotError::Unread(4..=6))), "{not_there:?}");
}

#[test]
fn a_damaged_snapshot_is_never_half_used() {
    let (memory, _) = with_snapshot();
    let name = "snapshot-000000000003.jsonl";
    let whole = memory.files().get(name).unwrap().clone();
    for place in 0..whole.len() {
        memory.files().get_mut(name).unwrap()[place] ^= 1;
        for damage in [Damage::Refuse, Damage::UseWhatPrecedes] {
            let error = read(&memory, damage).unwrap_err();
            assert!(matches!(&error, LogError::Snapshot { .. }), "{error}");
            assert!(error.to_string().contains("backup"), "{error}");
        }
        memory.files().get_mut(name).unwrap()[place] ^= 1;
    }
    memory.files().get_mut(name).unwrap().truncate(whole.len() - 1);
    assert!(matches!(read(&memory, Damage::UseWhatPrecedes), Err(LogError::Snapshot { .. })));
}

#[test]
fn every_bit_of_a_closed_log_counts_but_those_of_its_last_mark() {
    let (memory, _) = with_snapshot();
    let name = "journal-000000000004.jsonl";
    let whole = memory.files().get(name).unwrap().clone();
    let mark = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for place in 0..whole.len() {
        for bit in 0..8 {
            memory.files().get_mut(name).unwrap()[place] ^= 1 << bit;
            match read(&memory, Damage::Refuse) {
                Ok((lines, _, torn)) if place >= mark => {
                    assert_eq!((lines, torn), (numbers(6), Some(mark as u64)));
                }
                Err(LogError::Damaged { offset, .. }) if place < mark => assert!(offset as usize <= place),
                other => panic!("bit {bit} of byte {place}: {other:?}"),
            }
            memory.files().get_mut(name).unwrap()[place] ^= 1 << bit;
        }
    }
}

#[test]
fn what_precedes_missing_lines_can_be_used() {
    let (memory, mut core) = with_snapshot();
    core.rotate().unwrap();
    core.push(b"6");
    core.seal().unwrap();
    memory.files().remove("journal-000000000004.jsonl");
    assert!(matches!(read(&memory, Damage::Refuse), Err(LogError::Gap { from: 4, to: 6, .. })));
    check::any(&memory.files());
    assert_eq!(read(&memory, Damage::UseWhatPrecedes).unwrap().0, numbers(3));
}

/// A directory whose first listing misses what the writer put in the place of what it removed meanwhile.
#[derive(Debug)]
struct Moved {
    memory: Memory,
    listed: AtomicU64,
}

impl Files for Moved {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = self.memory.list()?;
        if self.listed.fetch_add(1, Ordering::SeqCst) == 0 {
            names.retain(|name| !name.starts_with("snapshot"));
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.memory.read(name)
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        self.memory.append(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.memory.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.memory.sync_names()
    }
}

#[test]
fn a_compaction_during_the_listing_hides_nothing() {
    let (memory, _) = with_snapshot();
    let moved = Moved { memory, listed: AtomicU64::new(0) };
    let mut reader = LogReader::open(&moved, Damage::Refuse).unwrap();
    let mut count = 0;
    while reader.next_line().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn a_file_says_which_it_is_and_where_it_ends() {
    let (memory, _) = with_snapshot();
    let whole = memory.files().clone();
    let (snapshot, segment) = ("snapshot-000000000003.jsonl", "journal-000000000004.jsonl");
    let first_line = |name: &str| whole[name].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let headless = |name: &str| whole[name][first_line(name)..].to_vec();

    memory.files().insert(segment.to_owned(), headless(segment));
    assert!(matches!(read(&memory, Damage::Refuse), Err(LogError::Damaged { offset: 0, seq: 4, .. })));
    *memory.files() = whole.clone();
    memory.files().insert(snapshot.to_owned(), headless(snapshot));
    assert!(matches!(read(&memory, Damage::Refuse), Err(LogError::Snapshot { offset: 0, .. })));
    // What stands behind its last line isn't part of the log.
    let more = headless(segment);
    *memory.files() = whole.clone();
    memory.files().get_mut(snapshot).unwrap().extend_from_slice(&more);
    assert!(matches!(read(&memory, Damage::Refuse), Err(LogError::Snapshot { .. })));
    // Nor does a file begin twice.
    let twice = [&whole[segment][..first_line(segment)], &whole[segment]].concat();
    *memory.files() = whole.clone();
    memory.files().insert(segment.to_owned(), twice);
    assert!(matches!(read(&memory, Damage::Refuse), Err(LogError::Damaged { seq: 4, .. })));
}
