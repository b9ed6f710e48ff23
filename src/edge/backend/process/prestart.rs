//! Workers that are started before anybody asks for them.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::body::Body;
use super::child::Input;
use super::mailbox::Mailbox;
use super::shared::{Shared, cannot};
use super::{STACK, worker};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::pool::Slot;
use crate::ports::backend::WorkerStart;

/// What a supervisor needs that has begun before its worker was wanted.
pub(super) type Wanted = (WorkerStart, Arc<Mailbox>);

/// A worker that nobody has asked for yet. Its process has begun already, and its supervisor waits.
#[derive(Debug)]
struct Waiting {
    environment: Vec<(OsString, OsString)>,
    wanted: Sender<Wanted>,
    supervisor: JoinHandle<()>,
}

/// The workers of a backend that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct Prestarted {
    most: usize,
    waiting: Vec<Waiting>,
}

impl Prestarted {
    pub(super) fn new(most: usize) -> Self {
        Self { most, waiting: Vec::new() }
    }

    /// Hands a worker over: one that has begun in the same environment, if there is one, else a new one. Then more are begun,
    /// for whoever comes next.
    pub(super) fn hand_over(&mut self, shared: &Arc<Shared>, wanted: Wanted) -> Result<(), Fault> {
        let slot = wanted.0.slot.clone();
        let environment = shared.settings.program.of_slot(&slot, shared.gpus_counted());
        let like = self.waiting.iter().position(|worker| worker.environment == environment);
        let worker = match like {
            Some(at) => self.waiting.swap_remove(at),
            None => Waiting::begin(shared, &slot, &environment)?,
        };
        let lost = |_| {
            Fault::new(
                FailureKind::SetupFailed,
                "a worker that was started before it was wanted has lost its supervisor",
            )
        };
        worker.wanted.send(wanted).map_err(lost)?;
        // What can't be begun now is asked for again when it is wanted, and says then why it can't.
        while self.waiting.len() < self.most
            && let Ok(worker) = Waiting::begin(shared, &slot, &environment)
        {
            self.waiting.push(worker);
        }
        Ok(())
    }
}

impl Waiting {
    fn begin(shared: &Arc<Shared>, slot: &Arc<Slot>, environment: &[(OsString, OsString)]) -> Result<Self, Fault> {
        let (wanted, waits) = channel();
        let (shared, slot) = (shared.clone(), slot.clone());
        let thread = std::thread::Builder::new().name("tryout-supervisor".to_owned()).stack_size(STACK);
        let supervisor = thread
            .spawn(move || supervise(shared, &slot, &waits))
            .map_err(|error| cannot("have a thread for a worker's supervisor", &error))?;
        Ok(Self { environment: environment.to_vec(), wanted, supervisor })
    }
}

impl Drop for Prestarted {
    /// Nobody wants them any more; when this returns, their processes have ended.
    fn drop(&mut self) {
        for Waiting { wanted, supervisor, .. } in self.waiting.drain(..) {
            drop(wanted);
            let _ = supervisor.join();
        }
    }
}

/// The whole life of a supervisor: the thread that starts a process stays with it to its end, since the kernel takes the end of
/// that thread for the end of the parent.
fn supervise(shared: Arc<Shared>, slot: &Slot, waits: &Receiver<Wanted>) {
    let born = Instant::now();
    let settings = &shared.settings;
    let mut command = settings.program.command(slot, shared.gpus_counted());
    command.args(&settings.program.arguments).env(crate::logic::wire::FACTS_VARIABLE, "0");
    let mut body = Body::new(shared);
    let unborn = body.start(command, Input::Socket).err();
    // If nobody wants it, it goes with its body.
    if let Ok((start, mail)) = waits.recv() {
        worker::ProcessSupervisor::run(body, unborn, born, start, mail);
    }
}
