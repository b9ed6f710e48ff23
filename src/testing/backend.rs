//! Scripted workers on real threads: the same answers as in the simulator, without its times.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::script::Script;
use super::worker::{Made, ScriptedWorker};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::time::Moment;
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::logic::worker::{Call, WorkerInput, WorkerOutput};
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

/// The worker's clock is that of its script.
fn run(mut worker: ScriptedWorker, orders: &Receiver<(LeaseId, WorkerOrder)>, facts: &FactSink) {
    let (mut now, mut call) = (Moment::START, None);
    loop {
        let mut inputs = Vec::new();
        match call.take() {
            Some(Call::End) => break,
            Some(next) => match worker.make(next) {
                (took, Made::Done(input)) => {
                    now = now + took;
                    // What was ordered in the meantime goes first: it may make void what was done.
                    inputs.extend(orders.try_iter().map(order));
                    inputs.push(input);
                }
                (_, Made::Lost) => break,
                (_, Made::Never) => {
                    hang(orders);
                    break;
                }
            },
            None => match orders.recv() {
                Ok(told) => inputs.push(order(told)),
                Err(_) => break,
            },
        }
        for input in inputs {
            for output in worker.on(input, now) {
                match output {
                    WorkerOutput::Say(lease, fact) => {
                        let handed_in = matches!(fact, WorkerFact::Reported(_));
                        facts.fact(lease, fact);
                        if handed_in && worker.vanishes() {
                            return facts.gone();
                        }
                    }
                    WorkerOutput::Call(next) => call = Some(next),
                    WorkerOutput::Hurry => {}
                }
            }
        }
    }
    facts.gone();
}

fn order((lease, order): (LeaseId, WorkerOrder)) -> WorkerInput {
    WorkerInput::Order(lease, order)
}

/// Takes orders and follows none, until nobody can give any more.
fn hang(orders: &Receiver<(LeaseId, WorkerOrder)>) {
    while orders.recv().is_ok() {}
}
