//! One worker of an agent: the backend's handle at one side, what is said to the engine at the other.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::super::connection::{Listener, Outbox};
use super::super::frame::{Down, SharedFiles, Up, Welcome};
use super::super::server::slot;
use super::super::transfer::Transfers;
use super::store::WireStore;
use crate::edge::backend::Leases;
use crate::edge::store::{DirStore, Scratch};
use crate::logic::event::Process;
use crate::logic::failure::{Fault, error_chain};
use crate::logic::ids::{LeaseId, WorkerId};
use crate::logic::pool::{ResourceRequest, Slot};
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::ports::backend::{Backend, FactSink, Killed, Said, WorkerHandle, WorkerStart};
use crate::ports::store::Store;

/// A worker and its conversation with the engine.
pub(in crate::edge::remote) struct Life {
    pub(super) outbox: Outbox<Up>,
    pub(super) transfers: Transfers,
    pub(super) orphan_for: Duration,
    pub(super) lease: AtomicU64,
    pub(super) numbers: AtomicU64,
    leases: Leases,
    asks: Mutex<HashMap<u64, Sender<bool>>>,
    worker: Mutex<Worker>,
    ending: Mutex<Ending>,
    store: OnceLock<Arc<dyn Store>>,
    /// Where trials work and checkpoints lie for a while, if the run's own directory isn't seen from here.
    scratch: Option<Scratch>,
}

struct Worker {
    backend: Box<dyn Backend>,
    slot: Arc<Slot>,
    handle: Option<Box<dyn WorkerHandle>>,
}

/// Apart from the worker: it may say that it is gone while it is spoken to.
#[derive(Debug, Default)]
struct Ending {
    another: bool,
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
            scratch,
        });
        let store = WireStore::new(Arc::downgrade(&life), local, files.is_some());
        // It is made once.
        let _ = life.store.set(Arc::new(store));
        Ok(life)
    }

    fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn over(&self) -> Option<Over> {
        self.ending().over
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
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
        self.outbox.say(Up::Counts { ask, lease });
        from.recv().unwrap_or(false)
    }

    /// Its worker ends the hard way; nobody is told.
    pub(super) fn kill(&self) {
        self.leases.end();
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

    fn order(self: &Arc<Self>, lease: LeaseId, order: WorkerOrder) {
        self.lease.fetch_max(lease.number(), Ordering::AcqRel);
        self.leases.heed(lease, &order);
        let mut worker = self.worker();
        if worker.handle.is_none() && order == WorkerOrder::Shutdown {
            // It was never needed.
            return self.gone();
        }
        let order = self.placed(order);
        match self.handle(&mut worker) {
            Ok(Some(handle)) => handle.send(lease, order),
            Ok(None) => {}
            Err(fault) => {
                self.outbox.say(Up::Said { lease, fact: WorkerFact::Failed(fault) });
                self.gone();
            }
        }
    }

    /// A trial's directory is below this machine's own, if the run's isn't seen.
    fn placed(&self, order: WorkerOrder) -> WorkerOrder {
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
            Said::Fact(lease, fact) => self.outbox.say(Up::Said { lease, fact }),
            Said::Placed(process) => self.outbox.say(Up::Placed(Process::clone(&process))),
            Said::Gone => self.gone(),
        }
    }

    /// The worker has ended: the last word.
    fn gone(&self) {
        let mut ending = self.ending();
        if ending.over.is_none() {
            ending.over = Some(if ending.another { Over::Another } else { Over::Done });
            self.outbox.say(Up::Gone {});
            self.outbox.end();
        }
    }
}

impl Listener<Down> for Arc<Life> {
    fn on_frame(&self, frame: Down) -> bool {
        match frame {
            Down::Order { lease, order } => self.order(lease, order),
            Down::Kill {} => {
                let killed = self.worker().handle.as_mut().map_or(Killed::Dead, |handle| handle.kill());
                if killed == Killed::Abandoned {
                    // It goes on until this process ends, which is soon.
                    self.ending().another = false;
                }
                if killed != Killed::Soon {
                    self.gone();
                }
            }
            Down::Ends { again } => self.ending().another = again,
            Down::Unneeded {} => {
                self.ending().another = false;
                if self.worker().handle.is_none() {
                    self.gone();
                }
            }
            Down::Counts { ask, yes } => {
                if let Some(to) = self.asks.lock().unwrap_or_else(PoisonError::into_inner).remove(&ask) {
                    // Whoever asked may have gone.
                    let _ = to.send(yes);
                }
            }
            Down::Took(took) => self.transfers.on_took(took),
            Down::Gives(gives) => self.transfers.on_gives(gives),
        }
        false
    }

    fn on_piece(&self, piece: &[u8]) {
        self.transfers.on_piece(piece);
    }
}

/// Whether the run's directory is the one that is seen from here.
pub(super) fn is_seen(files: &SharedFiles) -> bool {
    fs::read_to_string(files.run.join(&files.proof)).is_ok_and(|nonce| nonce == files.nonce)
}
