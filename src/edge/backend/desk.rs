//! What every worker keeps on its desk: the trial it works for, its counters, the batch in the making.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::metrics::{Counters, Metrics, Report};
use crate::logic::trial::{Batch, BatchEnd, BatchLimits, TrialInfo, WorkerFact};
use crate::ports::backend::FactSink;
use crate::ports::store::{CheckpointReader, CheckpointWriter, Store};
use crate::ports::trainable::Wish;

/// Reads the machine's clocks: one call for both the duration of a step and the time of day.
#[derive(Clone, Copy, Debug)]
struct WallClock {
    anchor: Instant,
    unix: f64,
}

impl WallClock {
    fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        Self { anchor: Instant::now(), unix }
    }

    fn at(&self, instant: Instant) -> f64 {
        self.unix + instant.saturating_duration_since(self.anchor).as_secs_f64()
    }
}

/// The state of a worker that doesn't depend on what kind of trainable it has.
#[derive(Debug)]
pub(super) struct Desk {
    facts: FactSink,
    store: Arc<dyn Store>,
    clock: WallClock,
    pub(super) info: Option<TrialInfo>,
    counters: Counters,
    limits: BatchLimits,
    spare: Option<CheckpointId>,
    reports: Vec<Report>,
    /// Kept for checkpoints that are written between two reports.
    last: Option<Report>,
    began: Instant,
    step_began: Instant,
    capacity: usize,
}

impl Desk {
    pub(super) fn new(facts: FactSink, store: Arc<dyn Store>) -> Self {
        let now = Instant::now();
        Self {
            facts,
            store,
            clock: WallClock::start(),
            info: None,
            counters: Counters::default(),
            limits: BatchLimits::SINGLE,
            spare: None,
            reports: Vec::new(),
            last: None,
            began: now,
            step_began: now,
            capacity: 1,
        }
    }

    pub(super) fn say(&self, lease: LeaseId, fact: WorkerFact) {
        self.facts.fact(lease, fact);
    }

    /// A new trial: all counters from the beginning.
    pub(super) fn begin_trial(&mut self, info: TrialInfo) {
        self.info = Some(info);
        self.counters = Counters::default();
        self.last = None;
        self.reports = Vec::new();
        self.capacity = 1;
    }

    pub(super) fn trial(&self) -> Option<TrialId> {
        self.info.as_ref().map(|info| info.id)
    }

    pub(super) fn iteration(&self) -> u64 {
        self.counters.training_iteration
    }

    /// The trial goes on from a checkpoint.
    pub(super) fn continue_from(&mut self, checkpoint: &Checkpoint) {
        self.counters = checkpoint.report.counters.restored();
        self.last = Some(checkpoint.report.clone());
    }

    /// A new batch begins.
    pub(super) fn begin_batch(&mut self, limits: BatchLimits, spare: CheckpointId) {
        self.limits = limits;
        self.spare = Some(spare);
        self.began = Instant::now();
        self.step_began = self.began;
        self.reports = Vec::with_capacity(self.capacity.min(limits.reports.get() as usize));
    }

    /// Takes one report; says whether the batch ends with it.
    pub(super) fn take(&mut self, metrics: Metrics, wish: Wish) -> Option<BatchEnd> {
        let trial = self.trial()?;
        let now = Instant::now();
        let took = now.saturating_duration_since(self.step_began);
        self.step_began = now;
        let report = self.counters.stamp(trial, metrics, took, self.clock.at(now));
        let due = self.limits.checkpoint_due(report.iteration());
        self.reports.push(report);
        match wish {
            Wish::End => Some(BatchEnd::Done),
            Wish::Save => Some(BatchEnd::CheckpointDue),
            Wish::GoOn if due => Some(BatchEnd::CheckpointDue),
            Wish::GoOn => self.at_limit(now.saturating_duration_since(self.began)).then_some(BatchEnd::Limit),
        }
    }

