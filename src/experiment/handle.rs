//! What a started experiment is held by: live control, and the wait for its end.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use futures::channel::oneshot;

use crate::actors::Controller;
use crate::actors::messages::{
    Drain, Inspect, InspectPool, InspectTrial, ListTrials, Order, PoolStatus, RunStatus, Sync, TrialStatus,
};
use crate::edge::observe::{EventStream, ObserverHub};
use crate::error::{ControlError, RunError};
use crate::logic::config::Config;
use crate::logic::engine::ClientOrder;
use crate::logic::event::ExperimentEvent;
use crate::logic::ids::TrialId;
use crate::ports::observer::{Audience, ObserverFault};
use crate::results::Results;

/// Controls a run from anywhere: cheap to clone, usable from any thread and executor.
///
/// Every method is an ordinary message to the [`Controller`]; an actix application can send these itself.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) controller: Addr<Controller>,
    pub(super) hub: SharedHub,
}

impl Control {
    /// The controller's address.
    pub fn controller(&self) -> Addr<Controller> {
        self.controller.clone()
    }

    /// Gives any order.
    ///
    /// # Errors
    /// If the run is over, or the order can't be carried out; then nothing has changed.
    pub async fn order(&self, order: ClientOrder) -> Result<Option<TrialId>, ControlError> {
        Ok(self.controller.send(Order(order)).await??)
    }

    /// Ends a trial.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it has ended.
    pub async fn stop_trial(&self, trial: TrialId) -> Result<(), ControlError> {
        self.order(ClientOrder::Stop(trial)).await.map(|_| ())
    }

    /// Pauses a trial at its next report. It stays paused until [`resume`](Control::resume).
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it has ended.
    pub async fn pause(&self, trial: TrialId) -> Result<(), ControlError> {
        self.order(ClientOrder::Pause(trial)).await.map(|_| ())
    }

    /// Lets a paused trial go on when there is room.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it isn't paused.
    pub async fn resume(&self, trial: TrialId) -> Result<(), ControlError> {
        self.order(ClientOrder::Resume(trial)).await.map(|_| ())
    }

    /// Writes a checkpoint at a trial's next report.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it isn't running.
    pub async fn save(&self, trial: TrialId) -> Result<(), ControlError> {
        self.order(ClientOrder::Save(trial)).await.map(|_| ())
    }

    /// Adds a trial.
    ///
    /// # Errors
    /// If the run is over, or the trial could never run.
    pub async fn add(&self, config: Config) -> Result<TrialId, ControlError> {
        self.order(ClientOrder::Add(config)).await?.ok_or(ControlError::Over)
    }

    /// Lets a run go on that is held because the same error came from several workers; errors are counted anew. Why it is
    /// held is in [`status`](Control::status).
    ///
    /// # Errors
    /// If the run is over, or isn't held.
    pub async fn proceed(&self) -> Result<(), ControlError> {
        self.order(ClientOrder::Proceed).await.map(|_| ())
    }

    /// Ends the run now. What has been reached by then are its results.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn stop(&self) -> Result<(), ControlError> {
        self.order(ClientOrder::StopAll).await.map(|_| ())
    }

    /// Saves and pauses all running trials within this time, then ends the run: for a host's own shutdown.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn drain(&self, within: Duration) -> Result<(), ControlError> {
        Ok(self.controller.send(Drain(within)).await??)
    }

    /// How the run stands.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn status(&self) -> Result<RunStatus, ControlError> {
        Ok(self.controller.send(Inspect).await?)
    }

    /// Waits until everything that has happened so far is durable, if the run has a journal: it would be there after a
    /// crash of the machine.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn sync(&self) -> Result<(), ControlError> {
        Ok(self.controller.send(Sync).await?)
    }

    /// How a trial stands, and why it isn't running if it isn't.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn trial(&self, trial: TrialId) -> Result<Option<TrialStatus>, ControlError> {
        Ok(self.controller.send(InspectTrial(trial)).await?)
    }

    /// How trials stand: at most `most`, from number `from` on.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn trials(&self, from: u32, most: usize) -> Result<Vec<TrialStatus>, ControlError> {
        Ok(self.controller.send(ListTrials { from, most }).await?)
    }

    /// How the pool stands, and why `trial` has no worker.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn pool(&self, trial: Option<TrialId>) -> Result<PoolStatus, ControlError> {
        Ok(self.controller.send(InspectPool { trial }).await?)
    }

    /// All events from now on, with room for `capacity` of them. A stream that isn't read fast enough misses reports.
    pub fn events(&self, capacity: usize) -> EventStream {
        self.hub.subscribe(capacity)
    }
}

/// A run: control over it, and its end. Dropping it leaves the run going.
#[derive(Debug)]
pub struct ExperimentHandle {
    pub(super) control: Control,
    pub(super) done: oneshot::Receiver<Result<Results, RunError>>,
}

impl Deref for ExperimentHandle {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl ExperimentHandle {
    /// Control over the run, to keep beside the wait for its end.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// If the run couldn't go on; what had been reached by then is in the error.
    pub async fn wait(self) -> Result<Results, RunError> {
        self.done.await.unwrap_or(Err(RunError::Lost))
    }

    /// Waits for the end, blocking this thread: not for a thread that runs an async executor.
    ///
    /// # Errors
    /// If the run couldn't go on; what had been reached by then is in the error.
    pub fn wait_blocking(self) -> Result<Results, RunError> {
        futures::executor::block_on(self.wait())
    }
}

/// The observers of a run, shared by the controller, which publishes, and the handles, which subscribe.
#[derive(Clone, Debug)]
pub(super) struct SharedHub(Arc<Mutex<Option<ObserverHub>>>);

impl SharedHub {
    pub(super) fn new(hub: ObserverHub) -> Self {
        Self(Arc::new(Mutex::new(Some(hub))))
    }

    fn with<R>(&self, call: impl FnOnce(&mut ObserverHub) -> R) -> Option<R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(call)
    }

    /// A stream; of a run that has ended, one that ends at once.
    fn subscribe(&self, capacity: usize) -> EventStream {
        self.with(|hub| hub.subscribe(capacity)).unwrap_or_else(|| {
            let mut over = ObserverHub::start(Vec::new(), 1);
            let stream = over.subscribe(1);
            let _ = over.finish(Duration::ZERO);
            stream
        })
    }

    /// Ends all streams, and waits for the observers.
    pub(super) fn finish(&self, patience: Duration) -> Vec<ObserverFault> {
        let hub = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        hub.map_or_else(Vec::new, |hub| hub.finish(patience))
    }
}

impl Audience for SharedHub {
    fn is_empty(&self) -> bool {
        self.with(|hub| hub.is_empty()).unwrap_or(true)
    }

    fn publish(&mut self, events: Arc<[ExperimentEvent]>) {
        self.with(|hub| hub.publish(events));
    }

    fn save(&mut self, mark: u64) {
        self.with(|hub| hub.save(mark));
    }

    fn take_faults(&mut self) -> Vec<ObserverFault> {
        self.with(ObserverHub::take_faults).unwrap_or_default()
    }
}
