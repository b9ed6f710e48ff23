//! The socket for where trials run: threads, arbiters, processes, later other machines.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::logic::config::Config;
use crate::logic::event::Process;
use crate::logic::failure::Fault;
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::pool::{ResourceRequest, Resources, Slot};
use crate::logic::trial::{Rests, WorkerFact, WorkerOrder};

use super::control::GivesTrials;
use super::store::Store;

/// Starts workers. It is asked on the engine's thread, so it must not wait: what takes time happens on the worker, and
/// what goes wrong there is a fact of that worker.
pub trait Backend: Send {
    /// Starts a worker. Orders may follow at once; it answers each with one fact, and says when it is gone. A
    /// [`WorkerOrder::Start`] that carries a first batch is answered twice: by `Ready`, and then, as if a
    /// [`WorkerOrder::Train`] had followed, by that batch.
    ///
    /// # Errors
    /// If no worker can be had: a set-up failure of the trial that wants it.
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault>;

    /// The name of what it runs.
    fn name(&self) -> &str;

    /// The names of all metrics that its trainable reports; empty if it doesn't say.
    fn metrics(&self) -> &[&'static str] {
        &[]
    }

    /// The formats that its trials can export; none (the default) if that isn't known before they run.
    fn exports(&self) -> Option<&[&'static str]> {
        None
    }

    /// Whether its workers are in processes of their own. Each then says in which, by [`FactSink::placed`], before its first
    /// fact from there.
    fn in_processes(&self) -> bool {
        false
    }

    /// When a worker is at rest that its trial leaves between two orders.
    fn rests(&self) -> Rests {
        Rests::AtOnce
    }

    /// What is wrong with its settings, if anything is. Asked once, before anything runs.
    ///
    /// # Errors
    /// If it can't work as it is set: the offending value, and what would be right.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The values that every configuration must have for it, as paths (`net/depth`): an experiment whose space can't have one is
    /// refused before anything runs. By default none.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether its trials can be handed objects of this process, which configurations name. By default they can.
    fn takes_objects(&self) -> bool {
        true
    }

    /// What there is to run on, all together. Told before anything is spawned, and again when it changes.
    fn set_resources(&mut self, _total: &Resources) {}

    /// The run has a directory of its own, in which each trial has one that is named by its id. Told before anything is
    /// spawned; without it, the run keeps nothing on the disk.
    ///
    /// # Errors
    /// If the directory can't be used.
    fn set_run_dir(&mut self, _directory: &Path) -> std::io::Result<()> {
        Ok(())
    }

    /// How its trials are started, if they are programs of their own: the program, then its arguments. It is noted down beside the
    /// run; empty (the default) for what runs in this process.
    fn program(&self) -> Vec<OsString> {
        Vec::new()
    }

    /// What gives its trials to whoever asks for them; none (the default) if it runs them itself.
    fn gives_trials(&self) -> Option<Arc<dyn GivesTrials>> {
        None
    }

    /// What the trainable asks for by itself.
    fn resource_rule(&self) -> ResourceRule {
        Arc::new(|_| None)
    }
}

/// What a trial with this configuration needs, if its trainable says so.
pub type ResourceRule = Arc<dyn Fn(&Config) -> Option<ResourceRequest> + Send + Sync>;

/// What a new worker is given.
#[derive(Debug)]
pub struct WorkerStart {
    /// Its name.
    pub worker: WorkerId,
    /// The resources it may use.
    pub slot: Arc<Slot>,
    /// Where its facts go.
    pub facts: FactSink,
    /// Where its checkpoints go.
    pub store: Arc<dyn Store>,
}

/// The engine's end of a worker.
pub trait WorkerHandle: Send {
    /// Hands an order over; it must not wait. An order to a worker that is gone is dropped.
    fn send(&mut self, lease: LeaseId, order: WorkerOrder);

    /// Ends it the hard way, if there is one. Facts that come later are ignored.
    fn kill(&mut self) -> Killed;
}

/// What became of an attempt to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killed {
    /// It is gone, and so is what it used.
    Dead,
    /// Its end is on its way: the worker's last word, that it is gone, follows.
    Soon,
    /// It can't be killed, and goes on for as long as it likes.
    Abandoned,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The answer to an order, under the lease of that order.
    Fact(LeaseId, WorkerFact),
    /// It is in this process from now on, if that isn't the engine's own.
    Placed(Arc<Process>),
    /// It has ended.
    Gone,
}

/// Where a worker's words go. It can be called from any thread and never waits.
#[derive(Clone)]
pub struct FactSink(Arc<dyn Fn(Said) + Send + Sync>);

impl FactSink {
    /// A sink that hands all it is given to `take`.
    pub fn new(take: impl Fn(Said) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Says a fact.
    pub fn fact(&self, lease: LeaseId, fact: WorkerFact) {
        (self.0)(Said::Fact(lease, fact));
    }

    /// Says in which process the worker is, if that isn't the engine's own: before its first fact from there.
    pub fn placed(&self, process: Process) {
        (self.0)(Said::Placed(Arc::new(process)));
    }

    /// Says that the worker has ended; its last word.
    pub fn gone(&self) {
        (self.0)(Said::Gone);
    }
}

impl fmt::Debug for FactSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactSink")
    }
}
