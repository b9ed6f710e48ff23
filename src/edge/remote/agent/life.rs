//! One worker of an agent: the backend's handle at one side, what is said to the engine at the other.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::super::frame::{SharedFiles, Up, Welcome};
use super::super::outbox::Outbox;
use super::super::server::slot;
use super::super::transfer::Transfers;
use super::store::WireStore;
use crate::edge::backend::Leases;
use crate::edge::store::{DirStore, Scratch};
use crate::logic::event::Process;
use crate::logic::failure::{Fault, error_chain};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::{ResourceRequest, Slot};
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::logic::worker::{Relay, Says};
use crate::ports::backend::{Backend, FactSink, Said, WorkerHandle, WorkerStart};
use crate::ports::store::Store;

/// A worker and its conversation with the engine.
pub(in crate::edge::remote) struct Life {
    pub(super) outbox: Outbox<Up>,
    pub(super) transfers: Transfers,
    pub(super) orphan_for: Duration,
    pub(super) lease: AtomicU64,
    pub(super) numbers: AtomicU64,
    leases: Leases,
    pub(super) asks: Mutex<HashMap<u64, Sender<bool>>>,
    worker: Mutex<Worker>,
    ending: Mutex<Ending>,
    store: OnceLock<Arc<dyn Store>>,
    relay: Mutex<Relay>,
    /// An engine has taken the worker over, or it is to end.
    taken_over: Condvar,
    placed: Mutex<Option<Process>>,
    /// Where trials work and checkpoints lie for a while, if the run's own directory isn't seen from here.
    scratch: Option<Scratch>,
}

pub(super) struct Worker {
    backend: Box<dyn Backend>,
    slot: Arc<Slot>,
    pub(super) handle: Option<Box<dyn WorkerHandle>>,
}

/// Apart from the worker: it may say that it is gone while it is spoken to.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) another: bool,
    over: Option<Over>,
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Life").finish_non_exhaustive()
    }
}

/// How a worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Another one may take its place.
    Another,
    /// Nobody needs another one.
    Done,
}

impl Life {
    pub(super) fn begin(welcome: &Welcome, mut backend: Box<dyn Backend>) -> Result<Arc<Self>, String> {
        backend.check()?;
        let shape = welcome.shape.clone().unwrap_or_else(|| Arc::new(ResourceRequest::default()));
        let files = welcome.files.as_ref().filter(|files| is_seen(files));
        let words = |error: crate::ports::store::StoreError| error_chain(&error);
        let scratch = if files.is_some() { None } else { Some(Scratch::create().map_err(words)?) };
        let own = scratch.as_ref().map(|scratch| scratch.path().to_owned());
        let run = files.map(|files| files.run.clone()).or(own.clone()).unwrap_or_default();
        backend.set_resources(shape.total());
        backend.set_run_dir(&run).map_err(|error| format!("can't use the directory `{}`: {error}", run.display()))?;
        let checkpoints = files.map(|files| files.checkpoints.clone()).or(own).unwrap_or_default();
        let local = DirStore::create(checkpoints).map_err(words)?;
        let worker = Worker { backend, slot: Arc::new(slot(&shape)), handle: None };
        let life = Arc::new(Self {
            outbox: Outbox::default(),
            transfers: Transfers::default(),
            orphan_for: Duration::from_secs_f64(welcome.orphan_for.clamp(0.0, 1e9)),
            lease: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            leases: Leases::default(),
            asks: Mutex::default(),
            worker: Mutex::new(worker),
            ending: Mutex::default(),
            store: OnceLock::new(),
            relay: Mutex::default(),
            taken_over: Condvar::new(),
            placed: Mutex::default(),
            scratch,
        });
        let store = WireStore::new(Arc::downgrade(&life), local, files.is_some());
        // It is made once.
        let _ = life.store.set(Arc::new(store));
        Ok(life)
    }

    pub(super) fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn over(&self) -> Option<Over> {
        self.ending().over
    }

