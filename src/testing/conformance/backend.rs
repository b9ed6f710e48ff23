//! What every backend must do.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use crate::logic::pool::Slot;
use crate::logic::trial::{BatchEnd, BatchLimits, FirstBatch, TrialInfo, WorkerFact, WorkerOrder};
use crate::ports::backend::{Backend, FactSink, Said, WorkerHandle, WorkerStart};
use crate::ports::store::Store;

/// How long an answer may take before the backend counts as silent. A net under the suite, not a rule.
const PATIENCE: Duration = Duration::from_secs(20);

/// A backend, and configurations that show what it does.
pub struct BackendCase {
    /// The backend. Its trials report the metric `loss`, and go on for at least ten reports.
    pub backend: Box<dyn Backend>,
    /// Where checkpoints go.
    pub store: Arc<dyn Store>,
    /// A configuration that works.
    pub good: Config,
    /// A configuration that the trainable refuses, and the key that its message must name.
    pub bad: Option<(Config, &'static str)>,
    /// A configuration with which the trainable panics at its first step.
    pub panics: Option<Config>,
}

impl std::fmt::Debug for BackendCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendCase").field("backend", &self.backend.name()).finish_non_exhaustive()
    }
}

struct Bench {
    handle: Box<dyn WorkerHandle>,
    said: Receiver<Said>,
    lease: u64,
}

impl Bench {
    fn new(case: &mut BackendCase, worker: u64) -> Self {
        let (sender, said) = channel();
        let elsewhere = case.backend.in_processes();
        let facts = FactSink::new(move |word| match word {
            Said::Placed(process) => assert!(elsewhere, "only a worker in a process of its own says {process}"),
            word => drop(sender.send(word)),
        });
        let start = WorkerStart {
            worker: WorkerId::new(worker),
            slot: Arc::new(Slot::default()),
            facts,
            store: case.store.clone(),
        };
        let handle = case.backend.spawn(start).expect("a worker can be had");
        Self { handle, said, lease: 0 }
    }

    fn tell(&mut self, order: WorkerOrder) {
        self.handle.send(LeaseId::new(self.lease), order);
    }

    /// The next fact, which must carry the lease of the last order.
    fn hear(&self, after: &str) -> WorkerFact {
        match self.said.recv_timeout(PATIENCE) {
            Ok(Said::Fact(lease, fact)) => {
                assert_eq!(lease, LeaseId::new(self.lease), "{after}: a fact carries the lease of its order");
                fact
            }
            other => panic!("{after}: expected a fact, heard {other:?}"),
        }
    }

    fn start(&mut self, number: u32, config: &Config, first: Option<FirstBatch>) {
        self.lease += 1;
        let info = TrialInfo::new(trial(number), "conformance", 1);
        self.tell(WorkerOrder::Start { info, config: Arc::new(config.clone()), first, last: None });
    }

    fn reports(&self, after: &str) -> Vec<u64> {
        match self.hear(after) {
            WorkerFact::Reported(batch) => batch.reports.iter().map(crate::logic::metrics::Report::iteration).collect(),
            other => panic!("{after}: expected a batch, heard {other:?}"),
        }
    }
}

fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(0xc0_4f2), number)
}

fn spare(number: u32) -> CheckpointId {
    CheckpointId { trial: trial(number), index: 0 }
}

fn limits(reports: u32) -> BatchLimits {
    BatchLimits {
        reports: NonZeroU32::new(reports).unwrap_or(NonZeroU32::MIN),
        time: None,
        checkpoint_every: None,
        last_iteration: None,
    }
}

