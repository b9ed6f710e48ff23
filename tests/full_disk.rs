//! A disk that is full, or broken, for a while: the run waits and says why, nothing is half-written, and it goes on.

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use tempfile::TempDir;
use tryout::edge::log::{Append, DirFiles, Files};
use tryout::logic::event::Outcome;
use tryout::prelude::*;

/// A directory on a disk that is full as long as it is told to be.
#[derive(Debug)]
struct Disk {
    inner: DirFiles,
    full: Arc<AtomicBool>,
}

struct DiskFile {
    inner: Box<dyn Append>,
    full: Arc<AtomicBool>,
}

fn room(full: &AtomicBool) -> io::Result<()> {
    if full.load(Ordering::SeqCst) { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
}

impl Files for Disk {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.inner.read(name)
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(DiskFile { inner: self.inner.append(name)?, full: self.full.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.inner.sync_names()
    }
}

impl Append for DiskFile {
    fn length(&mut self) -> io::Result<u64> {
        self.inner.length()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if room(&self.full).is_err() {
            // The last bytes that fit.
            return self
                .inner
                .write(bytes.get(..bytes.len().min(7)).unwrap_or_default())
                .and(room(&self.full).map(|()| 0));
        }
        self.inner.write(bytes)
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        room(&self.full)?;
        self.inner.rewrite(at, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }
}

fn experiment(dir: &Path, full: &Arc<AtomicBool>, durability: Durability) -> Experiment {
    let work = function("work", |config: Config, trial| {
        let x = config.number("x").unwrap_or(0.0);
        for step in 1..=2_000 {
            trial.report([("loss", x / f64::from(step))])?;
        }
        Ok(())
    });
    let full = full.clone();
    Experiment::new("full", work)
        .seed(0)
        .space(Space::new().with("x", uniform(0.0, 1.0)))
        .samples(6)
        .objective(Objective::min("loss"))
        .batching(Batching::Single)
        .workers(2)
        .durability(durability)
        .dir(dir)
        .journal_files(move |dir| Arc::new(Disk { inner: DirFiles::new(dir), full: full.clone() }))
}

/// Waits for a warning with these words; the last of what it passes over is a report.
async fn warned(events: &mut EventStream, words: &str) {
    while let Some(seen) = events.next().await {
        if let Seen::Event(event) = seen
            && let EventKind::Warning { message } = &event.kind
            && message.contains(words)
        {
            return;
        }
    }
    panic!("nobody said `{words}`");
}

#[test]
fn a_full_disk_holds_the_run_until_there_is_room() {
    let dir = TempDir::new().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let handle = experiment(dir.path(), &full, Durability::default()).start().unwrap();
    let mut events = handle.events(1_000_000);
    block_on(handle.sync()).unwrap();
    full.store(true, Ordering::SeqCst);
    block_on(warned(&mut events, "can't be written"));
    let status = block_on(handle.status()).unwrap();
    let held = status.held.expect("results wait, and it says why");
    assert!(held.contains("journal can't be written"), "{held}");
    assert!(status.journal.expect("there is a journal").unwritten() > 0);
    // Nothing moves: what is asked twice is answered the same.
    let reports = block_on(handle.status()).unwrap().totals.reports;
    assert_eq!(block_on(handle.status()).unwrap().totals.reports, reports);
    // What is on the disk by now is whole, and can be looked at.
    let seen = Experiment::open(dir.path().join("full")).unwrap();
    assert!(seen.totals().reports <= reports);
    full.store(false, Ordering::SeqCst);
    block_on(warned(&mut events, "can be written again"));
    let results = handle.wait_blocking().unwrap();
    assert_eq!((results.outcome(), results.totals().reports), (&Outcome::Completed, 12_000));
    let opened = Experiment::open(dir.path().join("full")).unwrap();
    assert_eq!((opened.outcome(), opened.totals().reports), (&Outcome::Completed, 12_000));
}

#[test]
fn a_run_can_be_stopped_while_the_disk_is_full_and_resumed_when_it_is_not() {
    for durability in [Durability::default(), Durability::EveryEvent] {
        let dir = TempDir::new().unwrap();
        let full = Arc::new(AtomicBool::new(false));
        let handle = experiment(dir.path(), &full, durability).patience(Duration::ZERO).start().unwrap();
        let mut events = handle.events(1_000_000);
        block_on(handle.sync()).unwrap();
        full.store(true, Ordering::SeqCst);
        if durability == Durability::default() {
            block_on(warned(&mut events, "can't be written"));
        }
        block_on(handle.stop()).unwrap();
        match handle.wait_blocking() {
            Err(RunError::Unwritten { why, results }) => {
                assert!(why.entries > 0 && results.trials().len() == 6, "{why}");
            }
            other => panic!("{durability:?}: not everything can have been written: {other:?}"),
        }
        full.store(false, Ordering::SeqCst);
        let results = experiment(dir.path(), &full, durability).existing(Existing::Resume).run().unwrap();
        assert_eq!((results.outcome(), results.totals().reports), (&Outcome::Completed, 12_000), "{durability:?}");
    }
}
