//! A real process runs a real experiment and is killed at a chosen write, sync, rename, removal or checkpoint; the next one
//! goes on, and ends as if nothing had happened.

mod edits;
mod killer;
#[path = "../common/live/mod.rs"]
mod live;
mod work;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tryout::prelude::*;
use work::{Kind, experiment};

/// What a trial came to.
type Outcome = (String, Status, u64, Option<f64>, Option<Ending>);

fn outcome(results: &Results) -> Vec<Outcome> {
    let loss = |trial: &TrialRecord| trial.last.as_ref().and_then(|last| last.number("loss"));
    let one = |trial: &TrialRecord| (trial.config.to_string(), trial.status, trial.reported, loss(trial), trial.ending);
    results.trials().iter().map(one).collect()
}

/// Runs the child until it is killed at operation `at`, or to its end. Answers whether it was killed, and what it had
/// acknowledged by then.
fn run_child(dir: &Path, kind: Kind, at: u64) -> (bool, Vec<(u32, u64, f64)>) {
    let acknowledged = dir.join("acknowledged");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("TRYOUT_CRASH_DIR", dir)
        .env("TRYOUT_CRASH_AT", at.to_string())
        .env("TRYOUT_CRASH_KIND", kind.name())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status()
        .unwrap();
    let text = std::fs::read_to_string(acknowledged).unwrap_or_default();
    // The last line may be torn: then nobody was told.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap();
        (word().parse().unwrap(), word().parse().unwrap(), word().parse().unwrap())
    };
    (!status.success(), lines.map(parse).collect())
}

/// The child's whole life; not a test of its own.
#[test]
#[ignore = "run by the others, in a process of its own"]
fn child() {
    let Ok(dir) = std::env::var("TRYOUT_CRASH_DIR") else { return };
    let at: u64 = std::env::var("TRYOUT_CRASH_AT").unwrap().parse().unwrap();
    let kind = Kind::named(&std::env::var("TRYOUT_CRASH_KIND").unwrap());
    work::run_and_die(Path::new(&dir), kind, at);
}

/// So many processes are killed, at places spread over the whole run: with all kinds together more than 200.
const KILLS: u64 = 55;

/// Runs a child in a new directory and has it killed at about operation `at`. Answers the operation, too.
///
/// How many lines go into one write depends on the disk's speed: a run may end before it has come to `at`. Then another is
/// killed earlier.
fn kill_child(kind: Kind, mut at: u64) -> (TempDir, u64, Vec<(u32, u64, f64)>) {
    loop {
        let dir = TempDir::new().unwrap();
        let (killed, acknowledged) = run_child(dir.path(), kind, at);
        if killed {
            return (dir, at, acknowledged);
        }
        at = at.min(operations(dir.path())) * 3 / 4 + 1;
    }
}

/// How many operations a child that came to its end has counted.
fn operations(dir: &Path) -> u64 {
    std::fs::read_to_string(dir.join("operations")).unwrap().parse().unwrap()
}

fn killed_and_resumed(kind: Kind) {
    let whole = TempDir::new().unwrap();
    let expected = outcome(&experiment(whole.path(), kind).run().unwrap());
    assert!(expected.iter().any(|trial| trial.4 == Some(Ending::Scheduler)), "somebody is stopped: {expected:?}");
    let counted = TempDir::new().unwrap();
    assert!(!run_child(counted.path(), kind, u64::MAX).0, "nobody kills this one");
    let operations = operations(counted.path());
    let mut resumed = 0;
    for point in 1..=KILLS {
        let (dir, at, acknowledged) = kill_child(kind, point * operations * 4 / 5 / KILLS + 1);
        let run = dir.path().join("crash");
        resumed += u64::from(Experiment::can_resume(&run));
        let before = acknowledged.is_empty() || Experiment::open(&run).is_ok();
        assert!(before, "{kind:?} killed at {at}: acknowledged results are gone");
        let results = experiment(dir.path(), kind).existing(Existing::Resume).run().unwrap();
        assert_eq!(outcome(&results), expected, "{kind:?} killed at {at}");
        let mut there: BTreeMap<(u32, u64), f64> = BTreeMap::new();
        for (number, trial) in (0..).zip(results.trials()) {
            assert_eq!(trial.id.number(), number);
            for (iteration, report) in (1..).zip(&trial.history) {
                assert_eq!(report.iteration(), iteration, "{kind:?} killed at {at}: trial {number}");
                there.insert((number, iteration), report.number("loss").unwrap());
            }
        }
        for (trial, iteration, loss) in acknowledged {
            assert_eq!(there.get(&(trial, iteration)), Some(&loss), "{kind:?} killed at {at}: {trial} at {iteration}");
        }
        // And what is written of it says the same to whoever only looks.
        assert_eq!(outcome(&Experiment::open(&run).unwrap()), expected, "{kind:?} killed at {at}");
        // No orphan is left: what is there of checkpoints is what the results know.
        for trial in results.trials() {
            let known: Vec<String> = trial.checkpoints.iter().map(|kept| kept.id.directory()).collect();
            let mut found: Vec<String> = std::fs::read_dir(run.join(trial.id.to_string()))
                .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
                .unwrap_or_default();
            found.sort();
            assert_eq!(found, known, "{kind:?} killed at {at}: checkpoints of trial {}", trial.id);
        }
    }
    // Those that were killed before there was a journal began anew.
    assert!(resumed > KILLS / 2, "{resumed} of {KILLS} resumed, {operations} operations");
}

#[test]
fn killed_at_any_write_of_a_journal_that_syncs_in_groups() {
    killed_and_resumed(Kind::Group);
}

#[test]
fn killed_at_any_write_of_a_journal_that_syncs_every_event() {
    killed_and_resumed(Kind::Every);
}

#[test]
fn killed_at_any_write_of_a_journal_that_is_compacted_all_the_time() {
    killed_and_resumed(Kind::Compacting);
}

#[test]
fn killed_at_any_step_of_a_checkpoint() {
    killed_and_resumed(Kind::Checkpoints);
}
