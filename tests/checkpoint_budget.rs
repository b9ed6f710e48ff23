//! The budget for all checkpoints together, through the whole engine: on the disk, in the results, over sessions.

mod common;

use std::path::Path;

use common::live::{Gate, Script, Watch, below, end, numbered, results, run, statuses};
use tryout::prelude::*;

/// Checkpoints of a thousand bytes each, one an iteration.
fn thousand(name: &str, trials: u32, iterations: u64) -> Experiment {
    Experiment::new(name, stepwise::<Thousand>())
        .seed(0)
        .workers(1)
        .batching(Batching::Single)
        .points(numbered(trials))
        .checkpoint_every(1)
        .stop(stop::iterations(iterations))
}

struct Thousand(u64);

impl Trainable for Thousand {
    type Config = Config;

    fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self(0))
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.0 += 1;
        Ok(Step::next([("score", self.0)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.bytes("state", &[self.0 as u8; 1_000])?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.0 = from.bytes("state")?.first().copied().unwrap_or(0).into();
        Ok(())
    }
}

/// The trials and indices of the checkpoints that the results know.
fn kept(results: &Results) -> Vec<(u32, u32)> {
    let all = results.trials().iter().flat_map(|trial| &trial.checkpoints);
    all.map(|checkpoint| (checkpoint.id.trial.number(), checkpoint.id.index)).collect()
}

/// The checkpoints below a run's directory, half ones included.
fn on_disk(root: &Path) -> usize {
    below(root).iter().filter(|path| path.file_name().unwrap().to_string_lossy().contains("checkpoint_")).count()
}

#[test]
fn the_oldest_go_and_what_is_left_can_be_opened() {
    let (root, (watcher, mut watch)) = (tempfile::tempdir().unwrap(), Watch::new());
    let results = results(thousand("budget", 3, 4).checkpoint_budget(4_500).dir(root.path()).observer(watcher));
    watch.finish();
    assert_eq!(kept(&results), [(0, 3), (1, 3), (2, 2), (2, 3)], "trials run one after the other");
    assert_eq!(on_disk(results.dir().unwrap()), 4);
    assert_eq!(watch.about(0).iter().filter(|line| line.starts_with("deleted")).count(), 3);
    assert_eq!(watch.warnings(), Vec::<String>::new());
    for opened in [&results, &Experiment::open(results.dir().unwrap()).unwrap()] {
        for checkpoint in opened.trials().iter().flat_map(|trial| &trial.checkpoints) {
            let state = opened.open_checkpoint(checkpoint.id).unwrap().bytes("state").unwrap();
            assert_eq!(state, [checkpoint.report.iteration() as u8; 1_000]);
        }
        let mut gone = results.trials()[0].checkpoints[0].id;
        gone.index = 0;
        assert!(opened.open_checkpoint(gone).unwrap_err().to_string().contains("checkpoint_000000"));
    }
}

/// What ended trials left goes too, once nothing else is left; the last of a trial that goes on stays, with a warning.
#[test]
fn what_is_needed_stays_and_somebody_is_told() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let script = Script::gated(&gate);
    let handle = script
        .experiment("needed")
        .workers(2)
        .points(numbered(2))
        .checkpoint_every(1)
        .stop(stop::iterations(3))
        .checkpoint_budget(1)
        .observer(watcher)
        .start()
        .unwrap();
    gate.wait_for(2);
    gate.let_pass(2);
    watch.line("warning");
    assert!(watch.lines().iter().all(|line| !line.contains("deleted")), "{:?}", watch.lines());
    gate.open();
    let results = end(handle).unwrap();
    watch.finish();
    assert_eq!(kept(&results).len(), 1, "a single byte is what there is room for");
    let warnings = watch.warnings();
    assert_eq!(warnings.len(), 1, "once: {warnings:?}");
    assert!(warnings[0].contains("checkpoints take 2 bytes, more than the 1 they may take"), "{warnings:?}");
    let none = run(thousand("too-much", 1, 2).checkpoint_budget(10)).unwrap();
    assert_eq!((statuses(&none), kept(&none)), (vec![Status::Terminated], vec![]), "nobody needs it after the end");
}

#[test]
fn a_resumed_run_keeps_within_the_budget_it_is_given() {
    let root = tempfile::tempdir().unwrap();
    let first = results(thousand("resumed", 2, 3).dir(root.path()));
    assert_eq!(kept(&first).len(), 6);
    let dir = first.dir().unwrap();
    let again = Experiment::resume(dir, stepwise::<Thousand>()).unwrap();
    let second = results(again.checkpoint_budget(3_000).extend(stop::iterations(4)));
    assert_eq!(second.trials().iter().map(|trial| trial.failures.len()).sum::<usize>(), 0);
    assert_eq!(kept(&second), [(0, 3), (1, 2), (1, 3)]);
    assert_eq!(on_disk(dir), 3);
    let third = Experiment::resume(dir, stepwise::<Thousand>()).unwrap();
    assert_eq!(kept(&results(third.extend(stop::iterations(5)))).len(), 3, "the budget is remembered");
}

#[test]
fn a_budget_of_nothing_is_refused() {
    let refused = thousand("nothing", 1, 1).checkpoint_budget(0).start().unwrap_err();
    assert_eq!(refused.to_string(), "`checkpoint_budget` is 0, but must be at least 1 byte");
}
