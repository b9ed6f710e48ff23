//! What every worker has around its trainable: the machine that holds the rules, a clock, the store, and where facts go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::lease::Leases;
#[cfg(all(feature = "process", unix))]
use crate::edge::deadline;
use crate::edge::host;
use crate::logic::checkpoint::CheckpointId;
#[cfg(all(feature = "process", unix))]
use crate::logic::event::Process;
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::time::Moment;
use crate::logic::trial::{Rests, TrialInfo, WorkerOrder};
#[cfg(all(feature = "process", unix))]
use crate::logic::worker::Limits;
use crate::logic::worker::{Call, Worker, WorkerInput, WorkerOutput};
use crate::ports::backend::FactSink;
use crate::ports::error::{NotExported, Stopped, TrialError};
use crate::ports::store::{CheckpointReader, CheckpointWriter, Store, StoreError};

/// A worker but for its trainable.
#[derive(Debug)]
pub(in crate::edge) struct WorkerContext {
    worker: Worker,
    facts: FactSink,
    store: Arc<dyn Store>,
    leases: Leases,
    began: Instant,
    /// What the trainable is to do next, or is just doing.
    call: Option<Call>,
    hurry: bool,
    out: Vec<WorkerOutput>,
}

impl WorkerContext {
    pub(in crate::edge) fn new(rests: Rests, facts: FactSink, store: Arc<dyn Store>, leases: Leases) -> Self {
        Self {
            worker: Worker::new(rests, host::since_1970().as_secs_f64()),
            facts,
            store,
            leases,
            began: Instant::now(),
            call: None,
            hurry: false,
            out: Vec::new(),
        }
    }

