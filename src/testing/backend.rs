//! Scripted workers on real threads: the same answers as in the simulator, without its times.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::script::Script;
use super::worker::{Answer, ScriptedWorker, WorkEnd};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::ports::backend::{Backend, FactSink, Killed, WorkerHandle, WorkerStart};

/// A backend whose workers follow a script. Made by [`scripted`].
#[derive(Clone, Debug)]
pub struct ScriptedBackend {
    script: Script,
}

/// Runs `script` on real threads. Nothing takes any time, but for a step that hangs: that never ends.
pub fn scripted(script: Script) -> ScriptedBackend {
    ScriptedBackend { script }
}

impl Backend for ScriptedBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        let (orders, inbox) = channel();
        let worker = ScriptedWorker::new(self.script.clone());
        std::thread::Builder::new()
            .name(format!("scripted-{}", start.worker))
            .spawn(move || run(worker, &inbox, &start.facts))
            .map_err(|error| Fault::new(FailureKind::SetupFailed, error.to_string()))?;
        Ok(Box::new(Handle { orders }))
    }

    fn name(&self) -> &str {
        "scripted"
    }
}

struct Handle {
    orders: Sender<(LeaseId, WorkerOrder)>,
}

impl WorkerHandle for Handle {
    fn send(&mut self, lease: LeaseId, order: WorkerOrder) {
        // A worker that is gone has said so.
        let _ = self.orders.send((lease, order));
    }

    fn kill(&mut self) -> Killed {
        Killed::Abandoned
    }
}

fn run(mut worker: ScriptedWorker, orders: &Receiver<(LeaseId, WorkerOrder)>, facts: &FactSink) {
    let mut next = None;
    while let Some((lease, order)) = next.take().or_else(|| orders.recv().ok()) {
        let first = ScriptedWorker::first(&order);
        match worker.on(order) {
            Answer::After(_, fact) => {
                let ready = fact == WorkerFact::Ready;
                facts.fact(lease, fact);
                next = first.filter(|_| ready).map(|first| (lease, first.into()));
            }
            Answer::Working(reports, WorkEnd::Batch(end)) => {
                facts.fact(lease, worker.batch(reports, end));
                if worker.vanishes() {
                    break;
                }
            }
            Answer::Working(_, WorkEnd::Failed(_, fault)) => facts.fact(lease, WorkerFact::Failed(fault)),
            Answer::Working(_, WorkEnd::Lost(_)) | Answer::Gone => break,
            Answer::Working(_, WorkEnd::Never) => hang(orders),
            Answer::Nothing => {}
        }
    }
    facts.gone();
}

/// Takes orders and follows none, until nobody can give any more.
fn hang(orders: &Receiver<(LeaseId, WorkerOrder)>) {
    while orders.recv().is_ok() {}
}
