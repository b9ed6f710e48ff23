//! Puts the actors of one run together.

use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context};
use futures::channel::oneshot;

use super::clock::Clock;
use super::controller::{Controller, Neighbours, RunEnd};
use super::messages::ToController;
use super::send::send_to;
use super::share::Host;
use super::supervisor::WorkerSupervisor;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{CallClock, Engine};
use crate::logic::event::{EventKind, Process};
use crate::logic::pool::Pool;
use crate::logic::trial::TrialSettings;
use crate::ports::backend::Backend;
use crate::ports::elsewhere::Elsewhere;
use crate::ports::journal::OpenJournal;
use crate::ports::observer::Audience;
use crate::ports::store::Store;

/// All that a run is made of.
pub struct Parts {
    /// Decides.
    pub engine: Engine,
    /// Says what there is to run on.
    pub pool: Pool,
    /// The host that it shares with other runs, if it does.
    pub host: Option<Host>,
    /// What all trials have in common.
    pub trials: Arc<TrialSettings>,
    /// Lets workers join from elsewhere, if they may.
    pub elsewhere: Option<Box<dyn Elsewhere>>,
    /// Runs trials.
    pub backend: Box<dyn Backend>,
    /// Keeps checkpoints.
    pub store: Arc<dyn Store>,
    /// Watches.
    pub audience: Box<dyn Audience>,
    /// Deletes a checkpoint, without waiting for it; of no use if there is a journal, which knows when it may.
    pub delete: Box<dyn FnMut(CheckpointId) + Send>,
    /// Writes down what happens.
    pub journal: Option<OpenJournal>,
    /// This process.
    pub here: Process,
    /// What observers are to hear first.
    pub notices: Vec<EventKind>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// Starts the actors of a run on the arbiter that it is called on, and the run with them. The end arrives in `done`.
pub fn launch(parts: Parts, done: oneshot::Sender<RunEnd>) -> Addr<Controller> {
    let Parts { mut engine, pool, host, trials, elsewhere, backend, store, audience, .. } = parts;
    let Parts { delete, journal, here, notices: first, .. } = parts;
    let here = (!backend.in_processes()).then(|| Arc::new(here));
    let clock = Clock::start(engine.ledger().run().now);
    engine.time_calls(&(Arc::new(move || clock.now().since_start()) as CallClock));
    let context = Context::<Controller>::new();
    let address = context.address();
    let supervisor = WorkerSupervisor::create(|ctx| {
        WorkerSupervisor::new(pool, backend, store, address.clone().recipient(), clock)
            .sharing(host, ctx)
            .joined_from(elsewhere, ctx)
    });
    let notices = address.clone();
    let notice = move |notice| notices.do_send(ToController::Journal(notice));
    let journal = journal.map(|open| open(Box::new(notice)));
    let neighbours = Neighbours { supervisor, settings: trials, audience, delete, journal, done, here };
    let controller = context.run(Controller::new(engine, clock, neighbours));
    send_to(&controller, ToController::Begin);
    first.into_iter().for_each(|kind| send_to(&controller, ToController::Noticed(kind)));
    controller
}