    /// The same with limits that it watches over.
    #[cfg(all(feature = "process", unix))]
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        Self { worker: self.worker.with_limits(limits), ..self }
    }

    /// Says in which process its trials are from now on. A process that doesn't say where it is is on this machine.
    #[cfg(all(feature = "process", unix))]
    pub(super) fn placed(&self, pid: u32, host: Option<&str>) {
        self.facts.placed(Process { pid, host: host.map(Arc::from).or_else(host::name) });
    }

    /// The trainable goes on after the trial's last report, from what it has kept itself.
    #[cfg(all(feature = "process", unix))]
    pub(super) fn goes_on(&mut self) {
        self.worker.goes_on();
    }

    /// Hands an input to the machine, and says what it says.
    pub(super) fn on(&mut self, input: WorkerInput) {
        self.on_at(input, Instant::now());
    }

    /// The same for something that happened a while ago.
    pub(super) fn on_at(&mut self, input: WorkerInput, at: Instant) {
        let now = Moment::new(at.saturating_duration_since(self.began));
        self.worker.on(input, now, &mut self.out);
        for output in self.out.drain(..) {
            match output {
                WorkerOutput::Say(lease, fact) => self.facts.fact(lease, fact),
                WorkerOutput::Call(call) => self.call = Some(call),
                WorkerOutput::Hurry => self.hurry = true,
            }
        }
    }

    pub(super) fn order(&mut self, (lease, order): (LeaseId, WorkerOrder)) {
        self.on(WorkerInput::Order(lease, order));
    }

    /// What the trainable is to do next; none if an order must come first.
    pub(super) fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    pub(super) fn take_call(&mut self) -> Option<Call> {
        self.call.take()
    }

    /// Whether a batch that goes on by itself is to end with its next report. Said once.
    #[cfg(all(feature = "process", unix))]
    pub(super) fn take_hurry(&mut self) -> bool {
        std::mem::take(&mut self.hurry)
    }

    /// When the machine wants to hear of the time.
    #[cfg(all(feature = "process", unix))]
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.worker.deadline().map(|at| deadline::after(self.began, at.since_start()))
    }

    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(super) fn info(&self) -> Option<&TrialInfo> {
        self.worker.info()
    }

    /// Whether the trial has left, or has been taken away from this worker.
    pub(super) fn is_over(&self) -> bool {
        self.leases.is_over(self.worker.lease())
    }

    /// Begins the checkpoint that may be handed in with a report.
    pub(super) fn begin_spare(&self) -> Result<CheckpointWriter, Fault> {
        let none =
            || Fault::new(FailureKind::SaveFailed, "a checkpoint is handed in while a trial works, and only then");
        self.begin_checkpoint(self.worker.spare().ok_or_else(none)?)
    }

    pub(super) fn begin_checkpoint(&self, id: CheckpointId) -> Result<CheckpointWriter, Fault> {
        self.store.begin(id).map(CheckpointWriter::new).map_err(fault(FailureKind::SaveFailed))
    }

    /// Makes a checkpoint complete, and says how many bytes it has. Under a lease that is over it counts no more: the trial
    /// may have gone on elsewhere, and have written one of this name.
    pub(super) fn complete(&self, writer: CheckpointWriter) -> Result<u64, Fault> {
        self.check_lease(FailureKind::SaveFailed)?;
        writer.commit().map_err(fault(FailureKind::SaveFailed))
    }

    fn check_lease(&self, kind: FailureKind) -> Result<(), Fault> {
        if self.is_over() { Err(Fault::new(kind, "the trial has left this worker: nothing is kept")) } else { Ok(()) }
    }

    /// Opens a checkpoint; none if it isn't there any more.
    pub(super) fn open(&self, id: CheckpointId) -> Result<Option<CheckpointReader>, Fault> {
        match self.store.open(id) {
            Ok(stored) => Ok(Some(CheckpointReader::new(stored))),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(Fault::new(FailureKind::RestoreFailed, error_chain(&error))),
        }
    }

    /// The checkpoint that a closure's trial goes on from: it was there when the trial began.
    pub(super) fn open_given(&self, id: CheckpointId) -> Result<CheckpointReader, TrialError> {
        match self.open(id) {
            Ok(Some(reader)) => Ok(reader),
            Ok(None) => Err(TrialError::new(format!("{} is gone from the store", id.directory()))),
            Err(fault) => Err(TrialError::new(fault.message)),
        }
    }

    pub(super) fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, Fault> {
        self.store.export_directory(trial, format).map_err(fault(FailureKind::ExportFailed))
    }

    /// What was exported is to be kept, under the same condition.
    pub(super) fn exported(&self, trial: TrialId, format: &str) -> Result<(), Fault> {
        self.check_lease(FailureKind::ExportFailed)?;
        self.store.exported(trial, format).map_err(fault(FailureKind::ExportFailed))
    }

    /// A closure has come to its end, and was to have exported these formats.
    pub(super) fn saved(&self, export: &[String], exported: &BTreeSet<String>) -> WorkerInput {
        match export.iter().find(|format| !exported.contains(*format)) {
            None => WorkerInput::Saved(None),
            Some(format) => {
                let message = format!(
                    "the closure came to its end without exporting `{format}`: call `export` on its session after the last \
                     report, also when that says that it is stopped"
                );
                WorkerInput::Failed(Fault::new(FailureKind::ExportFailed, message))
            }
        }
    }

    /// Has a closure's product written and kept.
    pub(super) fn export(
        &self,
        format: &str,
        write: impl FnOnce(&Path) -> Result<(), TrialError>,
    ) -> Result<(), TrialError> {
        let failed = |fault: Fault| TrialError::new(NotExported(fault.message));
        let Some(trial) = self.info().map(|info| info.id).filter(|_| !self.is_over()) else {
            return Err(Stopped.into());
        };
        StoreError::check_name(format)?;
        let directory = self.export_directory(trial, format).map_err(failed)?;
        write(&directory).map_err(|error| TrialError::new(NotExported(error_chain(&*error.into_inner()))))?;
        if self.is_over() {
            return Err(Stopped.into());
        }
        self.exported(trial, format).map_err(failed)
    }
}

fn fault(kind: FailureKind) -> impl FnOnce(StoreError) -> Fault {
    move |error| Fault::new(kind, error_chain(&error))
}
