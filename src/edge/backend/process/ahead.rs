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

/// What an attendant needs that has begun before its worker was wanted.
pub(super) type Wanted = (WorkerStart, Arc<Mailbox>);

/// A worker that nobody has asked for yet. Its process has begun already, and its attendant waits.
#[derive(Debug)]
struct Spare {
    environment: Vec<(OsString, OsString)>,
    wanted: Sender<Wanted>,
    attendant: JoinHandle<()>,
}

/// The workers of a backend that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct Spares {
    most: usize,
    spares: Vec<Spare>,
}

impl Spares {
    pub(super) fn new(most: usize) -> Self {
        Self { most, spares: Vec::new() }
    }

    /// Hands a worker over: one that has begun in the same environment, if there is one, else a new one. Then more are begun,
    /// for whoever comes next.
    pub(super) fn hand_over(&mut self, shared: &Arc<Shared>, wanted: Wanted) -> Result<(), Fault> {
        let slot = wanted.0.slot.clone();
        let environment = shared.settings.program.of_slot(&slot);
        let like = self.spares.iter().position(|spare| spare.environment == environment);
        let spare = match like {
            Some(at) => self.spares.swap_remove(at),
            None => Spare::begin(shared, &slot, &environment)?,
        };
        let lost = |_| Fault::new(FailureKind::SetupFailed, "a worker that was started ahead has lost its attendant");
        spare.wanted.send(wanted).map_err(lost)?;
        // What can't be begun ahead is asked for again when it is wanted, and says then why it can't.
        while self.spares.len() < self.most
            && let Ok(spare) = Spare::begin(shared, &slot, &environment)
        {
            self.spares.push(spare);
        }
        Ok(())
    }
}

impl Spare {
    fn begin(shared: &Arc<Shared>, slot: &Arc<Slot>, environment: &[(OsString, OsString)]) -> Result<Self, Fault> {
        let (wanted, waits) = channel();
        let (shared, slot) = (shared.clone(), slot.clone());
        let thread = std::thread::Builder::new().name("tryout-attendant".to_owned()).stack_size(STACK);
        let attendant = thread
            .spawn(move || attend(shared, &slot, &waits))
            .map_err(|error| cannot("have a thread for a worker's attendant", &error))?;
        Ok(Self { environment: environment.to_vec(), wanted, attendant })
    }
}

impl Drop for Spares {
    /// Nobody wants them any more; when this returns, their processes have ended.
    fn drop(&mut self) {
        for Spare { wanted, attendant, .. } in self.spares.drain(..) {
            drop(wanted);
            let _ = attendant.join();
        }
    }
}

/// The whole life of an attendant: the thread that starts a process stays with it to its end, since the kernel takes the end of
/// that thread for the end of the parent.
fn attend(shared: Arc<Shared>, slot: &Slot, waits: &Receiver<Wanted>) {
    let born = Instant::now();
    let settings = &shared.settings;
    let mut command = settings.program.command(slot);
    command.args(&settings.program.arguments).env(crate::logic::wire::FACTS_VARIABLE, "0");
    let mut body = Body::new(shared);
    let unborn = body.start(command, Input::Socket).err();
    // If nobody wants it, it goes with its body.
    if let Ok((start, mail)) = waits.recv() {
        worker::Attendant::run(body, unborn, born, start, mail);
    }
}
