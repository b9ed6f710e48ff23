//! What a started experiment is held by: live control, and the wait for its end.

use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use futures::channel::oneshot;

use super::imports::Imports;
use crate::actors::Controller;
use crate::actors::messages::{Inspect, InspectPool, InspectTrial, ListTrials, Sync};
use crate::edge::observe::{EventStream, ObserverHub};
use crate::error::{ControlError, RunError};
use crate::logic::api::{PoolStatus, RunName, RunStatus, TrialStatus};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::engine::{ClientOrder, WaitFor};
use crate::logic::event::ExperimentEvent;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::settings::LiveSetting;
use crate::logic::space::Space;
use crate::ports::control::GivesTrials;
use crate::ports::observer::{Audience, ObserverFault};
use crate::ports::store::{CheckpointReader, Store, StoreError};
use crate::results::Results;

/// Controls a run from anywhere: cheap to clone, usable from any thread and executor.
///
/// Every method is an ordinary message to the [`Controller`]; an actix application can send these itself.
///
/// ```
/// use tryout::prelude::*;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let endless = function("endless", |_: Config, trial| loop {
///     trial.report([("loss", 1.0)])?;
/// });
/// let run = Experiment::new("watched", endless).samples(2).space(Space::new().with("x", uniform(0.0, 1.0))).start()?;
/// let (control, mut events) = (run.control(), run.events(100));
/// while let Some(seen) = futures::StreamExt::next(&mut events).await {
///     // Whichever trial reports first has done enough.
///     if let Seen::Event(event) = seen
///         && let EventKind::Reported { report } = &event.kind
///     {
///         control.stop_trial(report.trial).await?;
///         break;
///     }
/// }
/// let added = control.add(Config::new().with("x", 0.5)).await?;
/// println!("trial {} is {:?}", added.number(), control.trial(added).await?.map(|status| status.record.status));
/// control.stop().await?;
/// println!("{:?}", run.wait().await?.outcome());
/// # Ok(()) }
/// # futures::executor::block_on(example())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) controller: Addr<Controller>,
    pub(super) hub: SharedHub,
    pub(super) store: Arc<dyn Store>,
    pub(super) run: RunId,
    pub(super) imports: Arc<Imports>,
    pub(super) about: Arc<About>,
    /// Who asks, if that is said.
    pub(super) by: Option<Arc<str>>,
}

/// Which run is controlled.
pub(super) struct About {
    pub(super) name: RunName,
    #[cfg_attr(not(feature = "web"), allow(dead_code, reason = "the page alone asks for it"))]
    pub(super) dir: Option<PathBuf>,
    /// What gives its trials to whoever asks, if something does.
    pub(super) gives: Option<Arc<dyn GivesTrials>>,
}

impl std::fmt::Debug for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("About").field("name", &self.name).field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Control {
    /// The controller's address.
    pub fn controller(&self) -> Addr<Controller> {
        self.controller.clone()
    }

    /// The run's directory, if it has one.
    pub fn dir(&self) -> Option<&Path> {
        self.about.dir.as_deref()
    }

    /// The id of the run's trial `number`, from 0 in the order of their creation, whether there is one or not.
    pub fn trial_id(&self, number: u32) -> TrialId {
        TrialId::new(self.run, number)
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

    /// As [`save`](Control::save), and waits until the checkpoint is there and durable. The next one of the trial counts, also
    /// one that was on its way. Not for a trial whose steps you hold up yourself: it would wait for ever.
    ///
    /// # Errors
    /// As for [`save`](Control::save); or if the trial has no checkpoint to give, fails or ends before, or the run ends.
    pub async fn save_and_wait(&self, trial: TrialId) -> Result<Arc<Checkpoint>, ControlError> {
        let saved = self.order_and_wait(WaitFor::Saved, trial).await?;
        saved.ok_or(ControlError::Over)
    }

    /// As [`pause`](Control::pause), and waits until the trial is paused: it has left its worker, and its checkpoint, if it has
    /// one, is durable. Answers the checkpoint that it goes on from.
    ///
    /// # Errors
    /// As for [`pause`](Control::pause); or if the trial ends or is resumed before, or the run ends.
    pub async fn pause_and_wait(&self, trial: TrialId) -> Result<Option<Arc<Checkpoint>>, ControlError> {
        self.order_and_wait(WaitFor::Paused, trial).await
    }

    /// Opens a checkpoint of this run, as [`Results::open_checkpoint`]. It reads from the run's store on the calling thread. A
    /// checkpoint that isn't kept any more can't be opened; retention can also take one away while it is read.
    ///
    /// ```no_run
    /// # use tryout::prelude::*;
    /// # async fn example(handle: ExperimentHandle, trial: TrialId) -> Result<(), Box<dyn std::error::Error>> {
    /// let saved = handle.save_and_wait(trial).await?;
    /// let weights: Vec<f64> = handle.open_checkpoint(saved.id)?.json("weights.json")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it isn't there or can't be read.
    pub fn open_checkpoint(&self, id: CheckpointId) -> Result<CheckpointReader, StoreError> {
        self.store.open(id).map(CheckpointReader::new)
    }

    /// Lets a trial that has ended go on from its last checkpoint: tries a failed one again, extends a finished one.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it hasn't ended.
    pub async fn revive(&self, trial: TrialId) -> Result<(), ControlError> {
        self.order(ClientOrder::Revive(trial)).await.map(|_| ())
    }

    /// Gives a trial another priority: those with a higher one are launched first. All have 0 at first.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it has ended.
    pub async fn prioritise(&self, trial: TrialId, priority: i32) -> Result<(), ControlError> {
        self.order(ClientOrder::Prioritise(trial, priority)).await.map(|_| ())
    }

    /// Sets how many trials may run at once from now on; none: as many as the resources allow. Those that run go on.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn concurrency(&self, most: Option<NonZeroU32>) -> Result<(), ControlError> {
        self.order(ClientOrder::Concurrency(most)).await.map(|_| ())
    }

    /// Changes what is searched: from now on each value named in `changes` may be what is said there. A number may get other bounds, a
    /// choice or grid other options; names that aren't given stay as they are. What was tried stays. Suggestions that haven't
    /// begun and lie outside are [withdrawn](crate::prelude::Ending::Withdrawn), and others drawn in their places; trials that
    /// clients added stay. A resumed run of the unchanged program keeps it.
    ///
    /// ```
    /// # use tryout::prelude::*;
    /// # async fn example(run: Control) -> Result<(), Box<dyn std::error::Error>> {
    /// run.set_space(Space::new().with("lr", log_uniform(1e-4, 1e-2))).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the run is over, a name isn't in the space, a value would become one of another kind, or the searcher can't take it up;
    /// then nothing has changed.
    pub async fn set_space(&self, changes: Space) -> Result<(), ControlError> {
        self.order(ClientOrder::SetSpace { changes, by: None }).await.map(|_| ())
    }

    /// Changes a setting for the rest of the run, and of its later sessions: how many trials there are to be, how long it may take,
    /// which stop rules hold.
    ///
    /// # Errors
    /// If the run is over, the setting is out of its range, or there is no such stop rule.
    pub async fn set(&self, setting: LiveSetting) -> Result<(), ControlError> {
        self.order(ClientOrder::Set { setting, by: None }).await.map(|_| ())
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
        let why = || "the engine's thread ended without a word".to_owned();
        self.done.await.unwrap_or_else(|_| Err(RunError::Lost { why: why(), results: None }))
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

    fn take_warnings(&mut self) -> Vec<String> {
        self.with(|hub| hub.take_slow()).unwrap_or_default()
    }
}
