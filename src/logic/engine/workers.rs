//! What the engine knows of the workers that trials run on: in which process each is, and how often it was reused.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::logic::event::{EventKind, Process, WorkerChange};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::Slot;

/// Where a trial runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunsOn {
    /// The worker.
    pub worker: WorkerId,
    /// The lease under which the trial has it.
    pub lease: LeaseId,
    /// The resources that it holds, with the indices of its GPUs.
    pub slot: Arc<Slot>,
    /// So many trials had the worker before.
    pub reused: u32,
    /// The worker's process; none if that hasn't begun.
    pub process: Option<Arc<Process>>,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    trials: u32,
    process: Option<Arc<Process>>,
}

/// The workers that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers(HashMap<WorkerId, Worker>);

impl Workers {
    /// A trial has been given this one. Answers how many had it before.
    pub(super) fn granted(&mut self, worker: WorkerId) -> u32 {
        let worker = self.0.entry(worker).or_default();
        worker.trials += 1;
        worker.trials - 1
    }

    /// Something happened to a worker.
    pub(super) fn note(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Worker { worker, change: WorkerChange::Placed { process } } => {
                self.0.entry(*worker).or_default().process = Some(process.clone());
            }
            EventKind::Worker { worker, change: WorkerChange::Gone } => drop(self.0.remove(worker)),
            _ => {}
        }
    }
}

impl Engine {
    /// Where a trial runs, if it has a worker.
    pub fn runs_on(&self, trial: TrialId) -> Option<RunsOn> {
        let live = self.ledger.live(trial)?;
        let (lease, worker, slot) = (live.lease?, live.worker?, live.slot.clone()?);
        let known = self.workers.0.get(&worker).cloned().unwrap_or_default();
        Some(RunsOn { worker, lease, slot, reused: known.trials.saturating_sub(1), process: known.process })
    }
}