    fn at_limit(&self, elapsed: Duration) -> bool {
        self.reports.len() >= self.limits.reports.get() as usize
            || self.limits.time.is_some_and(|limit| elapsed >= limit)
    }

    pub(super) fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// The batch as it is.
    pub(super) fn end_batch(&mut self, end: BatchEnd, handed_in: Option<Arc<Checkpoint>>) -> WorkerFact {
        let reports = std::mem::take(&mut self.reports);
        self.capacity = reports.len().max(1);
        if let Some(last) = reports.last() {
            self.last = Some(last.clone());
        }
        WorkerFact::Reported(Batch { reports, end, handed_in, over: None })
    }

    /// Begins a checkpoint under the name that the trial gave for one.
    pub(super) fn begin_spare(&mut self) -> Result<(CheckpointId, CheckpointWriter), Fault> {
        let id = self
            .spare
            .take()
            .ok_or_else(|| Fault::new(FailureKind::SaveFailed, "only one checkpoint can be handed in with a report"))?;
        Ok((id, self.begin_checkpoint(id)?))
    }

    pub(super) fn begin_checkpoint(&self, id: CheckpointId) -> Result<CheckpointWriter, Fault> {
        let draft = self.store.begin(id).map_err(|error| Fault::new(FailureKind::SaveFailed, error_chain(&error)))?;
        Ok(CheckpointWriter::new(draft))
    }

    /// Makes a checkpoint complete. `report` is the one it belongs to; without it, the last that was handed in.
    pub(super) fn complete(&self, id: CheckpointId, writer: CheckpointWriter) -> Result<Arc<Checkpoint>, Fault> {
        let bytes = writer.commit().map_err(|error| Fault::new(FailureKind::SaveFailed, error_chain(&error)))?;
        let report = self.reports.last().or(self.last.as_ref()).cloned();
        let report = report.unwrap_or_else(|| Report::empty(id.trial));
        Ok(Arc::new(Checkpoint { id, report, bytes }))
    }

    pub(super) fn open(&self, id: CheckpointId) -> Result<CheckpointReader, Fault> {
        let stored =
            self.store.open(id).map_err(|error| Fault::new(FailureKind::RestoreFailed, error_chain(&error)))?;
        Ok(CheckpointReader::new(stored))
    }

    pub(super) fn export_directory(&self, trial: TrialId) -> Result<std::path::PathBuf, Fault> {
        let failed = |error| Fault::new(FailureKind::ExportFailed, error_chain(&error));
        self.store.export_directory(trial).map_err(failed)
    }

    pub(super) fn exported(&self, trial: TrialId) -> Result<(), Fault> {
        self.store.exported(trial).map_err(|error| Fault::new(FailureKind::ExportFailed, error_chain(&error)))
    }
}

/// For trials whose reports are made in processes of their own.
#[cfg(all(feature = "process", target_os = "linux"))]
impl Desk {
    /// Takes a report that was made elsewhere: it took so long, and was made at that time of day, in seconds since 1970.
    pub(super) fn take_made(&mut self, metrics: Metrics, took: Duration, made: f64) -> Option<&Report> {
        let report = self.counters.stamp(self.trial()?, metrics, took, made);
        self.reports.push(report);
        self.reports.last()
    }

    /// How many reports the batch may have, so that it ends with the next checkpoint that is due.
    pub(super) fn room(&self) -> u32 {
        let most = self.limits.reports.get();
        self.limits.checkpoint_every.map_or(most, |every| {
            let every = u64::from(every.get());
            let left = every - self.counters.training_iteration % every;
            most.min(u32::try_from(left).unwrap_or(u32::MAX))
        })
    }

    pub(super) fn limits(&self) -> BatchLimits {
        self.limits
    }

    /// Seconds of work in all reports so far.
    pub(super) fn worked(&self) -> f64 {
        self.counters.time_total_s
    }
}