    pub(super) fn ending(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the engine says that a lease still counts. It waits for a connection.
    pub(super) fn counts(&self, lease: LeaseId) -> bool {
        let ask = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (to, from) = channel();
        {
            let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody would answer.
            if self.leases.is_over(lease) {
                return false;
            }
            asks.insert(ask, to);
        }
        self.outbox.say(Up::Counts { ask, lease: self.lease_for_engine(lease) });
        from.recv().unwrap_or(false)
    }

    pub(super) fn relay(&self) -> MutexGuard<'_, Relay> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn placed(&self) -> MutexGuard<'_, Option<Process>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine's session is lost. Answers the trial that the next one can go on with, if there is one: not while something of it
    /// is on its way that only the lost session would have taken.
    pub(super) fn lose_engine(&self) -> Option<TrialId> {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever begins to send asks the relay what its lease is called, before it says so.
        let mut relay = self.relay();
        if self.over().is_some() || !asks.is_empty() || self.transfers.are_open() {
            return None;
        }
        let trial = relay.lose_engine()?;
        self.outbox.renew();
        self.placed().iter().for_each(|process| self.outbox.say(Up::Placed(process.clone())));
        Some(trial)
    }

    /// Whether the worker is further than its engine knows, or has none at the moment: a checkpoint that it hands in is nobody's.
    pub(super) fn is_ahead(&self) -> bool {
        let relay = self.relay();
        relay.is_lost() || relay.is_ahead()
    }

    /// Waits as long as the worker has no engine.
    pub(super) fn await_engine(&self, lease: LeaseId) {
        let mut relay = self.relay();
        while relay.is_lost() && !self.leases.is_over(lease) {
            relay = self.taken_over.wait(relay).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What the engine calls a lease of the worker.
    pub(super) fn lease_for_engine(&self, lease: LeaseId) -> LeaseId {
        self.relay().to_engine(lease)
    }

    /// Its worker ends the hard way; nobody is told.
    pub(super) fn kill(&self) {
        self.leases.end();
        // Whoever has found no engine waits already, and hears it.
        drop(self.relay());
        self.taken_over.notify_all();
        self.transfers.end("the engine is gone");
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(handle) = &mut self.worker().handle {
            handle.kill();
        }
    }

    /// This machine is taken away.
    pub(super) fn evict(self: &Arc<Self>, why: &str) {
        self.outbox.say(Up::Evicted { why: why.to_owned() });
        self.outbox.end();
        self.kill();
    }

    pub(super) fn order(self: &Arc<Self>, lease: LeaseId, order: WorkerOrder) {
        let mut said = Vec::new();
        {
            let mut relay = self.relay();
            relay.on_order(lease, order, &mut said);
            // Before a fact that comes meanwhile.
            said.retain(|says| self.tell_engine(says));
        }
        self.taken_over.notify_all();
        for says in said {
            if let Says::ToWorker(lease, order) = says {
                self.tell_worker(lease, order);
            }
        }
    }

    /// Says it if it is for the engine. Whether it isn't.
    fn tell_engine(&self, says: &Says) -> bool {
        let Says::ToEngine(lease, fact) = says else { return true };
        self.outbox.say(Up::Said { lease: *lease, fact: fact.clone() });
        false
    }

    fn tell_worker(self: &Arc<Self>, lease: LeaseId, order: WorkerOrder) {
        self.lease.fetch_max(lease.number(), Ordering::AcqRel);
        self.leases.heed(lease, &order);
        let mut worker = self.worker();
        if worker.handle.is_none() && order == WorkerOrder::Shutdown {
            // It was never needed.
            return self.gone();
        }
        let order = self.in_place(order);
        match self.handle(&mut worker) {
            Ok(Some(handle)) => handle.send(lease, order),
            Ok(None) => {}
            Err(fault) => {
                self.said(Said::Fact(lease, WorkerFact::Failed(fault)));
                self.gone();
            }
        }
    }

    /// A trial's directory is below this machine's own, if the run's isn't seen.
    fn in_place(&self, order: WorkerOrder) -> WorkerOrder {
        match (order, &self.scratch) {
            (WorkerOrder::Start { mut info, config, first, last }, Some(scratch)) => {
                info.directory = Some(scratch.path().join(info.id.to_string()));
                WorkerOrder::Start { info, config, first, last }
            }
            (order, _) => order,
        }
    }

    /// The worker's handle; it is made when the first trial comes.
    fn handle<'a>(self: &Arc<Self>, worker: &'a mut Worker) -> Result<Option<&'a mut Box<dyn WorkerHandle>>, Fault> {
        if self.over().is_some() {
            return Ok(None);
        }
        if worker.handle.is_none() {
            let life = Arc::downgrade(self);
            let facts = FactSink::new(move |said| {
                if let Some(life) = life.upgrade() {
                    life.said(said);
                }
            });
            let Some(store) = self.store.get().cloned() else { return Ok(None) };
            let id = WorkerId::new(u64::from(std::process::id()));
            let start = WorkerStart { worker: id, slot: worker.slot.clone(), facts, store };
            worker.handle = Some(worker.backend.spawn(start)?);
        }
        Ok(worker.handle.as_mut())
    }

    fn said(&self, said: Said) {
        match said {
            Said::Fact(lease, fact) => {
                let (mut said, mut relay) = (Vec::new(), self.relay());
                relay.on_fact(lease, fact, &mut said);
                said.retain(|says| self.tell_engine(says));
            }
            Said::Placed(process) => {
                *self.placed() = Some(Process::clone(&process));
                self.outbox.say(Up::Placed(Process::clone(&process)));
            }
            Said::Gone => self.gone(),
        }
    }

    /// The worker has ended: the last word.
    pub(super) fn gone(&self) {
        let mut ending = self.ending();
        if ending.over.is_none() {
            ending.over = Some(if ending.another { Over::Another } else { Over::Done });
            self.outbox.say(Up::Gone {});
            self.outbox.end();
        }
    }
}

/// Whether the run's directory is the one that is seen from here.
pub(super) fn is_seen(files: &SharedFiles) -> bool {
    fs::read_to_string(files.run.join(&files.proof)).is_ok_and(|nonce| nonce == files.nonce)
}
