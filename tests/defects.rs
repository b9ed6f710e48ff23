//! Defects of ours: a panic in an actor or in the journal's writer ends the run in order. What is known comes with the
//! error, workers are ended, the journal is whole, and the next session goes on.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::StreamExt;
use futures::executor::block_on;
use tempfile::TempDir;
use tryout::actors::messages::Panic;
use tryout::edge::log::{Append, DirFiles, Files};
use tryout::logic::ids::TrialId;
use tryout::prelude::*;

const TRIALS: usize = 4;
const REPORTS: u64 = 30;

/// What the trials and the disk of a run are told, and how many trials are at work.
#[derive(Clone, Debug, Default)]
struct World {
    finish: Arc<AtomicBool>,
    disk_breaks: Arc<AtomicBool>,
    at_work: Arc<AtomicUsize>,
}

/// A trial that is at work as long as this exists.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn begin(at_work: &Arc<AtomicUsize>) -> Self {
        at_work.fetch_add(1, Ordering::SeqCst);
        Self(at_work.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl World {
    /// Trials that report for ever, or, once they may finish, thirty times.
    fn experiment(&self, dir: &Path) -> Experiment {
        let world = self.clone();
        let work = function("work", move |config: Config, trial| {
            let _at_work = AtWork::begin(&world.at_work);
            let x = config.number("x").unwrap_or(0.0);
            for step in 1.. {
                if world.finish.load(Ordering::SeqCst) && step > REPORTS {
                    break;
                }
                trial.report([("loss", x / step as f64)])?;
            }
            Ok(())
        });
        let breaks = self.disk_breaks.clone();
        Experiment::new("defect", work)
            .seed(0)
            .space(Space::new().with("x", uniform(0.0, 1.0)))
            .samples(TRIALS as u64)
            .objective(Objective::min("loss"))
            .batching(Batching::Single)
            .workers(2)
            .dir(dir)
            .journal_files(move |dir| Arc::new(Disk { inner: DirFiles::new(dir), breaks: breaks.clone() }))
    }

    /// Has a run come to a bad end, looks at what is left of it, and lets the next session go on.
    fn survives(&self, who: &str, cause: impl FnOnce(&ExperimentHandle, TrialId)) {
        let dir = TempDir::new().unwrap();
        let handle = self.experiment(dir.path()).start().unwrap();
        let mut events = handle.events(1_000_000);
        let trial = block_on(reported(&mut events, 10));
        cause(&handle, trial);
        let Err(RunError::Lost { why, results: Some(results) }) = handle.wait_blocking() else {
            panic!("{who}: a panic is the end of a run");
        };
        assert!(why.contains(who) && why.contains("panicked"), "{who}: {why}");
        assert_eq!(self.at_work.load(Ordering::SeqCst), 0, "{who}: all workers have ended");
        assert_eq!((results.trials().len(), results.outcome()), (TRIALS, &Outcome::Unfinished), "{who}");
        let reports = results.totals().reports;
        assert!(reports >= 10, "{who}: {reports}");

        let stored = Experiment::open(dir.path().join("defect")).unwrap();
        assert_eq!(stored.outcome(), &Outcome::Unfinished, "{who}");
        let writer_broke = self.disk_breaks.swap(false, Ordering::SeqCst);
        assert!(stored.totals().reports == reports || writer_broke, "{who}: {reports} reports were known");

        self.finish.store(true, Ordering::SeqCst);
        let results = self.experiment(dir.path()).existing(Existing::Resume).run().unwrap();
        assert_eq!(results.outcome(), &Outcome::Completed, "{who}");
        assert_eq!(results.count(Status::Terminated), TRIALS, "{who}");
        self.finish.store(false, Ordering::SeqCst);
    }
}

/// Waits for so many reports; answers the trial of the last.
async fn reported(events: &mut EventStream, mut many: u32) -> TrialId {
    while let Some(seen) = events.next().await {
        if let Seen::Event(event) = seen
            && let EventKind::Reported { report } = &event.kind
        {
            many -= 1;
            if many == 0 {
                return report.trial;
            }
        }
    }
    panic!("the run ended before there were enough reports");
}

#[test]
fn a_panic_in_any_actor_ends_the_run_and_loses_nothing() {
    let world = World::default();
    type Target = fn(TrialId) -> Panic;
    let targets: [(&str, Target); 4] = [
        ("the controller", |_| Panic::Controller),
        ("the supervisor", |_| Panic::Supervisor),
        ("the actor of a trial", Panic::Trial),
        ("the actor of a worker", Panic::Worker),
    ];
    for (who, target) in targets {
        world.survives(who, |handle, trial| block_on(handle.controller().send(target(trial))).unwrap());
    }
}

#[test]
fn a_panic_of_the_journals_writer_ends_the_run_and_loses_only_what_it_had_not_written() {
    let world = World::default();
    world.survives("the writer of the journal", |handle, _| {
        block_on(handle.sync()).unwrap();
        world.disk_breaks.store(true, Ordering::SeqCst);
    });
}

#[test]
fn after_a_panic_nothing_is_taken_on_and_questions_are_answered() {
    let (world, dir) = (World::default(), TempDir::new().unwrap());
    let handle = world.experiment(dir.path()).start().unwrap();
    let (control, mut events) = (handle.control(), handle.events(1_000_000));
    block_on(reported(&mut events, 2));
    // Both are in the mailbox before the end can be.
    let controller = control.controller();
    controller.do_send(Panic::Controller);
    let order = block_on(control.stop());
    assert!(matches!(order, Err(ControlError::Over | ControlError::Refused(_))), "{order:?}");
    assert!(matches!(handle.wait_blocking(), Err(RunError::Lost { .. })));
}

/// A directory whose files panic when they are told to.
#[derive(Debug)]
struct Disk {
    inner: DirFiles,
    breaks: Arc<AtomicBool>,
}

struct DiskFile {
    inner: Box<dyn Append>,
    breaks: Arc<AtomicBool>,
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
        Ok(Box::new(DiskFile { inner: self.inner.append(name)?, breaks: self.breaks.clone() }))
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
        assert!(!self.breaks.load(Ordering::SeqCst), "a driver's defect");
        self.inner.write(bytes)
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.rewrite(at, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }
}