/// Holds what `make` makes against the contract of [`Backend`]: each order is answered once, under its lease, in order.
///
/// # Panics
/// If a rule is broken; the message names it.
pub fn backend(make: impl Fn() -> BackendCase) {
    let mut case = make();
    let mut worker = Bench::new(&mut case, 0);
    let good = case.good.clone();

    worker.start(0, &good, None);
    assert_eq!(worker.hear("start"), WorkerFact::Ready, "a good configuration is ready");
    worker.tell(WorkerOrder::Train { limits: limits(1), spare: spare(0) });
    assert_eq!(worker.reports("train"), [1], "one report, the first");
    worker.tell(WorkerOrder::Train { limits: limits(3), spare: spare(0) });
    assert_eq!(worker.reports("train by three"), [2, 3, 4], "a batch as long as its limit");
    let every = BatchLimits { checkpoint_every: NonZeroU32::new(3), ..limits(100) };
    worker.tell(WorkerOrder::Train { limits: every, spare: spare(0) });
    match worker.hear("train to a checkpoint") {
        WorkerFact::Reported(batch) => {
            assert_eq!(batch.reports.last().map(crate::logic::metrics::Report::iteration), Some(6));
            assert_eq!(batch.end, BatchEnd::CheckpointDue, "a batch ends where a checkpoint is due");
        }
        other => panic!("expected a batch, heard {other:?}"),
    }
    let checkpoint = save(&mut worker);
    worker.tell(WorkerOrder::Release);
    assert_eq!(worker.hear("release"), WorkerFact::Released, "it comes to rest when its trial leaves");

    next_trial(&mut worker, &good, checkpoint);
    worker.tell(WorkerOrder::Shutdown);
    assert_eq!(worker.said.recv_timeout(PATIENCE), Ok(Said::Gone), "it ends when it is asked to");
    assert!(worker.said.recv_timeout(PATIENCE).is_err(), "gone is its last word");
    refusals(&mut case);
}

fn save(worker: &mut Bench) -> Option<Arc<Checkpoint>> {
    worker.tell(WorkerOrder::Save { checkpoint: Some(spare(0)), export: std::sync::Arc::default() });
    match worker.hear("save") {
        WorkerFact::Saved(checkpoint) => checkpoint,
        other => panic!("expected to hear of the save, heard {other:?}"),
    }
}

/// The same worker runs another trial: all counters begin anew, or where the checkpoint was taken.
fn next_trial(worker: &mut Bench, good: &Config, checkpoint: Option<Arc<Checkpoint>>) {
    match checkpoint {
        Some(checkpoint) => {
            worker.start(1, good, None);
            assert_eq!(worker.hear("the second start"), WorkerFact::Ready);
            let iteration = checkpoint.report.iteration();
            assert_eq!(iteration, 6, "a checkpoint knows its report");
            worker.tell(WorkerOrder::Restore { checkpoint });
            assert_eq!(worker.hear("restore"), WorkerFact::Restored);
            worker.tell(WorkerOrder::Train { limits: limits(1), spare: spare(1) });
            assert_eq!(worker.reports("train after a restore"), [7], "it goes on where the checkpoint was taken");
        }
        None => {
            worker.start(1, good, Some(FirstBatch { limits: limits(2), spare: spare(1) }));
            assert_eq!(worker.hear("the second start"), WorkerFact::Ready);
            assert_eq!(worker.reports("the batch that comes with the start"), [1, 2], "a new trial counts anew");
        }
    }
}

fn refusals(case: &mut BackendCase) {
    if let Some((bad, key)) = case.bad.clone() {
        let mut worker = Bench::new(case, 1);
        worker.start(2, &bad, None);
        let fact = match worker.hear("a start with a bad configuration") {
            // A closure reads its configuration when it begins.
            WorkerFact::Ready => {
                worker.tell(WorkerOrder::Train { limits: limits(1), spare: spare(2) });
                worker.hear("train with a bad configuration")
            }
            fact => fact,
        };
        match fact {
            WorkerFact::Failed(fault) => assert!(fault.message.contains(key), "`{fault}` doesn't name `{key}`"),
            other => panic!("a bad configuration was taken: {other:?}"),
        }
    }
    if let Some(panics) = case.panics.clone() {
        let mut worker = Bench::new(case, 2);
        worker.start(3, &panics, Some(FirstBatch { limits: limits(1), spare: spare(3) }));
        assert_eq!(worker.hear("start"), WorkerFact::Ready);
        match worker.hear("a step that panics") {
            WorkerFact::Failed(fault) => {
                assert_eq!(fault.kind, crate::logic::failure::FailureKind::Panic, "a panic is called a panic");
                assert!(fault.place.is_some_and(|place| place.contains(".rs:")), "a panic has a place");
            }
            other => panic!("a panic was answered by {other:?}"),
        }
        worker.tell(WorkerOrder::Shutdown);
        assert_eq!(worker.said.recv_timeout(PATIENCE), Ok(Said::Gone), "a worker that failed still ends when asked");
    }
}
